"""`bench forecast`: coming demand of 100,000 series against statsforecast and Prophet."""

import importlib
import sys
import time
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from importlib.util import find_spec

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from api.benchmarks.measured import Line, Measured, Report, WrongAnswer
from inventory.demand import coherence, steps
from inventory.demand.book import DAYS, Book, Cells, completed, sums
from inventory.demand.calendar import Calendar
from inventory.demand.engine import Engine, Here, Pool
from inventory.demand.levels import Levels
from inventory.demand.markets import Top, top
from inventory.demand.partition import Base, Partition, partitions, ranges, sample_ranges
from inventory.demand.prophets import DailySeries, Task, forecast_markets
from inventory.demand.quantiles import LEVELS
from inventory.demand.regions import Asked
from inventory.demand.sparse import Sparse

Floats = NDArray[np.float64]

ITEMS, REGIONS, CATEGORIES = 10_000, 10, 20
WEEKS, AHEAD = 104, 8
SHORT_YEAR = 52

SAMPLE = 2_000
"""Series that both libraries see before the clock runs: by then they are loaded and compiled."""

PROPHETS, PROPHET_DAYS = 20, 730

ROUNDS = 3
"""Timed runs of one process and of two, one after the other: machines have moods."""

HIT = (0.87, 0.93)
"""The share of held-out weeks at or below P90 must lie between."""

FIRST = date(2024, 9, 9)

_P90 = LEVELS.index(0.90)


@dataclass(frozen=True, slots=True)
class Workload:
    """Generated demand: the weeks that forecasters see, and those that came, [series, week]."""

    past: Sparse
    came: Floats
    book: Book


def measure(seed: int, report: Report, items: int = ITEMS, prophets: int = PROPHETS) -> Measured:
    """Returns series per second for a mean and six quantiles, 8 weeks ahead, arrays to arrays.

    Ours is the whole story of a forecast: season, calibration, markets and categories, levels,
    coherence; only Prophet for markets, a cost that does not grow with the series, is left out.
    statsforecast gives point forecasts of the same series in one process, Prophet a daily series
    each. Fails where quantiles cross, fall below 0, miss 90 % of the weeks held out, or differ
    between one process and two.
    """
    report(0.0, "Making demand")
    given = workload(items, seed)
    book = given.book
    report(0.2, "Forecasting in one process and in two")
    alone, both = _rates(given)
    case = f"{book.series:,} series of {WEEKS} weeks, {len(LEVELS)} quantiles, {AHEAD} weeks ahead"
    report(0.6, "Asking statsforecast")
    name, peer = _statsforecast(given)
    report(0.8, "Asking Prophet")
    slow = f"Prophet, {prophets} series of {PROPHET_DAYS} days"
    lines = (
        _line(case, alone, name, peer),
        _line(case, alone, slow, _prophet(prophets, seed)),
        _line(f"{case}, two processes", both, "one process", alone),
    )
    return Measured("forecast", seed, lines)


def _line(case: str, ours: float, peer_name: str, peer: float) -> Line:
    return Line(case, "rate", "series/s", ours, peer_name, peer, higher_is_better=True)


def workload(items: int, seed: int) -> Workload:
    """Returns seasonal counts, most of them a few units a week, with the last weeks held out.

    The yearly season is that of the item's category; counts are negative binomial.
    """
    rng = np.random.default_rng(seed)
    category = np.arange(items, dtype=np.int64) % CATEGORIES
    week = np.arange(WEEKS + AHEAD)
    peak = rng.uniform(0.0, SHORT_YEAR, CATEGORIES)
    season = 1.0 + 0.3 * np.cos(2.0 * np.pi * (week - peak[:, None]) / SHORT_YEAR)
    rate = rng.lognormal(1.5, 1.0, (items, 1)) * rng.lognormal(0.0, 0.4, (items, REGIONS))
    mean = (rate[:, :, None] * season[category][:, None]).reshape(items * REGIONS, -1)
    units = rng.negative_binomial(3.0, 3.0 / (3.0 + mean)).astype(np.float64)
    book = _book(items, category)
    return Workload(_sparse(units[:, :WEEKS], book), units[:, WEEKS:], book)


def _book(items: int, category: NDArray[np.int64]) -> Book:
    return Book(
        items=tuple(f"I{at:06d}" for at in range(items)),
        regions=tuple(f"R{at:02d}" for at in range(REGIONS)),
        categories=tuple(f"C{at:02d}" for at in range(CATEGORIES)),
        category=category,
        first=FIRST,
        weeks=WEEKS,
        gap=0,
        horizon=AHEAD,
    )


def _sparse(units: Floats, book: Book) -> Sparse:
    series, week = np.nonzero(units)
    return Sparse(
        items=book.items,
        regions=book.regions,
        weeks=WEEKS,
        series=series.astype(np.int32),
        week=week.astype(np.int32),
        quantity=units[series, week],
        hidden=np.zeros(0, dtype=np.int64),
        promotions=None,
    )


def _rates(given: Workload) -> tuple[float, float]:
    """Returns the series a second of one process and of two, the best of rounds in turn."""
    alone, both = [], []
    with Pool(2) as pool:
        _timed(given, pool)  # by now both processes have loaded what they need
        for _ in range(ROUNDS):
            one, rate = _timed(given, Here())
            alone.append(rate)
            two, rate = _timed(given, pool)
            both.append(rate)
    _check(one, given)
    if not np.array_equal(one.quantiles, two.quantiles):
        raise WrongAnswer("Two processes forecast other quantiles than one.")
    return max(alone), max(both)


def _timed(given: Workload, engine: Engine) -> tuple[Cells, float]:
    """Returns the forecast and how many series a second it took."""
    begun = time.perf_counter()
    made = _told(given, engine)
    return made, given.book.series / (time.perf_counter() - begun)


def _told(given: Workload, engine: Engine) -> Cells:
    """Returns the forecast of every series, as `inventory.demand.forecast` makes it."""
    book = given.book
    shops = tuple(partitions(given.past, book, ranges(len(book.items), REGIONS)))
    plain = [(None,)] * len(shops)
    total = reduce(Base.__add__, engine.each(steps.BASE, shops, (), plain))
    found = _top(given, total, engine)
    known = Levels.joined(list(engine.each(steps.LEVELS, shops, (found.guide,), plain)))
    known = completed(book, known, np.zeros(len(book.items), dtype=bool))
    ratios = coherence.ratios(
        sums(book, found.guide, known), found.markets.mean, found.category_mean
    )
    own = [(_rows(known, shop), None) for shop in shops]
    cells = list(engine.each(steps.CELLS, shops, (found.guide, ratios), own))
    return Cells(*(np.concatenate([getattr(one, name) for one in cells]) for name in _CELLS))


_CELLS = ("mean", "quantiles")


def _rows(known: Levels, shop: Partition) -> Levels:
    begin = shop.begin * REGIONS
    return known.rows(begin, begin + shop.book.series)


def _top(given: Workload, total: Base, engine: Engine) -> Top:
    """Returns what is known about the whole brand; days without demand keep Prophet away."""
    book = given.book
    spans = sample_ranges(len(book.items), REGIONS)
    sampled = list(partitions(given.past, book, spans))
    return top(
        book,
        total,
        np.zeros((DAYS * WEEKS, REGIONS)),
        Calendar(tuple((name, "US") for name in book.regions), (), (), book.start),
        Asked(AHEAD),
        lambda done, doing: None,
        sampled,
        engine,
    )


def _check(made: Cells, given: Workload) -> None:
    quantiles = made.quantiles
    if (np.diff(quantiles, axis=-1) < 0).any() or (quantiles < 0).any():
        raise WrongAnswer("Quantiles cross or fall below 0.")
    hit = float((given.came <= quantiles[..., _P90]).mean())
    if not HIT[0] <= hit <= HIT[1]:
        raise WrongAnswer(f"P90 holds {hit:.1%} of the weeks held out, not 90 %.")


def _statsforecast(given: Workload) -> tuple[str, float]:
    """Returns who it is and its rate; a rate of 0 where it is not installed."""
    name = "statsforecast, means only"
    if sys.version_info >= (3, 13) or find_spec("statsforecast") is None:
        return f"{name}: left out, it comes with the extra dev on Python below 3.13", 0.0
    library = importlib.import_module("statsforecast")
    models = importlib.import_module("statsforecast.models")
    asked = library.StatsForecast(
        [models.SimpleExponentialSmoothingOptimized()], freq=f"{DAYS}D", n_jobs=1
    )
    book = replace(given.book, items=given.book.items[: SAMPLE // REGIONS])
    asked.forecast(df=_long(given, book.series), h=AHEAD)
    frame = _long(given, given.book.series)
    begun = time.perf_counter()
    asked.forecast(df=frame, h=AHEAD)
    return name, given.book.series / (time.perf_counter() - begun)


def _long(given: Workload, series: int) -> pd.DataFrame:
    """Returns the past of the first series as that library takes it."""
    weeks = pd.date_range(FIRST, periods=WEEKS, freq=f"{DAYS}D")
    return pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(series), WEEKS),
            "ds": np.tile(weeks.to_numpy(), series),
            "y": given.past.matrix(0, series).ravel(),
        }
    )


def _prophet(count: int, seed: int) -> float:
    """Returns how many daily series a second Prophet forecasts."""
    units = np.random.default_rng(seed).poisson(20.0, (count + 1, PROPHET_DAYS))
    start = date.fromordinal(FIRST.toordinal() + PROPHET_DAYS + 5)
    tasks = [
        Task(f"S{at}", DailySeries(row.astype(np.float64), FIRST), start, AHEAD, seed)
        for at, row in enumerate(units)
    ]
    forecast_markets(tasks[:1])
    begun = time.perf_counter()
    forecast_markets(tasks[1:])
    return count / (time.perf_counter() - begun)
