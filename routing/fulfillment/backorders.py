"""Back-orders: a date and a probability for units that no stock serves, from goods on their way."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby
from math import prod

from inventory.supply import SupplyKey
from routing.fulfillment.context import Lane, PlanningContext, doorstep
from routing.fulfillment.incoming import Lot, in_turn, ready_at
from routing.fulfillment.options import promised_by
from routing.fulfillment.order import Order, OrderLine, Wishes
from routing.fulfillment.plan import Leg, Plan
from routing.fulfillment.planning import NO_STOCK, plan
from routing.fulfillment.promise import Delivery, Transit, delivery
from warehouses.calendars import Doorstep, pickup_at

_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Taken:
    """Units that a back-order takes of a lot."""

    lot: Lot
    units: int


@dataclass(frozen=True, slots=True)
class Supply:
    """Where the units of a back-order come from: lots due at a site on a day, late together."""

    taken: tuple[Taken, ...]
    ready_at: datetime

    @property
    def lot(self) -> Lot:
        """One of the lots: site, day, kind and supplier are the same for all of them."""
        return self.taken[0].lot

    @property
    def references(self) -> tuple[str, ...]:
        """The purchase orders of the units."""
        return tuple(dict.fromkeys(each.lot.reference for each in self.taken))


@dataclass(frozen=True, slots=True)
class Backorder:
    """A leg that could leave once its goods have come in; `leg.delivery` counts their delay too.

    `leg.delivery.p95` is the moment to promise; `leg.delivery.probability` is against the promise
    of the order.
    """

    leg: Leg
    supply: Supply


@dataclass(frozen=True, slots=True)
class Backorders:
    """What could be promised beyond a plan, and the probability of all of it together by then.

    `probability` is that of plan and back-orders: legs are independent, but for those that wait for
    goods of one supplier due on the same day at the same site, which are late together.
    """

    legs: tuple[Backorder, ...]
    probability: float
    unserved: Mapping[int, int]

    @property
    def taken(self) -> Mapping[SupplyKey, int]:
        """Units that all legs together take of each lot."""
        units: Counter[SupplyKey] = Counter()
        for one in self.legs:
            for each in one.supply.taken:
                units[each.lot.key] += each.units
        return units


def backorders(
    made: Plan,
    order: Order,
    context: PlanningContext,
    wishes: Wishes,
    coming: Sequence[Lot] | None = None,
) -> Backorders:
    """Returns how units that a plan leaves for want of stock could be served from incoming goods.

    `coming` are the lots that may be promised, those of the context unless given. Goods are taken
    by the day on which they are due, the earliest first; those of one day, site and supplier are
    planned as an order placed when they are ready, at the lowest full cost. Goods due before the
    order is placed are either stock by now or overdue, and promised to nobody. An order that may
    not be split gets one delivery: the earliest, and none beside what stock serves. Nothing is
    held.
    """
    missing = {one.line: one.quantity for one in made.unserved if one.code == NO_STOCK}
    whole_only = not wishes.allow_split
    found: list[Backorder] = []
    lots = context.incoming.lots if coming is None else coming
    timely = in_turn(lot for lot in lots if lot.due >= order.placed_at.date()) if missing else ()
    for _, together in groupby(timely, key=_together_with):
        if not missing or (whole_only and (made.legs or found)):
            break
        for one in _from_day(order, missing, list(together), context, wishes):
            found.append(one)
            for line in one.leg.lines:
                missing[line.line] -= line.quantity
        missing = {line: units for line, units in missing.items() if units}
    left = {one.line: one.quantity for one in made.unserved if one.code != NO_STOCK} | missing
    whole = 0.0 if left else _together(made, found, order, context)
    return Backorders(tuple(found), whole, left)


def _together_with(lot: Lot) -> tuple[date, str, str, str]:
    """Names the goods that come together, or are late together."""
    return lot.due, lot.site, lot.kind, lot.supplier


def _from_day(
    order: Order,
    missing: Mapping[int, int],
    lots: Sequence[Lot],
    context: PlanningContext,
    wishes: Wishes,
) -> list[Backorder]:
    """Plans missing units on lots that come together."""
    wanted = {lot.item for lot in lots}
    lines = tuple(
        OrderLine(line.line, line.item, missing[line.line], line.price)
        for line in order.lines
        if line.line in missing and line.item in wanted
    )
    if not lines:
        return []
    units: Counter[tuple[str, str, str]] = Counter()
    for lot in lots:
        units[lot.site, lot.item, lot.customs] += lot.units
    first = lots[0]
    ready = ready_at(context.network.site[first.site], first.due)
    by = promised_by(order, context)
    later = Order(order.order, order.region, ready, lines, max(by, ready))
    left = [(lot, lot.units) for lot in lots]
    found = []
    for leg in plan(later, units, context, wishes).legs:
        taken, left = _drawn(leg, left)
        supply = Supply(taken, ready)
        found.append(Backorder(_dated(leg, supply, order, context), supply))
    return found


def _drawn(
    leg: Leg, left: Sequence[tuple[Lot, int]]
) -> tuple[tuple[Taken, ...], list[tuple[Lot, int]]]:
    """Returns the units that a leg takes of lots in their order, and what it leaves of them."""
    wanted = Counter[str]()
    for line in leg.lines:
        wanted[line.item] += line.quantity
    taken, rest = [], []
    for lot, units in left:
        draws = min(units, wanted[lot.item]) if lot.customs == leg.customs else 0
        wanted[lot.item] -= draws
        taken += [Taken(lot, draws)] if draws else []
        rest.append((lot, units - draws))
    return tuple(taken), rest


def _dated(leg: Leg, supply: Supply, order: Order, context: PlanningContext) -> Leg:
    """The same leg with a delivery that counts how late goods may come in."""
    pickups, transit, door = _pickups(leg, supply, order, context)
    return replace(leg, delivery=delivery_of(pickups, transit, door, promised_by(order, context)))


def _pickups(
    leg: Leg, supply: Supply, order: Order, context: PlanningContext
) -> tuple[list[datetime], Transit, Doorstep]:
    """When a leg may be picked up, one moment for each delay, and how it goes on from there."""
    lane = context.lane(order.region, leg.site, leg.service)
    pickups = pickups_of(supply.lot, lane, context)
    return pickups, lane.transit, doorstep(context.network.region[order.region])


def sent_now(
    region: str, site: str, service: str, now: datetime, by: datetime, context: PlanningContext
) -> Delivery | None:
    """Returns the delivery of goods that leave from now on; None for a lane that is no more."""
    try:
        lane = context.lane(region, site, service)
    except KeyError:
        return None
    pickup = pickup_at(lane.site, now, lane.service.pickup_days)
    return delivery(pickup, lane.transit, doorstep(context.network.region[region]), by)


def pickups_of(lot: Lot, lane: Lane, context: PlanningContext) -> list[datetime]:
    """Returns when goods of a lot may be picked up on a lane: one moment for each delay."""
    return [
        pickup_at(lane.site, ready_at(lane.site, lot.due, delay), lane.service.pickup_days)
        for delay in context.incoming.delays_of(lot.supplier)
    ]


def delivery_of(
    pickups: Sequence[datetime], transit: Transit, door: Doorstep, by: datetime
) -> Delivery:
    """Returns the delivery of goods that are picked up at one of equally likely moments."""
    limit = door.latest_arrival(by)
    chances = [transit.probability_within((limit - pickup) / _DAY) for pickup in pickups]
    late = [transit.expected_late_days((limit - pickup) / _DAY) for pickup in pickups]
    return Delivery(
        p50=door.handed_over(_quantile(pickups, transit, 0.5)),
        p95=door.handed_over(_quantile(pickups, transit, 0.95)),
        probability=sum(chances) / len(chances),
        late_days=sum(late) / len(late),
    )


def _quantile(pickups: Sequence[datetime], transit: Transit, level: float) -> datetime:
    """The first moment with so much probability of arrival before it, to the second."""
    low = min(pickups) + transit.quantile(level) * _DAY
    high = max(pickups) + transit.quantile(level) * _DAY
    while high - low > _SECOND:
        middle = low + (high - low) / 2
        chance = sum(transit.probability_within((middle - at) / _DAY) for at in pickups)
        low, high = (low, middle) if chance >= level * len(pickups) else (middle, high)
    return high


def _together(
    made: Plan, found: Sequence[Backorder], order: Order, context: PlanningContext
) -> float:
    """The probability that legs from stock and back-orders are all there by the promise."""
    limit = doorstep(context.network.region[order.region]).latest_arrival(
        promised_by(order, context)
    )
    whole = prod(leg.delivery.probability for leg in made.legs)
    for _, shared in groupby(found, key=lambda one: _together_with(one.supply.lot)):
        sent = [_pickups(one.leg, one.supply, order, context) for one in shared]
        joint = [
            prod(
                transit.probability_within((limit - pickups[at]) / _DAY)
                for pickups, transit, _ in sent
            )
            for at in range(len(sent[0][0]))
        ]
        whole *= sum(joint) / len(joint)
    return whole if made.legs or found else 0.0
