"""Planning one order: options, search, and the plan that tells all of it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import prod

from core.errors import BadInput, Problem
from core.money import Money
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.cost import Costing, Load
from routing.fulfillment.options import (
    Refusal,
    Way,
    carbon_price,
    promised_by,
    refusal,
    ways_of,
)
from routing.fulfillment.order import Availability, Order, Wishes
from routing.fulfillment.parcels import packed
from routing.fulfillment.plan import (
    Cost,
    Decision,
    Leg,
    LegLine,
    Plan,
    Promise,
    Rejected,
    Unserved,
)
from routing.fulfillment.search import Found, Priced, search
from routing.fulfillment.terms import terms_of
from routing.fulfillment.wants import Want, wants_of
from routing.landed_cost.cost import Consignment, ConsignmentLine, LandedCost, LineCost, assess

_SHOWN_OPTIONS, _SHOWN_REASONS = 12, 3
_DEFAULT_WISHES = Wishes()

NO_STOCK, NO_ROUTE, NO_SPLIT = "no-stock", "no-route", "split-not-allowed"
"""Why units are not served: nobody holds them, nothing carries them, or only together."""


def plan(
    order: Order,
    availability: Availability,
    context: PlanningContext,
    wishes: Wishes = _DEFAULT_WISHES,
) -> Plan:
    """Returns the plan that serves the most units of an order at the lowest full cost.

    Full cost is shipping on billed weight, handling, duty, fees and tax that nobody recovers,
    carbon, expected lateness, splits, and the shadow prices of stock, slots and carrier capacity
    where the context has them. Raises `BadInput` for a region or item that the brand lacks.
    """
    _check(order, context)
    wants = wants_of(order, context.catalog)
    ways, refusals = ways_of(order, wants, availability, context, wishes)
    costing = Costing(wants, ways, context, carbon_price(context, wishes))
    found = search(costing, wishes.allow_split, wishes.effort)
    legs = _legs(order, costing, found.best) if found.best else ()
    promise = Promise(promised_by(order, context), prod(leg.delivery.probability for leg in legs))
    return Plan(
        order=order.order,
        region=order.region,
        currency=context.currency,
        placed_at=order.placed_at,
        legs=legs,
        promise=promise if legs else Promise(promise.by, 0.0),
        landed_cost=sum((leg.cost for leg in legs), Cost.of(context.currency)),
        unserved=_unserved(order, costing, found, availability, context),
        carbon_kg=sum(leg.carbon_kg for leg in legs),
        decision=_decision(costing, found, refusals),
    )


def _check(order: Order, context: PlanningContext) -> None:
    problems = []
    if order.region not in context.network.region:
        accepted = ", ".join(context.network.region)
        said = f"No region is named {order.region!r}; accepted: {accepted}."
        problems.append(Problem("", 0, 0, said, "/region"))
    for at, line in enumerate(order.lines):
        if line.item not in context.catalog.item:
            said = f"No item is named {line.item!r}."
            problems.append(Problem("", 0, 0, said, f"/lines/{at}/item"))
    if problems:
        raise BadInput(problems)


# Legs


def _legs(order: Order, costing: Costing, best: Priced) -> tuple[Leg, ...]:
    lines = _lines_by_way(order, costing.wants, best, costing.context.currency)
    landed = _landed(costing, best, lines)
    return tuple(
        _leg(order, costing, way, load, lines[way], landed[way]) for way, load in best.loads
    )


def _lines_by_way(
    order: Order, wants: Sequence[Want], best: Priced, currency: str
) -> dict[int, tuple[LegLine, ...]]:
    """The order's lines by way: units of an item go to its lines in their order."""
    left = {(way, wants[want].item.item): units for way, load in best.loads for want, units in load}
    found: dict[int, list[LegLine]] = {way: [] for way in best.team}
    for line in order.lines:
        price = None if line.price is None else Money.of(line.price, currency)
        open_units = line.quantity
        for way in best.team:
            take = min(open_units, left.get((way, line.item), 0))
            if take:
                left[way, line.item] -= take
                open_units -= take
                found[way].append(LegLine(line.line, line.item, take, price))
    return {way: tuple(lines) for way, lines in found.items()}


def _leg(
    order: Order,
    costing: Costing,
    at: int,
    load: Load,
    lines: tuple[LegLine, ...],
    landed: tuple[LandedCost, Sequence[LineCost], float],
) -> Leg:
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


Charged = tuple[LandedCost, Sequence[LineCost], float]


def _landed(
    costing: Costing, best: Priced, lines: Mapping[int, tuple[LegLine, ...]]
) -> dict[int, Charged]:
    """Landed cost of every way: of its whole consignment, its own lines, and its shipping."""
    shipping = {way: costing.bill(((way, load),)).shipping for way, load in best.loads}
    groups: dict[tuple[str, str], list[int]] = {}
    for way in best.team:
        groups.setdefault(costing.ways[way].consignment, []).append(way)
    charged: dict[int, Charged] = {}
    for group in groups.values():
        consignment = _consignment(costing, best, group, sum(shipping[way] for way in group))
        regime = costing.ways[group[0]].regime
        landed = assess(consignment, regime, costing.context.tariffs)
        for way in group:
            own = [line for line in landed.lines if line.line == str(way)]
            charged[way] = (landed, own, shipping[way])
    return charged


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


# What is not served, and what was not chosen


def _unserved(
    order: Order,
    costing: Costing,
    found: Found,
    availability: Availability,
    context: PlanningContext,
) -> tuple[Unserved, ...]:
    left = {want.item.item: units for want, units in zip(costing.wants, found.covered, strict=True)}
    short = []
    for line in order.lines:
        served = min(line.quantity, left[line.item])
        left[line.item] -= served
        if served < line.quantity:
            code, reason = _why(order, costing, line.item, availability, context)
            missing = line.quantity - served
            short.append(Unserved(line.line, line.item, missing, code, reason))
    return tuple(short)


def _why(
    order: Order,
    costing: Costing,
    item: str,
    availability: Availability,
    context: PlanningContext,
) -> tuple[str, str]:
    at = next(at for at, want in enumerate(costing.wants) if want.item.item == item)
    want = costing.wants[at]
    held = {source: way.stock[at] for way in costing.ways for source in (way.source,)
            if way.stock[at]}  # fmt: skip
    usable = sum(held.values())
    stocked = sum(max(units, 0) for (_, name, _), units in availability.items() if name == item)
    if usable >= want.units:
        return NO_SPLIT, "served in full only by several sites, and the order may not be split"
    if stocked >= want.units:
        reasons = [refusal(want.item, lane) for lane in context.lanes(order.region)
                   if _stocks(lane.site.site, item, availability)]  # fmt: skip
        said = "; ".join(dict.fromkeys(reason for reason in reasons if reason))
        return NO_ROUTE, said or f"no service with a rate to {order.region} where it is in stock"
    return NO_STOCK, f"{want.units} asked for, {stocked} available"


def _stocks(site: str, item: str, availability: Availability) -> bool:
    return any(availability.get((site, item, customs), 0) > 0 for customs in ("free", "bonded"))


def _decision(costing: Costing, found: Found, refusals: Sequence[Refusal]) -> Decision:
    context = costing.context
    return Decision(
        considered=found.considered,
        gap=found.gap,
        objective=_terms(costing, found.best),
        rejected=_rejected(costing, found, refusals),
        prices_version=context.prices.version if context.prices else "",
        data_version=context.data_version,
        rules_date=context.rules_date.isoformat(),
    )


def _terms(costing: Costing, option: Priced | None) -> Mapping[str, Money]:
    currency = costing.context.currency
    return {name: Money.of(term, currency) for name, term in terms_of(costing, option).items()}


def _rejected(costing: Costing, found: Found, refusals: Sequence[Refusal]) -> tuple[Rejected, ...]:
    currency = costing.context.currency
    dearer = [
        Rejected(
            _label(costing.ways, option),
            Money.of(option.cost, currency),
            _dearer(found.best, option, currency),
            _terms(costing, option),
        )
        for option in _distinct(found)
        if found.best is not None
    ]
    short = [
        Rejected(costing.ways[way].label, None, _short(costing, found, way))
        for way, _ in found.short
    ]
    refused = [Rejected(item.option, None, item.reason) for item in refusals]
    return (*dearer[:_SHOWN_OPTIONS], *short, *refused)


def _short(costing: Costing, found: Found, way: int) -> str:
    """Why a way alone does not serve all that others serve together."""
    lane, stock = costing.ways[way].lane, costing.ways[way].stock
    missing = [
        (want.item, held, units)
        for want, held, units in zip(costing.wants, stock, found.covered, strict=True)
        if held < units
    ]
    said = [
        refusal(item, lane) or f"holds {held} of {units} units of {item.item}"
        for item, held, units in missing[:_SHOWN_REASONS]
    ]
    more = len(missing) - len(said)
    return "; ".join([*said, f"and {more} items more"] if more else said)


def _distinct(found: Found) -> list[Priced]:
    """The cheapest option of every other team, and the best team's runner-up no more."""
    seen = {found.best.team} if found.best else set()
    options = []
    for option in found.others:
        if option.team not in seen:
            seen.add(option.team)
            options.append(option)
    return options


def _label(ways: Sequence[Way], option: Priced) -> str:
    return " + ".join(ways[way].label for way in option.team)


def _dearer(best: Priced | None, option: Priced, currency: str) -> str:
    """Why an option lost: by how much, and through which terms."""
    if best is None:
        return ""
    mine, theirs = best.bill.terms(), option.bill.terms()
    changes = {name: theirs[name] - mine[name] for name in mine}
    told = [
        f"{name} {change:+.2f}"
        for name, change in sorted(changes.items(), key=lambda pair: -abs(pair[1]))
        if abs(change) >= 0.005
    ]
    more = Money.of(option.cost - best.cost, currency)
    return f"{more} dearer: {', '.join(told)}" if told else "as dear as the chosen option"
