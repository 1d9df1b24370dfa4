"""Members: the methods that forecast the weeks of a market or of a category."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from inventory.demand.event_weeks import Named, index
from inventory.demand.levels import sorted_quantiles
from inventory.demand.quantiles import LEVELS, count_quantiles, monotone, widened
from inventory.demand.season import YEAR, season
from inventory.demand.smoothing import huber_level, smooth

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

RATIO_WEEKS = 13
"""Weeks over which this year is compared with the last."""

LATEST = 8
"""Weeks whose median is one of the three levels."""

SPREAD_WEEKS, SPREAD_STEP, SPREAD_AHEAD = 52, 2, 4
"""The spread of a market comes from forecasts made every 2 weeks of the last year, 4 weeks on."""

BUSY_UNITS, BUSY_SHARE = 5.0, 0.75
"""A market with fewer units in its median week, or more empty weeks, is counted in units."""

_LEAST = 1e-6

MOST_RATIO = 10.0
"""Demand of more than ten times its forecast counts as ten times: a level near 0 has any ratio."""

DAMPING = 0.9
"""A trend fades by this factor a week: trends of a year ago rarely last the next one."""

TREND_ALPHA, TREND_BETAS = 0.2, (0.02, 0.05, 0.1)


@dataclass(frozen=True, slots=True)
class Weekly:
    """Demand of few series by complete week from the Monday `first` on, [series, week].

    `gap` counts the weeks between the last complete week and the first forecast week. `named` holds
    the events of each series' weeks, past and coming; empty where nobody knows any.
    """

    demand: Floats
    first: date
    gap: int = 0
    named: tuple[Named, ...] = ()

    @property
    def weeks(self) -> int:
        """Number of complete weeks."""
        return int(self.demand.shape[1])

    def before(self, week: int) -> "Weekly":
        """Returns the demand as it stood on the Sunday before a week."""
        return Weekly(self.demand[:, :week], self.first, 0, self.named)


@dataclass(frozen=True, slots=True)
class Member:
    """What one method expects: mean [series, week], quantiles [series, week, level].

    Where `usable` is False, the method had too little history and the numbers mean nothing.
    Quantiles are zeros where only means were asked for.
    """

    mean: Floats
    quantiles: Floats
    usable: Flags

    @classmethod
    def unusable(cls, series: int, weeks: int) -> "Member":
        """Returns the member that could not forecast anything."""
        zeros = np.zeros((series, weeks))
        return cls(zeros, np.zeros((series, weeks, len(LEVELS))), np.zeros(series, dtype=bool))


def level_member(past: Weekly, weeks: int, spread: bool = True) -> Member:
    """Returns the level of each series times its yearly season; always usable.

    The level is the mean of three: simple exponential smoothing, smoothing that outliers pull less,
    and the median of the last 8 weeks. On real orders it erred less than each of them.
    Quantiles are the mean times the ratios of demand to such forecasts over the last year; series
    of few units get those of counts.
    """
    ahead = past.gap + weeks
    known = season(past.demand, past.first, ahead)
    plain = past.demand / known.past
    mean = (level(plain)[:, None] * known.ahead)[:, past.gap :]
    usable = np.ones(len(mean), dtype=bool)
    if not spread:
        return Member(mean, np.zeros((*mean.shape, len(LEVELS))), usable)
    return Member(mean, _spread(plain, mean, past.gap), usable)


def event_member(past: Weekly, weeks: int, spread: bool = True) -> Member:
    """Returns level and season, and how far weeks with such events stood out in other years.

    Usable where events are known.
    """
    ahead = past.gap + weeks
    known = season(past.demand, past.first, ahead)
    plain = past.demand / known.past
    rush = index(plain, past.named, ahead)
    plain = plain / rush[:, : past.weeks]
    factor = known.ahead * rush[:, past.weeks :]
    mean = (level(plain)[:, None] * factor)[:, past.gap :]
    usable = np.full(len(mean), bool(past.named))
    if not spread:
        return Member(mean, np.zeros((*mean.shape, len(LEVELS))), usable)
    return Member(mean, _spread(plain, mean, past.gap), usable)


def level(demand: Floats) -> Floats:
    """Returns the level of each series: the mean of smoothing, robust smoothing and a median.

    Smoothing alone where many weeks are empty: what ignores large weeks there ignores demand.
    """
    return np.asarray(levels_before(demand, (demand.shape[1],))[0])


def levels_before(demand: Floats, ends: Sequence[int]) -> Floats:
    """Returns the level of each series as it stood before each of some weeks, [end, series].

    All are smoothed at once: for an early end, the weeks from there on are hidden.
    """
    series, weeks = demand.shape
    hidden = np.repeat(np.arange(weeks) >= np.array(ends)[:, None], series, axis=0)
    every = np.tile(demand, (len(ends), 1))
    mean = smooth(every, hidden).level.reshape(len(ends), series)
    robust = huber_level(every, hidden).reshape(len(ends), series)
    median = np.array([np.median(demand[:, max(0, end - LATEST) : end], axis=1) for end in ends])
    recent = [demand[:, max(0, end - SPREAD_WEEKS) : end] > 0 for end in ends]
    often = np.array([sold.mean(axis=1) for sold in recent]) >= BUSY_SHARE
    return np.asarray(np.where(often, (mean + robust + median) / 3.0, mean))


def _spread(plain: Floats, mean: Floats, gap: int) -> Floats:
    state = smooth(plain)
    widening = state.widening(mean.shape[1], gap)
    one_ahead = count_quantiles(state.level, state.variance)
    height = state.level[:, None]
    scale = np.divide(mean, height, out=np.zeros_like(mean), where=height > _LEAST)
    near = one_ahead[:, None, :] * np.minimum(scale, MOST_RATIO)[..., None]
    counted = widened(mean, near, widening)
    ratios = _ratios(plain)
    if ratios is None:
        return counted
    usual = widening[:, : SPREAD_AHEAD // 2].mean(axis=1)[:, None]
    by_ratio = widened(mean, mean[..., None] * ratios[:, None, :], np.maximum(widening / usual, 1))
    busy = _busy(plain)
    return np.asarray(np.where(busy[:, None, None], by_ratio, counted))


def _busy(plain: Floats) -> Flags:
    recent = plain[:, -SPREAD_WEEKS:]
    often = (recent > 0).mean(axis=1) >= BUSY_SHARE
    return np.asarray(often & (np.median(recent, axis=1) >= BUSY_UNITS))


def _ratios(plain: Floats) -> Floats | None:
    """Returns quantiles of demand over its forecast, [series, level]; None without a past.

    Forecasts were made every 2 weeks of the last year, for the 4 weeks after.
    """
    weeks = plain.shape[1]
    ends = range(max(LATEST, weeks - SPREAD_WEEKS), weeks, SPREAD_STEP)
    if len(ends) < LATEST:
        return None
    said = levels_before(plain, ends)
    seen = [
        np.divide(plain[:, end + step], made, out=np.ones_like(made), where=made > _LEAST)
        for end, made in zip(ends, said, strict=True)
        for step in range(SPREAD_AHEAD)
        if end + step < weeks
    ]
    ratios = np.minimum(np.array(seen).T, MOST_RATIO)
    return sorted_quantiles(np.sort(ratios, axis=1), LEVELS)


def trend_member(past: Weekly, weeks: int, spread: bool = True) -> Member:
    """Returns smoothing with a fading trend on each series without its season.

    Damped trend (Gardner and McKenzie, Forecasting trends in time series, 1985) with a fixed
    damping of 0.9 a week; beta has the smallest squared error in sample. Usable with 26 weeks.
    """
    ahead = past.gap + weeks
    known = season(past.demand, past.first, ahead)
    plain = past.demand / known.past
    path = _damped(plain, ahead)
    mean = np.maximum(path * known.ahead, 0.0)[:, past.gap :]
    usable = np.full(len(mean), past.weeks >= 2 * RATIO_WEEKS)
    if not spread:
        return Member(mean, np.zeros((*mean.shape, len(LEVELS))), usable)
    return Member(mean, monotone(_spread(plain, mean, past.gap)), usable)


def _damped(plain: Floats, ahead: int) -> Floats:
    """Returns the mean of each week ahead, [series, week]."""
    best, least = np.zeros((len(plain), ahead)), np.full(len(plain), np.inf)
    fading = np.cumsum(DAMPING ** np.arange(1, ahead + 1))
    for beta in TREND_BETAS:
        height, slope = plain[:, :LATEST].mean(axis=1), np.zeros(len(plain))
        error = np.zeros(len(plain))
        for week in plain.T:
            miss = week - height - DAMPING * slope
            height = height + DAMPING * slope + TREND_ALPHA * miss
            slope = DAMPING * slope + TREND_ALPHA * beta * miss
            error += miss * miss
        path = height[:, None] + slope[:, None] * fading
        best = np.where((error < least)[:, None], path, best)
        least = np.minimum(error, least)
    return best


def last_year_member(past: Weekly, weeks: int, spread: bool = True) -> Member:
    """Returns the weeks of a year ago times the year-on-year ratio of the last 13 weeks.

    Usable with a year and 13 weeks of history; the ratio is clipped to 0.5 .. 2.
    """
    demand, have = past.demand, past.weeks
    if have < YEAR + RATIO_WEEKS:
        return Member.unusable(len(demand), weeks)
    ahead = have + past.gap + np.arange(weeks)
    source = ahead - YEAR * (1 + (ahead - have) // YEAR)
    recent = demand[:, -RATIO_WEEKS:].sum(axis=1)
    before = demand[:, -RATIO_WEEKS - YEAR : -YEAR].sum(axis=1)
    usable = before > 0
    ratio = np.clip(recent / np.where(usable, before, 1.0), 0.5, 2.0)[:, None]
    mean = demand[:, source] * ratio
    if not spread:
        return Member(mean, np.zeros((*mean.shape, len(LEVELS))), usable)
    seen = np.arange(max(YEAR, have - 2 * RATIO_WEEKS), have)
    misses = demand[:, seen] - demand[:, seen - YEAR] * ratio
    variance = np.repeat((misses**2).mean(axis=1)[:, None], weeks, axis=1)
    return Member(mean, count_quantiles(mean, variance), usable)
