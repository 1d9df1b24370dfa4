"""Joint draws: demand summed over weeks, whose errors go together.

The quantile of a sum is not the sum of quantiles: weeks that are each high once in ten times are
rarely all high. Errors of smoothing do lean the same way, since each moves the level of all weeks
after it: week h misses by `e(h) + alpha * (e(1) + ... + e(h - 1))` (the state space form of simple
exponential smoothing; Hyndman and others, 2008, chapter 6). Draws follow that dependence and, week
by week, the quantiles of the forecast (a Gaussian copula).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from inventory.demand.quantiles import LEVELS

Floats = NDArray[np.float64]

SAMPLES = 1000
"""Half of them mirror the others, so that sums are centered."""

MOST_CELLS = 4_000_000
"""Draws held at once; more series are drawn in turns."""

_SCALE = 3.0
"""A draw is scaled by at most this to meet the mean: the rest is left to the quantiles."""


def sums(mean: Floats, quantiles: Floats, alpha: Floats, seed: int = 0) -> Floats:
    """Returns quantiles of the demand from the first week up to each week, [series, week, level].

    `mean` is [series, week], `quantiles` [series, week, level] at `quantiles.LEVELS`, `alpha` the
    smoothing weight of each series, [series]. All series see the same random numbers, so that the
    answer for one does not depend on which others were asked for.
    """
    made = np.empty_like(quantiles)
    step = max(1, MOST_CELLS // (SAMPLES * max(mean.shape[1], 1)))
    for begin in range(0, len(mean), step):
        rows = slice(begin, begin + step)
        drawn = draws(mean[rows], quantiles[rows], alpha[rows], seed)
        summed = np.cumsum(drawn, axis=2)
        made[rows] = np.moveaxis(np.quantile(summed, LEVELS, axis=1), 0, -1)
    return np.maximum.accumulate(made, axis=-1)


def draws(mean: Floats, quantiles: Floats, alpha: Floats, seed: int = 0) -> Floats:
    """Returns possible futures, [series, sample, week], whose mean is that of the forecast."""
    weeks = mean.shape[1]
    rng = np.random.default_rng(seed)
    half = rng.standard_normal((SAMPLES // 2, weeks))
    errors = np.concatenate([half, -half])
    before = np.cumsum(errors, axis=1) - errors
    spread = np.sqrt(1.0 + np.arange(weeks) * alpha[:, None] ** 2)
    missed = (errors[None] + alpha[:, None, None] * before[None]) / spread[:, None, :]
    drawn = _at(quantiles, special.ndtr(missed))
    center = drawn.mean(axis=1)
    scale = np.divide(mean, center, out=np.ones_like(mean), where=center > 0)
    return np.asarray(drawn * np.clip(scale, 1.0 / _SCALE, _SCALE)[:, None, :])


def _at(quantiles: Floats, share: Floats) -> Floats:
    """Returns the quantile at each share, [series, sample, week], between and beyond the levels.

    Between two levels it is linear; beyond the first and the last it goes on
    like an exponential tail through the two nearest, never below 0.
    """
    levels = np.array(LEVELS)
    low = np.clip(np.searchsorted(levels, share, side="right") - 1, 0, len(levels) - 2)
    by_sample = quantiles[:, None, :, :]
    left = np.take_along_axis(by_sample, low[..., None], axis=-1)[..., 0]
    right = np.take_along_axis(by_sample, low[..., None] + 1, axis=-1)[..., 0]
    part = (share - levels[low]) / (levels[low + 1] - levels[low])
    inside = left + (right - left) * np.clip(part, 0.0, 1.0)
    first, last = by_sample[..., 0], by_sample[..., -1]
    fall = (by_sample[..., 1] - first) / np.log(levels[1] / levels[0])
    below = np.maximum(first - fall * np.log(levels[0] / np.maximum(share, 1e-12)), 0.0)
    rate = (last - by_sample[..., -2]) / np.log((1.0 - levels[-2]) / (1.0 - levels[-1]))
    above = last + rate * np.log((1.0 - levels[-1]) / np.maximum(1.0 - share, 1e-12))
    return np.asarray(np.select([share < levels[0], share > levels[-1]], [below, above], inside))
