"""Planning again: from an earlier plan, only items that gain much by another one change.

At any prices a plan costs more than the bound by what each item would gain if it did what is
cheapest for it, and by what limits that are not used up are worth. So after a change the items with
the largest gains are planned anew in the room that all others leave, until the rest of the gains is
a small part of the gap that was asked for. The prices come from a sample of items whose limits
change by their share of all that changed.
"""

from dataclasses import dataclass

import numpy as np

from routing.allocation.plan import Plan
from routing.allocation.problem import Bools, Floats, Ints, Problem, only, with_limits
from routing.allocation.solver.answers import Household, Terms, Worth
from routing.allocation.solver.carried import Earlier, carried
from routing.allocation.solver.decomposition import LEAST_COST, Decomposition
from routing.allocation.solver.whole import whole_plan

SAMPLED, SAMPLE_GAP = 0.1, 1e-3
"""Share of the items that finds the prices after a change, and its gap; there must be more of them
than of limits."""

ANEW, ANEW_OF_OVER, MOST_ANEW = 0.1, 2.0, 0.5
"""Share of the items that are planned anew at first, or so many times the share by which the plan
exceeds a limit if that is more; twice as many the next time, up to the most. Beyond that,
everything is better planned anew."""

LEFT, INNER = 0.4, 0.5
"""Shares of the gap: what items that keep their plan may miss, and what the others may."""


@dataclass(frozen=True, eq=False)
class Replanned:
    """A plan near an earlier one, the prices of its proof [row], and what units are worth there."""

    plan: Plan
    price: Floats
    worth: Worth
    rounds: int


def replanned(problem: Problem, earlier: Earlier, gap: float, seed: int) -> Replanned | None:
    """Returns a plan within `gap` that differs from an earlier one where that pays.

    None where everything is better planned anew: where much has changed, or items are few.
    """
    if SAMPLED * problem.items < np.isfinite(problem.limits.flat).sum():
        return None
    plan, known = carried(earlier, problem)
    if known.mean() < 1.0 - MOST_ANEW:
        return None
    again = _Again(problem, plan, known, gap)
    price = np.minimum(earlier.price, problem.limits.soft)
    if known.all() and not again.exceeded().any() and again.is_near(again.gains(price)[1]):
        return Replanned(plan, price, again.worth(price), again.rounds)
    price, share = again.sampled(price, seed), max(ANEW, ANEW_OF_OVER * again.over())
    while share <= MOST_ANEW:
        gain, bound = again.gains(price)
        loose = again.loose(gain, share)
        if loose is None:
            return None
        after = again.planned_anew(loose, price)
        for proof in (price, after) if again.is_near(bound) else (after,):
            worth = again.worth(proof)
            if again.is_near(worth.bound - problem.limits.worth(proof)):
                return Replanned(plan, proof, worth, again.rounds)
        price, share = after, 2.0 * share
    return None


class _Again:
    """A plan that is changed in place; `known` flags the items that it plans for."""

    def __init__(self, problem: Problem, plan: Plan, known: Bools, gap: float) -> None:
        self._problem, self._plan, self._known, self._gap = problem, plan, known, gap
        self._items = Household(problem, Terms.of(problem, 1, np.zeros(0, np.int32)))
        self.rounds = 0

    def sampled(self, price: Floats, seed: int) -> Floats:
        """Returns prices at which a sample takes its share of the room that the plan leaves."""
        problem, known = self._problem, np.flatnonzero(self._known)
        size = min(int(SAMPLED * problem.items), len(known))
        chosen = np.sort(np.random.default_rng(seed).choice(known, size, replace=False))
        small = only(problem, chosen.astype(np.int32))
        own = self._plan.of_items(problem, chosen).use(small)
        used, limit = self._plan.use(problem), problem.limits.flat
        share = np.divide(own, used, out=np.full_like(own, size / problem.items), where=used > 0)
        flat = limit.copy()
        held = np.isfinite(limit)
        flat[held] = own[held] + share[held] * (limit - used)[held]
        with Decomposition(with_limits(small, flat), seed, price) as loop:
            found = loop.run(SAMPLE_GAP)
        self.rounds += found.rounds
        return found.price

    def gains(self, price: Floats) -> tuple[Floats, float]:
        """Returns what each item would gain at these prices, [item], and the bound of all."""
        gain, least = self._items.gains(price, self._plan, self._known)
        return np.where(self._known, gain, np.inf), least - self._problem.limits.worth(price)

    def loose(self, gain: Floats, share: float) -> Ints | None:
        """Returns a share of the items, those that gain most, or more where the plan needs more.

        All others miss little and exceed no limit. None where these would be too many.
        """
        problem, plan = self._problem, self._plan
        order = np.argsort(-gain, kind="stable")
        rest = np.cumsum(gain[order][::-1])[::-1]
        cost = max(abs(plan.flow_cost(problem)), LEAST_COST)
        count = max(int((rest > LEFT * self._gap * cost).sum()), int(share * problem.items), 1)
        limit, used, over = problem.limits.flat, plan.use(problem), self.exceeded()
        while count <= MOST_ANEW * problem.items:
            loose = np.sort(order[:count]).astype(np.int32)
            if not over.any():
                return loose
            own = plan.of_items(problem, loose).use(only(problem, loose))
            if (used - own <= limit)[over].all():
                return loose
            count += count // 2 + 1
        return None

    def exceeded(self) -> Bools:
        """Returns which hard limits the plan exceeds, [row]."""
        limit = self._problem.limits.flat
        return np.isinf(self._problem.limits.soft) & (self._plan.use(self._problem) > limit)

    def over(self) -> float:
        """Returns the largest share by which the plan exceeds a hard limit."""
        used, limit = self._plan.use(self._problem), self._problem.limits.flat
        over = np.divide(used - limit, used, out=np.zeros_like(used), where=self.exceeded())
        return float(over.max(initial=0.0))

    def planned_anew(self, loose: Ints, price: Floats) -> Floats:
        """Plans some items in the room that all others leave; returns the prices of that plan."""
        problem, plan = self._problem, self._plan
        alone = only(problem, loose)
        room = problem.limits.flat - plan.use(problem) + plan.of_items(problem, loose).use(alone)
        rest = with_limits(alone, room)
        with Decomposition(rest, start=price) as loop:
            found = loop.run(INNER * self._gap * problem.items / len(loose))
            plan.write(problem, loose, whole_plan(rest, found))
        self._known[loose] = True
        self.rounds += found.rounds
        return found.price

    def worth(self, price: Floats) -> Worth:
        """Returns what units are worth at these prices, and what items cost at the least."""
        return self._items.worth(price)

    def is_near(self, bound: float) -> bool:
        """Whether this bound proves the plan to be within the gap."""
        cost = self._plan.flow_cost(self._problem)
        return cost - bound <= self._gap * max(abs(cost), LEAST_COST)
