"""Siting: which sites to open, by branch and bound over sites that are open, closed or free.

The bound of a branch is the best of all cuts so far (`site_bounds`), and every network that is
solved adds one. Where sites meet only in demand, prices climb on each branch (`site_prices`). Sites
whose change would lift the bound beyond the best plan are settled at once. The first cut comes from
a relaxation in which each unit bears its share of a site's fixed cost; networks to solve are those
that it and the climb use, then those that the branches lead to, the most promising ones first.
"""

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import numpy as np

from routing.allocation.plan import Plan
from routing.allocation.problem import BUY, MOVE, Bools, Floats, Ints, Problem, Ships, summed
from routing.allocation.solver.sites.bounds import CLOSED, FREE, OPEN, Cut, Prices, SiteBounds
from routing.allocation.solver.sites.prices import Climb, is_apart

STRETCHES, STEPS, BRANCH_STEPS = 12, 40, 30
"""Stretches of the climb before there are branches, steps of each, and steps on a branch."""

FINE = 1e-6
"""The gap of problems of one item, whose networks are solved exactly."""

FEW = 4
"""Where no more sites are to be decided, networks of many items are solved without a climb."""

COARSE, MOST_COARSE = 10.0, 0.01
"""So many times the gap, and no more than this, suffices for the relaxation and a first look."""

CUTS = 200
"""Cuts that are kept: the first one and the latest."""


class Solved(Protocol):
    """What the search needs of a solution: its plan, prices, cost and bound (`solve.Solution`)."""

    @property
    def plan(self) -> Plan:
        """The plan in whole units."""

    @property
    def price(self) -> Floats:
        """Prices of shared limits, [row]."""

    @property
    def stock_price(self) -> Floats:
        """What a unit is worth, [pool]."""

    @property
    def demand_price(self) -> Floats:
        """What a unit costs, [demand]."""

    @property
    def flow_cost(self) -> float:
        """What the plan costs."""

    @property
    def bound(self) -> float:
        """What every plan costs at the least."""


S = TypeVar("S", bound=Solved)

Solve = Callable[[Problem, float, Floats | None], S]
"""Solves a problem without sites to be decided to a gap, from prices [row] if there are any."""

Report = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class Sited(Generic[S]):
    """The best network: sites open [site], the solution of it, and a bound on all networks.

    `shipped` are the ships that the solution's plan knows: those of open sites. Cost and bound
    have the fixed cost of sites to be decided in them.
    """

    is_open: Bools
    solution: S
    shipped: Ints
    cost: float
    bound: float
    proven: bool

    @property
    def gap(self) -> float:
        """How far the plan may be from the best one, as a share of its cost."""
        return max(0.0, self.cost - self.bound) / max(abs(self.cost), 1e-9)

    def plan(self, problem: Problem) -> Plan:
        """Returns the plan on all ships of the problem."""
        plan = Plan.empty(problem)
        plan.shipped[self.shipped] = self.solution.plan.shipped
        return Plan(plan.shipped, self.solution.plan.moved, self.solution.plan.unmet)


def sited(
    problem: Problem,
    gap: float,
    solve: "Solve[S]",
    report: Report | None = None,
    deadline: float | None = None,
) -> Sited[S]:
    """Returns the best network within `gap`, or the best that was found until the deadline."""
    return _Search(problem, gap, solve, report, deadline).best()


def network(
    problem: Problem, is_open: Bools, gap: float, solve: "Solve[S]", start: Floats | None = None
) -> Sited[S]:
    """Returns one network solved; its bound is one on its own plans only."""
    inner, shipped = opened(problem, is_open)
    solution = solve(inner, gap, start)
    fixed = problem.opening_cost(is_open)
    cost, bound = solution.flow_cost + fixed, solution.bound + fixed
    return Sited(is_open, solution, shipped, cost, bound, proven=False)


def opened(problem: Problem, is_open: Bools) -> tuple[Problem, Ints]:
    """Returns the problem in which nothing leaves sites that are not open, and the ships left."""
    limits, ships, transfers = problem.limits, problem.ships, problem.transfers
    kept = np.flatnonzero(is_open[problem.pools.site[ships.pool]])
    start = problem.pools.site[np.maximum(transfers.start, 0)]
    leaves = (transfers.kind == MOVE) & (transfers.start >= 0) & ~is_open[start]
    made = replace(
        problem,
        ships=Ships(ships.pool[kept], ships.demand[kept], ships.way[kept], ships.cost),
        transfers=replace(transfers, most=np.where(leaves, 0, transfers.most)),
        limits=replace(limits, outbound=np.where(is_open[:, None], limits.outbound, 0.0)),
        decide=np.zeros(len(problem.decide), dtype=bool),
    )
    return made, kept


def most_sent(problem: Problem) -> Floats:
    """Returns the most units that can be shipped from each site over the horizon, [site]."""
    pools, sites = problem.pools, len(problem.axes.sites)
    asked = summed(problem.demands.item, problem.demand_units, problem.items)
    place = pools.item.astype(np.int64) * sites + pools.site
    there = summed(place, pools.units, problem.items * sites).reshape(problem.items, sites)
    comes = np.flatnonzero(np.isin(problem.transfers.kind, (BUY, MOVE)))
    comes = comes[problem.transfers.end[comes] >= 0]
    there[problem.transfers.item[comes], pools.site[problem.transfers.end[comes]]] = np.inf
    supply = np.minimum(there, asked[:, None]).sum(axis=0)
    return np.asarray(np.minimum(supply, problem.limits.outbound.sum(axis=1)))


def charged(problem: Problem) -> Problem:
    """Returns the relaxation in which each unit that is shipped bears its share of a fixed cost.

    That share is the least that it can be: of the most units that the site can ship.
    """
    most = np.maximum(most_sent(problem), 1.0)
    share = np.where(problem.decide, problem.fixed_cost / most, 0.0)
    ships = problem.ships
    sites = len(share)
    pair = ships.way.astype(np.int64) * sites + problem.pools.site[ships.pool]
    pairs, way = np.unique(pair, return_inverse=True)
    cost = ships.cost[pairs // sites] + share[pairs % sites][:, None]
    return replace(
        problem,
        ships=Ships(ships.pool, ships.demand, way.astype(np.int32), cost),
        decide=np.zeros(sites, dtype=bool),
    )


@dataclass(frozen=True, eq=False, order=False)
class _Branch:
    """Sites in a state, [site], what plans there cost at the least, and the cut to go on from."""

    bound: float
    state: Ints
    cut: Cut


class _Search(Generic[S]):
    """The search of one problem."""

    def __init__(
        self,
        problem: Problem,
        gap: float,
        solve: "Solve[S]",
        report: Report | None,
        deadline: float | None,
    ) -> None:
        self._problem, self._solve, self._deadline = problem, solve, deadline
        self._gap = min(gap, FINE) if problem.items == 1 else gap
        self._report = report or (lambda share, doing: None)
        self._bounds, self._sent = SiteBounds(problem), most_sent(problem)
        self._cuts: list[Cut] = []
        self._tried: set[bytes] = set()
        self._found: Sited[S] | None = None
        self._settled = np.inf
        self._branches: list[tuple[float, int, _Branch]] = []
        self._count = 0
        self._climb: Climb | None = None
        self._price: Floats | None = None

    def best(self) -> Sited[S]:
        """Returns the best network, with the bound of all branches."""
        root = self._root()
        self._push(root)
        while self._branches and not self._late():
            _, _, branch = heapq.heappop(self._branches)
            self._follow(branch)
            self._report(self._open_gap(), f"{self._count} branches of sites")
        found = self._known()
        bound = min(self._least_open(), found.cost)
        return replace(found, bound=bound, proven=not self._branches)

    @property
    def _coarse(self) -> float:
        return max(self._gap, min(COARSE * self._gap, MOST_COARSE))

    def _late(self) -> bool:
        return self._deadline is not None and time.perf_counter() > self._deadline

    def _known(self) -> Sited[S]:
        if self._found is None:
            self._try(np.ones(len(self._problem.decide), dtype=bool))
        if self._found is None:
            raise ArithmeticError("A network with every site open has no plan.")
        return self._found

    def _least_open(self) -> float:
        return min(self._settled, min((bound for bound, _, _ in self._branches), default=np.inf))

    def _open_gap(self) -> float:
        cost = self._known().cost
        return max(cost - self._least_open(), 0.0) / max(abs(cost), FINE)

    @property
    def _cutoff(self) -> float:
        """Branches that cost no less than this are no use."""
        if self._found is None:
            return np.inf
        return self._found.cost - self._gap * abs(self._found.cost)

    def _root(self) -> _Branch:
        """Returns the branch of all choices, after the relaxation and, if it may be, the climb."""
        problem = self._problem
        relaxed = self._solve(charged(problem), self._coarse, None)
        self._price = relaxed.price
        cut = self._add(relaxed)
        state = np.where(problem.decide, FREE, OPEN)
        self._try(~problem.decide | (cut.gain < 0))
        used = summed(
            problem.pools.site[problem.ships.pool],
            relaxed.plan.shipped.sum(axis=1),
            len(state),
        )
        self._try(~problem.decide | (used >= self._sent / 2.0))
        branch = _Branch(max(relaxed.bound, cut.least(state)), state, cut)
        if is_apart(problem) and (problem.items == 1 or problem.decide.sum() > FEW):
            self._climb = Climb(self._bounds, cut)
            branch = self._climbed(branch, self._climb)
        return branch

    def _climbed(self, branch: _Branch, climb: Climb) -> _Branch:
        """Returns the first branch after a climb, from which networks are rounded on the way."""
        length: float | None = None
        for _ in range(STRETCHES):
            if self._late() or branch.bound >= self._cutoff:
                break
            fewest, goal = self._fewest(branch.cut), self._known().cost
            made = climb.climb(branch.cut, branch.state, fewest, goal, STEPS, length)
            length = made.length
            self._keep(made.cut)
            for more in (0, 1):
                self._try(self._rounded(made.often, branch.state, fewest, more))
            branch = self._narrowed(_Branch(branch.bound, branch.state, made.cut))
        return branch

    def _rounded(self, often: Floats, state: Ints, fewest: int, more: int) -> Bools:
        """Returns as many sites as were open on the way, and some `more`: those that were most."""
        count = max(round(float(often.sum())), fewest) + more
        rank = np.where(state == OPEN, np.inf, np.where(state == CLOSED, -np.inf, often))
        is_open = state == OPEN
        is_open[np.argsort(-rank, kind="stable")[:count]] = True
        return np.asarray(is_open & (state != CLOSED))

    def _follow(self, branch: _Branch) -> None:
        """Solves the network of a branch, cuts it off, or parts it in two."""
        branch = self._narrowed(self._sharpest(branch))
        if branch.bound < self._cutoff and self._climb is not None and (branch.state == FREE).any():
            fewest, goal = self._fewest(branch.cut), self._known().cost
            made = self._climb.climb(branch.cut, branch.state, fewest, goal, BRANCH_STEPS, None)
            self._keep(made.cut)
            branch = self._narrowed(_Branch(branch.bound, branch.state, made.cut))
        if branch.bound >= self._cutoff:
            self._settled = min(self._settled, branch.bound)
            return
        free = np.flatnonzero(branch.state == FREE)
        if not len(free):
            bound = self._try(branch.state == OPEN)
            self._settled = min(self._settled, max(bound, branch.bound))
            return
        site = free[np.abs(branch.cut.gain[free]).argmax()]
        for choice in (OPEN, CLOSED):
            state = branch.state.copy()
            state[site] = choice
            least = branch.cut.least(state, self._fewest(branch.cut))
            self._push(_Branch(max(branch.bound, least), state, branch.cut))

    def _push(self, branch: _Branch) -> None:
        self._count += 1
        heapq.heappush(self._branches, (branch.bound, self._count, branch))

    def _sharpest(self, branch: _Branch) -> _Branch:
        """Returns a branch with the best of all cuts."""
        least = [cut.least(branch.state, 0) for cut in self._cuts]
        best = int(np.argmax(least))
        better = least[best] > branch.bound
        return _Branch(
            max(branch.bound, least[best]), branch.state, self._cuts[best] if better else branch.cut
        )

    def _narrowed(self, branch: _Branch) -> _Branch:
        """Returns a branch in which sites are settled whose change would cost too much."""
        cut, state, cutoff = branch.cut, branch.state, self._cutoff
        fewest = self._fewest(cut)
        least, last = cut.least(state, fewest), cut.last(state, fewest)
        free, gain = state == FREE, cut.gain
        opened = free & (least - gain >= cutoff) & (gain < 0)
        closed = free & (least + gain - last >= cutoff) & (gain >= 0)
        if (opened | closed).any():
            state = np.where(opened, OPEN, np.where(closed, CLOSED, state))
            change = np.abs(gain) - np.where(closed, last, 0.0)
            self._settled = min(self._settled, least + float(change[opened | closed].min()))
        return _Branch(max(branch.bound, least, cut.least(state, fewest)), state, cut)

    def _fewest(self, cut: Cut) -> int:
        """Returns how many sites have to be open in any plan that is better than the best one.

        It leaves few units unmet, as each costs at least the difference between its worth and its
        price at this cut; all others have to leave some site.
        """
        segments, problem = self._problem.segments, self._problem
        if self._found is None or not len(segments.value):
            return 0
        dearer = float((segments.value - cut.prices.demand[segments.demand]).min())
        state = np.where(problem.decide, FREE, OPEN)
        left = max(self._found.cost - cut.least(state), 0.0)
        if dearer <= 0.0:
            return 0
        need = float(problem.demand_units.sum()) - np.floor(left / dearer * (1 + FINE) + FINE)
        anyway = ~problem.decide
        sent = np.cumsum(np.sort(self._sent[problem.decide])[::-1]) + self._sent[anyway].sum()
        missing = int(np.searchsorted(sent, need * (1 - 1e-9))) + 1
        short = need > self._sent[anyway].sum()
        return int(anyway.sum()) + (min(missing, int(problem.decide.sum())) if short else 0)

    def _try(self, is_open: Bools) -> float:
        """Solves a network unless it was solved before; returns the bound on its plans."""
        key = is_open.tobytes()
        if key in self._tried:
            return np.inf
        self._tried.add(key)
        start = self._price if self._found is None else self._found.solution.price
        for gap in (self._gap,) if self._found is None else (self._coarse, self._gap):
            made = network(self._problem, is_open, gap, self._solve, start)
            start = made.solution.price
            if made.gap <= self._gap or made.bound >= self._cutoff:
                break
        self._settled = min(self._settled, made.bound)
        self._add(made.solution)
        if self._found is None or made.cost < self._found.cost:
            self._found = made
        return made.bound

    def _add(self, solution: S) -> Cut:
        prices = Prices(solution.demand_price, solution.stock_price, solution.price)
        cut = self._bounds.cut(prices)
        self._keep(cut)
        return cut

    def _keep(self, cut: Cut) -> None:
        self._cuts.append(cut)
        if len(self._cuts) > CUTS:
            del self._cuts[1]
