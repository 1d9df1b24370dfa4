"""Event weeks: how far weeks that hold events stand out, as their like in other years did.

A week of the year is no good place to look for a feast: Thanksgiving moves by a week, Easter by
four, Eid by eleven days a year. So each week is held against the weeks of other years that share
most of its named days.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from math import log

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Days = tuple[tuple[str, int], ...]
"""The names of a week and how many of its days each has, sorted."""

Named = tuple[Days, ...]
"""The names of consecutive weeks."""

Likes = tuple[tuple[int, float], ...]
"""Weeks that are like one, with their likeness."""

DAYS = 7
YEAR = 52

NEAR, FAR = 3, 26
"""Weeks sooner or later in the year at which the like of a week is sought, first and last."""

ALIKE = 0.7
"""Share of named days, the rarer the weightier, that two weeks must have in common."""

AROUND, BESIDE = 7, 1
"""The usual demand of a week is the median of 7 weeks on each side, the nearest left out."""

SIGMAS = 2.0
"""Below so many standard errors a week is like any other; above, it is drawn toward that."""

MOST = log(3.0)
FEWEST_WEEKS = 60

COMMON, LEAST_RARITY = 1.0, 0.05
"""A name in more weeks than one of e tells weeks apart as little as none."""

_NORMAL = 1.4826
"""Median absolute deviation to standard deviation of the normal distribution."""


def named_weeks(events: Iterable[tuple[date, str]], first: date, weeks: int) -> Named:
    """Returns how many days of each name every week from the Monday `first` on holds."""
    made: list[Counter[str]] = [Counter() for _ in range(weeks)]
    for day, name in events:
        at = (day - first).days // DAYS
        if 0 <= at < weeks:
            made[at][name] += 1
    return tuple(tuple(sorted(week.items())) for week in made)


def index(plain: Floats, named: Sequence[Named], ahead: int) -> Floats:
    """Returns what events multiply past and coming weeks by, [series, week + ahead]; 1 is nothing.

    `plain` is demand without its season, [series, week]; `named` the names of each series' weeks.
    The effect of a week is the mean log ratio to the usual demand around of its like in other
    years, weighted by likeness. Past weeks need a second year that confirms them.
    """
    have = plain.shape[1]
    effects = np.zeros((len(plain), have + ahead))
    if have < FEWEST_WEEKS or not named:
        return np.exp(effects)
    stood = _stood_out(plain)
    usual = _NORMAL * _median(np.abs(stood - _median(stood)[:, None]))
    for series, weeks in enumerate(named):
        for week, likes in enumerate(_like_weeks(weeks[: have + ahead])):
            seen = [
                (float(stood[series, at]), like)
                for at, like in likes
                if at < have and np.isfinite(stood[series, at])
            ]
            if len(seen) > (week < have):
                effects[series, week] = _effect(seen, float(usual[series]))
    return np.asarray(np.exp(np.clip(effects, -MOST, MOST)))


def _effect(seen: Sequence[tuple[float, float]], usual: float) -> float:
    ratio, like = np.array(seen).T
    found = float(np.average(ratio, weights=like**2))
    chance = SIGMAS * usual / np.sqrt(len(seen))
    return found * max(0.0, 1.0 - (chance / found) ** 2) if found else 0.0


def _stood_out(plain: Floats) -> Floats:
    """Returns the log of each week over the median around it, NaN where there is none."""
    padded = np.pad(plain, ((0, 0), (AROUND, AROUND)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1, axis=1).copy()
    windows[..., AROUND - BESIDE : AROUND + BESIDE + 1] = np.nan
    usual = _median(windows)
    fine = (usual > 0) & (plain > 0)
    ratio = np.divide(plain, usual, out=np.ones_like(plain), where=fine)
    return np.where(fine, np.log(ratio), np.nan)


def _median(values: Floats) -> Floats:
    """Returns the median along the last axis of what is known, 0 where nothing is."""
    known = np.isfinite(values)
    filled = np.where(known.any(axis=-1, keepdims=True), values, 0.0)
    return np.asarray(np.nanmedian(filled, axis=-1))


@lru_cache(maxsize=512)
def _like_weeks(weeks: Named) -> tuple[Likes, ...]:
    """Returns for each week the weeks like it, the best of each year, itself included."""
    times = Counter(name for week in weeks for name, _ in week)
    rarity = {
        name: max(log(len(weeks) / count) - COMMON, LEAST_RARITY) for name, count in times.items()
    }
    counted = [dict(week) for week in weeks]
    return tuple(_likes(counted, at, rarity) for at in range(len(weeks)))


def _likes(weeks: list[dict[str, int]], at: int, rarity: Mapping[str, float]) -> Likes:
    if not weeks[at]:
        return ()
    near = tuple(_within(weeks, at, rarity, NEAR))
    return near if len(near) > 1 else tuple(_within(weeks, at, rarity, FAR))


def _within(
    weeks: list[dict[str, int]], at: int, rarity: Mapping[str, float], reach: int
) -> Iterator[tuple[int, float]]:
    """Yields the most alike week within reach of the same week of each year."""
    yield at, 1.0
    span = len(weeks) // YEAR + 1
    for center in range(at - YEAR * span, at + YEAR * span + 1, YEAR):
        last = center + reach + (reach == NEAR)
        others = [
            (_likeness(weeks[at], weeks[other], rarity), -abs(other - center), other)
            for other in range(max(0, center - reach), min(len(weeks), last))
            if other != at and (center != at or reach == FAR)
        ]
        if others and max(others)[0] >= ALIKE:
            like, _, best = max(others)
            yield best, like


def _likeness(one: dict[str, int], other: dict[str, int], rarity: Mapping[str, float]) -> float:
    names = one.keys() | other.keys()
    most = sum(rarity[name] * max(one.get(name, 0), other.get(name, 0)) for name in names)
    both = sum(rarity[name] * min(one.get(name, 0), other.get(name, 0)) for name in names)
    return both / most if most else 0.0
