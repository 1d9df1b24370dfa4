"""Prices of demand that prove most about which sites to open, in one bucket.

Each site alone takes the units that earn most within its stock and its limits (a knapsack whose
units may be parted), and is open where that is more than its fixed cost. Units that several sites
take, or none, tell how the price of their demand should change (subgradients: Cornuejols, Sridharan
and Thizy, "A comparison of heuristics and relaxations for the capacitated plant location problem",
1991; Beasley, "Lagrangean heuristics for location problems", 1993). The bound that they climb to is
that of the linear program in which no ship uses more of a site than the site is open.
"""

from dataclasses import dataclass

import numpy as np

from routing.allocation.problem import LEAVE, Floats, Ints, Problem, summed
from routing.allocation.solver.sites.bounds import (
    CLOSED,
    FREE,
    OPEN,
    Cut,
    Prices,
    SiteBounds,
    dearest_first,
    taken,
)

FIRST_STEP, SHRINK, PATIENCE = 1.0, 0.6, 10
"""Length of the first step, and by what it shrinks after so many that gain nothing."""

FRESH = 0.7
"""Weight of the last subgradient in the direction of a step; the rest is that of the one before."""

OVERSHOOT = 1.005
"""Steps aim a little beyond the best plan."""

LEAST_GAIN = 1e-5
"""A bound that rises by a smaller share has gained nothing."""

FORGETTING = 0.1
"""Weight of the last answer in the mean of all."""


@dataclass(frozen=True, eq=False)
class Climbed:
    """The best bound of a climb, how often each site was open on the way, from 0 to 1 [site].

    `length` is that of the last step.
    """

    cut: Cut
    often: Floats
    length: float


def is_apart(problem: Problem) -> bool:
    """Whether sites meet in nothing but demand: stock is shipped or left over, in one bucket."""
    return len(problem.axes.buckets) == 1 and bool((problem.transfers.kind == LEAVE).all())


class Climb:
    """The climb of one problem whose sites meet only in demand."""

    def __init__(self, bounds: SiteBounds, root: Cut) -> None:
        problem = bounds.problem
        self._problem, self._bounds = problem, bounds
        self._root = root
        ships, limits = problem.ships, problem.limits
        cost, idle, paid = bounds.alone_costs(root.prices.row)
        self._cost = cost - idle[ships.pool]
        self._demand, self._pool = ships.demand.astype(np.int64), ships.pool.astype(np.int64)
        self._site = problem.pools.site[ships.pool].astype(np.int64)
        self._units = problem.demand_units.astype(float)
        self._stock = problem.pools.units.astype(float)
        self._room = limits.outbound[:, 0]
        self._idle = summed(problem.pools.site, idle * self._stock, len(self._room))
        self._fixed = np.where(problem.decide, problem.fixed_cost, 0.0) - paid
        self._dearest = np.zeros(len(self._units))
        np.maximum.at(self._dearest, problem.segments.demand, problem.segments.value)

    def climb(
        self,
        begin: Cut,
        state: Ints,
        fewest: int,
        goal: float,
        steps: int,
        length: float | None = None,
    ) -> Climbed:
        """Returns the best bound within some steps, for sites in a state [site].

        `goal` is the cost of the best plan: the climb ends where the bound reaches it.
        """
        active = np.flatnonzero(state[self._site] != CLOSED)
        demand = begin.prices.demand.copy()
        best, best_demand, idle = begin.least(state, fewest), demand, 0
        length = FIRST_STEP if length is None else length
        often, way = np.zeros(len(state)), np.zeros(len(demand))
        for step in range(steps):
            least, used, slope = self._asked(demand, active, state, fewest)
            often = FORGETTING * used + (1.0 - FORGETTING) * often if step else used.astype(float)
            way = FRESH * slope + (1.0 - FRESH) * way if step else slope
            idle = 0 if least > best + LEAST_GAIN * abs(best) else idle + 1
            if least > best:
                best, best_demand = least, demand
            if idle > PATIENCE:
                length, idle = SHRINK * length, 0
            square = float((way * way).sum())
            if best >= goal or square <= 0.0:
                break
            aim = max(OVERSHOOT * goal - best, 0.0)
            demand = np.clip(demand + length * aim / square * way, 0.0, self._dearest)
        prices = Prices(best_demand, self._root.prices.pool, self._root.prices.row)
        return Climbed(self._bounds.cut(prices), often, length)

    def _asked(
        self, demand: Floats, active: Ints, state: Ints, fewest: int
    ) -> tuple[float, Floats, Floats]:
        """Returns the bound at these prices, the sites that are open in it, and its slope."""
        value = demand[self._demand[active]] - self._cost[active]
        offer = np.flatnonzero(value > 0)
        offer = offer[dearest_first(value[offer])]
        rows, value = active[offer], value[offer]
        site, units = self._site[rows], self._units[self._demand[rows]]
        units = taken(self._pool[rows], units, self._stock)
        units = taken(site, units, self._room)
        gain = self._fixed - summed(site, value * units, len(state))
        used = self._opened(gain, state, fewest)
        segments = self._problem.segments
        unmet = np.where(segments.value < demand[segments.demand], segments.units, 0)
        saved = (np.minimum(segments.value - demand[segments.demand], 0.0) * unmet).sum()
        least = float(self._units @ demand + saved + gain[used].sum() + self._idle.sum())
        length = len(demand)
        served = summed(self._demand[rows], units * used[site], length)
        return least, used, self._units - served - summed(segments.demand, unmet, length)

    @staticmethod
    def _opened(gain: Floats, state: Ints, fewest: int) -> Floats:
        """Returns which sites are open where that costs least, [site]."""
        used = (state == OPEN) | ((state == FREE) & (gain < 0))
        missing = fewest - int(used.sum())
        if missing > 0:
            free = np.flatnonzero((state == FREE) & ~used)
            used[free[np.argsort(gain[free], kind="stable")[:missing]]] = True
        return np.asarray(used)
