"""Reverse: the units that come back, as their own series, never subtracted from demand."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from core.brand import Brand
from inventory.demand.cleaning import without_one_offs
from inventory.demand.history import History
from inventory.demand.lines import DAYS, coded
from inventory.demand.stockouts import Weekly

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

LAGS = 13
"""Units come back in the week they were asked for, or in one of the 12 weeks after it."""

EVIDENCE = 26
"""Weeks of demand without which the weeks between demand and return are not estimated."""

EVEN_LAGS = 4
"""Without that evidence, returns are spread evenly over this many weeks."""

RECENT = 52
"""Weeks over which rates are counted."""

PRIOR = 50.0
"""Units of demand that the rate of the wider group is worth against a series' own."""


@dataclass(frozen=True, slots=True)
class Returns:
    """What a brand learns from its returns as a whole, before any item is looked at."""

    rate: float
    """Units that came back for each unit asked for."""
    categories: Floats
    """The same by category code, drawn towards `rate`."""
    lag: Floats
    """Share of the returns that come back 0, 1, ... weeks after the demand; sums to 1."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Units of a part of a brand: add them up with `joined`. Nothing in it grows with the items."""

    asked: Floats
    """Units asked for by category, over the last 52 weeks."""
    back: Floats
    """Units that came back by category, over the same weeks."""
    weekly_asked: Floats
    """Units asked for by week."""
    weekly_back: Floats
    """Units that came back by week."""


def returns_history(brand: Brand, history: History) -> History:
    """Returns the returns of a brand as a history of the same items, regions and weeks.

    What came back after the planning date is never looked at, and one-off returns (of an order
    that was large beyond all custom, say) are cut by the rule that cuts one-off demand.
    """
    frame = brand.table("returns")
    regions = len(history.regions)
    item, region = coded(history.items, frame["item"]), coded(history.regions, frame["region"])
    first = np.datetime64(history.first, "D")
    day = (frame["date"].to_numpy().astype("datetime64[D]") - first).astype(np.int64)
    seen = (day >= 0) & (day < len(history.daily)) & (item >= 0) & (region >= 0)
    series = item[seen].astype(np.int64) * regions + region[seen]
    days = Weekly.of(series, day[seen], frame["quantity"].to_numpy(float)[seen], len(history.daily))
    never = np.zeros(len(days.week), dtype=bool)
    kept = without_one_offs(days.item, days.week, days.units, never, regions)
    complete = days.week < history.weeks * DAYS
    weekly = Weekly.of(
        days.item[complete], days.week[complete] // DAYS, kept[complete], history.weeks
    )
    daily = np.bincount(
        days.week * regions + days.item % regions, weights=kept, minlength=history.daily.size
    )
    return replace(
        history,
        series=weekly.item.astype(np.int32),
        week=weekly.week.astype(np.int32),
        quantity=weekly.units,
        daily=daily.reshape(history.daily.shape).astype(np.float64),
        hidden=np.array([], dtype=np.int64),
        promotions=None,
        findings=(),
    )


def tally(asked: Floats, back: Floats, category: Codes, categories: int) -> Tally:
    """Returns the sums of some series; both are [series, week], `category` is that of each."""
    return Tally(
        asked=np.bincount(category, asked[:, -RECENT:].sum(axis=1), categories).astype(np.float64),
        back=np.bincount(category, back[:, -RECENT:].sum(axis=1), categories).astype(np.float64),
        weekly_asked=asked.sum(axis=0),
        weekly_back=back.sum(axis=0),
    )


def joined(parts: Iterable[Tally]) -> Tally:
    """Returns the sums of parts of one brand; raises `TypeError` where there are none."""
    return reduce(
        lambda one, other: Tally(
            one.asked + other.asked,
            one.back + other.back,
            one.weekly_asked + other.weekly_asked,
            one.weekly_back + other.weekly_back,
        ),
        parts,
    )


def learned(total: Tally) -> Returns:
    """Returns rates and lags of a whole brand."""
    rate = float(_rate(total.back.sum(), total.asked.sum(), 0.0, 0.0))
    return Returns(
        rate=rate,
        categories=_rate(total.back, total.asked, rate, PRIOR),
        lag=lag_profile(total.weekly_asked, total.weekly_back),
    )


def lag_profile(asked: Floats, back: Floats) -> Floats:
    """Returns the share of returns by weeks since the demand, 13 of them, which sum to 1.

    The shares explain the weekly returns by the demand of the 13 weeks before at least squared
    error, none below 0 (Lawson and Hanson's NNLS). With less than 26 weeks to compare, or nothing
    that came back, they are even over 4 weeks.
    """
    even = np.where(np.arange(LAGS) < EVEN_LAGS, 1.0 / EVEN_LAGS, 0.0)
    if len(asked) < EVIDENCE + LAGS - 1 or not back.any():
        return even
    lagged = np.lib.stride_tricks.sliding_window_view(asked, LAGS)[:, ::-1]
    weights, _ = nnls(lagged, back[LAGS - 1 :])
    total = float(weights.sum())
    return weights / total if total > 0 else even


def rates(asked: Floats, back: Floats, category: Codes, regions: int, known: Returns) -> Floats:
    """Returns the units that come back for each unit asked for, by series, from 0 to 1.

    A rate counts the last 52 weeks of `asked` and `back` ([series, week], whole items). An item
    is drawn towards its category as if that had 50 units of the item's own demand, its regions
    towards the item in the same way, so that little evidence says little. `category` is that of
    each series.
    """
    sold, came = (units[:, -RECENT:].sum(axis=1).reshape(-1, regions) for units in (asked, back))
    group = known.categories[category.reshape(-1, regions)[:, :1]]
    item = _rate(came.sum(axis=1, keepdims=True), sold.sum(axis=1, keepdims=True), group, PRIOR)
    return _rate(came, sold, item, PRIOR).ravel()


def returned(asked: Floats, expected: Floats, rate: Floats, lag: Floats, gap: int = 0) -> Floats:
    """Returns the units expected back in each week of `expected`, [series, week].

    That is the rate of the series times the demand of the weeks before, each weighted by the share
    that comes back after so long. `asked` is past demand and `expected` its forecast, both [series,
    week]; the `gap` weeks between them are taken to be like the first forecast week.
    """
    weeks = expected.shape[1]
    between = np.repeat(expected[:, :1], gap, axis=1)
    line = np.hstack([asked[:, -(LAGS - 1) :], between, expected])
    padded = np.pad(line, ((0, 0), (max(0, LAGS - 1 + weeks - line.shape[1]), 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, LAGS, axis=1)[:, -weeks:]
    return np.asarray(rate[:, None] * (windows @ lag[::-1]))


def _rate(back: Floats, asked: Floats, prior: Floats | float, weight: float) -> Floats:
    """Returns returned over demanded units, drawn to the prior rate, from 0 to 1."""
    known = np.maximum(asked + weight, 1e-9)
    return np.clip((np.minimum(back, asked) + weight * np.asarray(prior)) / known, 0.0, 1.0)
