"""Exponential smoothing of many series at once: loops run over weeks and alphas, never series."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ALPHAS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Weights of the newest week that every series tries."""

SPREAD_ALPHA, SPREAD_WEIGHT = 0.1, 0.05
"""The spread of a series follows the squared misses of this alpha with this weight: errors of
last spring say less about the next weeks than those of last month."""

START_WEEKS = 8
"""The first level of a series is the mean of this many weeks from its first demand."""

AGGREGATES = (2, 3, 4, 6, 8)
"""Bucket lengths in weeks that intermittent series are smoothed over besides single weeks."""

INTERMITTENT = 0.5
"""Series with more than this share of weeks without demand count as intermittent."""

BLOCK = 4096
"""Series of one pass over the weeks: few enough that all that a pass touches stays in cache."""


@dataclass(frozen=True, slots=True)
class Smoothed:
    """The state of each series after its last week; arrays of shape [series]."""

    level: Floats
    """Expected units of every week ahead."""
    variance: Floats
    """Expected squared error of one week ahead, the newest errors first."""
    alpha: Floats
    """The weight with the smallest squared error in sample."""
    weeks: Floats
    """Weeks since the first demand, that week included; 0 for a series without any."""
    zeros: Floats
    """Share of those weeks without demand; 1 for a series without any."""
    marked: Floats
    """Level and variance as they stood before each marked week, [mark, level or variance,
    series]."""

    def widening(self, horizon: int, gap: int = 0) -> Floats:
        """Returns how much wider errors are h weeks ahead than one week ahead, [series, horizon].

        The variance of simple exponential smoothing grows by `1 + (h - 1) * alpha ** 2`
        (Hyndman and others, Forecasting with Exponential Smoothing, 2008, table 6.1).
        """
        ahead = np.arange(horizon) + gap
        return np.sqrt(1.0 + ahead * self.alpha[:, None] ** 2)


def smooth(demand: Floats, hidden: Flags | None = None, marks: tuple[int, ...] = ()) -> Smoothed:
    """Returns each series smoothed with the alpha of its smallest squared error.

    `demand` is [series, week]; weeks before a series' first demand do not count as evidence, so an
    item launched last month is judged by last month, and neither do `hidden` weeks, in which
    nothing could be sold. `marks` are weeks at which the state is remembered, as a forecast made
    just before that week would have known it.
    """
    count, weeks = demand.shape
    any_demand = demand.any(axis=1)
    first = np.where(any_demand, (demand != 0).argmax(axis=1), weeks)
    since = np.arange(weeks) >= first[:, None]
    blind = np.zeros(count) if hidden is None else (hidden & since).sum(axis=1)
    seen = np.maximum(weeks - first - blind, 0).astype(np.float64)
    state = _Best.empty(count, len(marks))
    for begin in range(0, count, BLOCK):
        rows = slice(begin, begin + BLOCK)
        block = np.ascontiguousarray(demand[rows].T)
        unseen = np.arange(weeks)[:, None] < first[rows]
        if hidden is not None:
            unseen |= hidden[rows].T
        shown = None if hidden is None else ~hidden[rows]
        opening = _opening(demand[rows], first[rows], shown)
        state.put(rows, _best(block, unseen, opening, marks))
    busy = np.count_nonzero(demand, axis=1)
    return Smoothed(
        level=np.where(any_demand, state.level, 0.0),
        variance=np.where(any_demand, state.spread, 0.0),
        alpha=state.alpha,
        weeks=seen,
        zeros=np.where(any_demand, 1.0 - np.minimum(busy / np.maximum(seen, 1.0), 1.0), 1.0),
        marked=state.marked,
    )


def expected(demand: Floats, smoothed: Smoothed) -> Floats:
    """Returns the mean of a week ahead, [series].

    It is the level; for intermittent series the average with the level of longer buckets, which
    hold fewer zeros, so that the chance of the last week weighs less. This is IMAPA (Petropoulos
    and Kourentzes, Forecast combinations for intermittent demand, 2015) with bucket lengths up to
    the mean interval between demands.
    """
    rare = np.flatnonzero((smoothed.zeros > INTERMITTENT) & (smoothed.weeks > 0))
    mean = smoothed.level.copy()
    if rare.size:
        mean[rare] = (mean[rare] + _aggregated(demand, smoothed, rare)) / 2.0
    return mean


def _aggregated(demand: Floats, smoothed: Smoothed, rare: NDArray[np.intp]) -> Floats:
    interval = 1.0 / np.maximum(1.0 - smoothed.zeros[rare], 1e-9)
    total, votes = smoothed.level[rare].copy(), np.ones(len(rare))
    for length in AGGREGATES:
        buckets = demand.shape[1] // length
        used = np.flatnonzero(interval >= length)
        if buckets < 2 or not used.size:
            break
        recent = demand[rare[used], -buckets * length :]
        level = smooth(recent.reshape(len(used), buckets, length).sum(axis=2)).level
        sold = level > 0
        total[used[sold]] += level[sold] / length
        votes[used[sold]] += 1.0
    return np.asarray(total / votes)


def _opening(demand: Floats, first: NDArray[np.intp], shown: Flags | None) -> Floats:
    """Returns the mean of the weeks seen of the first ones, counted from the first demand."""
    last = np.minimum(first + START_WEEKS, demand.shape[1])
    if shown is None:
        return _between(demand, first, last) / np.maximum(last - first, 1)
    return _between(demand * shown, first, last) / np.maximum(_between(shown, first, last), 1.0)


def _between(values: Floats | Flags, first: NDArray[np.intp], last: NDArray[np.intp]) -> Floats:
    """Returns the sum of each row from one week to before another."""
    summed = np.pad(np.cumsum(values, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    rows = np.arange(len(values))
    return np.asarray(summed[rows, last] - summed[rows, first])


@dataclass(slots=True)
class _Best:
    """What the best alpha of each series leaves behind; filled block by block."""

    level: Floats
    spread: Floats
    alpha: Floats
    marked: Floats

    @classmethod
    def empty(cls, count: int, marks: int) -> "_Best":
        return cls(np.zeros(count), np.zeros(count), np.zeros(count), np.zeros((marks, 2, count)))

    def put(self, rows: slice, block: "_Best") -> None:
        self.level[rows], self.spread[rows] = block.level, block.spread
        self.alpha[rows], self.marked[..., rows] = block.alpha, block.marked


def _best(demand: Floats, unseen: Flags, opening: Floats, marks: tuple[int, ...]) -> _Best:
    """Returns the state of the alpha with the smallest error; arrays are [week, series]."""
    best = _Best.empty(demand.shape[1], len(marks))
    best.level[:], best.alpha[:] = opening, ALPHAS[0]
    least = np.full(demand.shape[1], np.inf)
    least_then = np.full((len(marks), demand.shape[1]), np.inf)
    seen = (~unseen).astype(np.float64)
    for alpha in ALPHAS:
        level, error, at_marks = _pass(demand, seen, opening, alpha, marks)
        better = error < least
        np.copyto(best.level, level, where=better)
        np.copyto(best.alpha, alpha, where=better)
        np.copyto(least, error, where=better)
        better_then = at_marks[:, 1] < least_then
        np.copyto(best.marked[:, 0], at_marks[:, 0], where=better_then)
        np.copyto(least_then, at_marks[:, 1], where=better_then)
    for at, mark in enumerate(marks):
        best.marked[at, 0] *= seen[:mark].any(axis=0)
    best.spread[:], best.marked[:, 1] = _spread(demand, seen, opening, marks)
    return best


def _pass(
    demand: Floats, seen: Floats, opening: Floats, alpha: float, marks: tuple[int, ...]
) -> tuple[Floats, Floats, Floats]:
    """Returns last level, summed squared error, and both before each marked week."""
    level, squared, miss = opening.copy(), np.zeros_like(opening), np.empty_like(opening)
    at_marks = np.zeros((len(marks), 2, len(opening)))
    for week in range(len(demand)):
        if week in marks:
            at_marks[marks.index(week)] = level, squared
        np.subtract(demand[week], level, out=miss)
        miss *= seen[week]
        level += alpha * miss
        miss *= miss
        squared += miss
    return level, squared, at_marks


def _spread(
    demand: Floats, seen: Floats, opening: Floats, marks: tuple[int, ...]
) -> tuple[Floats, Floats]:
    """Returns the smoothed squared miss after the last week, and before each marked one.

    The weight falls from 1 to `SPREAD_WEIGHT` with the weeks seen, so that young series average.
    """
    level, spread = opening.copy(), np.zeros_like(opening)
    count, at_marks = np.zeros_like(opening), np.zeros((len(marks), len(opening)))
    for week in range(len(demand)):
        if week in marks:
            at_marks[marks.index(week)] = spread
        miss = (demand[week] - level) * seen[week]
        count += seen[week]
        weight = np.maximum(1.0 / np.maximum(count, 1.0), SPREAD_WEIGHT) * seen[week]
        level += SPREAD_ALPHA * miss
        spread += weight * (miss * miss - spread)
    return spread, at_marks


def huber_level(demand: Floats, hidden: Flags | None = None) -> Floats:
    """Returns the level of few series by smoothing that large misses pull no more than usual ones.

    A miss counts at most 1.5 mean absolute misses (after Gelper, Fried and Croux, Robust
    forecasting with exponential and Holt-Winters smoothing, 2010); alpha has the smallest absolute
    error in sample. `demand` is [series, week]; `hidden` weeks at the end of a series say nothing,
    but the first ones open its level.
    """
    seen = np.ones_like(demand) if hidden is None else (~hidden).astype(np.float64)
    best: Floats = demand[:, :START_WEEKS].mean(axis=1)
    least = np.full(len(demand), np.inf)
    for alpha in ALPHAS[1:]:
        level, error = _huber_pass(demand, seen, alpha)
        best = np.where(error < least, level, best)
        least = np.minimum(error, least)
    return best


def _huber_pass(demand: Floats, seen: Floats, alpha: float) -> tuple[Floats, Floats]:
    level: Any = np.median(demand[:, :START_WEEKS], axis=1)
    scale = np.maximum(np.abs(demand[:, :START_WEEKS] - level[:, None]).mean(axis=1), 1e-9)
    error = np.zeros(len(demand))
    for week, counts in zip(demand.T, seen.T, strict=True):
        miss = (week - level) * counts
        error += np.abs(miss)
        level = level + alpha * np.clip(miss, -1.5 * scale, 1.5 * scale)
        scale = scale + 0.1 * (np.minimum(np.abs(miss), 3.0 * scale) - scale) * counts
    return np.asarray(level), error
