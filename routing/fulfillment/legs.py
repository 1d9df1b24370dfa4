"""Legs: what was chosen for an order, told as a plan."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from math import prod

import numpy as np

from core.money import Amounts, Money
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.cost import Load
from routing.fulfillment.crowd import CUSTOMS, Asked, Units
from routing.fulfillment.options import Way, refusal
from routing.fulfillment.order import Availability
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
from routing.landed_cost.cost import (
    BASIS,
    ZERO,
    Consignment,
    ConsignmentLine,
    LandedCost,
    LineCost,
    assess,
)

NO_STOCK, NO_ROUTE, NO_SPLIT = "no-stock", "no-route", "split-not-allowed"
"""Why units are not served: nobody holds them, nothing carries them, or only together."""

KEPT, WORTH_MORE = (
    "kept-for-later",
    "worth more to later orders, by the shadow prices, than serving it now",
)
"""The code of units that are in stock and kept for later orders, and the reason."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """Goods that leave by one way, and the price of their parcels."""

    way: Way
    load: Load
    shipping: float


@dataclass(frozen=True)
class Answer:
    """What was chosen for an order, and what it could be chosen from.

    `objective` has the terms of the full cost, `covered` the units of each want that are served,
    `able` those that could be, if none were kept for later orders, and `held` the units that were
    available by [site, customs, want].
    """

    asked: Asked
    leaving: tuple[Leaving, ...]
    objective: Amounts
    covered: Sequence[int]
    able: Sequence[int]
    held: Units
    considered: int
    gap: float

    @property
    def context(self) -> PlanningContext:
        """What the order was planned with."""
        return self.asked.deal.context

    @cached_property
    def availability(self) -> Availability:
        """The units that were available, as the planner was told them."""
        sites, wants = self.context.rates.sites, self.asked.wants
        found = np.argwhere(self.held > 0).tolist()
        return {
            (sites[site], wants[want].item.item, CUSTOMS[customs]): int(
                self.held[site, customs, want]
            )
            for site, customs, want in found
        }


Tell = Callable[[], tuple[Rejected, ...]]
"""Works out what was not chosen, and why."""


def plan_of(answer: Answer, tell: Tell) -> Plan:
    """Returns the plan of an answer; what was not chosen is told when somebody asks."""
    order, context = answer.asked.order, answer.context
    legs = _legs(answer)
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
    context = answer.context
    return Decision(
        considered=answer.considered,
        gap=answer.gap,
        objective=answer.objective,
        rejected=Told(tell),
        prices_version=context.prices.version if context.prices else "",
        data_version=context.data_version,
        rules_date=context.rules_date.isoformat(),
    )


# Legs


def _legs(answer: Answer) -> tuple[Leg, ...]:
    lines, landed = _lines(answer), _landed(answer)
    return tuple(
        _leg(answer, each, own, charged)
        for each, own, charged in zip(answer.leaving, lines, landed, strict=True)
    )


def _lines(answer: Answer) -> list[tuple[LegLine, ...]]:
    """The order's lines by what leaves: units of an item go to its lines in their order."""
    wants, currency = answer.asked.wants, answer.context.currency
    left = [{wants[want].item.item: units for want, units in each.load} for each in answer.leaving]
    found: list[list[LegLine]] = [[] for _ in answer.leaving]
    for line in answer.asked.order.lines:
        price = None if line.price is None else Money.of(line.price, currency)
        open_units = line.quantity
        for at, units in enumerate(left):
            take = min(open_units, units.get(line.item, 0))
            if take:
                units[line.item] -= take
                open_units -= take
                found[at].append(LegLine(line.line, line.item, take, price))
    return [tuple(lines) for lines in found]


Charged = tuple[LandedCost, Sequence[LineCost]]


def _leg(answer: Answer, leaving: Leaving, lines: tuple[LegLine, ...], landed: Charged) -> Leg:
    way, (customs, charged), wants = leaving.way, landed, answer.asked.wants
    units = sum(line.quantity for line in lines)
    parcels = packed([wants[want].of(taken) for want, taken in leaving.load], way.lane.card)
    weight = sum(wants[want].item.weight_kg * taken for want, taken in leaving.load)
    cost = Cost.of(
        answer.context.currency,
        leaving.shipping,
        way.lane.site.handling_cost * units,
        sum((line.duty for line in charged), ZERO),
        sum((line.tax for line in charged), ZERO),
        sum((line.fees for line in charged), ZERO),
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
        carbon_kg=way.carbon_kg_per_kg * weight,
        basis=customs.basis,
        tax_recoverable=customs.recoverable,
        sources=customs.sources,
    )


def _landed(answer: Answer) -> list[Charged]:
    """Landed cost of all that leaves: of its whole consignment, and of its own lines."""
    groups: dict[tuple[str, str], list[int]] = {}
    for at, each in enumerate(answer.leaving):
        groups.setdefault(each.way.consignment, []).append(at)
    charged: list[Charged] = [(_NOTHING, ()) for _ in answer.leaving]
    for group in groups.values():
        regime = answer.leaving[group[0]].way.regime
        if regime.route == "domestic":
            continue
        landed = assess(_consignment(answer, group), regime, answer.context.tariffs)
        for at in group:
            charged[at] = landed, [line for line in landed.lines if line.line == str(at)]
    return charged


_NOTHING = LandedCost(ZERO, ZERO, ZERO, recoverable=True, lines=(), basis=BASIS["none"], sources=())
"""What customs take from goods that meet none."""


def _consignment(answer: Answer, group: Sequence[int]) -> Consignment:
    """Goods that reach customs together; their lines are named for the place of what leaves."""
    wants, leaving = answer.asked.wants, answer.leaving
    lines = tuple(
        ConsignmentLine(str(at), wants[want].item, units, wants[want].unit_value)
        for at in group
        for want, units in leaving[at].load
    )
    freight = sum(leaving[at].shipping for at in group)
    return Consignment(answer.asked.deal.region.country, lines, Decimal(str(freight)))


# What is not served


def _short_of(answer: Answer) -> bool:
    wants = answer.asked.wants
    return any(units < want.units for want, units in zip(wants, answer.covered, strict=True))


def _unserved(answer: Answer) -> tuple[Unserved, ...]:
    names = [want.item.item for want in answer.asked.wants]
    served = dict(zip(names, answer.covered, strict=True))
    kept = {name: able - units for (name, units), able in zip(
        served.items(), answer.able, strict=True)}  # fmt: skip
    short = []
    for line in answer.asked.order.lines:
        missing = line.quantity - min(line.quantity, served[line.item])
        served[line.item] -= line.quantity - missing
        later = min(missing, kept[line.item])
        kept[line.item] -= later
        if later:
            short.append(Unserved(line.line, line.item, later, KEPT, WORTH_MORE))
        if missing > later:
            code, reason = _why(answer, names.index(line.item))
            short.append(Unserved(line.line, line.item, missing - later, code, reason))
    return tuple(short)


def _why(answer: Answer, at: int) -> tuple[str, str]:
    """Why a want is not served in full."""
    want, region = answer.asked.wants[at], answer.asked.order.region
    held = answer.availability
    item = want.item.item
    lanes = answer.context.lanes(region)
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
