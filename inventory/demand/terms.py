"""Terms: the promotions and prices of each week, past and planned."""

import numpy as np
from numpy.typing import NDArray

from inventory.demand.lines import DAYS, Lines, Rows, mean_of
from inventory.demand.sparse import Keys, Terms

NEARLY = 1e-9
"""Prices that differ by a smaller share are the same price."""

COMPLETE = 0.9
"""Share of weeks with a row from which on the rows of a table do not tell what was sold."""


def planned_terms(past: Terms, planned: Rows | None) -> Terms | None:
    """Returns past terms and those of a plan together; None where they say nothing.

    They say nothing when no promotion is above 0 and no series ever changes its price.
    """
    made = past if planned is None else _one(past, terms_of(planned))
    return made if _says_something(made) else None


def is_plan(lines: Lines, past: Terms, idle: bool) -> bool:
    """Returns whether the rows after the planning date are a plan.

    In a trial on the past they may be none: where a table has rows only for days on which
    something was sold, a row alone tells that there will be a sale. So they count there only if
    the past has rows without demand too (`idle`), or rows in at least 9 of 10 weeks.
    """
    return not lines.trial or idle or _coverage(past) >= COMPLETE


def _coverage(terms: Terms) -> float:
    """Returns the share of weeks with a row, of those from each series' first to its last."""
    if not terms.series.size:
        return 0.0
    begin = _changes(terms.series.astype(np.int64))
    last = terms.week[np.append(begin[1:], len(terms.week)) - 1]
    return float(len(terms.week) / (last - terms.week[begin] + 1).sum())


def _says_something(terms: Terms) -> bool:
    if (terms.promotion > 0).any():
        return True
    known = ~np.isnan(terms.price)
    series, price = terms.series[known], terms.price[known]
    same = np.diff(series) == 0
    changed = np.abs(np.diff(price)) > NEARLY * np.maximum(price[1:], price[:-1])
    return bool((same & changed).any())


def terms_of(rows: Rows) -> Terms:
    """Returns means by series and week, of rows in the order of series and day."""
    told = ~(np.isnan(rows.promotion) & np.isnan(rows.price))
    if not told.all():
        rows = rows.only(told)
    week = (rows.day // DAYS).astype(np.int32)
    series = rows.series
    begin = _changes(series.astype(np.int64) * (int(week.max(initial=0)) + 1) + week)
    even = np.ones(len(week))
    if not begin.size:
        return Terms(series, week, rows.promotion, rows.price)
    return Terms(
        series[begin],
        week[begin],
        mean_of(rows.promotion, even, begin),
        mean_of(rows.price, even, begin),
    )


def _one(past: Terms, planned: Terms) -> Terms:
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
    return Terms(
        series[order][begin],
        week[order][begin],
        mean_of(promotion[order], even, begin),
        mean_of(price[order], even, begin),
    )


def _changes(key: Keys) -> NDArray[np.intp]:
    """Returns the positions at which a sorted key takes a new value."""
    return np.flatnonzero(np.diff(key, prepend=-1))
