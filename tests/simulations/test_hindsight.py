"""The bound in hindsight: against all that could have been done, and against the allocation."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest

from api.benchmarks.promise_value import setting_of
from api.benchmarks.value_instances import instance
from core.errors import BadInput
from routing.allocation.allocate import allocate
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.order import Availability, Order, OrderLine
from routing.fulfillment.planning import plan
from simulations.hindsight import hindsight
from simulations.serving import Setting
from tests.builders import two_sites_one_item

MONDAY = datetime(2026, 9, 7, 8, tzinfo=UTC)
WEEKS = (date(2026, 9, 7), date(2026, 9, 14))
NEAR, FAR = ("DE-HAM", "MUG", "free"), ("TH-BKK", "MUG", "free")
ASKED = (("DE", 2, 0), ("TH", 1, 1), ("DE", 1, 2), ("TH", 2, 8))


def orders() -> list[Order]:
    return [
        Order(f"O{at}", region, MONDAY + timedelta(days=day), (OrderLine(1, "MUG", units),))
        for at, (region, units, day) in enumerate(ASKED)
    ]


def cheapest(asked: list[Order], setting: Setting, context: PlanningContext) -> float:
    """The least cost over all ways to give each order units of either site."""
    shares = [
        [(near, far) for near in range(order.lines[0].quantity + 1)
         for far in range(order.lines[0].quantity + 1 - near)]
        for order in asked
    ]  # fmt: skip
    penalty = context.catalog.item["MUG"].unmet_penalty
    costs = [
        {share: cost(order, {NEAR: share[0], FAR: share[1]}, context) for share in given}
        for order, given in zip(asked, shares, strict=True)
    ]
    best = float("inf")
    for chosen in product(*shares):
        packed = Counter[int]()
        for order, (near, _) in zip(asked, chosen, strict=True):
            packed[setting.period(order.placed_at)] += near
        fits = all(sum(share[at] for share in chosen) <= setting.stock.get(key, 0)
                   for at, key in enumerate((NEAR, FAR)))  # fmt: skip
        if fits and max(packed.values()) <= setting.outbound.get("DE-HAM", 99):
            paid = sum(own[share] for own, share in zip(costs, chosen, strict=True))
            left = sum(order.lines[0].quantity - sum(share)
                       for order, share in zip(asked, chosen, strict=True))  # fmt: skip
            best = min(best, paid + penalty * left)
    return best


def cost(order: Order, held: Availability, context: PlanningContext) -> float:
    made = plan(order, held, context)
    return sum(float(term.amount) for term in made.decision.objective.values())


@pytest.mark.parametrize(
    ("stock", "slots"),
    [({NEAR: 2, FAR: 2}, {}), ({NEAR: 6, FAR: 0}, {"DE-HAM": 2}), ({NEAR: 9, FAR: 9}, {})],
)
def test_nothing_that_could_have_been_done_costs_less(
    stock: dict[tuple[str, str, str], int], slots: dict[str, int]
) -> None:
    context, setting = PlanningContext.of(two_sites_one_item()), Setting(stock, (), WEEKS, slots)
    best = cheapest(orders(), setting, context)
    found = hindsight(orders(), setting, context, best, steps=100).bound
    assert 0.85 * best <= found <= best + 0.05, "costs of plans are in whole cents"


def test_orders_of_one_unit_are_bounded_as_by_the_allocation() -> None:
    """Relaxing limits at the best prices is worth what the linear program is."""
    given = instance(0)
    context, setting = PlanningContext.of(given.brand), setting_of(given.brand)
    lanes = allocate(given.brand, given.truth, gap=1e-5)
    start = lanes.prices
    found = hindsight(given.orders, setting, context, lanes.bound * 1.02, start, steps=15).bound
    assert 0.95 * lanes.bound <= found <= lanes.bound * (1 + 1e-4)


def test_an_order_too_large_for_the_exact_choice_is_refused() -> None:
    context, setting = PlanningContext.of(two_sites_one_item()), Setting({}, (), WEEKS, {})
    large = Order("LARGE", "DE", MONDAY, (OrderLine(1, "MUG", 500),))
    with pytest.raises(BadInput, match="LARGE"):
        hindsight([large], setting, context, 1.0)
