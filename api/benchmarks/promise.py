"""`bench promise`: order plans against plain enumeration of the same choices."""

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from datetime import time as clock_time
from itertools import product
from math import isclose
from pathlib import Path
from tempfile import TemporaryDirectory

from api.benchmarks.measured import Line, Measured, Report, WrongAnswer
from core.folder.reader import read_brand
from examples import three_tier
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.cost import Costing
from routing.fulfillment.options import carbon_price, ways_of
from routing.fulfillment.order import Availability, Order, OrderLine, Wishes
from routing.fulfillment.search import loads_of, search
from routing.fulfillment.wants import wants_of

ORDERS, LINES, UNITS = 10, (2, 3, 4), 1000
"""Orders of each size; every serving site holds so many units of every item."""

_WISHES = Wishes()


def measure(seed: int, report: Report, orders: int = ORDERS) -> Measured:
    """Returns plans per second on the teaching network, for orders of two to four lines.

    Stock is ample, so the choices are every way for every item: the peer prices all of them with
    the same bill. Both must find the same least cost, and ours must prove it.
    """
    context = _context()
    draw = random.Random(seed)  # noqa: S311  # a workload, no secret
    lines = []
    for at, length in enumerate(LINES):
        report(at / len(LINES), f"Planning orders of {length} lines")
        asked = [_order(context, draw, length) for _ in range(orders)]
        lines.append(_line(context, asked, _case(context, orders, length)))
    return Measured("promise", seed, tuple(lines))


def _case(context: PlanningContext, orders: int, lines: int) -> str:
    return f"{orders} orders of {lines} lines, {len(context.network.serving)} sites"


def _context() -> PlanningContext:
    with TemporaryDirectory() as folder:
        three_tier.write(Path(folder))
        return PlanningContext.of(read_brand(Path(folder)))


def _order(context: PlanningContext, draw: random.Random, lines: int) -> Order:
    items = draw.sample([item.item for item in context.catalog.items], lines)
    region = draw.choice([region.region for region in context.network.regions])
    placed = datetime.combine(context.rules_date, clock_time(9), UTC)
    wanted = (OrderLine(at, item, draw.randint(1, 5)) for at, item in enumerate(items))
    return Order("bench", region, placed, tuple(wanted))


def _line(context: PlanningContext, orders: Sequence[Order], case: str) -> Line:
    available = {
        (site.site, item.item, site.customs): UNITS
        for site in context.network.serving
        for item in context.catalog.items
    }
    _costing(context, orders[0], available)  # loads the calendars of the year
    begun = time.perf_counter()
    costings = [_costing(context, order, available) for order in orders]
    prepared = time.perf_counter() - begun
    found = [search(costing, True, _WISHES.effort) for costing in costings]
    searched = time.perf_counter() - begun - prepared
    begun = time.perf_counter()
    least = [_enumerated(costing) for costing in costings]
    enumerated = time.perf_counter() - begun
    for option, cost in zip(found, least, strict=True):
        if option.best is None or option.gap or not isclose(option.best.cost, cost, rel_tol=1e-9):
            raise WrongAnswer(f"Enumeration finds {cost:.4f}; the search answers otherwise.")
    ours, peer = len(orders) / (prepared + searched), len(orders) / (prepared + enumerated)
    return Line(case, "rate", "1/s", ours, "plain enumeration", peer, True)


def _costing(context: PlanningContext, order: Order, available: Availability) -> Costing:
    wants = wants_of(order, context.catalog)
    ways, _ = ways_of(order, wants, available, context, _WISHES)
    return Costing(wants, ways, context, carbon_price(context, _WISHES))


def _enumerated(costing: Costing) -> float:
    """The least cost over every way for every item."""
    wants = range(len(costing.wants))
    choices = [
        [((at, costing.wants[want].units),) for at, way in enumerate(costing.ways)
         if way.stock[want]]
        for want in wants
    ]  # fmt: skip
    return min(costing.bill(loads_of(chosen, wants)).total for chosen in product(*choices))
