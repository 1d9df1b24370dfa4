"""Options: every way in which goods of an order could leave a site, and why others cannot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from carriers.emissions import kg_co2e
from core.units import KG_PER_TONNE
from inventory.items import Item
from routing.fulfillment.context import Lane, PlanningContext, doorstep
from routing.fulfillment.floors import Floor, floors_of
from routing.fulfillment.order import Availability, Order, Wishes
from routing.fulfillment.promise import Delivery, delivery
from routing.fulfillment.wants import Want
from routing.landed_cost.regime import CustomsRoute, Regime, customs_route
from warehouses.calendars import pickup_at


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something cannot serve an order: a site, or a service from it."""

    option: str
    reason: str


@dataclass(frozen=True, slots=True)
class Way:
    """One way to send goods: a lane, the customs state they lie in, and the route they take.

    `stock` and `unit_price` are by want: units that may travel this way, and the shadow price of
    one: of the unit in the bucket in which the order is placed, and of its slot in the one in which
    it is picked up. One of the `floors` holds whatever travels.
    """

    lane: Lane
    customs: str
    route: CustomsRoute
    regime: Regime
    pickup_at: datetime
    delivery: Delivery
    lateness: float
    stock: tuple[int, ...]
    unit_price: tuple[float, ...]
    kilo_price: float
    carbon_kg_per_kg: float
    floors: tuple[Floor, ...]

    @property
    def source(self) -> tuple[str, str]:
        """Where the units are counted: site and customs state."""
        return self.lane.site.site, self.customs

    @property
    def consignment(self) -> tuple[str, str]:
        """Goods of one order with the same key reach customs as one consignment.

        Sending them by two services from one site must not win relief twice.
        """
        return self.lane.site.site, self.route

    @property
    def label(self) -> str:
        """The name of the way in a decision record."""
        return f"{self.lane.site.site} {self.lane.service.service} {self.route}"


def promised_by(order: Order, context: PlanningContext) -> datetime:
    """Returns the moment by which an order is promised: its own, or that of its region."""
    hours = context.network.region[order.region].promise_hours
    return order.promise_by or order.placed_at + timedelta(hours=hours)


def refusal(item: Item, lane: Lane) -> str:
    """Returns why a lane cannot carry a unit of an item; "" when it can."""
    service, longest = lane.service, max(item.length_cm, item.width_cm, item.height_cm)
    takes = f"{service.service} takes up to"
    if not service.accepts(item.hazard):
        return f"{service.service} does not take {item.hazard} goods"
    if longest > service.max_length_cm:
        return f"{item.item} is {longest:g} cm long; {takes} {service.max_length_cm:g} cm"
    if item.weight_kg > service.max_weight_kg:
        return f"{item.item} weighs {item.weight_kg:g} kg; {takes} {service.max_weight_kg:g} kg"
    if not lane.card.takes(item.weight_kg, item.volume_m3):
        return f"{item.item} is beyond the last weight band of {service.service}"
    return ""


def ways_of(
    order: Order,
    wants: Sequence[Want],
    availability: Availability,
    context: PlanningContext,
    wishes: Wishes,
) -> tuple[tuple[Way, ...], tuple[Refusal, ...]]:
    """Returns the ways that could serve something, and why the other lanes cannot."""
    by = promised_by(order, context)
    ways: list[Way] = []
    refusals: list[Refusal] = []
    lanes = context.lanes(order.region)
    for lane in lanes:
        held = _held(lane, wants, availability)
        reasons = dict.fromkeys(
            reason for units in held.values() for reason in _refused(lane, wants, units)
        )
        found = [_way(order, lane, wants, customs, units, context, wishes, by)
                 for customs, units in held.items()]  # fmt: skip
        usable = [way for way in found if any(way.stock)]
        ways.extend(usable)
        if held and not usable:
            label = f"{lane.site.site} {lane.service.service}"
            refusals.append(Refusal(label, "; ".join(reasons)))
    refusals.extend(_without_stock(lanes, wants, availability, context))
    return tuple(ways), tuple(refusals)


def _held(
    lane: Lane, wants: Sequence[Want], availability: Availability
) -> dict[str, tuple[int, ...]]:
    """Units of each want at the lane's site by customs state, where there are any."""
    site = lane.site.site
    held = {
        customs: tuple(availability.get((site, want.item.item, customs), 0) for want in wants)
        for customs in ("free", "bonded")
    }
    return {customs: units for customs, units in held.items() if any(unit > 0 for unit in units)}


def _refused(lane: Lane, wants: Sequence[Want], units: Sequence[int]) -> Iterable[str]:
    reasons = (refusal(want.item, lane) for want, held in zip(wants, units, strict=True) if held)
    return (reason for reason in reasons if reason)


def _without_stock(
    lanes: Sequence[Lane],
    wants: Sequence[Want],
    availability: Availability,
    context: PlanningContext,
) -> Iterable[Refusal]:
    reached = {lane.site.site for lane in lanes}
    for site in context.network.serving:
        holds = any(
            availability.get((site.site, want.item.item, customs), 0) > 0
            for want in wants
            for customs in ("free", "bonded")
        )
        if not holds:
            yield Refusal(site.site, "no stock of any item ordered")
        elif site.site not in reached:
            yield Refusal(site.site, "no service with a rate to the region")


def _way(
    order: Order,
    lane: Lane,
    wants: Sequence[Want],
    customs: str,
    units: Sequence[int],
    context: PlanningContext,
    wishes: Wishes,
    by: datetime,
) -> Way:
    region = context.network.region[order.region]
    route = customs_route(lane.site.country, region.country, customs)
    regime = context.regime(region.country, route)
    pickup = pickup_at(lane.site, order.placed_at, lane.service.pickup_days)
    arrives = delivery(pickup, lane.transit, doorstep(region), by)
    lateness = arrives.late_days * context.weights.lateness_cost_per_day
    carbon = float(kg_co2e(1.0, lane.distance_km, lane.service.mode))
    taken, sent = (context.price_bucket(day) for day in (order.placed_at.date(), pickup.date()))
    kilo_price = context.kilo_price(lane.site.site, lane.service.service, sent)
    unit_price = tuple(
        context.unit_price(want.item.item, lane.site.site, taken, sent) for want in wants
    )
    per_kg = kilo_price + carbon * carbon_price(context, wishes)
    linear = [
        lane.site.handling_cost + lateness + price + per_kg * want.item.weight_kg
        for price, want in zip(unit_price, wants, strict=True)
    ]
    return Way(
        lane=lane,
        customs=customs,
        route=route,
        regime=regime,
        pickup_at=pickup,
        delivery=arrives,
        lateness=lateness,
        stock=tuple(
            max(held, 0) if not refusal(want.item, lane) else 0
            for want, held in zip(wants, units, strict=True)
        ),
        unit_price=unit_price,
        kilo_price=kilo_price,
        carbon_kg_per_kg=carbon,
        floors=tuple(floors_of(lane, wants, regime, context, linear)),
    )


def carbon_price(context: PlanningContext, wishes: Wishes) -> float:
    """Returns the price of a kilogram of CO2 equivalent in settlement currency."""
    own = wishes.carbon_price_per_tonne
    per_tonne = context.weights.carbon_price_per_tonne if own is None else own
    return per_tonne / KG_PER_TONNE
