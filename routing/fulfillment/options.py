"""Options: every way in which goods of an order could leave a site, and why others cannot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np

from core.units import KG_PER_TONNE
from inventory.items import Item
from routing.fulfillment.context import Lane, PlanningContext, doorstep
from routing.fulfillment.departures import moment, pickups, ticks
from routing.fulfillment.order import Availability, Order, Wishes
from routing.fulfillment.promise import Delivery, delivery_before
from routing.fulfillment.wants import Want
from routing.landed_cost.regime import CustomsRoute, Regime, customs_route
from warehouses.calendars import Doorstep
from warehouses.network import Region

NOT_HELD, NO_SERVICE = "no stock of any item ordered", "no service with a rate to the region"
"""Why a site is no option at all."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something cannot serve an order: a site, or a service from it."""

    option: str
    reason: str


@dataclass(frozen=True, eq=False)
class Way:
    """One way to send goods: a lane, the customs state they lie in, and the route they take.

    `stock` is by want: units that may travel this way.
    """

    deal: "Deal"
    lane: Lane
    customs: str
    route: CustomsRoute
    regime: Regime
    pickup_at: datetime
    wants: Sequence[Want]
    stock: tuple[int, ...]

    @cached_property
    def delivery(self) -> Delivery:
        """When the goods are handed over, and whether that keeps the promise."""
        return delivery_before(
            self.pickup_at, self.lane.transit, self.deal.door, self.deal.latest
        )  # fmt: skip

    @cached_property
    def lateness(self) -> float:
        """The price of the lateness of a unit."""
        days = self.lane.transit.expected_late_days((self.deal.latest - self.pickup_at) / _DAY)
        return days * self.deal.context.weights.lateness_cost_per_day

    @property
    def carbon_price(self) -> float:
        """The price of a kilogram of CO2 equivalent."""
        return self.deal.carbon_price

    @cached_property
    def stock_price(self) -> tuple[float, ...]:
        """The shadow price of one unit of each want."""
        context, site = self.deal.context, self.lane.site.site
        return tuple(
            context.stock_price(want.item.item, site, self.deal.placed) for want in self.wants
        )

    @cached_property
    def slot_price(self) -> float:
        """The shadow price of packing a unit in the bucket of the pickup."""
        return self.deal.context.slot_price(self.lane.site.site, self._sent)

    @cached_property
    def kilo_price(self) -> float:
        """The shadow price of a kilogram in the bucket of the pickup."""
        names = self.lane.site.site, self.lane.service.service
        return self.deal.context.kilo_price(*names, self._sent)

    @cached_property
    def _sent(self) -> int:
        return self.deal.context.price_bucket(self.pickup_at)

    @cached_property
    def unit_price(self) -> tuple[float, ...]:
        """The shadow price of one unit of each want that leaves this way: itself and its slot."""
        return tuple(price + self.slot_price for price in self.stock_price)

    @property
    def carbon_kg_per_kg(self) -> float:
        """Emissions of a kilogram of goods."""
        return self.lane.carbon_kg_per_kg

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
        return label_of(
            self.lane.site.site, self.lane.service.service, self.route, self.customs
        )  # fmt: skip


def label_of(site: str, service: str, route: CustomsRoute, customs: str) -> str:
    """Returns the name of a way; goods in bond that are sent abroad are told from free ones."""
    bond = " from bond" if customs == "bonded" and route == "cross_border" else ""
    return f"{site} {service} {route}{bond}"


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
    lanes = context.lanes(order.region)
    deal = Deal.of(order, context, wishes)
    picked = _picked(order, context, lanes)
    ways: list[Way] = []
    refusals: list[Refusal] = []
    for lane in lanes:
        held = _held(lane, wants, availability)
        why = [refusal(want.item, lane) for want in wants] if held else []
        found = [
            way_of(
                deal, lane, customs, picked[lane.site.site, lane.service.service], wants,
                [0 if refused else max(0, left) for left, refused in zip(units, why, strict=True)],
            )
            for customs, units in held.items()
        ]  # fmt: skip
        usable = [way for way in found if any(way.stock)]
        ways.extend(usable)
        if held and not usable:
            said = [
                reason for units in held.values()
                for reason, left in zip(why, units, strict=True) if reason and left
            ]  # fmt: skip
            label = f"{lane.site.site} {lane.service.service}"
            refusals.append(Refusal(label, "; ".join(dict.fromkeys(said))))
    refusals.extend(_without_stock(lanes, wants, availability, context))
    return tuple(ways), tuple(refusals)


def _picked(
    order: Order, context: PlanningContext, lanes: Sequence[Lane]
) -> dict[tuple[str, str], datetime]:
    """When each service takes the order over, by site and service."""
    sites = list(dict.fromkeys(lane.site for lane in lanes))
    at = pickups(sites, context.services, np.array([ticks(order.placed_at)]))[0].tolist()
    return {
        (site.site, service.service): moment(at[here][there])
        for here, site in enumerate(sites)
        for there, service in enumerate(context.services)
    }


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
            yield Refusal(site.site, NOT_HELD)
        elif site.site not in reached:
            yield Refusal(site.site, NO_SERVICE)


@dataclass(frozen=True, slots=True)
class Deal:
    """What holds for every way of one order: door, promise, and the prices that it pays.

    Goods must arrive by `latest` to keep the promise. `carbon_price` is that of a kilogram,
    `placed` the bucket of the shadow prices in which the order is placed.
    """

    context: PlanningContext
    region: Region
    door: Doorstep
    by: datetime
    latest: datetime
    carbon_price: float
    placed: int

    @classmethod
    def of(cls, order: Order, context: PlanningContext, wishes: Wishes) -> "Deal":
        """Returns the deal of an order."""
        region, by = context.network.region[order.region], promised_by(order, context)
        door = doorstep(region)
        price = carbon_price(context, wishes)
        placed = context.price_bucket(order.placed_at)
        return cls(context, region, door, by, door.latest_arrival(by), price, placed)


def way_of(
    deal: Deal,
    lane: Lane,
    customs: str,
    pickup: datetime,
    wants: Sequence[Want],
    stock: Sequence[int],
) -> Way:
    """Returns the way of goods that lie in a customs state and leave by a lane at a moment."""
    country = deal.region.country
    route = customs_route(lane.site.country, country, customs)
    regime = deal.context.regime(country, route)
    return Way(deal, lane, customs, route, regime, pickup, wants, tuple(stock))


def carbon_price(context: PlanningContext, wishes: Wishes) -> float:
    """Returns the price of a kilogram of CO2 equivalent in settlement currency."""
    own = wishes.carbon_price_per_tonne
    per_tonne = context.weights.carbon_price_per_tonne if own is None else own
    return per_tonne / KG_PER_TONNE
