"""Serving: a stream of orders against stock that runs down, one policy deciding each of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from core.errors import BadInput
from inventory.items import Catalog
from routing.fulfillment.cost import SHADOWS
from routing.fulfillment.order import Availability, Order
from routing.fulfillment.plan import Plan

Key = tuple[str, str, str]
"""Where units are counted: (site, item, customs)."""

Policy = Callable[[Order, Availability], Plan]
"""Plans one order from the units that it may take; what it plans is what happens."""

Strategy = Callable[[date, Mapping[Key, int]], Policy]
"""Gives the policy from a day on, by that day and the units then on hand."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Units that come in at the beginning of a day (UTC)."""

    day: date
    key: Key
    units: int


@dataclass(frozen=True)
class Setting:
    """What every policy meets: units on hand, arrivals, and what a site may pack in a period.

    `periods` are first days, rising. `outbound` has the units of each site in each period; a site
    that is missing is not limited. The strategy is asked anew every `renew_days`.
    """

    stock: Mapping[Key, int]
    arrivals: tuple[Arrival, ...]
    periods: tuple[date, ...]
    outbound: Mapping[str, int]
    renew_days: int = 7

    def period(self, moment: datetime) -> int:
        """Returns the period that holds a moment; raises `BadInput` before the first one."""
        found = sum(day <= moment.date() for day in self.periods) - 1
        if found < 0:
            raise BadInput(f"Expected orders from {self.periods[0]} on, got one of {moment}.")
        return found


@dataclass
class Served:
    """What became of a stream of orders, in units and settlement currency.

    `paid` is the full cost of the plans without shadow prices, `unmet` the penalties of units that
    nobody served; `cost` is both together.
    """

    orders: int = 0
    units: int = 0
    unmet_units: int = 0
    legs: int = 0
    paid: float = 0.0
    unmet: float = 0.0
    left: dict[Key, int] = field(default_factory=dict)

    @property
    def cost(self) -> float:
        """The full cost of the stream."""
        return self.paid + self.unmet


def serve(
    orders: Sequence[Order], setting: Setting, strategy: Strategy, catalog: Catalog
) -> Served:
    """Returns what a strategy makes of orders, taken one after the other as they were placed.

    An order is decided at once and for good: what cannot be served in its period is unmet. Nothing
    is served twice and no site packs more than it may, whatever a policy plans: a site that a plan
    would overload is taken away from the order, which is then planned again.
    """
    served = Served(left=dict(setting.stock))
    coming = sorted(setting.arrivals, key=lambda arrival: arrival.day)
    period, room, asked = -1, dict(setting.outbound), None
    for order in sorted(orders, key=lambda order: order.placed_at):
        day = order.placed_at.date()
        if setting.period(order.placed_at) != period:
            period, room = setting.period(order.placed_at), dict(setting.outbound)
        coming = _received(served.left, coming, day)
        since = (day - setting.periods[0]).days % setting.renew_days
        if asked is None or day - timedelta(days=since) > asked:
            policy, asked = strategy(day, served.left), day
        _count(served, order, _plan_within(order, served.left, room, policy), room, catalog)
    return served


def _received(left: dict[Key, int], coming: list[Arrival], day: date) -> list[Arrival]:
    """Puts what has arrived by a day on hand; returns what is still to come."""
    for arrival in coming:
        if arrival.day <= day:
            left[arrival.key] = left.get(arrival.key, 0) + arrival.units
    return [arrival for arrival in coming if arrival.day > day]


def _plan_within(
    order: Order, left: Mapping[Key, int], room: Mapping[str, int], policy: Policy
) -> Plan:
    items = {line.item for line in order.lines}
    open_to = {
        key: min(units, room.get(key[0], units))
        for key, units in left.items()
        if key[1] in items and units > 0 and room.get(key[0], 1) > 0
    }
    while True:
        plan = policy(order, open_to)
        packed: dict[str, int] = {}
        for (site, _, _), units in plan.units.items():
            packed[site] = packed.get(site, 0) + units
        over = {site for site, units in packed.items() if units > room.get(site, units)}
        if not over:
            return plan
        open_to = {key: units for key, units in open_to.items() if key[0] not in over}


def _count(
    served: Served, order: Order, plan: Plan, room: dict[str, int], catalog: Catalog
) -> None:
    for key, units in plan.units.items():
        if units > served.left.get(key, 0):
            raise ArithmeticError(f"Order {order.order} takes {units} units of {key}; too many.")
        served.left[key] -= units
        served.units += units
        if key[0] in room:
            room[key[0]] -= units
    served.orders += 1
    served.legs += len(plan.legs)
    served.paid += sum(
        float(term.amount) for name, term in plan.decision.objective.items() if name not in SHADOWS
    )
    for short in plan.unserved:
        served.unmet_units += short.quantity
        served.unmet += short.quantity * catalog.item[short.item].unmet_penalty
