"""Back-orders: a date and a probability for units that no stock serves, from goods on their way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby
from math import prod

from routing.fulfillment.context import PlanningContext, doorstep
from routing.fulfillment.incoming import Lot, ready_at
from routing.fulfillment.options import promised_by
from routing.fulfillment.order import Order, OrderLine, Wishes
from routing.fulfillment.plan import Leg, Plan
from routing.fulfillment.planning import NO_STOCK, plan
from routing.fulfillment.promise import Delivery, Transit
from warehouses.calendars import Doorstep, pickup_at

_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Supply:
    """Where the units of a back-order come from: purchase orders due at a site on a day."""

    references: tuple[str, ...]
    due: date
    ready_at: datetime


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
    goods due on the same day at the same site, which are late together.
    """

    legs: tuple[Backorder, ...]
    probability: float
    unserved: Mapping[int, int]


def backorders(made: Plan, order: Order, context: PlanningContext, wishes: Wishes) -> Backorders:
    """Returns how units that a plan leaves for want of stock could be served from incoming goods.

    Goods are taken by the day on which they are due, the earliest first; those of one day are
    planned as an order placed when they are ready, at the lowest full cost. Goods due before the
    order is placed are either stock by now or overdue, and promised to nobody. Nothing is held.
    """
    missing = {one.line: one.quantity for one in made.unserved if one.code == NO_STOCK}
    found: list[Backorder] = []
    coming = [lot for lot in context.incoming.lots if lot.due >= order.placed_at.date()]
    for (due, site), lots in groupby(coming, key=lambda lot: (lot.due, lot.site)):
        if not missing:
            break
        for one in _from_day(order, missing, due, site, list(lots), context, wishes):
            found.append(one)
            for line in one.leg.lines:
                missing[line.line] -= line.quantity
        missing = {line: units for line, units in missing.items() if units}
    left = {one.line: one.quantity for one in made.unserved if one.code != NO_STOCK} | missing
    whole = 0.0 if left else _together(made, found, order, context)
    return Backorders(tuple(found), whole, left)


def _from_day(
    order: Order,
    missing: Mapping[int, int],
    due: date,
    site: str,
    lots: Sequence[Lot],
    context: PlanningContext,
    wishes: Wishes,
) -> list[Backorder]:
    """Plans missing units on the lots of one site and day."""
    wanted = {lot.item for lot in lots}
    lines = tuple(
        OrderLine(line.line, line.item, missing[line.line], line.price)
        for line in order.lines
        if line.line in missing and line.item in wanted
    )
    if not lines:
        return []
    units: dict[tuple[str, str, str], int] = {}
    for lot in lots:
        key = (site, lot.item, lot.customs)
        units[key] = units.get(key, 0) + lot.units
    ready = ready_at(context.network.site[site], due)
    by = promised_by(order, context)
    later = Order(order.order, order.region, ready, lines, max(by, ready))
    return [
        Backorder(_dated(leg, due, order, context), Supply(_references(leg, lots), due, ready))
        for leg in plan(later, units, context, wishes).legs
    ]


def _references(leg: Leg, lots: Sequence[Lot]) -> tuple[str, ...]:
    items = {line.item for line in leg.lines}
    return tuple(dict.fromkeys(lot.reference for lot in lots if lot.item in items))


def _dated(leg: Leg, due: date, order: Order, context: PlanningContext) -> Leg:
    """The same leg with a delivery that counts how late goods may come in."""
    pickups, transit, door = _pickups(leg, due, order, context)
    return replace(leg, delivery=delivery_of(pickups, transit, door, promised_by(order, context)))


def _pickups(
    leg: Leg, due: date, order: Order, context: PlanningContext
) -> tuple[list[datetime], Transit, Doorstep]:
    """When a leg may be picked up, one moment for each delay, and how it goes on from there."""
    site = context.network.site[leg.site]
    lane = context.lane(order.region, leg.site, leg.service)
    pickups = [
        pickup_at(site, ready_at(site, due, delay), lane.service.pickup_days)
        for delay in context.incoming.delays
    ]
    return pickups, lane.transit, doorstep(context.network.region[order.region])


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
    for _, shared in groupby(found, key=lambda one: (one.supply.due, one.leg.site)):
        sent = [_pickups(one.leg, one.supply.due, order, context) for one in shared]
        joint = [
            prod(
                transit.probability_within((limit - pickups[at]) / _DAY)
                for pickups, transit, _ in sent
            )
            for at in range(len(context.incoming.delays))
        ]
        whole *= sum(joint) / len(joint)
    return whole if made.legs or found else 0.0
