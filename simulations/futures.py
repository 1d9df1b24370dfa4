"""Futures: demand drawn from a forecast, in whole units, as orders may turn out to ask for it."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from routing.allocation.segments import LEVELS, QUANTILES

Floats = NDArray[np.float64]

_TAIL = 2.0
"""The last 5 % of a forecast reach so many times from P90 to P95 beyond P95."""


def futures_of(forecast: pd.DataFrame, count: int, seed: int) -> tuple[pd.DataFrame, ...]:
    """Returns draws of a weekly forecast (layout of `forecast.parquet`) by day, in whole units.

    Cells are drawn one by one: along straight lines through the quantiles, scaled to the mean and
    rounded up or down at random so that the mean holds; without quantiles from Poisson's law.
    """
    random = np.random.default_rng(seed)
    mean = forecast["mean"].to_numpy(dtype=float)
    whole = all(name in forecast and forecast[name].notna().all() for name in QUANTILES)
    columns = forecast[["start", "region", "item"]]
    drawn = []
    for _ in range(count):
        if whole:
            units = _from_quantiles(mean, forecast[list(QUANTILES)].to_numpy(float), random)
        else:
            units = random.poisson(mean).astype(float)
        drawn.append(_by_day(columns.assign(mean=units), random))
    return tuple(drawn)


def _by_day(weekly: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Returns the units of weeks on days drawn for each."""
    units = weekly.loc[weekly.index.repeat(weekly["mean"].astype(int))]
    days = pd.to_timedelta(random.integers(0, 7, len(units)), unit="D")
    spread = units.assign(start=units["start"] + days, mean=1.0)
    return spread.groupby(["start", "region", "item"], as_index=False)[["mean"]].sum()


def _from_quantiles(mean: Floats, quantiles: Floats, random: np.random.Generator) -> Floats:
    levels = np.array((0.0, *LEVELS, 1.0))
    known = np.maximum.accumulate(quantiles, axis=1)
    end = known[:, -1:] + _TAIL * (known[:, -1:] - known[:, -2:-1])
    points = np.concatenate([np.zeros((len(mean), 1)), known, end], axis=1)
    usual = (np.diff(levels) * (points[:, 1:] + points[:, :-1]) / 2.0).sum(axis=1)
    chance = random.random(len(mean))
    at = np.clip(np.searchsorted(levels, chance, side="right") - 1, 0, len(levels) - 2)
    row = np.arange(len(mean))
    low, high = points[row, at], points[row, at + 1]
    drawn = low + (high - low) * (chance - levels[at]) / (levels[at + 1] - levels[at])
    scale = np.divide(mean, usual, out=np.zeros_like(mean), where=usual > 0)
    drawn = np.where(usual > 0, drawn * scale, mean)
    return np.floor(drawn + random.random(len(mean)))
