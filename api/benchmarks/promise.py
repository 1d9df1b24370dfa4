"""`bench promise`: orders planned together, one at a time, and by plain enumeration."""

import gc
import time
from collections.abc import Callable, Sequence
from itertools import product
from math import isclose
from typing import TypeVar

import numpy as np

from api.benchmarks.brands import Business, business, orders
from api.benchmarks.measured import Line, Measured, Report, WrongAnswer
from routing.fulfillment.choice import choose
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.cost import Costing
from routing.fulfillment.crowd import Crowd
from routing.fulfillment.document import document_of
from routing.fulfillment.options import ways_of
from routing.fulfillment.order import Availability, Order, Wishes
from routing.fulfillment.plan import Plan
from routing.fulfillment.planning import asked_of, plan, plan_many
from routing.fulfillment.search import loads_of
from routing.fulfillment.wants import wants_of

LINES, TOGETHER, ALONE, ENUMERATED = 3, 1000, 200, 6
"""Lines of each order, and how many orders each of the three ways plans."""

_WISHES = Wishes()
Answer = TypeVar("Answer")


def measure(
    seed: int,
    report: Report,
    together: int = TOGETHER,
    alone: int = ALONE,
    enumerated: int = ENUMERATED,
) -> Measured:
    """Returns plans per second on a generated brand: full cost, promise, legs and parcels.

    All three ways know every site, service and split of the same orders; the plans must be equal,
    and the costs of the enumeration too, which prices single units by way with the same bill and
    makes no plan of them. Time is that of one processor; the garbage collector rests meanwhile.
    """
    of = business(seed)
    context = PlanningContext.of(of.brand)
    asked = orders(np.random.default_rng(seed), of, together, LINES)
    _warm(of, context, asked)
    report(0.1, "Planning orders together")
    many, fast = _timed(lambda: plan_many([(x, _WISHES) for x in asked], of.stock, context))
    report(0.3, "Planning orders one at a time")
    one, slow = _timed(lambda: [plan(x, of.stock, context) for x in asked[:alone]])
    report(0.5, "Enumerating every choice")
    few = [order for order in asked if sum(line.quantity for line in order.lines) == LINES]
    least, plain = _timed(lambda: [_enumerated(context, x, of.stock) for x in few[:enumerated]])
    report(0.8, "Reading the decision records")
    told, telling = _timed(lambda: [document_of(each) for each in many])
    _check(many[:alone], one, told[:alone])
    _check_costs(context, few[:enumerated], of.stock, least)
    rate, single = len(asked) / fast, len(one) / slow
    case = f"orders of {LINES} lines, {len(context.rates.sites)} sites, 4 services"
    record = 1 / (1 / rate + telling / len(told))
    return Measured("promise", seed, (
        Line(f"{case}, together", "rate", "1/s", rate, "one at a time", single, True),
        Line(f"{case}, together", "rate", "1/s", rate, "plain enumeration", len(least) / plain,
             True),
        Line(f"{case}, one at a time", "rate", "1/s", single, "plain enumeration",
             len(least) / plain, True),
        Line(f"{case}, with the decision record", "rate", "1/s", record, "one at a time, without",
             single, True),
    ))  # fmt: skip


def _warm(of: Business, context: PlanningContext, asked: Sequence[Order]) -> None:
    """Loads calendars, rates and rules once, as a service does when it starts."""
    plan_many([(order, _WISHES) for order in asked], of.stock, context)


def _timed(work: Callable[[], Answer]) -> tuple[Answer, float]:
    gc.collect()
    gc.disable()
    begun = time.process_time()
    try:
        return work(), time.process_time() - begun
    finally:
        gc.enable()


def _check(many: Sequence[Plan], one: Sequence[Plan], told: Sequence[object]) -> None:
    if [document_of(each) for each in one] != list(told) or list(many) != list(one):
        raise WrongAnswer("Orders planned together differ from those planned one at a time.")


def _check_costs(
    context: PlanningContext,
    asked: Sequence[Order],
    stock: Availability,
    least: Sequence[float],
) -> None:
    for order, cost in zip(asked, least, strict=True):
        choice = choose(Crowd.of([asked_of(order, _WISHES, context)], stock, context))
        if not isclose(choice.cost[0], cost, rel_tol=1e-9):
            raise WrongAnswer(f"Enumeration finds {cost:.4f}, the choice {choice.cost[0]:.4f}.")


def _enumerated(context: PlanningContext, order: Order, stock: Availability) -> float:
    """The least cost over every way for every unit; each line asks for one."""
    wants = wants_of(order, context.catalog)
    ways, _ = ways_of(order, wants, stock, context, _WISHES)
    costing = Costing(wants, ways, context)
    choices = [
        [((at, 1),) for at, way in enumerate(ways) if way.stock[want]]
        for want in range(len(wants))
    ]  # fmt: skip
    served = range(len(wants))
    return min(costing.bill(loads_of(chosen, served)).total for chosen in product(*choices))
