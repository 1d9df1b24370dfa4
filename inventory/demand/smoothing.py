"""Exponential smoothing of many series at once: loops run over weeks and alphas, never series."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ALPHAS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Weights of the newest week that every series tries."""

START_WEEKS = 8
"""The first level of a series is the mean of this many weeks from its first demand."""

AGGREGATES = (2, 3, 4, 6, 8)
"""Bucket lengths in weeks that intermittent series are smoothed over besides single weeks."""

INTERMITTENT = 0.5
"""Series with more than this share of weeks without demand count as intermittent."""


@dataclass(frozen=True, slots=True)
class Smoothed:
    """The state of each series after its last week; arrays of shape [series]."""

    level: Floats
    """Expected units of every week ahead."""
    variance: Floats
    """Mean squared error of one week ahead."""
    alpha: Floats
    """The weight with the smallest squared error in sample."""
    weeks: Floats
    """Weeks since the first demand, that week included; 0 for a series without any."""
    zeros: Floats
    """Share of those weeks without demand; 1 for a series without any."""

    def widening(self, horizon: int, gap: int = 0) -> Floats:
        """Returns how much wider errors are h weeks ahead than one week ahead, [series, horizon].

        The variance of simple exponential smoothing grows by `1 + (h - 1) * alpha ** 2`
        (Hyndman and others, Forecasting with Exponential Smoothing, 2008, table 6.1).
        """
        ahead = np.arange(horizon) + gap
        return np.sqrt(1.0 + ahead * self.alpha[:, None] ** 2)


def smooth(demand: Floats) -> Smoothed:
    """Returns each series smoothed with the alpha of its smallest squared error.

    `demand` is [series, week]; weeks before a series' first demand do not count as evidence, so an
    item launched last month is judged by last month.
    """
    count, weeks = demand.shape
    any_demand = demand.any(axis=1)
    first = np.where(any_demand, (demand != 0).argmax(axis=1), weeks)
    seen = np.maximum(weeks - first, 0).astype(np.float64)
    by_week = np.ascontiguousarray(demand.T)
    level, error, alpha = _best(by_week, first, _opening(demand, first))
    busy = np.count_nonzero(demand, axis=1)
    return Smoothed(
        level=np.where(any_demand, level, 0.0),
        variance=np.where(any_demand, error / np.maximum(seen - 1.0, 1.0), 0.0),
        alpha=alpha,
        weeks=seen,
        zeros=np.where(any_demand, 1.0 - busy / np.maximum(seen, 1.0), np.ones(count)),
    )


def expected(demand: Floats, smoothed: Smoothed) -> Floats:
    """Returns the mean of a week ahead, [series].

    It is the level; for intermittent series the average with the level of longer buckets, which
    hold fewer zeros, so that the chance of the last week weighs less. This is IMAPA (Petropoulos
    and Kourentzes, Forecast combinations for intermittent demand, 2015) with bucket lengths up to
    the mean interval between demands.
    """
    rare = np.flatnonzero(smoothed.zeros > INTERMITTENT)
    rare = rare[smoothed.weeks[rare] > 0]
    mean = smoothed.level.copy()
    if rare.size:
        mean[rare] = (mean[rare] + _aggregated(demand[rare], smoothed, rare)) / 2.0
    return mean


def _aggregated(demand: Floats, smoothed: Smoothed, rare: NDArray[np.intp]) -> Floats:
    interval = 1.0 / np.maximum(1.0 - smoothed.zeros[rare], 1e-9)
    total, votes = smoothed.level[rare].copy(), np.ones(len(rare))
    for length in AGGREGATES:
        buckets = demand.shape[1] // length
        if buckets < 2:
            break
        summed = demand[:, -buckets * length :].reshape(len(rare), buckets, length).sum(axis=2)
        used = (interval >= length) & summed.any(axis=1)
        total[used] += smooth(summed[used]).level / length
        votes[used] += 1.0
    return np.asarray(total / votes)


def _opening(demand: Floats, first: NDArray[np.intp]) -> Floats:
    """Returns the mean of the first weeks of each series, counted from its first demand."""
    ahead = np.arange(demand.shape[1]) - first[:, None]
    opening = (ahead >= 0) & (ahead < START_WEEKS)
    return np.asarray((demand * opening).sum(axis=1) / np.maximum(opening.sum(axis=1), 1))


def _best(
    by_week: Floats, first: NDArray[np.intp], opening: Floats
) -> tuple[Floats, Floats, Floats]:
    """Returns last level, summed squared error and alpha of the best alpha of each series."""
    best_level, best_alpha = opening.copy(), np.full(len(opening), ALPHAS[0])
    best_error = np.full(len(opening), np.inf)
    for alpha in ALPHAS:
        level, error = _pass(by_week, first, opening, alpha)
        better = error < best_error
        best_level = np.where(better, level, best_level)
        best_error = np.where(better, error, best_error)
        best_alpha = np.where(better, alpha, best_alpha)
    return best_level, best_error, best_alpha


def _pass(
    by_week: Floats, first: NDArray[np.intp], opening: Floats, alpha: float
) -> tuple[Floats, Floats]:
    level, squared = opening.copy(), np.zeros(len(opening))
    for week, demand in enumerate(by_week):
        miss = np.where(week >= first, demand - level, 0.0)
        squared += miss * miss
        level += alpha * miss
    return level, squared
