"""The earliest promise of an item from goods on their way, before anybody plans an order for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from routing.fulfillment.backorders import delivery_of, pickups_of
from routing.fulfillment.context import Foreseen, Lane, PlanningContext, doorstep
from routing.fulfillment.incoming import Lot
from routing.fulfillment.options import refusal
from routing.landed_cost.regime import CustomsRoute, customs_route

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One unit of a lot that is sent on by a lane: `p95` is the moment to promise.

    `probability` is that of being there by `p95`: at least 0.95, more where goods then wait for a
    day of delivery.
    """

    lot: Lot
    lane: Lane
    route: CustomsRoute
    p50: datetime
    p95: datetime
    probability: float


def earliest_arrival(
    item: str, region: str, placed_at: datetime, context: PlanningContext, coming: Sequence[Lot]
) -> Arrival | None:
    """Returns how one unit of an item could be in a region first, from lots that are on their way.

    None where no lot is due on the day of the order or later, or no service carries the item.
    """
    timely = [lot for lot in coming if lot.item == item and lot.due >= placed_at.date()]
    found = (one for lot in _first(timely) for one in _arrivals(lot, region, context))
    return min(found, key=_rank, default=None)


def _rank(one: Arrival) -> tuple[datetime, str, str]:
    return one.p95, one.lane.site.site, one.lane.service.service


def _first(lots: Sequence[Lot]) -> list[Lot]:
    """The first lot of each site and supplier: later ones are as late and due later."""
    first: dict[tuple[str, str, str], Lot] = {}
    for lot in lots:
        key = (lot.site, lot.customs, lot.supplier)
        if key not in first or lot.due < first[key].due:
            first[key] = lot
    return list(first.values())


def _arrivals(lot: Lot, region: str, context: PlanningContext) -> Iterator[Arrival]:
    country = context.network.region[region].country
    for lane in context.lanes(region):
        if lane.site.site == lot.site and not refusal(context.catalog.item[lot.item], lane):
            route = customs_route(lane.site.country, country, lot.customs)
            seen = _foreseen(lot, lane, region, context)
            yield Arrival(lot, lane, route, seen.p50, seen.p95, seen.probability)


def _foreseen(lot: Lot, lane: Lane, region: str, context: PlanningContext) -> Foreseen:
    """When goods due on a day arrive on a lane; worked out once, whatever the goods are."""
    key = (region, lot.site, lane.service.service, lot.due, lot.supplier)
    if key not in context.foreseen:
        pickups = pickups_of(lot, lane, context)
        door = doorstep(context.network.region[region])
        found = delivery_of(pickups, lane.transit, door, max(pickups))
        latest = door.latest_arrival(found.p95)
        chances = [lane.transit.probability_within((latest - at) / _DAY) for at in pickups]
        context.foreseen[key] = Foreseen(found.p50, found.p95, sum(chances) / len(chances))
    return context.foreseen[key]
