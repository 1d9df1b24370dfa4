"""Re-sourcing: the cheapest orders, over other suppliers, that keep one item from running out.

Nobody knows when the usual source is back, so it is back on each of a few equally likely days T.
For one item, `lost(t)` units are lost up to day t when nothing is done. A *lot* is an order to one
supplier that arrives on one day; its size is decided now, its use once T is known:

    minimize    sum over lots of carrying_share unit_cost size
                + mean over T of sum over lots of
                  (unit_cost (1 + carrying_share (early days / 365 - 1)) - price) use
                + price * mean over T of lost(T)
    subject to  use <= size, size = multiple n, size = 0 or size >= minimum
                sum of sizes of a supplier's first k lots <= k weeks of its capacity
                sum of use over lots that arrive at or after day a <= lost(T) - lost(a), for each a

The last rows are exact: what arrives on day a can only prevent losses after a, and these sets are
nested. Offers are limited one by one, so items do not compete and each is a small problem of its
own, solved to the proven optimum by SCIP. Sizes are whole; uses then come out whole by themselves,
because nested sets make a network.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver.pywraplp import LinearExpr, Solver, Variable

from inventory.suppliers.offers import Offer
from routing.disruptions.recovery import Recovery
from routing.disruptions.survival import Cover

CARRYING_SHARE = 0.25
"""Cost of holding goods for a year, as a share of what they cost. Units that turn out not to be
needed are taken to be sold within a year, so they cost this share; units that arrive early cost
their part of it."""

RETURNS = 5
"""Equally likely days of return that a plan weighs."""

MOST_LOTS = 26
"""Weekly lots of one offer that are considered: half a year."""

SECONDS = 10.0
"""Time for one item; a problem this small takes milliseconds."""

_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class Lot:
    """An order that could be placed: days count from today, `week` counts the supplier's lots."""

    offer: Offer
    week: int
    arrives: int

    @property
    def limited(self) -> bool:
        """Whether the supplier has a capacity."""
        return math.isfinite(self.offer.capacity_per_week)

    def use_cost(self, cover: Cover) -> float:
        """Returns the cost of a unit that prevents a loss: its price and its wait for the need."""
        early_days = max(0.0, min(cover.days, 365.0) - self.arrives)
        return self.offer.unit_cost * (1 + CARRYING_SHARE * early_days / 365)


@dataclass(frozen=True, slots=True)
class Purchase:
    """A lot that is bought: `quantity` units, of which `used` are expected to prevent a loss."""

    offer: Offer
    quantity: int
    used: float
    order_day: int
    arrival_day: int


@dataclass(frozen=True, slots=True)
class Resourcing:
    """The orders for one item; `need` units are expected to be lost without them.

    `cost` is the minimum of the objective in settlement currency, `proven` whether it is proven.
    """

    purchases: tuple[Purchase, ...]
    need: float
    cost: float
    proven: bool = True

    @property
    def uncovered(self) -> float:
        """Units that are expected to be lost in spite of the orders."""
        return max(0.0, self.need - sum(purchase.used for purchase in self.purchases))


def resource(cover: Cover, recovery: Recovery, price: float, offers: Sequence[Offer]) -> Resourcing:
    """Returns the purchases of least expected cost for one item.

    `offers` are those that may be used. With none, or none in time, everything stays uncovered.
    """
    returns = recovery.quantiles(RETURNS)
    needs = whole(cover.lost(returns))
    lots = [lot for offer in offers for lot in _lots(offer, cover, float(returns[-1]))]
    if needs[-1] <= 0 or not lots:
        return _nothing(needs, price)
    return _solved(_Model(cover, returns.tolist(), price, needs, lots))


def whole(units: NDArray[np.float64]) -> list[int]:
    """Returns units rounded up, with a part of a unit that is only rounding left away."""
    return [math.ceil(one - 1e-9) for one in units.tolist()]


def _nothing(needs: Sequence[int], price: float, proven: bool = True) -> Resourcing:
    need = sum(needs) / len(needs)
    return Resourcing((), need, price * need, proven)


def _lots(offer: Offer, cover: Cover, until: float) -> list[Lot]:
    """The lots of an offer that arrive in time.

    Without a limit one lot is enough, as late as the stock allows; a limited offer delivers week
    by week from its first possible day.
    """
    lead = math.ceil(offer.lead_days)
    if math.isinf(offer.capacity_per_week):
        arrives = lead if math.isinf(cover.days) else max(lead, math.floor(cover.days))
        return [Lot(offer, 0, arrives)] if arrives < until else []
    weeks = range(max(0, min(MOST_LOTS, math.ceil((until - lead) / 7))))
    return [Lot(offer, week, lead + 7 * week) for week in weeks]


class _Model:
    """The mixed-integer problem of one item."""

    def __init__(
        self,
        cover: Cover,
        returns: Sequence[float],
        price: float,
        needs: Sequence[int],
        lots: Sequence[Lot],
    ) -> None:
        self.cover, self.returns, self.price = cover, returns, price
        self.needs, self.lots = needs, lots
        self.solver = Solver.CreateSolver("SCIP")
        self.counts = [self._count(lot) for lot in lots]
        self.sizes = [
            count * lot.offer.multiple for lot, count in zip(lots, self.counts, strict=True)
        ]
        self.uses = [[self._use(size, need) for size in self.sizes] for need in needs]
        self._keep_to_capacity()
        for until, need, uses in zip(returns, needs, self.uses, strict=True):
            self._prevent_only_later_losses(until, need, uses)
        self.solver.Minimize(self.solver.Sum(self._costs()))

    def _count(self, lot: Lot) -> Variable:
        """The multiples in a lot: none, or enough for the smallest order."""
        offer = lot.offer
        least = offer.smallest_order // offer.multiple
        most = max(least, -(-max(self.needs) // offer.multiple))
        if lot.limited:
            most = min(most, int(offer.capacity_per_week * (lot.week + 1)) // offer.multiple)
        count = self.solver.IntVar(0, most, "multiples")
        placed = self.solver.BoolVar("placed")
        self.solver.Add(count >= least * placed)
        self.solver.Add(count <= most * placed)
        return count

    def _use(self, size: LinearExpr, need: int) -> Variable:
        use = self.solver.NumVar(0, need, "use")
        self.solver.Add(use <= size)
        return use

    def _keep_to_capacity(self) -> None:
        """Ensures that no supplier delivers more by a week than its capacity up to then."""
        for lot in self.lots:
            if lot.limited:
                so_far = [
                    size
                    for other, size in zip(self.lots, self.sizes, strict=True)
                    if other.offer == lot.offer and other.week <= lot.week
                ]
                most = int(lot.offer.capacity_per_week * (lot.week + 1))
                self.solver.Add(self.solver.Sum(so_far) <= most)

    def _prevent_only_later_losses(self, until: float, need: int, uses: Sequence[Variable]) -> None:
        """Ensures that units that arrive on a day prevent only losses after that day."""
        for day in sorted({lot.arrives for lot in self.lots}):
            later = [use for lot, use in zip(self.lots, uses, strict=True) if lot.arrives >= day]
            most = min(need, preventable(self.cover, day, until))
            self.solver.Add(self.solver.Sum(later) <= most)

    def _costs(self) -> list[LinearExpr]:
        """The terms of the objective without its constant."""
        terms = []
        for at, (lot, size) in enumerate(zip(self.lots, self.sizes, strict=True)):
            unneeded = lot.offer.unit_cost * CARRYING_SHARE
            saved = (lot.use_cost(self.cover) - unneeded - self.price) / len(self.returns)
            terms.append(size * unneeded)
            terms += [uses[at] * saved for uses in self.uses]
        return terms


def preventable(cover: Cover, day: float, until: float) -> int:
    """Returns the units lost between two days when nothing is done: what arrivals then can save."""
    if day >= until:
        return 0
    first, last = cover.lost([day, until])
    return whole(np.array([last - first]))[0]


def _solved(problem: _Model) -> Resourcing:
    solver = problem.solver
    solver.SetTimeLimit(round(SECONDS * _MILLISECONDS))
    status = solver.Solve()
    if status not in (Solver.OPTIMAL, Solver.FEASIBLE):
        return _nothing(problem.needs, problem.price, proven=False)
    returns = len(problem.returns)
    need = sum(problem.needs) / returns
    bought = [
        _purchase(
            lot,
            round(count.solution_value()) * lot.offer.multiple,
            sum(uses[at].solution_value() for uses in problem.uses) / returns,
        )
        for at, (lot, count) in enumerate(zip(problem.lots, problem.counts, strict=True))
    ]
    return Resourcing(
        tuple(purchase for purchase in bought if purchase.quantity),
        need,
        solver.Objective().Value() + problem.price * need,
        status == Solver.OPTIMAL,
    )


def _purchase(lot: Lot, quantity: int, used: float) -> Purchase:
    """A lot of a limited supplier is ordered early enough to fill its weeks of capacity."""
    weeks = math.ceil(quantity / lot.offer.capacity_per_week) if quantity and lot.limited else 1
    order_day = lot.arrives - math.ceil(lot.offer.lead_days) - 7 * (weeks - 1)
    return Purchase(lot.offer, quantity, used, max(0, order_day), lot.arrives)
