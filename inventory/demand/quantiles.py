"""Quantiles of demand counts: negative binomial, Poisson where there is no extra spread."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

LEVELS = (0.05, 0.25, 0.50, 0.75, 0.90, 0.95)
_LEAST = 1e-6
"""Means below count as 0: one unit in a million weeks."""

COLUMNS = ("p05", "p25", "p50", "p75", "p90", "p95")


def count_quantiles(mean: Floats, variance: Floats) -> Floats:
    """Returns the quantiles at `LEVELS` of counts with that mean and variance, [..., level].

    Negative binomial where the variance exceeds the mean, Poisson otherwise, 0 where the mean is 0.
    """
    made = np.zeros((*mean.shape, len(LEVELS)))
    some = mean > _LEAST
    spread = some & (variance > mean * 1.001)
    plain = some & ~spread
    levels = np.array(LEVELS)
    if spread.any():
        center, width = mean[spread][:, None], variance[spread][:, None]
        size, success = center**2 / (width - center), center / width
        made[spread] = stats.nbinom.ppf(levels, size, success)
    if plain.any():
        made[plain] = stats.poisson.ppf(levels, mean[plain][:, None])
    return made


def widened(mean: Floats, quantiles: Floats, factor: Floats) -> Floats:
    """Returns quantiles moved away from the mean by a factor, never below 0.

    Order is kept: one factor applies to all levels of a cell.
    """
    center = mean[..., None]
    return np.maximum(0.0, center + (quantiles - center) * factor[..., None])


def monotone(quantiles: Floats) -> Floats:
    """Returns quantiles that never fall from one level to the next and are never negative."""
    return np.maximum.accumulate(np.maximum(quantiles, 0.0), axis=-1)
