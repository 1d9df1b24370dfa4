"""Planning orders: the exact choice or the search, and the plan that tells all of it."""

from collections.abc import Sequence

from core.errors import BadInput, Problem
from routing.fulfillment.choice import choose
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.cost import Costing
from routing.fulfillment.crowd import CUSTOMS, Asked, Crowd, held_of
from routing.fulfillment.departures import moment
from routing.fulfillment.legs import NO_ROUTE, NO_SPLIT, NO_STOCK, Answer, plan_of
from routing.fulfillment.options import Deal, Way, way_of, ways_of
from routing.fulfillment.order import Availability, Order, Wishes
from routing.fulfillment.plan import Plan
from routing.fulfillment.record import rejected_choice, rejected_search
from routing.fulfillment.search import Priced, search
from routing.fulfillment.splits import divisions
from routing.fulfillment.wants import wants_of

__all__ = ["NO_ROUTE", "NO_SPLIT", "NO_STOCK", "plan", "plan_many"]

_DEFAULT_WISHES = Wishes()
_TOGETHER = 250_000
"""Divisions that are priced at once: keeps the arrays of a crowd within some megabytes."""


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
    return plan_many([(order, wishes)], availability, context)[0]


def plan_many(
    orders: Sequence[tuple[Order, Wishes]], availability: Availability, context: PlanningContext
) -> list[Plan]:
    """Returns the plan of each order, in their order, as if it were the only one.

    Every order sees the same availability: two plans may want the same unit. Orders of the same
    shape (so many units of so many items) are planned together in arrays, which is many times
    faster than one by one. Raises `BadInput` for a region or item that the brand lacks.
    """
    asked = [asked_of(order, wishes, context) for order, wishes in orders]
    shapes: dict[tuple[int, ...], list[int]] = {}
    plans: dict[int, Plan] = {}
    for at, each in enumerate(asked):
        units = tuple(want.units for want in each.wants)
        if divisions(units) <= each.wishes.effort.options:
            shapes.setdefault(units, []).append(at)
        else:
            plans[at] = _searched(each, availability, context)
    for units, places in shapes.items():
        sources = len(CUSTOMS) * len(context.rates.sites)
        together = max(1, _TOGETHER // (divisions(units) * sources))
        for begin in range(0, len(places), together):
            some = places[begin : begin + together]
            crowd = Crowd.of([asked[at] for at in some], availability, context)
            plans.update(zip(some, _chosen(crowd), strict=True))
    return [plans[at] for at in range(len(asked))]


def asked_of(order: Order, wishes: Wishes, context: PlanningContext) -> Asked:
    """Returns an order ready to be planned; raises `BadInput` where it does not fit the brand."""
    _check(order, context)
    wants = sorted(wants_of(order, context.catalog), key=lambda want: -want.units)
    return Asked(order, wishes, tuple(wants), Deal.of(order, context, wishes))


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


def _chosen(crowd: Crowd) -> list[Plan]:
    """The plans of a crowd by the exact choice."""
    choice = choose(crowd)
    plans = []
    for at, asked in enumerate(crowd.asked):
        sent = choice.sent[at]
        ways = tuple(_way(crowd, at, each.row, each.service) for each in sent)
        bundles = [crowd.splits.bundles[each.bundle].tolist() for each in sent]
        loads = tuple(
            (way, tuple((want, units) for want, units in enumerate(bundle) if units))
            for way, bundle in enumerate(bundles)
        )
        costing = Costing(asked.wants, ways, crowd.context)
        bill = costing.bill(loads)
        answer = Answer(
            asked=asked,
            costing=costing,
            best=Priced(loads, bill, bill.total) if loads else None,
            covered=tuple(crowd.splits.bundles[choice.target[at]].tolist()),
            held=crowd.held[at],
            considered=int(choice.considered[at]),
            gap=0.0,
        )
        plans.append(plan_of(answer, rejected_choice))
    return plans


def _way(crowd: Crowd, order: int, row: int, service: int) -> Way:
    context, asked, site = crowd.context, crowd.asked[order], int(crowd.site[row])
    lane = context.lane(
        asked.order.region, context.rates.sites[site], context.services[service].service
    )
    pickup = moment(int(crowd.pickups[order, site, service]))
    stock = crowd.takes[row][service]
    return way_of(asked.deal, lane, CUSTOMS[int(crowd.customs[row])], pickup, asked.wants, stock)


def _searched(asked: Asked, availability: Availability, context: PlanningContext) -> Plan:
    """The plan of one order by search, where it is too large for the exact choice."""
    ways, _ = ways_of(asked.order, asked.wants, availability, context, asked.wishes)
    costing = Costing(asked.wants, ways, context)
    found = search(costing, asked.wishes.allow_split, asked.wishes.effort)
    held = held_of(asked, availability, context)
    answer = Answer(asked, costing, found.best, found.covered, held, found.considered, found.gap)
    return plan_of(answer, rejected_search(found))
