"""Availability: sellable units and the earliest promise of items in a region."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import Session

from api.services.incoming import OnTheWay, on_the_way
from api.services.planning import live_availability, planning_context
from core.errors import BadInput
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.earliest import Arrival, earliest_arrival
from routing.fulfillment.options import Way, ways_of
from routing.fulfillment.order import Availability, Order, OrderLine, Wishes
from routing.fulfillment.wants import wants_of

MOST_ITEMS = 100


@dataclass(frozen=True, slots=True)
class Earliest:
    """The way by which one unit ordered now would be there first, by its 95 % quantile."""

    site: str
    service: str
    customs_route: str
    p50: datetime
    p95: datetime


@dataclass(frozen=True, slots=True)
class EarliestIncoming:
    """The lot on its way by which one unit would be there first; nothing is held.

    `probability` is that of being there by `p95`; `kind` tells inbound from planned goods.
    """

    site: str
    service: str
    customs_route: str
    p50: datetime
    p95: datetime
    probability: float
    kind: str
    due: date
    purchase_orders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sellable:
    """Units of an item that a region could be promised now, and the earliest promise of one.

    `incoming` is the earliest promise from goods on their way, where there is no stock.
    """

    item: str
    units: int
    earliest: Earliest | None
    incoming: EarliestIncoming | None = None


def sellable(session: Session, items: Sequence[str], region: str, now: datetime) -> list[Sellable]:
    """Returns what can be sold of each item; raises `BadInput` for unknown items or region."""
    context = planning_context(session)
    _check(context, items, region)
    available = live_availability(session, context, items, now)
    coming = on_the_way(session, context, items, now)
    return [_sellable(context, item, region, available, coming, now) for item in items]


def _check(context: PlanningContext, items: Sequence[str], region: str) -> None:
    if not 1 <= len(items) <= MOST_ITEMS:
        raise BadInput(f"Expected 1 to {MOST_ITEMS} items, got {len(items)}.")
    if region not in context.network.region:
        accepted = ", ".join(context.network.region)
        raise BadInput(f"No region is named {region!r}; accepted: {accepted}.")
    unknown = [item for item in items if item not in context.catalog.item]
    if unknown:
        raise BadInput(f"No item is named {unknown[0]!r}.")


def _sellable(
    context: PlanningContext,
    item: str,
    region: str,
    available: Availability,
    coming: OnTheWay,
    now: datetime,
) -> Sellable:
    order = Order("availability", region, now, (OrderLine(0, item, 1),))
    ways, _ = ways_of(order, wants_of(order, context.catalog), available, context, Wishes())
    units = {way.source: way.stock[0] for way in ways}
    incoming = None if ways else earliest_arrival(item, region, now, context, coming.left([item]))
    return Sellable(
        item, sum(units.values()), _earliest(ways), None if incoming is None else _told(incoming)
    )


def _told(found: Arrival) -> EarliestIncoming:
    return EarliestIncoming(
        found.lane.site.site, found.lane.service.service, found.route, found.p50, found.p95,
        round(found.probability, 4), found.lot.kind, found.lot.due, (found.lot.reference,),
    )  # fmt: skip


def _earliest(ways: Sequence[Way]) -> Earliest | None:
    if not ways:
        return None
    first = min(ways, key=lambda way: (way.delivery.p95, way.label))
    return Earliest(
        first.lane.site.site, first.lane.service.service, first.route, first.delivery.p50,
        first.delivery.p95,
    )  # fmt: skip
