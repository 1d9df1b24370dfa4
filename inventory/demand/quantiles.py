"""Quantiles of demand counts: negative binomial, Poisson where there is no extra spread."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

LEVELS = (0.05, 0.25, 0.50, 0.75, 0.90, 0.95)
COLUMNS = ("p05", "p25", "p50", "p75", "p90", "p95")

_LEAST = 1e-6
"""Means below count as 0: one unit in a million weeks."""

COUNTED = 12.0
"""Means up to here are counted exactly, unit by unit; above, the gamma distribution of the same
mean and variance is closer to the counts than half a unit and needs no counting."""

MOST_COUNTED = 400
"""A count stops here: at such spread the tail of a small mean is as good as continuous."""


def count_quantiles(mean: Floats, variance: Floats, levels: tuple[float, ...] = LEVELS) -> Floats:
    """Returns the quantiles at `levels` of counts with that mean and variance, [..., level].

    Negative binomial where the variance exceeds the mean, Poisson otherwise, 0 where the mean is 0.
    Means up to `COUNTED` are exact; above they are within about a unit or 1 % of it.
    """
    flat_mean, flat_variance = np.ravel(mean), np.maximum(np.ravel(variance), np.ravel(mean))
    made = np.zeros((flat_mean.size, len(levels)))
    small = np.flatnonzero((flat_mean > _LEAST) & (flat_mean <= COUNTED))
    large = np.flatnonzero(flat_mean > COUNTED)
    made[small] = _counted(flat_mean[small], flat_variance[small], levels)
    made[large] = _continuous(flat_mean[large], flat_variance[large], levels)
    return made.reshape((*np.shape(mean), len(levels)))


def _counted(mean: Floats, variance: Floats, levels: tuple[float, ...]) -> Floats:
    """Counts up from 0 until every level is reached: p(k + 1) = p(k) (k + r) (1 - p) / (k + 1)."""
    excess = np.maximum(variance - mean, 1e-9 * mean)
    size, failed = mean**2 / excess, excess / variance
    chance = np.exp(size * np.log1p(-failed))
    made = np.zeros((mean.size, len(levels)))
    reached, active = chance.copy(), np.arange(mean.size)
    for units in range(1, MOST_COUNTED + 1):
        active = active[reached[active] < levels[-1]]
        if not active.size:
            return made
        made[active] += reached[active, None] < np.array(levels)
        chance[active] *= (size[active] + units - 1) * failed[active] / units
        reached[active] += chance[active]
    made[active] = np.maximum(made[active], _continuous(mean[active], variance[active], levels))
    return made


def _continuous(mean: Floats, variance: Floats, levels: tuple[float, ...]) -> Floats:
    """Returns the quantiles of the gamma distribution, rounded to whole units."""
    shape = mean**2 / variance
    table = _gamma_table(levels)
    at = np.log(np.clip(shape, table[0, 0], table[-1, 0]))
    known = np.log(table[:, 0])
    made = np.stack([np.interp(at, known, column) for column in table[:, 1:].T], axis=-1)
    return np.asarray(np.rint(made * mean[:, None]))


@cache
def _gamma_table(levels: tuple[float, ...]) -> Floats:
    """Returns [shape, quantiles of a gamma distribution of mean 1] on a fine grid of shapes."""
    shapes = np.geomspace(1e-3, 1e6, 2000)
    quantiles = special.gammaincinv(shapes[:, None], np.array(levels)) / shapes[:, None]
    return np.column_stack([shapes, quantiles])


def widened(mean: Floats, quantiles: Floats, factor: Floats) -> Floats:
    """Returns quantiles moved away from the mean by a factor, never below 0.

    Order is kept: one factor applies to all levels of a cell.
    """
    center = mean[..., None]
    return np.maximum(0.0, center + (quantiles - center) * factor[..., None])


def monotone(quantiles: Floats) -> Floats:
    """Returns quantiles that never fall from one level to the next and are never negative."""
    return np.maximum.accumulate(np.maximum(quantiles, 0.0), axis=-1)
