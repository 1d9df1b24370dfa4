"""State: what is remembered of each series between forecasts, so that new lines are enough."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from inventory.demand.book import DAYS
from inventory.demand.levels import NEVER_SOLD, SMOOTHING, Levels
from inventory.demand.quantiles import count_quantiles
from inventory.demand.smoothing import SPREAD_WEIGHT, START_WEEKS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Keys = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class State:
    """Every series as it stood at the end of `day`; arrays are [series], `shape` [series, level].

    `partial` holds the units of the week under way; the other numbers know complete weeks only.
    `shape` are quantiles as multiples of the level, as they were on the day of the fit: NaN where
    the level was 0.
    """

    day: date
    level: Floats
    alpha: Floats
    spread: Floats
    weeks: Floats
    partial: Floats
    method: NDArray[np.int8]
    value_added: Floats
    shape: Floats

    @classmethod
    def of(cls, found: Levels, sunday: date) -> "State":
        """Returns the state of levels that were just fitted to all weeks up to a Sunday."""
        level = found.mean[:, None]
        shape = np.full_like(found.quantiles, np.nan)
        np.divide(found.quantiles, level, out=shape, where=level > 0)
        return cls(
            day=sunday,
            level=found.mean,
            alpha=found.alpha,
            spread=found.variance,
            weeks=found.weeks,
            partial=np.zeros(found.count),
            method=found.method,
            value_added=found.value_added,
            shape=shape,
        )

    @property
    def under_way(self) -> date:
        """The Monday of the first week that is not complete."""
        return under_way(self.day)


def under_way(day: date) -> date:
    """Returns the Monday of the first week that is not complete at the end of a day."""
    after = day + timedelta(days=1)
    return after - timedelta(days=after.weekday())


@dataclass(frozen=True, slots=True)
class NewLines:
    """Units asked for on the days after a state's, up to and including `until`.

    `day` counts from the state's week under way, its Monday being 0; `units` are plain: without
    what season, promotion and price multiply them by. `hidden` flags series by complete week, in
    which nothing could be sold, [series, week from the one under way]; None for nowhere.
    """

    until: date
    series: Keys
    day: Keys
    units: Floats
    hidden: Flags | None = None


def fold(state: State, lines: NewLines) -> State:
    """Returns the state after more days: nothing is fitted, alphas stay what they are.

    Each line is added up once, and each week that ends moves a level by alpha of what it missed,
    and the spread by the square of that. A series of few weeks moves at least as an average over
    eight would; one that never sold stays what it borrows until it sells.
    """
    week = lines.day // DAYS
    rest = (under_way(lines.until) - state.under_way).days // DAYS
    for at in range(rest):
        state = _closed(_added(state, lines, week == at), _seen(lines, at))
    return replace(_added(state, lines, week == rest), day=lines.until)


def _seen(lines: NewLines, week: int) -> Flags | None:
    return None if lines.hidden is None else ~lines.hidden[:, week]


def _added(state: State, lines: NewLines, chosen: Flags) -> State:
    units = np.bincount(lines.series[chosen], lines.units[chosen], minlength=len(state.level))
    return replace(state, partial=state.partial + units)


def _closed(state: State, seen: Flags | None) -> State:
    """Returns the state after its week under way has ended."""
    told = (state.weeks > 0) | (state.partial > 0)
    if seen is not None:
        told &= seen
    weeks = state.weeks + told
    gain = np.where(weeks < START_WEEKS, np.maximum(state.alpha, 1.0 / START_WEEKS), state.alpha)
    miss = np.where(told, state.partial - state.level, 0.0)
    weight = np.where(told, np.maximum(1.0 / np.maximum(weeks, 1.0), SPREAD_WEIGHT), 0.0)
    first = (state.method == NEVER_SOLD) & (state.partial > 0)
    return replace(
        state,
        level=state.level + gain * miss,
        spread=state.spread + weight * (miss * miss - state.spread),
        weeks=weeks,
        partial=np.zeros_like(state.partial),
        method=np.where(first, SMOOTHING, state.method).astype(np.int8),
    )


def levels_of(state: State) -> Levels:
    """Returns the levels of a state: what was fitted, moved by what was folded in since.

    Quantiles keep their distance from the level in proportion; those of a series that had none
    are those of counts.
    """
    quantiles = state.shape * state.level[:, None]
    bare = np.isnan(quantiles).any(axis=1)
    quantiles[bare] = count_quantiles(state.level[bare], state.spread[bare])
    return Levels(
        mean=state.level,
        variance=state.spread,
        quantiles=quantiles,
        alpha=state.alpha,
        weeks=state.weeks,
        method=state.method,
        value_added=state.value_added,
    )
