"""Solving: the exact route for small problems, the decomposition for all others, one result.

Whatever found the plan, the proof is made here again: at the prices of the result every item does
what is cheapest for it, and that cost less what the limits are worth is a bound on every plan.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from routing.allocation.checks import check
from routing.allocation.plan import Plan
from routing.allocation.problem import Bools, Floats, Problem
from routing.allocation.solver.answers import Household, Terms, Worth
from routing.allocation.solver.carried import Earlier
from routing.allocation.solver.crew import Members, hands
from routing.allocation.solver.decomposition import LEAST_COST, Decomposed, Decomposition
from routing.allocation.solver.departures.consignments import by_volume, with_departures, with_fewer
from routing.allocation.solver.departures.containers import container_bound
from routing.allocation.solver.exact import best_whole, is_whole, plan_of, relaxed
from routing.allocation.solver.replan import replanned
from routing.allocation.solver.sites.siting import Solve, network, sited
from routing.allocation.solver.sites.siting import opened as as_opened
from routing.allocation.solver.whole import whole_plan

EXACT_COLUMNS = 50_000
"""Problems with more columns are decomposed."""

MASTER_SHARE = 0.75
"""Share of the gap that a mixture may use up; the rest is for whole units."""

ATTEMPTS = 4
"""So often the loop is asked to go on where whole units cost more than was left for them."""

SMOOTH_SHARE = 0.5
"""Share of the gap to which departures by the m3 are solved: the rest is for whole ones."""

DEPARTURE_COLUMNS = 10_000
"""Problems with more columns are too large for one program over departures."""

LOOKS = 3
"""So often everything is planned anew around the departures that are left."""

WHOLE_SECONDS = 20.0
"""Time for the proof of whole units of a small problem, unless somebody gives another."""

PROGRAM_COLUMNS, PROGRAM_SECONDS = 20_000, 20.0
"""Sites of problems with no more columns are decided in one program, if that takes no longer."""

FINEST = 1e-7
"""The gap of that program, where time allows."""

DECIDED_SECONDS = 120.0
"""Time for the proof of which sites to open, unless somebody gives another."""

LEAST_SECONDS = 1.0
"""Time for the plan of a network, however late it is."""

ROUNDING = 1e-6
"""Share of the cost by which sums and solvers may be off."""

Report = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class Solution:
    """A plan in whole units, its prices [row], and the proof.

    `flow_cost` is what flows, departures, unmet units and sites opened cost, `bound` is a cost that
    no plan undercuts. `stock_price` is what one unit in each pool is worth, [pool], `demand_price`
    what one unit more of each demand would cost, [demand]. `proven` is false where time ran out.
    """

    plan: Plan
    price: Floats
    stock_price: Floats
    demand_price: Floats
    is_open: Bools
    flow_cost: float
    bound: float
    method: str
    proven: bool
    rounds: int

    @property
    def gap(self) -> float:
        """How far the plan may be from the best one, as a share of its cost."""
        return max(0.0, self.flow_cost - self.bound) / max(abs(self.flow_cost), LEAST_COST)


def solve(
    problem: Problem,
    gap: float = 1e-4,
    seed: int = 0,
    start: Floats | Earlier | None = None,
    report: Report | None = None,
    time_limit: float | None = None,
    method: str = "",
    workers: int = 1,
    members: Members = hands,
) -> Solution:
    """Returns a plan within `gap` of the best one, or the best plan found in `time_limit` seconds.

    `start` is what to begin with: earlier prices, [row], or an earlier plan with its problem and
    prices; `method` asks for `exact` or `decomposition`; any number of `workers` gives the same
    plan, wherever `members` takes them from: without a word, from processes of this machine.
    Raises `BadInput` where the arrays cannot be solved as they stand.
    """
    check(problem)
    deadline = None if time_limit is None else time.perf_counter() + time_limit
    effort = Effort(gap, seed, report, deadline, method, workers, members)
    return _solved(problem, effort, start)


@dataclass(frozen=True, eq=False)
class Effort:
    """How good a plan has to be, and what may be spent on it; see `solve`.

    `attempts` says how often the loop goes on where whole units are not within the gap yet.
    """

    gap: float
    seed: int
    report: Report | None
    deadline: float | None
    method: str
    workers: int
    members: Members
    attempts: int = ATTEMPTS

    @property
    def left(self) -> float | None:
        """Seconds that are left; None where nobody waits."""
        return None if self.deadline is None else max(self.deadline - time.perf_counter(), 0.1)

    @property
    def is_late(self) -> bool:
        """Whether time has run out."""
        return self.deadline is not None and time.perf_counter() > self.deadline

    def is_exact(self, problem: Problem) -> bool:
        """Whether a problem is solved as one program."""
        chosen = self.method or ("exact" if problem.columns <= EXACT_COLUMNS else "decomposition")
        return chosen == "exact"


def _solved(problem: Problem, effort: Effort, start: Floats | Earlier | None) -> Solution:
    if problem.consignments.any:
        return _consigned(problem, effort, start)
    if problem.decide.any():
        return _decided(problem, effort)
    if effort.is_exact(problem):
        made = _exact(problem, effort)
        if made is not None:
            return made
    if isinstance(start, Earlier):
        again = replanned(problem, start, effort.gap, effort.seed)
        if again is not None:
            return _told(
                problem, again.plan, again.price, again.worth, "decomposition", again.rounds
            )
    return _decomposed(problem, effort, _prices(problem, start))


def _prices(problem: Problem, start: Floats | Earlier | None) -> Floats | None:
    """Returns the prices to begin with, if they are of the same limits."""
    price = start.price if isinstance(start, Earlier) else start
    return price if price is not None and len(price) == len(problem.limits.flat) else None


def _consigned(problem: Problem, effort: Effort, start: Floats | Earlier | None) -> Solution:
    """Returns a plan whose departures are whole; prices are those of departures by the m3."""
    part = replace(effort, gap=SMOOTH_SHARE * effort.gap, attempts=0)
    near = _solved(by_volume(problem), part, start)
    opened = replace(as_opened(problem, near.is_open)[0], ships=problem.ships)
    bound = near.bound
    fixed = problem.opening_cost(near.is_open)
    enough = bound / (1.0 - effort.gap) - fixed if effort.gap < 1.0 else np.inf
    best = _departing(opened, near, replace(part, attempts=1), enough)
    small = effort.is_exact(problem) and problem.columns <= DEPARTURE_COLUMNS
    if small and best.flow_cost(opened) > enough:
        whole = best_whole(opened, effort.gap, effort.left or WHOLE_SECONDS)
        bound = bound if problem.decide.any() else max(bound, whole.bound)
        if whole.plan is not None and _keeps(opened, whole.plan):
            best = min(best, whole.plan, key=lambda plan: plan.flow_cost(opened))
    cost = best.flow_cost(opened) + fixed
    target = cost - effort.gap * abs(cost)
    if bound < target and not problem.decide.any():
        tell, end = effort.report, effort.deadline
        bound = container_bound(problem, near.plan, near.price, bound, target, tell, end)
    return replace(
        near,
        plan=best,
        flow_cost=cost,
        bound=_rounded(bound, cost),
        proven=near.proven and not effort.is_late,
    )


def _departing(problem: Problem, near: Solution, effort: Effort, enough: float) -> Plan:
    """Returns a plan with few departures: from one by the m3, and planned around them again.

    One that costs no more than `enough` will do.
    """
    best = with_fewer(problem, near.plan.copy())
    for _ in range(LOOKS):
        if effort.is_late or best.flow_cost(problem) <= enough:
            break
        again = _solved(with_departures(problem, best), effort, near.price)
        goes = again.plan.consigned(problem)
        made = with_fewer(problem, again.plan.copy())
        best = min(best, made, key=lambda plan: plan.flow_cost(problem))
        if (made.consigned(problem) == goes).all():
            break
    best.check(problem)
    return best


def _exact(problem: Problem, effort: Effort) -> Solution | None:
    """Returns the exact solution; None where time ran out before there was one."""
    found = relaxed(problem, effort.left)
    if not found.proven:
        return None
    plan = plan_of(problem, found.columns, found.values)
    if is_whole(found, problem) and _keeps(problem, plan):
        return _told(problem, plan, found.price, _alone(problem, found.price), "exact", 1)
    alone = replace(effort, report=None, workers=1)
    near = _decomposed(problem, alone, found.price, groups=problem.items)
    if near.gap <= effort.gap:
        return replace(near, method="exact")
    best = best_whole(problem, effort.gap, effort.left or WHOLE_SECONDS)
    plan = near.plan
    if best.plan is not None and _keeps(problem, best.plan):
        cost = best.plan.flow_cost(problem)
        plan = best.plan if cost < near.flow_cost else plan
    worth = _alone(problem, found.price)
    told = _told(problem, plan, found.price, worth, "exact", near.rounds)
    bound = max(told.bound, near.bound, best.bound)
    return replace(told, bound=_rounded(bound, told.flow_cost))


def _rounded(bound: float, cost: float) -> float:
    """Returns a bound less what rounding may have added; one that is wrong stays wrong to see."""
    near = bound <= cost + ROUNDING * max(1.0, abs(cost))
    return min(bound, cost) if near else bound


def _keeps(problem: Problem, plan: Plan) -> bool:
    try:
        plan.check(problem)
    except ArithmeticError:
        return False
    return True


def _decided(problem: Problem, effort: Effort) -> Solution:
    """Returns the solution of a problem with sites to be decided: opened as it pays, then solved.

    Units are whole: a site packs no part of one. Prices are those of the network that was opened.
    """
    limits = problem.limits
    packed = np.floor(limits.outbound * (1.0 + ROUNDING**2))
    problem = replace(problem, limits=replace(limits, outbound=packed))
    end = effort.deadline or time.perf_counter() + DECIDED_SECONDS

    def inner(opened: Problem, gap: float, start: Floats | None) -> Solution:
        until = max(end, time.perf_counter() + LEAST_SECONDS)
        quietly = replace(effort, gap=gap, report=None, deadline=until, method="")
        return _solved(opened, replace(quietly, attempts=ATTEMPTS), start)

    if problem.items > 1 and problem.columns <= PROGRAM_COLUMNS:
        left = max(end - time.perf_counter(), 0.1)
        made = _programmed(problem, effort.gap, inner, min(left / 2.0, PROGRAM_SECONDS))
        if made.proven:
            return made
    found = sited(problem, effort.gap, inner, effort.report, end)
    return replace(
        found.solution,
        plan=found.plan(problem),
        is_open=found.is_open,
        flow_cost=found.cost,
        bound=_rounded(found.bound, found.cost),
        proven=found.proven,
    )


def _programmed(problem: Problem, gap: float, inner: "Solve[Solution]", seconds: float) -> Solution:
    """Returns the solution of one program over sites and units, unproven where time ran out."""
    found = best_whole(problem, min(gap, FINEST), seconds)
    made = network(problem, found.is_open, gap, inner)
    plan, cost = made.plan(problem), made.cost
    if found.plan is not None and _keeps(problem, found.plan):
        other = found.plan.flow_cost(problem) + problem.opening_cost(found.is_open)
        plan, cost = (found.plan, other) if other < cost else (plan, cost)
    solution = replace(
        made.solution,
        plan=plan,
        is_open=found.is_open,
        flow_cost=cost,
        bound=_rounded(found.bound, cost),
        method="exact",
    )
    return replace(solution, proven=found.proven or solution.gap <= gap)


def _decomposed(
    problem: Problem, effort: Effort, start: Floats | None, groups: int = 0
) -> Solution:
    """Returns the best plan of a loop that goes on until whole units are within the gap."""
    asked = effort.seed, start, groups, effort.workers, effort.members
    share = MASTER_SHARE * effort.gap
    with Decomposition(problem, *asked) as loop:
        best = _from(problem, loop.run(share, effort.report, effort.deadline))
        for _ in range(effort.attempts):
            if best.gap <= effort.gap or effort.is_late:
                break
            share /= 4.0
            made = _from(problem, loop.run(share, effort.report, effort.deadline))
            bound = max(best.bound, made.bound)
            best = replace(made if made.flow_cost < best.flow_cost else best, bound=bound)
    return replace(best, proven=best.gap <= effort.gap or not effort.is_late)


def _from(problem: Problem, found: Decomposed) -> Solution:
    plan = whole_plan(problem, found)
    return _told(problem, plan, found.price, found.worth, "decomposition", found.rounds)


def _alone(problem: Problem, price: Floats) -> Worth:
    """Returns what units are worth at these prices, as this process finds it."""
    return Household(problem, Terms.of(problem, 1, np.zeros(0, np.int32))).worth(price)


def _told(
    problem: Problem, plan: Plan, price: Floats, worth: Worth, method: str, rounds: int
) -> Solution:
    """Returns a plan with its proof and with what stock and demand are worth at its prices."""
    plan.check(problem)
    proof = worth.bound - problem.limits.worth(price)
    cost = plan.flow_cost(problem)
    return Solution(
        plan=plan,
        price=price,
        stock_price=worth.pool,
        demand_price=worth.demand,
        is_open=np.ones(len(problem.decide), dtype=bool),
        flow_cost=cost,
        bound=_rounded(proof, cost),
        method=method,
        proven=True,
        rounds=rounds,
    )
