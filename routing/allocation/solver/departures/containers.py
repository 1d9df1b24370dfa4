"""Containers of a lane over the whole horizon: a better bound on what departures cost.

Charged by the m3, a lane that sends little pays for a part of a container. A tree of cases does
better: in each case a lane has a number of containers in all, which are paid whole and hold so much
at any time, or at least so many. The least bound of all cases holds for every plan; the case with
the least is parted again, until bounds are near enough to the plan or there have been many cases.
"""

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from routing.allocation.plan import Plan
from routing.allocation.problem import MOVE, Floats, Problem, summed, with_limits
from routing.allocation.solver.decomposition import Decomposition
from routing.allocation.solver.departures.consignments import by_volume
from routing.allocation.solver.whole import mixed_plan

MOST_CASES = 8
"""After so many cases none is parted any more."""

MOST_CONTAINERS = 4
"""Lanes that send more are not parted: what is left of their last container matters little."""

CASE_GAP = 5e-4
"""Cases are solved to this gap, unless their bound is high enough before."""

Report = Callable[[float, str], None]


@dataclass(frozen=True, order=True)
class Held:
    """How many containers a lane has in the horizon: exactly so many, or at least."""

    count: int
    exactly: bool


@dataclass(frozen=True)
class Case:
    """Containers by lane, and a bound on all plans that have so many."""

    held: dict[int, Held]
    bound: float
    price: Floats
    m3: Floats


def container_bound(
    problem: Problem,
    plan: Plan,
    price: Floats,
    bound: float,
    target: float,
    report: Report | None = None,
    deadline: float | None = None,
) -> float:
    """Returns a cost that no plan undercuts, `target` if it can be shown in so many cases.

    `plan`, `price` [row] and `bound` are those of departures by the m3.
    """
    tree = _Tree(problem, target)
    cases = [(bound, 0, Case({}, bound, price, tree.m3(plan)))]
    looked = 1
    while cases[0][0] < target and looked < MOST_CASES:
        _, _, case = heapq.heappop(cases)
        parts = tree.parts(case)
        late = deadline is not None and time.perf_counter() > deadline
        if not parts or late:
            return case.bound
        for held in parts:
            made = tree.case(held, case.price, case.bound)
            heapq.heappush(cases, (made.bound, looked, made))
            looked += 1
        if report is not None:
            report(1.0 - cases[0][0] / target, f"case {looked} of containers")
    return cases[0][0]


class _Tree:
    """Parts the plans of a problem into cases, and finds their bounds."""

    def __init__(self, problem: Problem, target: float) -> None:
        self._problem, self._target = problem, target
        self._smooth = by_volume(problem)
        limits = problem.limits
        self._buckets = limits.lane_m3.shape[1]
        self._moved = np.flatnonzero(problem.transfers.kind == MOVE)
        self._row = problem.transfers.row[self._moved] - limits.lane_begin

    def case(self, held: dict[int, Held], price: Floats, bound: float) -> Case:
        """Returns a case that is solved from the prices of a wider one, whose bound holds too."""
        made, paid = self._relaxed(held)
        start = np.where(np.isfinite(made.limits.flat), price, 0.0)
        with Decomposition(made, start=np.minimum(start, made.limits.soft)) as loop:
            found = loop.run(CASE_GAP, enough=self._target - paid)
            m3 = self.m3(mixed_plan(made, found))
        return Case(held, max(bound, found.bound + paid), found.price, m3)

    def m3(self, plan: Plan) -> Floats:
        """Returns what each lane sends in all, [lane]."""
        moved = plan.moved[self._moved] * self._problem.transfers.use[self._moved]
        return summed(self._row // self._buckets, moved, len(self._problem.limits.lane_m3))

    def parts(self, case: Case) -> list[dict[int, Held]]:
        """Returns the cases of the lane that pays least of the containers that it fills."""
        consignments = self._problem.consignments
        missing, counts = {}, {}
        for lane in np.flatnonzero((consignments.container_cost > 0) & (case.m3 > 0)).tolist():
            size, state = consignments.container_m3[lane], case.held.get(lane, Held(0, False))
            count = int(np.ceil(case.m3[lane] / size - 1e-9))
            if state.exactly or count > MOST_CONTAINERS:
                continue
            filled = max(float(state.count), case.m3[lane] / size)
            missing[lane] = (count - filled) * consignments.container_cost[lane]
            counts[lane] = max(count, state.count + 1)
        if not missing:
            return []
        lane = max(missing, key=lambda at: (missing[at], -at))
        least = case.held.get(lane, Held(0, False)).count
        states = [Held(count, exactly=True) for count in range(least, counts[lane])]
        states.append(Held(counts[lane], exactly=False))
        return [{**case.held, lane: state} for state in states]

    def _relaxed(self, held: dict[int, Held]) -> tuple[Problem, float]:
        """Returns the linear problem of a case, and what its containers cost whatever is planned.

        The containers of a lane hold its goods at any time: its rows become one.
        """
        problem, limits = self._smooth, self._problem.limits
        transfers, paid = problem.transfers, 0.0
        cost, row, most = transfers.cost.copy(), transfers.row.copy(), transfers.most.copy()
        flat, lane_price = limits.flat.copy(), np.full(len(limits.lane_m3), np.inf)
        for lane, state in held.items():
            begin = limits.lane_begin + lane * self._buckets
            mine = self._moved[self._row // self._buckets == lane]
            cost[mine] = self._problem.transfers.cost[mine]
            row[mine] = begin
            flat[begin : begin + self._buckets] = np.inf
            size = self._problem.consignments.container_m3[lane]
            flat[begin] = state.count * size
            if not state.exactly:
                lane_price[lane] = self._problem.consignments.container_cost[lane] / size
            elif not state.count:
                most[mine] = 0
                flat[begin] = np.inf
            paid += self._paid(lane, state.count)
        made = replace(transfers, cost=cost, row=row, most=most)
        priced = replace(problem, limits=replace(limits, lane_price=lane_price), transfers=made)
        return with_limits(priced, flat), paid

    def _paid(self, lane: int, count: int) -> float:
        """Returns what so many containers cost in as few departures as there can be."""
        consignments = self._problem.consignments
        most = float(self._problem.limits.lane_m3[lane].max(initial=0.0))
        at_once = np.ceil(most / consignments.container_m3[lane] - 1e-9)
        departures = np.ceil(count / at_once) if np.isfinite(at_once) and at_once > 0 else count > 0
        return float(
            consignments.container_cost[lane] * count
            + consignments.fixed_cost[lane] * float(departures)
        )
