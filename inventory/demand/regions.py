"""Layers: markets and categories, each forecast by the members that earned a place there."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from inventory.demand import prophets
from inventory.demand.members import (
    Flags,
    Member,
    Weekly,
    event_member,
    last_year_member,
    level_member,
    trend_member,
)
from inventory.demand.prophets import DailySeries, Drawn, Events, Task
from inventory.demand.quantiles import monotone
from inventory.demand.season import FEWEST_WEEKS, YEAR

Floats = NDArray[np.float64]

Report = Callable[[float, str], None]
"""Tells progress: the share done from 0 to 1 and what is being done now."""

DAYS = 7
MOST_SEED = 2**31 - 2

MEMBERS = ("smoothing", "trend", "last_year", "prophet", "event_weeks")
EVENT_WEEKS = MEMBERS.index("event_weeks")

MOST_FITTED = 24
"""Prophet is asked for the largest series of a layer only: each costs half a dozen fits of a
quarter of a second and more."""

EVENTS_MARGIN = 0.95
"""Event weeks change little outside of events, so a gain of 5 % is enough; but the gain of the
series and that of the median series count alike, as all share a calendar."""

GATE_WEEKS = 4
"""The gate judges at most this many weeks after each of its origins."""

RECENT_ORIGINS, EVENT_ORIGINS = 3, 2
"""The gate looks at the last weeks, and at past weeks that held what the next weeks will hold."""

MARGIN, EXCESS = 0.75, 0.02
"""A challenger must err at least a quarter less than smoothing in all, and at no origin more than
smoothing by over 2 % of that: with fewer demands on it, luck on a few weeks let methods in that
were worse on the next ones."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Series of one level, such as the markets: weekly demand, and days for those that have them.

    `daily` is [day, series] from `weekly.first` on; None keeps Prophet away. `events` are the named
    days of each series, past and coming.
    """

    names: tuple[str, ...]
    weekly: Weekly
    daily: Floats | None = None
    events: tuple[Events, ...] = ()

    def week_names(self, series: int, weeks: int) -> list[frozenset[str]]:
        """Returns the names of the events in each week from the first on."""
        names: list[set[str]] = [set() for _ in range(weeks)]
        for day, name in self.events[series] if self.events else ():
            at = (day - self.weekly.first).days // DAYS
            if 0 <= at < weeks:
                names[at].add(name)
        return [frozenset(week) for week in names]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a layer: weeks ahead, a seed, and how many processes may work."""

    weeks: int
    seed: int = 0
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Outlook:
    """The forecast of a layer: mean [series, week], quantiles [series, week, level]."""

    mean: Floats
    quantiles: Floats
    admitted: tuple[tuple[str, ...], ...]
    """Names of the members behind each series' mean."""

    fallbacks: int = 0
    """Fits of Prophet that needed the slower of its two methods."""

    def closed(self, left: Floats) -> "Outlook":
        """Returns the outlook with what closures leave of each week, [week]."""
        return replace(self, mean=self.mean * left, quantiles=self.quantiles * left[:, None])


@dataclass(frozen=True, slots=True)
class _Trial:
    """One look back: which series are judged on the weeks from `end` on."""

    end: int
    series: tuple[int, ...]


def forecast_layer(layer: Layer, asked: Asked, report: Report) -> Outlook:
    """Returns the weekly forecast of every series of a layer from its admitted members.

    Smoothing always belongs. A fading trend, last year's weeks scaled by the year-on-year ratio,
    and Prophet with local events enter a series' mean only where they erred clearly less than
    smoothing on its own past: the weeks just gone, and the weeks of the past that held the events
    that are coming (or the same weeks of last year). Admitted members are averaged by the inverse
    square of those errors, means and quantiles alike. Where none is admitted, smoothing that knows
    how weeks with such events stood out may take the place of smoothing that does not.
    """
    trials = _trials(layer, asked.weeks)
    errors, drawn = _judged(layer, trials, asked, lambda done: report(done, "Fitting markets"))
    members = _members(layer, asked.weeks, drawn)
    usable = np.array([member.usable for member in members])
    admitted = _admitted(usable, errors)
    total = np.nansum(errors, axis=0)
    weight = np.where(admitted, 1.0 / np.maximum(total, 1e-9) ** 2, 0.0)
    return Outlook(
        mean=_mixed(weight, np.array([member.mean for member in members])),
        quantiles=monotone(_mixed(weight, np.array([member.quantiles for member in members]))),
        admitted=tuple(
            tuple(name for name, passed in zip(MEMBERS, series, strict=True) if passed)
            for series in admitted.T
        ),
        fallbacks=sum(one.fallback for one in drawn if one is not None),
    )


def _admitted(usable: Flags, errors: Floats) -> Flags:
    """Returns who forecasts which series, [member, series]."""
    admitted = _within(usable, errors, MARGIN, EXCESS)
    admitted[EVENT_WEEKS] = False
    total = np.nansum(errors, axis=0)
    share = np.divide(total[EVENT_WEEKS], total[0], out=np.ones_like(total[0]), where=total[0] > 0)
    gained = (share + np.median(share)) / 2.0 < EVENTS_MARGIN
    admitted[EVENT_WEEKS] = usable[EVENT_WEEKS] & gained & ~admitted[1:].any(axis=0)
    admitted[0] = ~admitted[EVENT_WEEKS]
    return admitted


def _within(usable: Flags, errors: Floats, margin: float, excess: float) -> Flags:
    """Returns who errs less than `margin` times smoothing, [member, series].

    At no origin may it err more than smoothing by over `excess` of smoothing's sum. `errors` is
    [origin, member, series], NaN where a series was not judged. Smoothing itself always passes;
    without origins nobody else does.
    """
    judged = ~np.isnan(errors[:, :1])
    safe = np.where(judged, errors, 0.0)
    total = safe[:, 0].sum(axis=0)
    worst = (safe - safe[:, :1]).max(axis=0, initial=-np.inf)
    passed: Flags = usable & (safe.sum(axis=0) < margin * total) & (worst <= excess * total)
    passed[0] = True
    return passed


def _mixed(weights: Floats, members: Floats) -> Floats:
    """Returns the weighted mean over members; weights are [member, series]."""
    return np.asarray(np.einsum("mr,mr...->r...", weights / weights.sum(axis=0), members))


def _trials(layer: Layer, weeks: int) -> tuple[_Trial, ...]:
    """Returns the looks back of a layer: the last weeks, and those of the events to come."""
    have, judged = layer.weekly.weeks, min(weeks, GATE_WEEKS)
    everybody = tuple(range(len(layer.names)))
    recent = [have - judged * step for step in range(1, RECENT_ORIGINS + 1)]
    ends: dict[int, set[int]] = {end: set(everybody) for end in recent if end > judged}
    for series in everybody:
        for end in _event_ends(layer, series, weeks, judged):
            ends.setdefault(end, set()).add(series)
    return tuple(_Trial(end, tuple(sorted(who))) for end, who in sorted(ends.items()))


def _event_ends(layer: Layer, series: int, weeks: int, judged: int) -> list[int]:
    """Returns the past weeks, newest first, whose events are most like those that are coming.

    A name counts the more the rarer it is. Where nothing is coming they are the same weeks of the
    years before.
    """
    past = layer.weekly
    begin, newest = past.weeks + past.gap, past.weeks - judged * (RECENT_ORIGINS + 1)
    ends = np.arange(FEWEST_WEEKS, newest + 1)
    names = layer.week_names(series, begin + weeks)
    coming = frozenset[str]().union(*names[begin:])
    likeness = np.zeros(len(ends))
    for name in sorted(coming):
        seen = np.array([name in week for week in names[: past.weeks]])
        rarity = np.log(past.weeks / max(int(seen.sum()), 1))
        likeness += rarity * np.array([seen[end : end + judged].any() for end in ends], dtype=float)
    if not likeness.any():
        return [end for end in (begin - YEAR, begin - 2 * YEAR) if FEWEST_WEEKS <= end <= newest]
    return _best_apart(ends, likeness, judged)


def _best_apart(ends: NDArray[np.int64], likeness: Floats, apart: int) -> list[int]:
    """Returns the ends with the greatest likeness, newest of equals, windows apart."""
    left, chosen = likeness.copy(), list[int]()
    while len(chosen) < EVENT_ORIGINS and left.any():
        at = len(left) - 1 - int(left[::-1].argmax())
        chosen.append(int(ends[at]))
        left[np.abs(ends - ends[at]) < apart] = 0.0
    return sorted(chosen, reverse=True)


def _judged(
    layer: Layer, trials: tuple[_Trial, ...], asked: Asked, report: Callable[[float], None]
) -> tuple[Floats, list[Drawn | None]]:
    """Returns the absolute error of each member at each trial, and Prophet's final forecasts.

    Errors are [origin, member, series]: NaN where a series was not judged, infinite where a member
    could not forecast.
    """
    judged = min(asked.weeks, GATE_WEEKS)
    fitted = _fitted(layer)
    final = [_task(layer, series, None, asked.weeks, asked.seed) for series in fitted]
    looks = [(trial, series) for trial in trials for series in fitted if series in trial.series]
    past = [_task(layer, series, trial.end, judged, asked.seed) for trial, series in looks]
    made = prophets.forecast_markets([*past, *final], asked.workers, report)
    at_look = dict(zip(looks, made, strict=False))
    errors = np.full((len(trials), len(MEMBERS), len(layer.names)), np.nan)
    for at, trial in enumerate(trials):
        came = layer.weekly.demand[:, trial.end : trial.end + judged]
        drawn = [at_look.get((trial, series)) for series in range(len(layer.names))]
        rows = list(trial.series)
        for row, member in enumerate(_members_at(layer, trial.end, judged, drawn)):
            missed = np.abs(member.mean - came).sum(axis=1)
            errors[at, row, rows] = np.where(member.usable, missed, np.inf)[rows]
    last = dict(zip(fitted, made[len(looks) :], strict=True))
    return errors, [last.get(series) for series in range(len(layer.names))]


def _members_at(
    layer: Layer, end: int, weeks: int, drawn: Sequence[Drawn | None]
) -> tuple[Member, ...]:
    past = layer.weekly.before(end)
    return (
        level_member(past, weeks, spread=False),
        trend_member(past, weeks, spread=False),
        last_year_member(past, weeks, spread=False),
        _as_member(drawn, weeks),
        event_member(past, weeks, spread=False),
    )


def _members(layer: Layer, weeks: int, drawn: Sequence[Drawn | None]) -> tuple[Member, ...]:
    return (
        level_member(layer.weekly, weeks),
        trend_member(layer.weekly, weeks),
        last_year_member(layer.weekly, weeks),
        _as_member(drawn, weeks),
        event_member(layer.weekly, weeks),
    )


def _as_member(drawn: Sequence[Drawn | None], weeks: int) -> Member:
    made = Member.unusable(len(drawn), weeks)
    for at, one in enumerate(drawn):
        if one is not None:
            made.usable[at] = True
            made.mean[at] = one.mean
            made.quantiles[at] = np.nan_to_num(one.quantiles)
    return made


def _fitted(layer: Layer) -> list[int]:
    """Returns the series that Prophet is asked for: the largest; none where it is kept away."""
    if layer.daily is None:
        return []
    largest = np.argsort(-layer.weekly.demand.sum(axis=1), kind="stable")
    return sorted(int(series) for series in largest[:MOST_FITTED])


def _task(layer: Layer, series: int, end: int | None, weeks: int, seed: int) -> Task:
    """Returns the fit of one series to its days before week `end`; without it, to all of them."""
    past = layer.weekly
    if layer.daily is None:
        raise ValueError("Expected a layer with daily demand.")
    days = len(layer.daily) if end is None else DAYS * end
    at = past.weeks + past.gap if end is None else end
    start: date = past.first + timedelta(days=DAYS * at)
    last = start + timedelta(days=DAYS * weeks)
    events = layer.events[series] if layer.events else ()
    return Task(
        key=layer.names[series],
        series=DailySeries(
            units=layer.daily[:days, series],
            first=past.first,
            events=tuple(pair for pair in events if pair[0] < last),
        ),
        start=start,
        weeks=weeks,
        seed=(seed + zlib.crc32(layer.names[series].encode())) % MOST_SEED,
        samples=prophets.SAMPLES if end is None else 0,
    )
