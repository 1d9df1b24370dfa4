"""Planning orders: the exact choice or the search, and the plan that tells all of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

from core.errors import BadInput, Problem
from core.money import Amounts, minor_units
from routing.fulfillment.bills import terms_of
from routing.fulfillment.choice import Choice, choose
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.cost import TERMS, Bill, Costing
from routing.fulfillment.crowd import CUSTOMS, Asked, Crowd, held_of
from routing.fulfillment.departures import moment
from routing.fulfillment.keeping import keep_scarce
from routing.fulfillment.legs import NO_ROUTE, NO_SPLIT, NO_STOCK, Answer, Leaving, plan_of
from routing.fulfillment.lost import Lost
from routing.fulfillment.options import Deal, way_of, ways_of
from routing.fulfillment.order import Availability, Order, Wishes
from routing.fulfillment.plan import Plan
from routing.fulfillment.record import rejected_search
from routing.fulfillment.search import search
from routing.fulfillment.splits import divisions
from routing.fulfillment.wants import wants_of

__all__ = ["NO_ROUTE", "NO_SPLIT", "NO_STOCK", "plan", "plan_many"]

_DEFAULT_WISHES = Wishes()
_TOGETHER = 250_000
"""Divisions that are priced at once: keeps the arrays of a crowd within some megabytes."""

_CROWD = 60_000
"""Divisions that are priced in the time that any crowd takes, however small it is."""


def plan(
    order: Order,
    availability: Availability,
    context: PlanningContext,
    wishes: Wishes = _DEFAULT_WISHES,
) -> Plan:
    """Returns the plan that serves the most units of an order at the lowest full cost.

    An order that keeps scarce goods is served what is worth it, at the lowest cost of all.
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
    plans: dict[int, Plan] = {}
    small: list[int] = []
    for at, each in enumerate(asked):
        if divisions(_shape(each)) <= each.wishes.effort.options:
            small.append(at)
        else:
            plans[at] = _searched(each, availability, context)
    for places in crowds(asked, small, context):
        crowd = Crowd.of([asked[at] for at in places], availability, context)
        plans.update(zip(places, _chosen(crowd), strict=True))
    return [plans[at] for at in range(len(asked))]


def _shape(asked: Asked) -> tuple[int, ...]:
    return tuple(want.units for want in asked.wants)


def crowds(
    asked: Sequence[Asked], places: Sequence[int], context: PlanningContext
) -> Iterator[Sequence[int]]:
    """Yields the places of orders that are planned together: of as many wants, and near shapes.

    A shape joins the crowd of a larger one where pricing bundles that its orders do not want takes
    less time than a crowd of its own.
    """
    sources = len(CUSTOMS) * len(context.rates.sites)
    shapes: dict[tuple[int, ...], list[int]] = {}
    for at in places:
        shapes.setdefault(_shape(asked[at]), []).append(at)
    together: list[int] = []
    most: tuple[int, ...] = ()
    for shape in sorted(shapes, key=lambda shape: (len(shape), divisions(shape)), reverse=True):
        own = shapes[shape]
        if together and len(shape) == len(most):
            both = tuple(map(max, shape, most))
            more = (len(together) + len(own)) * divisions(both)
            more -= len(together) * divisions(most) + len(own) * divisions(shape)
            if more * sources <= _CROWD:
                together, most = [*together, *own], both
                continue
        yield from _cut(together, most, sources)
        together, most = own, shape
    yield from _cut(together, most, sources)


def _cut(places: Sequence[int], shape: tuple[int, ...], sources: int) -> Iterator[Sequence[int]]:
    """Yields orders in crowds whose arrays are not too large."""
    count = max(1, _TOGETHER // (divisions(shape) * sources))
    return (places[at : at + count] for at in range(0, len(places), count))


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
    terms = terms_of(crowd, choice.loads, len(crowd.asked))
    lost = Lost(crowd, choice, terms)
    leaving = iter(_leaving(crowd, choice))
    currency = crowd.context.currency
    objectives = minor_units(terms, currency).tolist()
    return [
        plan_of(
            Answer(
                asked=asked,
                leaving=tuple(islice(leaving, len(choice.sent[at]))),
                objective=Amounts(dict(zip(TERMS, objectives[at], strict=True)), currency),
                covered=crowd.splits.bundles[choice.target[at]].tolist(),
                able=crowd.splits.bundles[choice.able[at]].tolist(),
                held=crowd.held[at],
                considered=int(choice.considered[at]),
                gap=0.0,
            ),
            partial(lost.of, at),
        )
        for at, asked in enumerate(crowd.asked)
    ]


def _leaving(crowd: Crowd, choice: Choice) -> Iterator[Leaving]:
    """All that leaves, by order."""
    context, loads = crowd.context, choice.loads
    site = crowd.site[loads.row]
    pickup = crowd.pickups[loads.option, site, loads.service]
    bundles = crowd.splits.bundles[loads.bundle]
    for order, at, customs, service, picked, bundle, price in zip(
        *(each.tolist() for each in (
            loads.option, site, crowd.customs[loads.row], loads.service, pickup, bundles,
            loads.price,
        )),
        strict=True,
    ):  # fmt: skip
        asked = crowd.asked[order]
        name, by = context.rates.sites[at], context.services[service].service
        lane = context.lane(asked.order.region, name, by)
        way = way_of(asked.deal, lane, CUSTOMS[customs], moment(picked), asked.wants, bundle)
        yield Leaving(way, tuple((at, n) for at, n in enumerate(bundle) if n), price)


def _searched(asked: Asked, availability: Availability, context: PlanningContext) -> Plan:
    """The plan of one order by search, where it is too large for the exact choice."""
    ways, refusals = ways_of(asked.order, asked.wants, availability, context, asked.wishes)
    costing = Costing(asked.wants, ways, context)
    found = search(costing, asked.wishes.allow_split, asked.wishes.effort)
    loads = found.best.loads if found.best else ()
    answer = Answer(
        asked=asked,
        leaving=tuple(Leaving(ways[at], load, costing.shipping(at, load)[0])
                      for at, load in loads),
        objective=(found.best.bill if found.best else Bill()).money(context.currency),
        covered=found.covered,
        able=found.covered,
        held=held_of([asked], availability, context)[0],
        considered=found.considered,
        gap=found.gap,
    )  # fmt: skip
    made = plan_of(answer, partial(rejected_search, costing, found, refusals))
    if not asked.wishes.keep_scarce:
        return made
    serving = replace(asked.wishes, keep_scarce=False)
    return keep_scarce(
        made, asked.order, availability, context,
        lambda order, available: plan(order, available, context, serving),
    )  # fmt: skip
