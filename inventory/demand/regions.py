"""Regions: members that forecast a market's weeks, and a gate through which each must pass."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from inventory.demand import prophets
from inventory.demand.history import DAYS, History
from inventory.demand.quantiles import LEVELS, count_quantiles, monotone, widened
from inventory.demand.smoothing import smooth

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

Report = Callable[[float, str], None]
"""Tells progress: the share done from 0 to 1 and what is being done now."""

YEAR = 52
RATIO_WEEKS = 13
"""Weeks over which this year is compared with the last."""

GATE_ORIGINS = 3
GATE_WEEKS = 4
"""The gate looks back this many times, over at most this many weeks each."""

MARGIN, EXCESS = 0.85, 0.02
"""A challenger must err at least 15 % less than smoothing in all, and at no origin more than
smoothing by over 2 % of that: with fewer demands on it, luck on a few weeks let methods in that
were worse on the next ones."""

TAIL_MARGIN = 2.0
"""A member that errs more than twice what smoothing errs says nothing about the tails either."""

UPPER = LEVELS.index(0.75)
"""Quantiles from here on listen to every trusted member."""


MEMBERS = ("smoothing", "last_year", "prophet")


@dataclass(frozen=True, slots=True)
class Markets:
    """What a region's own methods need beside its demand: the country of each, and a seed."""

    countries: tuple[str, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Member:
    """What one method expects of every region.

    The mean is [region, week], the quantiles are [region, week, level].
    Where `usable` is False, the method had too little history and the numbers mean nothing.
    """

    name: str
    mean: Floats
    quantiles: Floats
    usable: Flags


@dataclass(frozen=True, slots=True)
class Regional:
    """The forecast of every region: mean [region, week], quantiles [region, week, level]."""

    mean: Floats
    quantiles: Floats
    admitted: tuple[tuple[str, ...], ...]
    """Names of the members behind each region's mean."""


def forecast_regions(history: History, markets: Markets, weeks: int, report: Report) -> Regional:
    """Returns the weekly forecast of every region from its admitted members.

    Smoothing always belongs. Last year's weeks scaled by the year-on-year ratio, and Prophet with
    local holidays, enter a region's mean only where they err clearly less than smoothing on the
    region's own recent weeks. The mean and the quantiles up to P50 average the admitted members,
    weighted by the inverse of those errors; the quantiles above average all members that did not
    fail there, because on real orders that average beat each member's own upper quantiles even
    where its mean would have been worse.
    """
    gate = _part(report, 0.0, 0.7, "")
    errors = _gate_errors(history, markets, min(weeks, GATE_WEEKS), lambda done, _: gate(done))
    final = _part(report, 0.7, 0.3, "Fitting regions")
    members = _members(history, markets, weeks, prophets.SAMPLES, final)
    usable = np.array([member.usable for member in members])
    admitted = _within(usable, errors, MARGIN, EXCESS)
    trusted = _within(usable, errors, TAIL_MARGIN, TAIL_MARGIN)
    quantiles = np.array([member.quantiles for member in members])
    weight = np.where(admitted, 1.0 / np.maximum(errors.sum(axis=0), 1e-9), 0.0)
    tails = _mixed(weight, quantiles)
    tails[..., UPPER:] = _mixed(trusted, quantiles)[..., UPPER:]
    return Regional(
        mean=_mixed(weight, np.array([member.mean for member in members])),
        quantiles=monotone(tails),
        admitted=tuple(
            tuple(name for name, passed in zip(MEMBERS, region, strict=True) if passed)
            for region in admitted.T
        ),
    )


def _within(usable: Flags, errors: Floats, margin: float, excess: float) -> Flags:
    """Returns who errs less than `margin` times smoothing, [member, region].

    At no origin may it err more than smoothing by over `excess` of smoothing's sum. `errors` is
    [origin, member, region]. Smoothing itself always passes; without origins nobody else does.
    """
    total = errors[:, 0].sum(axis=0)
    worst = (errors - errors[:, :1]).max(axis=0, initial=-np.inf)
    passed: Flags = usable & (errors.sum(axis=0) < margin * total) & (worst <= excess * total)
    passed[0] = True
    return passed


def _mixed(weights: Floats | Flags, members: Floats) -> Floats:
    """Returns the weighted mean over members; weights are [member, region]."""
    return np.asarray(np.einsum("mr,mr...->r...", weights / weights.sum(axis=0), members))


def smoothing_member(history: History, weeks: int) -> Member:
    """Returns simple exponential smoothing of every region, the same mean for each week."""
    smoothed = smooth(history.by_region)
    mean = np.repeat(smoothed.level[:, None], weeks, axis=1)
    one_ahead = count_quantiles(smoothed.level, smoothed.variance)[:, None, :]
    tails = widened(
        mean, np.repeat(one_ahead, weeks, axis=1), smoothed.widening(weeks, history.gap)
    )
    return Member("smoothing", mean, tails, np.ones(len(mean), dtype=bool))


def last_year_member(history: History, weeks: int) -> Member:
    """Returns the weeks of a year ago times the year-on-year ratio of the last 13 weeks.

    Usable with a year and 13 weeks of history; the ratio is clipped to 0.5 .. 2.
    """
    demand = history.by_region
    regions, past = demand.shape
    if past < YEAR + RATIO_WEEKS:
        return _unusable("last_year", regions, weeks)
    ahead = past + history.gap + np.arange(weeks)
    source = ahead - YEAR * (1 + (ahead - past) // YEAR)
    recent = demand[:, -RATIO_WEEKS:].sum(axis=1)
    before = demand[:, -RATIO_WEEKS - YEAR : -YEAR].sum(axis=1)
    usable = before > 0
    ratio = np.clip(recent / np.where(usable, before, 1.0), 0.5, 2.0)
    mean = demand[:, source] * ratio[:, None]
    seen = np.arange(max(YEAR, past - 2 * RATIO_WEEKS), past)
    misses = demand[:, seen] - demand[:, seen - YEAR] * ratio[:, None]
    variance = np.repeat((misses**2).mean(axis=1)[:, None], weeks, axis=1)
    return Member("last_year", mean, count_quantiles(mean, variance), usable)


def prophet_member(
    history: History, markets: Markets, weeks: int, samples: int, report: Callable[[float], None]
) -> Member:
    """Returns Prophet with local events for every region, fitted to daily demand.

    With no samples only the means are made, which is all that the gate asks for.
    """
    models = _fits(history, markets, weeks, samples, report)
    made = _unusable("prophet", len(history.regions), weeks)
    with prophets.quiet():
        for at, model in enumerate(models):
            if model is None:
                continue
            made.usable[at] = True
            if samples:
                drawn = prophets.weekly_samples(model, history.start, weeks, markets.seed + at)
                made.mean[at] = drawn.mean(axis=1)
                made.quantiles[at] = np.quantile(drawn, LEVELS, axis=1).T
            else:
                made.mean[at] = prophets.weekly_mean(model, history.start, weeks)
    return made


def _members(
    history: History, markets: Markets, weeks: int, samples: int, report: Callable[[float], None]
) -> tuple[Member, Member, Member]:
    return (
        smoothing_member(history, weeks),
        last_year_member(history, weeks),
        prophet_member(history, markets, weeks, samples, report),
    )


def _gate_errors(history: History, markets: Markets, weeks: int, report: Report) -> Floats:
    """Returns the absolute error of each member on each region's last weeks.

    [origin, member, region]; infinite where a member could not forecast.
    """
    origins = [origin for origin in range(1, GATE_ORIGINS + 1) if origin * weeks < history.weeks]
    errors = np.full((len(origins), len(MEMBERS), len(history.regions)), np.inf)
    for at, origin in enumerate(origins):
        end = history.weeks - origin * weeks
        actual = history.by_region[:, end : end + weeks]
        steps = _part(report, at / len(origins), 1.0 / len(origins), "Trying methods on the past")
        for row, member in enumerate(_members(_before(history, end), markets, weeks, 0, steps)):
            missed = np.abs(member.mean - actual).sum(axis=1)
            errors[at, row] = np.where(member.usable, missed, np.inf)
    return errors


def _part(report: Report, low: float, width: float, doing: str) -> Callable[[float], None]:
    """Returns a report that fills a stretch of another one."""
    return lambda done: report(low + width * done, doing)


def _fits(
    history: History, markets: Markets, weeks: int, samples: int, report: Callable[[float], None]
) -> list[prophets.Model | None]:
    """Returns one fitted model per region, in order."""
    last = history.start + timedelta(days=DAYS * weeks)
    series = [
        prophets.DailySeries(country, history.first, history.daily[:, at])
        for at, country in enumerate(markets.countries)
    ]
    models: list[prophets.Model | None] = []
    with prophets.quiet():
        for one in series:
            models.append(prophets.fit(one, last, markets.seed, samples))
            report(len(models) / len(series))
    return models


def _before(history: History, week: int) -> History:
    """Returns the history as it stood on the Sunday before a week."""
    seen = history.week < week
    return replace(
        history,
        start=history.first + timedelta(days=DAYS * week),
        weeks=week,
        series=history.series[seen],
        week=history.week[seen],
        quantity=history.quantity[seen],
        daily=history.daily[: DAYS * week],
    )


def _unusable(name: str, regions: int, weeks: int) -> Member:
    zeros = np.zeros((regions, weeks))
    return Member(
        name, zeros, np.zeros((regions, weeks, len(LEVELS))), np.zeros(regions, dtype=bool)
    )
