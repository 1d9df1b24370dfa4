"""Terms: the promotions and prices of each week, past and planned."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inventory.demand.lines import DAYS, Codes, Floats, Keys, Lines, Rows, mean_of

NEARLY = 1e-9
"""Prices that differ by a smaller share are the same price."""

COMPLETE = 0.9
"""Share of weeks with a row from which on the rows of a table do not tell what was sold."""


@dataclass(frozen=True, slots=True)
class PlannedTerms:
    """Promotion and price by series and week, sparse, sorted by series then week.

    Each is the mean over the days of the week that have a row which tells it, NaN where none does.
    Weeks count from the history's first Monday; those after its last complete week are the plan.
    """

    series: Codes
    week: Codes
    promotion: Floats
    price: Floats

    @classmethod
    def of(cls, lines: Lines) -> "PlannedTerms | None":
        """Returns the terms of all lines; None where they say nothing.

        They say nothing when no promotion is above 0 and no series ever changes its price. What
        stands after the planning date is taken for a plan only where `is_plan` says so.
        """
        past = _weekly(lines.past, lines)
        made = _one(past, _weekly(lines.planned, lines)) if is_plan(lines) else past
        return made if made._says_something() else None

    def matrix(self, values: Floats, begin: int, end: int, weeks: int, empty: float) -> Floats:
        """Returns one column of the terms for series `begin` to `end`, [series, week]."""
        low, high = np.searchsorted(self.series, (begin, end))
        dense = np.full((end - begin, weeks), empty)
        inside = np.flatnonzero(self.week[low:high] < weeks) + low
        told = inside[~np.isnan(values[inside])]
        dense[self.series[told] - begin, self.week[told]] = values[told]
        return dense

    @property
    def weeks(self) -> int:
        """Weeks up to the last one that has a row."""
        return int(self.week.max(initial=-1)) + 1

    def series_range(self, begin: int, end: int) -> "PlannedTerms":
        """Returns the terms of series `begin` to `end`, numbered from 0."""
        low, high = np.searchsorted(self.series, (begin, end))
        return PlannedTerms(
            (self.series[low:high] - begin).astype(np.int32),
            self.week[low:high],
            self.promotion[low:high],
            self.price[low:high],
        )

    def coverage(self) -> float:
        """Returns the share of weeks with a row, of those from each series' first to its last."""
        if not self.series.size:
            return 0.0
        begin = _changes(self.series.astype(np.int64))
        last = self.week[np.append(begin[1:], len(self.week)) - 1]
        return float(len(self.week) / (last - self.week[begin] + 1).sum())

    def _says_something(self) -> bool:
        if (self.promotion > 0).any():
            return True
        known = ~np.isnan(self.price)
        series, price = self.series[known], self.price[known]
        same = np.diff(series) == 0
        changed = np.abs(np.diff(price)) > NEARLY * np.maximum(price[1:], price[:-1])
        return bool((same & changed).any())


def is_plan(lines: Lines) -> bool:
    """Returns whether the rows after the planning date are a plan.

    In a trial on the past they may be none: where a table has rows only for days on which
    something was sold, a row alone tells that there will be a sale. So they count there only if
    the past has rows without demand too, or rows in at least 9 of 10 weeks.
    """
    if not lines.trial or (lines.past.quantity == 0).any():
        return True
    return _weekly(lines.past, lines).coverage() >= COMPLETE


def _weekly(rows: Rows, lines: Lines) -> PlannedTerms:
    """Returns means by series and week, of rows in the order of series and day."""
    told = ~(np.isnan(rows.promotion) & np.isnan(rows.price))
    if not told.all():
        rows = rows.only(told)
    week = (rows.day // DAYS).astype(np.int32)
    series = (rows.item * np.int32(len(lines.regions)) + rows.region).astype(np.int32)
    begin = _changes(series.astype(np.int64) * (int(week.max(initial=0)) + 1) + week)
    even = np.ones(len(week))
    if not begin.size:
        return PlannedTerms(series, week, rows.promotion, rows.price)
    return PlannedTerms(
        series[begin],
        week[begin],
        mean_of(rows.promotion, even, begin),
        mean_of(rows.price, even, begin),
    )


def _one(past: PlannedTerms, planned: PlannedTerms) -> PlannedTerms:
    """Returns both together; in the week under way a planned term stands in for an unknown one."""
    if not planned.series.size:
        return past
    weeks = max(past.weeks, planned.weeks)
    series, week, promotion, price = (
        np.concatenate([getattr(past, name), getattr(planned, name)])
        for name in ("series", "week", "promotion", "price")
    )
    key = series.astype(np.int64) * weeks + week
    order = np.argsort(key, kind="stable")
    begin = _changes(key[order])
    even = np.ones(len(order))
    return PlannedTerms(
        series[order][begin],
        week[order][begin],
        mean_of(promotion[order], even, begin),
        mean_of(price[order], even, begin),
    )


def _changes(key: Keys) -> NDArray[np.intp]:
    """Returns the positions at which a sorted key takes a new value."""
    return np.flatnonzero(np.diff(key, prepend=-1))
