"""Markets: the few series at the top, where effort pays: regions and categories of a brand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from inventory.demand import steps
from inventory.demand.book import DAYS, Book, Guide
from inventory.demand.calendar import Calendar
from inventory.demand.calibration import Trials, neutral
from inventory.demand.closures import coming
from inventory.demand.engine import Engine
from inventory.demand.event_weeks import Named, named_weeks
from inventory.demand.members import Weekly
from inventory.demand.partition import Base, Partition
from inventory.demand.regions import MEMBERS, Asked, Layer, Outlook, Report, forecast_layer
from inventory.demand.season import Season, season

Floats = NDArray[np.float64]

MOST_CATEGORIES = 200
"""More categories than this are too thin to be forecast; items then follow their markets alone."""


@dataclass(frozen=True, slots=True)
class Top:
    """What is known about the whole brand: the outlook of markets and categories, and the guide."""

    markets: Outlook
    categories: Outlook | None
    guide: Guide

    @property
    def category_mean(self) -> Floats | None:
        """The mean of the categories that a challenger forecasts, NaN for all others.

        Smoothing a category says nothing that smoothing its items does not say.
        """
        if self.categories is None:
            return None
        won = np.array([members != MEMBERS[:1] for members in self.categories.admitted])
        return np.where(won[:, None], self.categories.mean, np.nan)


def top(
    book: Book,
    total: Base,
    daily: Floats,
    calendar: Calendar,
    asked: Asked,
    report: Report,
    sample: Sequence[Partition],
    engine: Engine,
) -> Top:
    """Returns the outlook of the whole brand from what its partitions add up to.

    `daily` is [day, region]; the quantiles of a `sample` of items are held against its past.
    """
    seasons = season(total.category, book.first, book.gap + book.horizon)
    if book.weeks < 1 or not total.category.any():
        seasons = Season.none(len(book.categories), book.weeks, book.gap + book.horizon)
    left = coming(total.region.sum(axis=0), book.gap + book.horizon)
    draft = Guide(replace(seasons, ahead=seasons.ahead * left), neutral())
    own = [(shop.effects,) for shop in sample]
    tried = engine.each(steps.TRIALS, sample, (draft,), own)  # others begin while this goes on
    markets = forecast_layer(_market_layer(book, total, daily, calendar), asked, report)
    categories = _categories(book, total, asked, calendar)
    guide = replace(draft, calibration=reduce(Trials.__add__, tried).calibration())
    open_share = left[book.gap :]
    return Top(markets.closed(open_share), categories and categories.closed(open_share), guide)


def _categories(book: Book, total: Base, asked: Asked, calendar: Calendar) -> Outlook | None:
    """Returns the outlook of categories; None where there is one or are too many.

    Prophet is not asked: holidays are learned by market, and the season of a category is known.
    The calendar of categories is that of the largest market.
    """
    if not 1 < len(book.categories) <= MOST_CATEGORIES:
        return None
    largest = book.regions[int(total.region.sum(axis=1).argmax())]
    named = _named(book, calendar, (largest,)) * len(book.categories)
    layer = Layer(book.categories, Weekly(total.category, book.first, book.gap, named))
    return forecast_layer(layer, asked, lambda done, doing: None)


def _named(book: Book, calendar: Calendar, regions: Sequence[str]) -> tuple[Named, ...]:
    """Returns the names of the weeks of some regions, past and coming."""
    weeks = book.weeks + book.gap + book.horizon
    last = book.first + timedelta(days=DAYS * weeks - 1)
    return tuple(
        named_weeks(calendar.days(region, book.first, last), book.first, weeks)
        for region in regions
    )


def _market_layer(book: Book, total: Base, daily: Floats, calendar: Calendar) -> Layer:
    last = book.start + timedelta(days=DAYS * book.horizon - 1)
    return Layer(
        names=book.regions,
        weekly=Weekly(total.region, book.first, book.gap, _named(book, calendar, book.regions)),
        daily=_plain_days(daily, total.region),
        events=tuple(tuple(calendar.days(region, book.first, last)) for region in book.regions),
    )


def _plain_days(daily: Floats, weekly: Floats) -> Floats:
    """Returns the days of each market scaled to its plain weeks, [day, region].

    So days know as little as weeks of promotions, and as much of what stock-outs kept from sale.
    """
    weeks, made = weekly.shape[1], daily.copy()
    sold = daily[: DAYS * weeks].reshape(weeks, DAYS, -1).sum(axis=1)
    scale = np.divide(weekly.T, sold, out=np.ones_like(sold), where=sold > 0)
    made[: DAYS * weeks] *= np.repeat(scale, DAYS, axis=0)
    return made
