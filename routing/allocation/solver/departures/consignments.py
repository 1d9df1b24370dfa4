"""Departures: goods leave a lane in whole containers, and each departure has its fixed cost.

A linear problem that charges by the m3 no more than any departure does is a bound on every plan.
Its plan sends a little every week; from there departures are given up one container at a time, the
dearest by m3 first, where their goods find something better to do: go with another departure,
another way, or not at all. Then all is planned once more around the departures that are left.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from routing.allocation.plan import Plan
from routing.allocation.problem import (
    MOVE,
    Consignments,
    Floats,
    Ints,
    Problem,
    summed,
    with_limits,
)
from routing.allocation.solver.fitting import Fitting

PASSES = 4
"""So often all departures are looked at."""

LEAST_SAVING = 1e-9
"""Share of the cost of a plan that giving up a container must save."""


def by_volume(problem: Problem, most: Floats | None = None) -> Problem:
    """Returns the problem in which departures cost by the m3: never more than they do.

    `most` is the most that a departure may take, [lane, bucket]; else what `most_m3` says.
    """
    limits, transfers = problem.limits, problem.transfers
    full = most_m3(problem) if most is None else most
    per_m3 = problem.consignments.least_per_m3(full).ravel()
    moved = np.flatnonzero(transfers.kind == MOVE)
    cost = transfers.cost.copy()
    cost[moved] += per_m3[transfers.row[moved] - limits.lane_begin] * transfers.use[moved]
    charged = replace(transfers, cost=cost)
    return replace(problem, transfers=charged, consignments=Consignments.none())


def most_m3(problem: Problem) -> Floats:
    """Returns the most that a departure could take, [lane, bucket]: its limit, or all there is."""
    limits, transfers = problem.limits, problem.transfers
    moved = np.flatnonzero(transfers.kind == MOVE)
    units = np.minimum(transfers.most[moved], problem.throughput[transfers.item[moved]])
    most = summed(
        transfers.row[moved] - limits.lane_begin,
        units * transfers.use[moved],
        limits.lane_m3.size,
    )
    return np.minimum(limits.lane_m3, most.reshape(limits.lane_m3.shape))


def with_departures(problem: Problem, plan: Plan) -> Problem:
    """Returns the problem in which the departures of a plan are paid for, and no others go."""
    limits, transfers = problem.limits, problem.transfers
    moved = np.flatnonzero(transfers.kind == MOVE)
    room = _room(problem, plan).ravel()
    row = transfers.row[moved]
    goes = room[row - limits.lane_begin] > 0
    most = transfers.most.copy()
    most[moved] = np.where(goes, most[moved], 0)
    flat = limits.flat.copy()
    lanes = slice(limits.lane_begin, limits.storage_begin)
    flat[lanes] = np.where(room > 0, room, limits.flat[lanes])
    paid = replace(transfers, most=most)
    return with_limits(replace(problem, transfers=paid, consignments=Consignments.none()), flat)


def with_fewer(problem: Problem, plan: Plan) -> Plan:
    """Returns a plan with the departures that pay, the given one changed in place."""
    fewer = _Fewer(problem, plan)
    for _ in range(PASSES):
        if not sum(fewer.gives_up(row) for row in fewer.dearest_first()):
            break
    return plan


def _room(problem: Problem, plan: Plan) -> Floats:
    """Returns what the departures of a plan could take, [lane, bucket]; 0 where none goes."""
    m3, units = plan.departing(problem)
    consignments, most = problem.consignments, problem.limits.lane_m3
    size = consignments.container_m3[:, None]
    held = np.maximum(consignments.containers(m3), 1.0) * size
    return np.where(units > 0, np.where(size > 0, np.minimum(held, most), most), 0.0)


class _Fewer:
    """A plan whose departures are given up one container at a time, in place."""

    def __init__(self, problem: Problem, plan: Plan) -> None:
        self._problem, self._plan = problem, plan
        begin = problem.limits.lane_begin
        flat = problem.limits.flat.copy()
        flat[begin : problem.limits.storage_begin] = _room(problem, plan).ravel()
        self._fitting = Fitting(with_limits(problem, flat), plan)
        self._least = LEAST_SAVING * max(1.0, abs(plan.flow_cost(problem)))

    def dearest_first(self) -> Iterator[int]:
        """Yields the rows of all departures, those that cost most by m3 first."""
        m3, units = self._plan.departing(self._problem)
        cost = self._problem.consignments.cost(m3, units)
        dear = np.where(cost > 0, cost / np.maximum(m3, 1e-9), -np.inf).ravel()
        order = np.argsort(-dear, kind="stable")
        yield from (int(at) for at in order[np.isfinite(dear[order])])

    def gives_up(self, at: int) -> bool:
        """Gives up one container of a departure, or all of it, where that saves something."""
        lane = at // self._problem.limits.lane_m3.shape[1]
        size = self._problem.consignments.container_m3[lane]
        m3, units = self._plan.departing(self._problem)
        if units.ravel()[at] <= 0:
            return False
        row = self._problem.limits.lane_begin + at
        before = self._fitting.limit_of(row)
        held = self._problem.consignments.containers(m3).ravel()[at]
        self._fitting.set_limit(row, max(held - 1.0, 0.0) * size if size > 0 else 0.0)
        paid = self._problem.consignments.cost(m3, units).sum()
        changes = [self._fitting.refit_anyway(item) for item in self._items_on(row)]
        after = self._plan.consigned(self._problem).sum()
        dearer = sum(change.dearer for change in changes) + float(after - paid)
        if dearer < -self._least:
            return True
        self._fitting.set_limit(row, before)
        for change in reversed(changes):
            self._fitting.undo(change)
        return False

    def _items_on(self, row: int) -> list[int]:
        transfers = self._problem.transfers
        held: Ints = np.unique(transfers.item[(transfers.row == row) & (self._plan.moved > 0)])
        return [int(item) for item in held]
