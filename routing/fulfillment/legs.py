"""Legs: what was chosen for an order, told as a plan."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, partial
from math import prod

import numpy as np
from numpy.typing import NDArray

from core.money import Money
from routing.fulfillment.cost import Bill, Costing, Load
from routing.fulfillment.crowd import CUSTOMS, Asked
from routing.fulfillment.options import refusal
from routing.fulfillment.order import Availability, Order
from routing.fulfillment.parcels import packed
from routing.fulfillment.plan import (
    Cost,
    Decision,
    Leg,
    LegLine,
    Plan,
    Promise,
    Rejected,
    Told,
    Unserved,
)
from routing.fulfillment.search import Priced
from routing.fulfillment.wants import Want
from routing.landed_cost.cost import Consignment, ConsignmentLine, LandedCost, LineCost, assess

NO_STOCK, NO_ROUTE, NO_SPLIT = "no-stock", "no-route", "split-not-allowed"
"""Why units are not served: nobody holds them, nothing carries them, or only together."""


@dataclass(frozen=True)
class Answer:
    """What was chosen for an order, and what it could be chosen from.

    `covered` are the units of each want that are served, `held` the units that were available by
    [site, customs, want]. The costing knows at least the ways of the best option.
    """

    asked: Asked
    costing: Costing
    best: Priced | None
    covered: Sequence[int]
    held: NDArray[np.int64]
    considered: int
    gap: float

    @cached_property
    def availability(self) -> Availability:
        """The units that were available, as the planner was told them."""
        sites, wants = self.costing.context.rates.sites, self.asked.wants
        found = np.argwhere(self.held > 0).tolist()
        return {
            (sites[site], wants[want].item.item, CUSTOMS[customs]): int(
                self.held[site, customs, want]
            )
            for site, customs, want in found
        }


Tell = Callable[[Answer], tuple[Rejected, ...]]
"""Works out what was not chosen, and why."""


def plan_of(answer: Answer, tell: Tell) -> Plan:
    """Returns the plan of an answer; what was not chosen is told when somebody asks."""
    order, context = answer.asked.order, answer.costing.context
    legs = _legs(order, answer.costing, answer.best) if answer.best else ()
    kept = prod(leg.delivery.probability for leg in legs) if legs else 0.0
    return Plan(
        order=order.order,
        region=order.region,
        currency=context.currency,
        placed_at=order.placed_at,
        legs=legs,
        promise=Promise(answer.asked.deal.by, kept),
        landed_cost=_summed([leg.cost for leg in legs], context.currency),
        unserved=_unserved(answer) if _short_of(answer) else (),
        carbon_kg=sum(leg.carbon_kg for leg in legs),
        decision=_decision(answer, tell),
    )


def _summed(costs: Sequence[Cost], currency: str) -> Cost:
    return costs[0] if len(costs) == 1 else sum(costs, Cost.of(currency))


def _decision(answer: Answer, tell: Tell) -> Decision:
    context = answer.costing.context
    return Decision(
        considered=answer.considered,
        gap=answer.gap,
        objective=(answer.best.bill if answer.best else Bill()).money(context.currency),
        rejected=Told(partial(tell, answer)),
        prices_version=context.prices.version if context.prices else "",
        data_version=context.data_version,
        rules_date=context.rules_date.isoformat(),
    )


# Legs


def _legs(order: Order, costing: Costing, best: Priced) -> tuple[Leg, ...]:
    lines = _lines_by_way(order, costing.wants, best, costing.context.currency)
    landed = _landed(costing, best)
    return tuple(_leg(costing, way, load, lines[way], landed[way]) for way, load in best.loads)


def _lines_by_way(
    order: Order, wants: Sequence[Want], best: Priced, currency: str
) -> dict[int, tuple[LegLine, ...]]:
    """The order's lines by way: units of an item go to its lines in their order."""
    left = {(way, wants[want].item.item): units for way, load in best.loads for want, units in load}
    team = best.team
    found: dict[int, list[LegLine]] = {way: [] for way in team}
    for line in order.lines:
        price = None if line.price is None else Money.of(line.price, currency)
        open_units = line.quantity
        for way in team:
            take = min(open_units, left.get((way, line.item), 0))
            if take:
                left[way, line.item] -= take
                open_units -= take
                found[way].append(LegLine(line.line, line.item, take, price))
    return {way: tuple(lines) for way, lines in found.items()}


Charged = tuple[LandedCost, Sequence[LineCost], float]


def _leg(costing: Costing, at: int, load: Load, lines: tuple[LegLine, ...], landed: Charged) -> Leg:
    way, (customs, charged, shipping) = costing.ways[at], landed
    units = sum(line.quantity for line in lines)
    parcels = packed([costing.wants[want].of(taken) for want, taken in load], way.lane.card)
    cost = Cost.of(
        costing.context.currency,
        shipping,
        way.lane.site.handling_cost * units,
        sum((line.duty for line in charged), Decimal(0)),
        sum((line.tax for line in charged), Decimal(0)),
        sum((line.fees for line in charged), Decimal(0)),
    )
    return Leg(
        site=way.lane.site.site,
        service=way.lane.service.service,
        carrier=way.lane.service.carrier,
        customs=way.customs,
        customs_route=way.route,
        lines=lines,
        parcels=parcels,
        cost=cost,
        pickup_at=way.pickup_at,
        delivery=way.delivery,
        carbon_kg=costing.carbon_kg(at, load),
        basis=customs.basis,
        tax_recoverable=customs.recoverable,
        sources=customs.sources,
    )


def _landed(costing: Costing, best: Priced) -> dict[int, Charged]:
    """Landed cost of every way: of its whole consignment, its own lines, and its shipping."""
    shipping = {way: costing.shipping(way, load)[0] for way, load in best.loads}
    groups: dict[tuple[str, str], list[int]] = {}
    for way in best.team:
        groups.setdefault(costing.ways[way].consignment, []).append(way)
    charged: dict[int, Charged] = {}
    for group in groups.values():
        if costing.ways[group[0]].route == "domestic":
            nothing = _domestic(costing, group[0])
            charged.update((way, (nothing, (), shipping[way])) for way in group)
            continue
        consignment = _consignment(costing, best, group, sum(shipping[way] for way in group))
        landed = assess(consignment, costing.ways[group[0]].regime, costing.context.tariffs)
        for way in group:
            own = [line for line in landed.lines if line.line == str(way)]
            charged[way] = (landed, own, shipping[way])
    return charged


def _domestic(costing: Costing, way: int) -> LandedCost:
    """What customs take from goods that meet none: nothing, whatever they are."""
    regime = costing.ways[way].regime
    return assess(Consignment(regime.country, ()), regime, costing.context.tariffs)


def _consignment(
    costing: Costing, best: Priced, group: Sequence[int], freight: float
) -> Consignment:
    """Goods of some ways that reach customs together; their lines are named for their way."""
    loads = dict(best.loads)
    lines = tuple(
        ConsignmentLine(str(way), costing.wants[want].item, units, costing.wants[want].unit_value)
        for way in group
        for want, units in loads[way]
    )
    country = costing.ways[group[0]].regime.country
    return Consignment(country, lines, Decimal(str(freight)))


# What is not served


def _short_of(answer: Answer) -> bool:
    wants = answer.asked.wants
    return any(units < want.units for want, units in zip(wants, answer.covered, strict=True))


def _unserved(answer: Answer) -> tuple[Unserved, ...]:
    names = [want.item.item for want in answer.asked.wants]
    left: Mapping[str, int] = dict(zip(names, answer.covered, strict=True))
    open_units = dict(left)
    short = []
    for line in answer.asked.order.lines:
        served = min(line.quantity, open_units[line.item])
        open_units[line.item] -= served
        if served < line.quantity:
            code, reason = _why(answer, names.index(line.item))
            missing = line.quantity - served
            short.append(Unserved(line.line, line.item, missing, code, reason))
    return tuple(short)


def _why(answer: Answer, at: int) -> tuple[str, str]:
    """Why a want is not served in full."""
    want, region = answer.asked.wants[at], answer.asked.order.region
    held = answer.availability
    item = want.item.item
    lanes = answer.costing.context.lanes(region)
    reasons = {lane: refusal(want.item, lane) for lane in lanes
               if any((lane.site.site, item, customs) in held for customs in CUSTOMS)}  # fmt: skip
    open_sites = {lane.site.site for lane, reason in reasons.items() if not reason}
    stocked = sum(units for (_, name, _), units in held.items() if name == item)
    usable = sum(
        units for (site, name, _), units in held.items() if name == item and site in open_sites
    )
    if usable >= want.units:
        return NO_SPLIT, "served in full only by several sites, and the order may not be split"
    if stocked >= want.units:
        said = "; ".join(dict.fromkeys(reason for reason in reasons.values() if reason))
        return NO_ROUTE, said or f"no service with a rate to {region} where it is in stock"
    return NO_STOCK, f"{want.units} asked for, {stocked} available"
