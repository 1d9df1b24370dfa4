"""Whole units: from a mixture of answers to one plan that keeps every limit.

Almost every group has one answer of weight one, which is whole already. In the few others each
item takes one of the answers, so that the group as a whole stays near its mixture. What then
exceeds a limit is refitted: one item at a time is planned anew within the room that all others
leave. For a single item the shared limits are bounds on arcs, so this too is a min-cost flow, whole
and exact; a last pass lets items use what room is left.
"""

import numpy as np
from numpy.typing import NDArray

from routing.allocation.plan import Plan
from routing.allocation.problem import Bools, Floats, Ints, Problem, only, with_limits
from routing.allocation.solver.decomposition import LEAST_COST, Decomposed, Decomposition
from routing.allocation.solver.fitting import Fitting

SURE = 1.0 - 1e-6
"""An answer with this weight is the only one of its group."""

FINER, LEAST_GAP, MOST_GAP = 0.2, 1e-6, 1e-3
"""Mixed groups are planned anew to a fifth of the gap of the whole, within these bounds."""

PASSES = 2
"""Passes over the items of mixed groups that look for a better use of what room is left."""


def whole_plan(problem: Problem, found: Decomposed) -> Plan:
    """Returns a plan in whole units near the mixture of a decomposition."""
    rounds, mixed = _chosen(problem, found)
    plan = found.items.composed(rounds)
    loose = np.flatnonzero(mixed).astype(np.int32)
    if len(loose) and found.group[-1] + 1 < problem.items:
        _resolve(problem, plan, loose, found)
        return plan
    fitting = Fitting(problem, plan)
    fitting.keep_limits(found.price, mixed)
    for _ in range(PASSES):
        if not sum(fitting.refit(int(item), None) for item in loose):
            break
    return plan


def mixed_plan(problem: Problem, found: Decomposed) -> Plan:
    """Returns a plan in whole units near the mixture that may exceed limits."""
    return found.items.composed(_chosen(problem, found)[0])


def _resolve(problem: Problem, plan: Plan, loose: Ints, found: Decomposed) -> None:
    """Plans the items of mixed groups anew, each a group of its own, in the room of all others."""
    own = plan.of_items(problem, loose)
    alone = only(problem, loose)
    room = problem.limits.flat - plan.use(problem) + own.use(alone)
    rest = with_limits(alone, room)
    share = abs(found.mixture.cost) / max(abs(own.flow_cost(alone)), LEAST_COST)
    gap = min(max(FINER * found.gap * share, LEAST_GAP), MOST_GAP)
    with Decomposition(rest, start=found.price, groups=len(loose)) as loop:
        plan.write(problem, loose, whole_plan(rest, loop.run(gap)))


def _chosen(problem: Problem, found: Decomposed) -> tuple[Ints, Bools]:
    """Returns the round whose answer each item takes, and which items are in mixed groups."""
    answers, weight = found.answers, found.mixture.weight
    groups = int(found.group[-1]) + 1
    order = np.argsort(-weight, kind="stable")
    best = np.full(groups, -1, np.intp)
    best[answers.group[order[::-1]]] = order[::-1]
    rounds = answers.round[best][found.group].astype(np.int32)
    mixed_group = weight[best] < SURE
    for group in np.flatnonzero(mixed_group):
        rows = np.flatnonzero((answers.group == group) & (weight > 0))
        items = np.flatnonzero(found.group == group)
        rounds[items] = _spread(problem, items, answers.round[rows], weight[rows])
    return rounds, mixed_group[found.group]


def _spread(
    problem: Problem, items: NDArray[np.intp], rounds: Ints, weight: Floats
) -> NDArray[np.int32]:
    """Returns a round for each item so that demand by round follows the weights."""
    first = np.searchsorted(problem.demands.item, items)
    last = np.searchsorted(problem.demands.item, items, side="right")
    before = np.concatenate([[0], np.cumsum(problem.demand_units)])
    units = (before[last] - before[first]).astype(float)
    owed = np.zeros(len(rounds))
    chosen = np.zeros(len(items), np.int32)
    for at in np.argsort(-units, kind="stable"):
        owed += weight / weight.sum() * units[at]
        best = int(owed.argmax())
        owed[best] -= units[at]
        chosen[at] = rounds[best]
    return chosen
