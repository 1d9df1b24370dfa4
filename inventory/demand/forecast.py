"""The forecast of a brand: markets by their best methods, items by smoothing, made coherent."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.brand import Brand
from core.errors import BadInput
from inventory.demand import boosting, coherence, overrides, promotions, reverse, steps
from inventory.demand.book import DAYS, Book, Cells, Guide, completed, scaled, sums
from inventory.demand.calendar import Calendar
from inventory.demand.calibration import neutral
from inventory.demand.engine import Engine, engine_of
from inventory.demand.findings import Finding
from inventory.demand.history import History
from inventory.demand.levels import METHODS, Levels
from inventory.demand.markets import Top, top
from inventory.demand.overrides import Override
from inventory.demand.partition import (
    PARTITION_SERIES,
    Base,
    Partition,
    partition_cells,
    partition_levels,
    partitions,
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

TOP = "top"
"""The step in which markets are forecast: one for the whole brand."""

MOST_STRETCH = 30.0
"""Quantiles of a market move with its mean by at most this: what coherence and promotions may
multiply a week by."""

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
    overrides; `overridden` holds the cells that these changed beside what statistics said, and
    `shifts` adds them up by override, week, region and category. `regions` is the same per week
    and region: its mean is the sum of its items, `method` names the members behind it.
    `categories` sums items by week, region and category. `daily` splits the weeks of a region by
    its own weekdays. `series_methods` says by which method each series was forecast and what share
    of P90 loss that saved against the naive forecast in its last 12 weeks.
    `returns` are the units expected back. `models` counts series by method; region methods carry
    the prefix `region_`, and count one per admission.
    """

    frame: pd.DataFrame
    regions: pd.DataFrame
    categories: pd.DataFrame
    daily: pd.DataFrame
    series_methods: pd.DataFrame
    overridden: pd.DataFrame
    shifts: pd.DataFrame
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
class Learned:
    """All that is learned before the weeks ahead are told: what each partition then needs.

    `levels` covers all series, `ratios` is [category, region, week]; `effects` are those of all
    items, None where no promotion or price moves demand.
    """

    book: Book
    shops: tuple[Partition, ...]
    top: Top
    levels: Levels
    ratios: Floats
    effects: promotions.Effects | None

    def cells(self, engine: Engine) -> Iterator[Cells]:
        """Yields the forecast of each partition, in order."""
        regions = len(self.book.regions)
        rows = [self.levels.rows(one.begin * regions, one.end * regions) for one in self.shops]
        own = list(zip(rows, _effects_of(self.effects, self.shops), strict=True))
        return engine.each(steps.CELLS, self.shops, (self.top.guide, self.ratios), own)


Learn = Callable[[Brand, History, Calendar, Asked, Report, Engine], Learned]


@dataclass(frozen=True)
class Numbers:
    """The forecast of all series as arrays, before names and overrides."""

    learned: Learned
    cells: Cells
    boosted: bool


def forecast(
    brand: Brand,
    weeks: int,
    seed: int = 0,
    report: Report | None = None,
    workers: int = 1,
    more: Sequence[Override] = (),
    learn: Learn | None = None,
) -> Forecast:
    """Returns the demand of the `weeks` weeks after the planning date, with quantiles.

    Demand after the planning date is never looked at. The same brand and seed give the same
    forecast, with any number of `workers`. `more` overrides join those of the brand. `learn` stands
    in for `learned` where something is remembered of an earlier forecast. Raises `BadInput`
    without past demand or for a horizon outside 1 to 104 weeks.
    """
    if not 1 <= weeks <= MOST_WEEKS:
        raise BadInput(f"Expected a horizon from 1 to {MOST_WEEKS} weeks, got {weeks}.")
    began = time.perf_counter()
    history, calendar = History.of(brand), Calendar.of(brand)
    asked = Asked(weeks, seed, workers)
    with engine_of(workers if history.count > PARTITION_SERIES else 1) as engine:
        made = numbers(brand, history, calendar, asked, report or _silent, engine, learn)
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
    brand: Brand,
    history: History,
    calendar: Calendar,
    asked: Asked,
    report: Report,
    engine: Engine,
    learn: Learn | None = None,
) -> Numbers:
    """Returns the forecast of a history as arrays."""
    found = (learn or learned)(brand, history, calendar, asked, report, engine)
    cells = _joined(list(found.cells(engine)))
    better = _boosted(history, found, cells, asked.seed)
    return Numbers(found, better or cells, better is not None)


def learned(
    brand: Brand,
    history: History,
    calendar: Calendar,
    asked: Asked,
    report: Report,
    engine: Engine,
) -> Learned:
    """Returns what a history says about its coming weeks, all but the weeks of items."""
    book = book_of(brand, history, asked.weeks)
    counted = history.counted()
    shops = tuple(partitions(counted, book, ranges(len(book.items), len(book.regions))))
    effects = _effects(shops, engine)
    own = [(mine,) for mine in _effects_of(effects, shops)]
    total = reduce(Base.__add__, engine.each(steps.BASE, shops, (), own))
    found = engine.once(
        TOP,
        (book, total, history.daily, calendar.version, asked),
        lambda: _top(book, total, history, calendar, asked, report, effects, engine),
    )
    report(TOP_SHARE, "Smoothing items")
    known = Levels.joined(list(engine.each(steps.LEVELS, shops, (found.guide,), own)))
    known = completed(book, known, history.dead)
    ratios = coherence.ratios(
        sums(book, found.guide, known),
        found.markets.mean,
        found.category_mean,
    )
    return Learned(book, shops, found, known, ratios, effects)


def _effects(shops: Sequence[Partition], engine: Engine) -> promotions.Effects | None:
    """Returns what promotions and prices do to each item; None where nothing was admitted."""
    if shops[0].history.promotions is None:
        return None
    total = promotions.joined(list(engine.each(steps.TALLY, shops, (), [()] * len(shops))))
    rivals = promotions.candidates(total)
    own = [(tuple(one.of(shop.begin, shop.end) for one in rivals),) for shop in shops]
    proof = promotions.sum_losses(list(engine.each(steps.LOSSES, shops, (), own)))
    found = promotions.effects(total, proof)
    return found if found.promotion.any() or found.elasticity.any() else None


def _effects_of(
    effects: promotions.Effects | None, shops: Sequence[Partition]
) -> list[promotions.Effects | None]:
    """Returns the effects of the items of each partition."""
    return [effects and effects.of(shop.begin, shop.end) for shop in shops]


def _top(
    book: Book,
    total: Base,
    history: History,
    calendar: Calendar,
    asked: Asked,
    report: Report,
    effects: promotions.Effects | None,
    engine: Engine,
) -> Top:
    spans = sample_ranges(len(book.items), len(book.regions))
    plain = list(partitions(history.counted(), book, spans))
    with_effects = zip(plain, _effects_of(effects, plain), strict=True)
    sampled = [replace(shop, effects=mine) for shop, mine in with_effects]
    return top(
        book,
        total,
        history.daily,
        calendar,
        asked,
        lambda done, doing: report(TOP_SHARE * done, doing),
        sampled,
        engine,
    )


def _joined(made: Sequence[Cells]) -> Cells:
    return Cells(
        np.concatenate([one.mean for one in made]), np.concatenate([one.quantiles for one in made])
    )


def _boosted(history: History, found: Learned, cells: Cells, seed: int) -> Cells | None:
    """Returns cells with the means of boosted trees where a plan exists and they win; else None.

    Trees are asked only where promotions or prices were found to move demand, and win only against
    the smoothing that knows these effects.
    """
    book, effects = found.book, found.effects
    fits = book.series <= BOOSTED_SERIES and book.weeks >= 2 * YEAR
    if effects is None or not fits or not boosting.available():
        return None
    shop = next(partitions(history.counted(), book, [(0, len(book.items))]))
    part = shop.plan()
    place = boosting.Place(
        region=np.tile(np.arange(len(book.regions), dtype=np.int64), len(book.items)),
        item=np.arange(len(book.items), dtype=np.int64),
        regions=len(book.regions),
    )
    judged = min(book.horizon, BOOST_WEEKS)
    rivals = {
        book.weeks - back: _means_before(history, shop, book.weeks - back, judged)
        for back in (judged, 2 * judged, 3 * judged)
    }
    if not boosting.wins(part, place, rivals, seed):
        return None
    made = boosting.forecast_means(part, place, effects, seed)
    return scaled(cells, made[:, history.gap :])


def _means_before(history: History, shop: Partition, week: int, weeks: int) -> Floats:
    """Returns what smoothing with promotions would have said before a past week, [series, week]."""
    book = replace(shop.book, weeks=week, gap=0, horizon=weeks)
    then = Partition(0, history.before(week).counted(), book, full=shop.full)
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
    found, book = made.learned, made.learned.book
    decisions = Decisions.of(brand, more)
    frame, overridden = decisions.apply(_frame(book, made.cells))
    mean = frame["mean"].to_numpy().reshape(book.horizon, len(book.regions), len(book.items))
    added = Sums.none(book)
    added.add(book, made.cells.mean, mean.transpose(2, 1, 0))
    back = Back.of(brand, history, book)
    told = assembled(history, calendar, found, decisions, added, made.boosted)
    return replace(
        told,
        frame=frame,
        overridden=overridden,
        shifts=decisions.shifts(overridden),
        returns=back.frame(0, len(book.items), mean.transpose(2, 1, 0)),
        seconds=time.perf_counter() - began,
        seed=seed,
    )


@dataclass(frozen=True)
class Decisions:
    """The overrides of a forecast, and what tells which items they mean."""

    known: tuple[Override, ...]
    category_of: Mapping[str, str]

    @classmethod
    def of(cls, brand: Brand, more: Sequence[Override]) -> "Decisions":
        """Returns those of a brand, and more."""
        known = overrides.in_order((*overrides.of_brand(brand), *more))
        return cls(known, overrides.categories_of(brand))

    def apply(
        self, frame: pd.DataFrame, tallies: pd.DataFrame | None = None
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Returns a forecast after overrides, and the cells that they changed."""
        return overrides.apply(frame, self.known, self.category_of, tallies)

    def shifts(self, overridden: pd.DataFrame) -> pd.DataFrame:
        """Returns changed cells added up by override, week, region and category."""
        keys = ["override", "start", "region", "category"]
        category = overridden["item"].astype("str").map(self.category_of).astype("str")
        region = overridden["region"].astype("str")
        grouped = overridden.assign(category=category, region=region).groupby(keys, as_index=False)
        return grouped.agg(
            cells=("mean", "size"), statistical=("statistical", "sum"), mean=("mean", "sum")
        )


@dataclass(slots=True)
class Sums:
    """What the items of a brand add up to, part by part."""

    said: Floats
    """What statistics say, [week, region]."""
    decided: Floats
    """The same after overrides, [category, week, region]."""

    @classmethod
    def none(cls, book: Book) -> "Sums":
        """Returns the sums of nothing."""
        shape = (book.horizon, len(book.regions))
        return cls(np.zeros(shape), np.zeros((len(book.categories), *shape)))

    def add(self, book: Book, said: Floats, decided: Floats) -> None:
        """Adds the items of a book: means in the order of items, regions and weeks."""
        shape = (len(book.items), len(book.regions), book.horizon)
        self.said += said.reshape(shape).sum(axis=0, dtype=np.float64).T
        np.add.at(self.decided, book.category, decided.reshape(shape).transpose(0, 2, 1))


def assembled(
    history: History,
    calendar: Calendar,
    found: Learned,
    decisions: Decisions,
    added: Sums,
    boosted: bool,
) -> Forecast:
    """Returns a forecast with all that there is one of; the frames of items are empty yet."""
    book, mean = found.book, added.decided.sum(axis=0)
    empty = pd.DataFrame()
    return Forecast(
        frame=empty,
        regions=_region_frame(book, found.top.markets, added.said, mean),
        categories=_category_frame(book, added.decided),
        daily=_daily_frame(book, history, mean),
        series_methods=_method_frame(book, found.levels),
        overridden=empty,
        shifts=empty,
        returns=empty,
        events=_event_frame(book, calendar),
        findings=(
            *history.findings,
            *overrides.idle(decisions.known, book.regions, decisions.category_of),
        ),
        models=_models(found.levels, found.top, boosted),
        calendar=calendar.version,
        seconds=0.0,
        series=book.series,
        seed=0,
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
    factor = np.minimum(_share(said, markets.mean.T), MOST_STRETCH) * _share(mean, said)
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
    """Returns what categories add up to; `mean` is [category, week, region]."""
    weeks, regions, categories = book.horizon, len(book.regions), len(book.categories)
    return pd.DataFrame(
        {
            "start": np.repeat(starts(book).to_numpy(), regions * categories),
            "region": names(
                np.tile(np.repeat(np.arange(regions), categories), weeks), book.regions
            ),
            "category": names(np.tile(np.arange(categories), weeks * regions), book.categories),
            "mean": mean.transpose(1, 2, 0).ravel(),
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


@dataclass(frozen=True)
class Back:
    """What is known about the units that come back; without `sent` nothing is."""

    asked: History
    book: Book
    sent: History | None = None
    known: reverse.Returns | None = None

    @classmethod
    def of(cls, brand: Brand, history: History, book: Book) -> "Back":
        """Returns what the table of returns says about a brand."""
        if brand.table("returns").empty:
            return cls(history, book)
        sent, regions = reverse.returns_history(brand, history), len(book.regions)
        tallies = [
            reverse.tally(
                history.matrix(begin * regions, end * regions),
                sent.matrix(begin * regions, end * regions),
                np.repeat(book.category[begin:end], regions),
                len(book.categories),
            )
            for begin, end in ranges(len(book.items), regions)
        ]
        return cls(history, book, sent, reverse.learned(reverse.joined(tallies)))

    def frame(self, begin: int, end: int, mean: Floats) -> pd.DataFrame:
        """Returns the units expected back by week, region and item, where any are.

        `mean` holds the forecast of items `begin` to `end`, [item, region, week].
        """
        if self.sent is None or self.known is None:
            return pd.DataFrame(columns=["start", "region", "item", "mean"])
        book, regions = self.book, len(self.book.regions)
        category = np.repeat(book.category[begin:end], regions)
        asked = self.asked.matrix(begin * regions, end * regions)
        back = self.sent.matrix(begin * regions, end * regions)
        rate = reverse.rates(asked, back, category, regions, self.known)
        weeks = mean.reshape(-1, book.horizon)
        expected = reverse.returned(asked, weeks, rate, self.known.lag, book.gap)
        series, week = np.nonzero(expected > RETURNED_UNITS)
        order = np.lexsort((series // regions, series % regions, week))
        series, week = series[order], week[order]
        return pd.DataFrame(
            {
                "start": starts(book).to_numpy()[week],
                "region": names(series % regions, book.regions),
                "item": names(series // regions + begin, book.items),
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
