"""Carrying over: an earlier plan on the arrays of a later problem, item by item."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from routing.allocation.networks import Edges
from routing.allocation.plan import Plan
from routing.allocation.problem import NOWHERE, Axes, Bools, Floats, Problem

Rows = NDArray[np.intp]

COMPARED = {
    "pools": {"site": "", "bonded": "", "bucket": "", "units": ""},
    "demands": {"region": "", "bucket": ""},
    "segments": {"demand": "demands", "units": ""},
    "ships": {"pool": "pools", "demand": "demands"},
    "transfers": {"start": "pools", "end": "pools", "kind": "", "lane": "", "most": ""},
}
"""Columns that must be the same for a flow to fit, and the array that a position points into."""


@dataclass(frozen=True, eq=False)
class Earlier:
    """A problem that was solved before, its plan, and its prices, [row]."""

    problem: Problem
    plan: Plan
    price: Floats


def carried(earlier: Earlier, problem: Problem) -> tuple[Plan, Bools]:
    """Returns what an earlier plan does for a later problem, and the items that it fits, [item].

    It fits items with the same stock, demand and ways, whatever these cost now; others have no
    units anywhere, not even unmet ones.
    """
    before, plan = earlier.problem, Plan.empty(problem)
    if _names(before.axes) != _names(problem.axes):
        return plan, np.zeros(problem.items, dtype=bool)
    place = {name: at for at, name in enumerate(before.axes.items)}
    there = np.array([place.get(name, NOWHERE) for name in problem.axes.items], dtype=np.intp)
    pair = _Pair(before, problem, there)
    known = there >= 0
    for name in COMPARED:
        known &= pair.is_as_long(name)
    for name in COMPARED:
        known &= pair.is_same(name, np.flatnonzero(known))
    here = np.flatnonzero(known)
    parts = zip(("ships", "transfers", "segments"), earlier.plan.parts, plan.parts, strict=True)
    for name, done, made in parts:
        made[rows_in(getattr(pair.new, name), here)] = done[
            rows_in(getattr(pair.old, name), there[here])
        ]
    return plan, known


def _names(axes: Axes) -> tuple[tuple[object, ...], ...]:
    """Returns the names on all axes but that of items."""
    return axes.sites, axes.regions, axes.services, axes.buckets, axes.lanes, axes.offers


class _Pair:
    """Two problems with the same axes but items, and where each item of the later one was."""

    def __init__(self, before: Problem, after: Problem, there: Rows) -> None:
        self._before, self._after, self._there = before, after, there
        self.old, self.new = Edges.of(before), Edges.of(after)

    def is_as_long(self, name: str) -> Bools:
        """Returns whether each item has as many rows in an array as before, [item]."""
        if not len(self.old.pools) - 1:
            return np.zeros(len(self._there), dtype=bool)
        counts = np.diff(getattr(self.old, name))[self._there]
        return np.asarray(counts == np.diff(getattr(self.new, name)))

    def is_same(self, name: str, here: Rows) -> Bools:
        """Returns whether items, which are as long as before, have the same rows, [item]."""
        there, edges = self._there[here], getattr(self.new, name)
        was, now = rows_in(getattr(self.old, name), there), rows_in(edges, here)
        differs = np.zeros(len(now), dtype=bool)
        count = np.diff(edges)[here]
        for column, of in COMPARED[name].items():
            one = getattr(getattr(self._before, name), column)[was]
            two = getattr(getattr(self._after, name), column)[now]
            if of:
                one = _within(one, np.repeat(getattr(self.old, of)[there], count))
                two = _within(two, np.repeat(getattr(self.new, of)[here], count))
            differs |= one != two
        same = np.ones(len(self._there), dtype=bool)
        same[np.repeat(here, count)[differs]] = False
        return same


def rows_in(edges: Rows, items: Rows) -> Rows:
    """Returns the rows of items, one item after another; `edges` is [item + 1]."""
    count = np.diff(edges)[items]
    before = np.cumsum(count) - count
    first: Rows = np.repeat(edges[:-1][items] - before, count)
    return np.arange(len(first)) + first


def _within(position: NDArray[Any], first: Rows) -> NDArray[Any]:
    """Returns positions counted from the first row of their item; nowhere stays nowhere."""
    return np.where(position == NOWHERE, NOWHERE, position - first)
