"""The yearly season: how each week of the year compares with the year around it."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

YEAR = 52

FEWEST_WEEKS = 65
"""Below a year and a quarter nothing tells a season from a trend."""

TWO_YEARS = 2 * YEAR

HALF = 0.5
"""How far a season is trusted that was seen less than twice: its index to this power."""

TRUSTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Powers of the index that a series with two years behind it tries on its own past."""

TRIAL_WEEKS, TRIAL_STEP = 4, 4
PATIENCE = 0.03
"""A power other than a half must err this share less."""

LOWEST, HIGHEST = 0.1, 10.0


@dataclass(frozen=True, slots=True)
class Season:
    """Index of each week, 1 on average: `past` [group, week], `ahead` [group, week ahead]."""

    past: Floats
    ahead: Floats

    @classmethod
    def none(cls, groups: int, weeks: int, ahead: int) -> "Season":
        """Returns the season of somebody who knows none."""
        return cls(np.ones((groups, weeks)), np.ones((groups, ahead)))


def season(demand: Floats, first: date, ahead: int) -> Season:
    """Returns the season of each group as far as its own past earned trust.

    `demand` is [group, week] from the Monday `first` on; `ahead` counts weeks after the last one.
    The index is the mean ratio of a week of the year to the centered year around it (classical
    decomposition), smoothed over three weeks. Seen less than twice it is trusted by half, its
    square root; with two years the power is the one that would have erred least.
    """
    groups, weeks = demand.shape
    if weeks < FEWEST_WEEKS:
        return Season.none(groups, weeks, ahead)
    index = _index(demand, week_of_year(first, weeks + ahead))
    trust = _trust(demand, first)[:, None]
    return Season(index[:, :weeks] ** trust, index[:, weeks:] ** trust)


def week_of_year(first: date, weeks: int) -> Codes:
    """Returns the week of the year, 0 to 51, of the Thursdays of consecutive weeks."""
    days = [(first + timedelta(days=7 * at + 3)).timetuple().tm_yday for at in range(weeks)]
    return np.minimum((np.array(days, dtype=np.intp) - 1) // 7, YEAR - 1).astype(np.intp)


def _index(demand: Floats, position: Codes) -> Floats:
    """Returns the untrusted index at every position, those after the last week included."""
    weeks = demand.shape[1]
    year = _year_around(demand)
    ratio = np.divide(demand, year, out=np.ones_like(demand), where=year > 0)
    times = np.bincount(position[:weeks], minlength=YEAR)
    summed = ratio @ (position[:weeks, None] == np.arange(YEAR)).astype(np.float64)
    mean = np.where(times > 0, summed / np.maximum(times, 1), 1.0)
    smooth = (np.roll(mean, 1, axis=1) + 2.0 * mean + np.roll(mean, -1, axis=1)) / 4.0
    level = smooth.mean(axis=1, keepdims=True)
    scaled = np.divide(smooth, level, out=np.ones_like(smooth), where=level > 0)
    return np.asarray(np.clip(_pooled(demand, scaled), LOWEST, HIGHEST)[:, position])


def _pooled(demand: Floats, index: Floats) -> Floats:
    """Returns indexes that lean on that of all groups together the more weeks a group is idle.

    The weeks of a market with a few orders a month make no season of their own.
    """
    total = demand.sum(axis=1, keepdims=True)
    share = total / max(float(total.sum()), 1e-12)
    own = np.maximum(0.0, 1.0 - 2.0 * (demand == 0).mean(axis=1, keepdims=True))
    return np.asarray(own * index + (1.0 - own) * (share * index).sum(axis=0))


def _year_around(demand: Floats) -> Floats:
    """Returns the centered mean of a year; the half years at both ends go on as the nearest did.

    A trend that stopped there would look like a season.
    """
    kernel = np.full(YEAR + 1, 1.0 / YEAR)
    kernel[[0, -1]] /= 2.0
    inner = np.apply_along_axis(np.convolve, 1, demand, kernel, mode="valid")
    half = YEAR // 2
    if inner.shape[1] < half:
        return np.pad(inner, ((0, 0), (half, half)), mode="edge")
    begin = _continued(inner[:, half - 1 :: -1][:, :half])[:, ::-1]
    return np.concatenate([begin, inner, _continued(inner[:, -half:])], axis=1)


def _continued(means: Floats) -> Floats:
    """Returns half a year more along the slope of the last, at most doubled or halved."""
    half = means.shape[1]
    last = means[:, -1:]
    slope = (last - means[:, :1]) / max(half - 1, 1)
    return np.asarray(np.clip(last + slope * np.arange(1, half + 1), last / 2.0, last * 2.0))


def _trust(demand: Floats, first: date) -> Floats:
    """Returns the power of the index that each group's own past supports."""
    groups, weeks = demand.shape
    if weeks < TWO_YEARS + TRIAL_WEEKS:
        return np.full(groups, HALF)
    errors = np.zeros((len(TRUSTS), groups))
    for end in range(max(FEWEST_WEEKS, weeks - YEAR), weeks - TRIAL_WEEKS + 1, TRIAL_STEP):
        errors += _trial(demand[:, : end + TRIAL_WEEKS], end, first)
    usual = errors[TRUSTS.index(HALF)]
    best = errors.argmin(axis=0)
    earned = errors.min(axis=0) < (1.0 - PATIENCE) * usual
    return np.where(earned, np.array(TRUSTS)[best], HALF)


def _trial(demand: Floats, end: int, first: date) -> Floats:
    """Returns the absolute error of each power over the weeks after `end`, [power, group]."""
    past, came = demand[:, :end], demand[:, end:]
    index = _index(past, week_of_year(first, demand.shape[1]))
    errors = np.zeros((len(TRUSTS), len(demand)))
    for at, trust in enumerate(TRUSTS):
        power = index**trust
        level = (past / power[:, :end])[:, -TRIAL_WEEKS * 2 :].mean(axis=1, keepdims=True)
        errors[at] = np.abs(level * power[:, end:] - came).sum(axis=1)
    return errors
