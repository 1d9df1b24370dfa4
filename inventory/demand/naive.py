"""The two naive forecasters that every other one must beat."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inventory.demand.quantiles import LEVELS, monotone
from inventory.demand.season import YEAR

Floats = NDArray[np.float64]

CHANGE_WEEKS = 26
"""Weeks whose changes give the naive forecasters their quantiles."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What one forecaster said: mean [series, week], quantiles [series, week, level]."""

    mean: Floats
    quantiles: Floats


def naive_guess(past: Floats, weeks: int) -> Guess:
    """Returns the last week repeated, with the quantiles of the last half year's changes.

    The spread does not grow with the horizon: the wider fan of a random walk would be an easier
    peer to beat.
    """
    return _with_changes(np.repeat(past[:, -1:], weeks, axis=1), np.diff(past, axis=1))


def seasonal_guess(past: Floats, weeks: int) -> Guess:
    """Returns the same weeks of last year, the last week where there is no last year."""
    have = past.shape[1]
    if have < YEAR + weeks:
        return naive_guess(past, weeks)
    mean = past[:, have - YEAR + np.arange(weeks) % YEAR]
    return _with_changes(mean, past[:, YEAR:] - past[:, :-YEAR])


def _with_changes(mean: Floats, changes: Floats) -> Guess:
    if not changes.shape[1]:
        return Guess(mean, np.repeat(mean[..., None], len(LEVELS), axis=2))
    spread = np.quantile(changes[:, -CHANGE_WEEKS:], LEVELS, axis=1).T[:, None, :]
    return Guess(mean, monotone(mean[..., None] + spread))


def pinball(quantile: Floats, came: Floats, level: float) -> Floats:
    """Returns the loss of each cell: `level` per unit too low, `1 - level` per unit too high."""
    miss = came - quantile
    return np.asarray(np.maximum(level * miss, (level - 1.0) * miss))
