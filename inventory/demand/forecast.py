"""The forecast of a brand: markets by their best methods, items by smoothing, made coherent."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.brand import Brand
from core.errors import BadInput
from inventory.demand import boosting, coherence, overrides, promotions, reverse
from inventory.demand.book import DAYS, Book, Cells, Guide, completed, scaled, sums
from inventory.demand.calendar import Calendar
from inventory.demand.calibration import neutral
from inventory.demand.findings import Finding
from inventory.demand.history import History
from inventory.demand.levels import METHODS, Levels
from inventory.demand.markets import Top, sample_pasts, top
from inventory.demand.overrides import Override
from inventory.demand.partition import (
    Base,
    Partition,
    base,
    partition_cells,
    partition_levels,
    partitions,
    promotion_losses,
    promotion_tally,
    ranges,
    sample_ranges,
)
from inventory.demand.quantiles import COLUMNS, LEVELS
from inventory.demand.regions import Asked, Outlook, Report
from inventory.demand.season import YEAR, Season

Floats = NDArray[np.float64]

MOST_WEEKS = 104

TOP_SHARE = 0.8
"""Share of the time that markets take in the progress bar."""

BOOSTED_SERIES = 20_000
"""More series than this are left to smoothing and promotion effects alone."""

NOTHING = 1e-9
"""Units a week that count as none."""

RETURNED_UNITS = 1e-3
"""Expected returns below this are not listed."""

BOOST_WEEKS = 4
"""Weeks of each of the three trials in which trees compete with smoothing."""


@dataclass(frozen=True)
class Forecast:
    """What a brand can expect to be asked for.

    `frame` has the layout of `forecast.parquet`, one row per week, region and item, after
    overrides; `overridden` holds the cells that these changed beside what statistics said.
    `regions` is the same per week and region: its mean is the sum of its items, `method` names the
    members behind it. `categories` sums items by week, region and category. `daily` splits the
    weeks of a region by its own weekdays. `series_methods` says by which method each series was
    forecast and what share of P90 loss that saved against the naive forecast in its last 12 weeks.
    `returns` are the units expected back. `models` counts series by method; region methods carry
    the prefix `region_`, and count one per admission.
    """

    frame: pd.DataFrame
    regions: pd.DataFrame
    categories: pd.DataFrame
    daily: pd.DataFrame
    series_methods: pd.DataFrame
    overridden: pd.DataFrame
    returns: pd.DataFrame
    events: pd.DataFrame
    findings: tuple[Finding, ...]
    models: dict[str, int]
    calendar: str
    seconds: float
    series: int
    seed: int

    def summary(self) -> dict[str, Any]:
        """Returns the figures that every door shows."""
        return {
            "series": self.series,
            "seconds": round(self.seconds, 3),
            "series_per_minute": round(self.series / max(self.seconds, 1e-9) * 60),
            "models": self.models,
        }


@dataclass(frozen=True)
class Numbers:
    """The forecast as arrays, before names and overrides: series by week.

    `cells` covers all series; `markets` and `guide` say what stood behind them.
    """

    book: Book
    top: Top
    levels: Levels
    cells: Cells
    effects: promotions.Effects | None
    boosted: bool


def forecast(
    brand: Brand,
    weeks: int,
    seed: int = 0,
    report: Report | None = None,
    workers: int = 1,
    more: Sequence[Override] = (),
) -> Forecast:
    """Returns the demand of the `weeks` weeks after the planning date, with quantiles.

    Demand after the planning date is never looked at. The same brand and seed give the same
    forecast, with any number of `workers`. `more` overrides join those of the brand. Raises
    `BadInput` without past demand or for a horizon outside 1 to 104 weeks.
    """
    if not 1 <= weeks <= MOST_WEEKS:
        raise BadInput(f"Expected a horizon from 1 to {MOST_WEEKS} weeks, got {weeks}.")
    began = time.perf_counter()
    history, calendar = History.of(brand), Calendar.of(brand)
    made = numbers(brand, history, calendar, Asked(weeks, seed, workers), report or _silent)
    return _told(brand, history, calendar, made, tuple(more), began=began, seed=seed)


def book_of(brand: Brand, history: History, weeks: int) -> Book:
    """Returns the book of a brand for a horizon."""
    code, names = pd.factorize(brand.table("items")["category"])
    return Book(
        items=history.items,
        regions=history.regions,
        categories=tuple(str(name) for name in names),
        category=code.astype(np.int64),
        first=history.first,
        weeks=history.weeks,
        gap=history.gap,
        horizon=weeks,
    )


def numbers(
    brand: Brand, history: History, calendar: Calendar, asked: Asked, report: Report
) -> Numbers:
    """Returns the forecast of a history as arrays."""
    book = book_of(brand, history, asked.weeks)
    spans = ranges(len(book.items), len(book.regions))
    shops = list(partitions(history, book, spans))
    effects = _effects(history, shops)
    shops = [_with(shop, effects) for shop in shops]
    total = sum((base(shop) for shop in shops[1:]), base(shops[0]))
    found = _top(book, total, history, calendar, asked, report, effects)
    report(TOP_SHARE, "Smoothing items")
    known = Levels.joined([partition_levels(shop, found.guide) for shop in shops])
    known = completed(book, known, history.dead)
    ratios = coherence.ratios(
        sums(book, found.guide, known),
        found.markets.mean,
        found.category_mean,
    )
    cells = _joined([_cells(shop, found.guide, known, ratios) for shop in shops])
    better = _boosted(shops, cells, effects, asked.seed)
    return Numbers(book, found, known, better or cells, effects, better is not None)


def _effects(history: History, shops: Sequence[Partition]) -> promotions.Effects | None:
    """Returns what promotions and prices do to each item; None where nothing was admitted."""
    if history.promotions is None:
        return None
    total = promotions.joined([promotion_tally(shop) for shop in shops])
    rivals = promotions.candidates(total)
    proof = promotions.sum_losses([promotion_losses(shop, rivals) for shop in shops])
    found = promotions.effects(total, proof)
    return found if found.promotion.any() or found.elasticity.any() else None


def _with(shop: Partition, effects: promotions.Effects | None) -> Partition:
    if effects is None:
        return shop
    return replace(shop, effects=effects.of(shop.begin, shop.begin + len(shop.book.items)))


def _top(
    book: Book,
    total: Base,
    history: History,
    calendar: Calendar,
    asked: Asked,
    report: Report,
    effects: promotions.Effects | None,
) -> Top:
    spans = sample_ranges(len(book.items), len(book.regions))
    sampled = [_with(shop, effects) for shop in partitions(history, book, spans)]
    return top(
        book,
        total,
        history.daily,
        calendar,
        asked,
        lambda done, doing: report(TOP_SHARE * done, doing),
        lambda guide: sample_pasts(sampled, guide),
    )


def _cells(shop: Partition, guide: Guide, known: Levels, ratios: Floats) -> Cells:
    regions = len(shop.book.regions)
    begin = shop.begin * regions
    return partition_cells(shop, guide, known.rows(begin, begin + shop.book.series), ratios)


def _joined(made: Sequence[Cells]) -> Cells:
    return Cells(
        np.concatenate([one.mean for one in made]), np.concatenate([one.quantiles for one in made])
    )


def _boosted(
    shops: Sequence[Partition], cells: Cells, effects: promotions.Effects | None, seed: int
) -> Cells | None:
    """Returns cells with the means of boosted trees where a plan exists and they win; else None.

    Trees are asked only where promotions or prices were found to move demand, and win only against
    the smoothing that knows these effects.
    """
    history, book = shops[0].history, shops[0].book
    fits = len(shops) == 1 and book.series <= BOOSTED_SERIES and book.weeks >= 2 * YEAR
    if effects is None or not fits or not boosting.available():
        return None
    part = shops[0].plan()
    place = boosting.Place(
        region=np.tile(np.arange(len(book.regions), dtype=np.int64), len(book.items)),
        item=np.arange(len(book.items), dtype=np.int64),
        regions=len(book.regions),
    )
    judged = min(book.horizon, BOOST_WEEKS)
    rivals = {
        book.weeks - back: _means_before(shops[0], book.weeks - back, judged)
        for back in (judged, 2 * judged, 3 * judged)
    }
    if not boosting.wins(part, place, rivals, seed):
        return None
    made = boosting.forecast_means(part, place, effects, seed)
    return scaled(cells, made[:, history.gap :])


def _means_before(shop: Partition, week: int, weeks: int) -> Floats:
    """Returns what smoothing with promotions would have said before a past week, [series, week]."""
    history = shop.history.before(week)
    book = replace(shop.book, weeks=week, gap=0, horizon=weeks)
    then = Partition(0, history, book, full=shop.full)
    known = replace(then, effects=promotions.estimate(then.plan()))
    plain = Guide(Season.none(len(book.categories), week, weeks), neutral())
    found = partition_levels(known, plain)
    even = np.ones((len(book.categories), len(book.regions), weeks))
    return partition_cells(known, plain, found, even).mean


def _told(
    brand: Brand,
    history: History,
    calendar: Calendar,
    made: Numbers,
    more: tuple[Override, ...],
    *,
    began: float,
    seed: int,
) -> Forecast:
    """Returns the numbers with their names, after overrides."""
    book = made.book
    known = overrides.in_order((*overrides.of_brand(brand), *more))
    category_of = overrides.categories_of(brand)
    frame, overridden = overrides.apply(_frame(book, made.cells), known, category_of)
    mean = frame["mean"].to_numpy().reshape(book.horizon, len(book.regions), len(book.items))
    said = made.cells.mean.reshape(len(book.items), len(book.regions), -1).sum(axis=0).T
    regions = _region_frame(book, made.top.markets, said, mean.sum(axis=2))
    return Forecast(
        frame=frame,
        regions=regions,
        categories=_category_frame(book, mean),
        daily=_daily_frame(book, history, mean.sum(axis=2)),
        series_methods=_method_frame(book, made.levels),
        overridden=overridden,
        returns=_returns(brand, history, book, mean.transpose(2, 1, 0).reshape(book.series, -1)),
        events=_event_frame(book, calendar),
        findings=(*history.findings, *overrides.idle(known, book.regions, category_of)),
        models=_models(made.levels, made.top, made.boosted),
        calendar=calendar.version,
        seconds=time.perf_counter() - began,
        series=book.series,
        seed=seed,
    )


def starts(book: Book) -> pd.DatetimeIndex:
    """Returns the Mondays of the forecast weeks."""
    return pd.date_range(book.start, periods=book.horizon, freq=f"{DAYS}D")


def _frame(book: Book, cells: Cells) -> pd.DataFrame:
    regions, items, weeks = len(book.regions), len(book.items), book.horizon
    shape = (items, regions, weeks)
    columns: dict[str, object] = {
        "start": np.repeat(starts(book).to_numpy(), regions * items),
        "region": names(np.tile(np.repeat(np.arange(regions), items), weeks), book.regions),
        "item": names(np.tile(np.arange(items), weeks * regions), book.items),
        "mean": cells.mean.reshape(shape).transpose(2, 1, 0).ravel(),
    }
    for at, name in enumerate(COLUMNS):
        columns[name] = cells.quantiles[..., at].reshape(shape).transpose(2, 1, 0).ravel()
    return pd.DataFrame(columns)


def names(codes: NDArray[np.intp], of: tuple[str, ...]) -> "pd.Series[str]":
    """Returns the names behind codes."""
    return pd.Series(pd.array(of, dtype="str").take(codes))


def _region_frame(book: Book, markets: Outlook, said: Floats, mean: Floats) -> pd.DataFrame:
    """Returns the markets: their mean is the sum of their items, quantiles moved along.

    `said` is the sum before overrides and `mean` after, [week, region]. A market whose outlook is
    nearly nothing says as little about the spread of what its items expect.
    """
    count = len(book.regions)
    methods = tuple("+".join(members) for members in markets.admitted)
    factor = np.minimum(_share(said, markets.mean.T), coherence.HIGHEST) * _share(mean, said)
    quantiles = markets.quantiles.transpose(1, 0, 2) * factor[..., None]
    columns: dict[str, object] = {
        "start": np.repeat(starts(book).to_numpy(), count),
        "region": names(np.tile(np.arange(count), book.horizon), book.regions),
        "method": names(np.tile(np.arange(count), book.horizon), methods),
        "mean": mean.ravel(),
    }
    flat = quantiles.reshape(-1, len(LEVELS))
    return pd.DataFrame(columns | {name: flat[:, at] for at, name in enumerate(COLUMNS)})


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.ones_like(part), where=whole > NOTHING)


def _category_frame(book: Book, mean: Floats) -> pd.DataFrame:
    weeks, regions, categories = book.horizon, len(book.regions), len(book.categories)
    summed = np.zeros((categories, weeks, regions))
    np.add.at(summed, book.category, mean.transpose(2, 0, 1))
    return pd.DataFrame(
        {
            "start": np.repeat(starts(book).to_numpy(), regions * categories),
            "region": names(
                np.tile(np.repeat(np.arange(regions), categories), weeks), book.regions
            ),
            "category": names(np.tile(np.arange(categories), weeks * regions), book.categories),
            "mean": summed.transpose(1, 2, 0).ravel(),
        }
    )


def _daily_frame(book: Book, history: History, mean: Floats) -> pd.DataFrame:
    """Returns the weeks of each market split by its own weekdays."""
    profile = history.weekday_profile()
    days = mean[:, :, None] * profile  # [week, region, weekday]
    count = book.horizon * DAYS
    return pd.DataFrame(
        {
            "date": np.repeat(
                pd.date_range(book.start, periods=count, freq="D").to_numpy(), len(book.regions)
            ),
            "region": names(np.tile(np.arange(len(book.regions)), count), book.regions),
            "mean": days.transpose(0, 2, 1).ravel(),
        }
    )


def _method_frame(book: Book, known: Levels) -> pd.DataFrame:
    regions, items = len(book.regions), len(book.items)
    return pd.DataFrame(
        {
            "region": names(np.tile(np.arange(regions), items), book.regions),
            "item": names(np.repeat(np.arange(items), regions), book.items),
            "method": names(known.method.astype(np.intp), METHODS),
            "alpha": known.alpha,
            "value_added": known.value_added,
        }
    )


def _event_frame(book: Book, calendar: Calendar) -> pd.DataFrame:
    last = book.start + timedelta(days=DAYS * book.horizon - 1)
    rows = [
        (region, span.name, pd.Timestamp(span.start), pd.Timestamp(span.end))
        for region in book.regions
        for span in calendar.spans(region, book.first, last)
    ]
    return pd.DataFrame(rows, columns=["region", "event", "start", "end"])


def _returns(brand: Brand, history: History, book: Book, mean: Floats) -> pd.DataFrame:
    """Returns the units expected back by week, region and item, where any are.

    `mean` is [series, week]. Empty without a table of returns.
    """
    if brand.table("returns").empty:
        return pd.DataFrame(columns=["start", "region", "item", "mean"])
    asked = history.matrix(0, history.count)
    sent = reverse.returns_history(brand, history)
    back = sent.matrix(0, sent.count)
    known = reverse.learned(reverse.tally(asked, back, book.category, len(book.categories)))
    rate = reverse.rates(asked, back, book.category, len(book.regions), known)
    expected = reverse.returned(asked, mean, rate, known.lag, history.gap)
    series, week = np.nonzero(expected > RETURNED_UNITS)
    order = np.lexsort((series // len(book.regions), series % len(book.regions), week))
    series, week = series[order], week[order]
    return pd.DataFrame(
        {
            "start": starts(book).to_numpy()[week],
            "region": names(series % len(book.regions), book.regions),
            "item": names(series // len(book.regions), book.items),
            "mean": expected[series, week],
        }
    )


def _models(known: Levels, found: Top, boosted: bool) -> dict[str, int]:
    counts = np.bincount(known.method, minlength=len(METHODS))
    items = {name: int(count) for name, count in zip(METHODS, counts, strict=True) if count}
    if boosted:
        items = {"boosting": int(counts.sum())}
    members = Counter(name for admitted in found.markets.admitted for name in admitted)
    return items | {f"region_{name}": members[name] for name in sorted(members)}


def _silent(share: float, doing: str) -> None:
    pass
