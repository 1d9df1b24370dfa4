from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from routing.allocation.prices import Prices, mean_of
from routing.fulfillment.choice import choose
from routing.fulfillment.context import PlanningContext, availability_of
from routing.fulfillment.crowd import Crowd
from routing.fulfillment.legs import KEPT
from routing.fulfillment.order import Order, OrderLine, Wishes
from routing.fulfillment.planning import asked_of, plan
from tests.builders import two_sites_one_item
from tests.routing.fulfillment.scenes import Scene, scene
from tests.routing.fulfillment.test_planning import MONDAY, dear_stock

WISHES = Wishes(keep_scarce=True)


def prices(mugs: float) -> Prices:
    one = dear_stock("DE-HAM", mugs)
    return replace(one, stock=np.full_like(one.stock, mugs))


@pytest.mark.parametrize(("price", "kept"), [(0.0, 0), (5.0, 0), (11.0, 2), (500.0, 2)])
def test_a_line_is_left_where_its_units_are_worth_more_later(price: float, kept: int) -> None:
    """A mug not served costs 12; serving two costs 2.10 each and the price of their stock."""
    brand = two_sites_one_item()
    context = PlanningContext.of(brand, prices(price))
    order = Order("O", "DE", MONDAY, (OrderLine(1, "MUG", 2),))
    available = availability_of(brand)
    made = plan(order, available, context, WISHES)
    assert sum(one.quantity for one in made.unserved) == kept
    assert all(one.code == KEPT for one in made.unserved)
    assert bool(made.legs) == (not kept)


def test_without_prices_nothing_is_kept() -> None:
    brand = two_sites_one_item()
    context = PlanningContext.of(brand)
    order = Order("O", "DE", MONDAY, (OrderLine(1, "MUG", 2),))
    available = availability_of(brand)
    assert plan(order, available, context, WISHES) == plan(order, available, context)


def test_a_line_that_is_worth_it_is_served_beside_one_that_is_kept() -> None:
    brand = two_sites_one_item()
    items = brand.table("items")
    cup = items.assign(item="CUP", unmet_penalty=500.0)
    stock = brand.table("stock")
    both = brand.with_table("items", type(items)(
        {name: [*items[name], *cup[name]] for name in items})).with_table(
        "stock", type(stock)({name: [*stock[name], *stock.assign(item="CUP")[name]]
                              for name in stock}))  # fmt: skip
    context = PlanningContext.of(both, prices(100.0))
    order = Order("O", "DE", MONDAY, (OrderLine(1, "MUG", 1), OrderLine(2, "CUP", 1)))
    available = availability_of(both)
    made = plan(order, available, context, WISHES)
    assert [(one.line, one.code) for one in made.unserved] == [(1, KEPT)]
    assert [line.item for leg in made.legs for line in leg.lines] == ["CUP"]


def test_the_mean_of_prices_is_that_of_every_kind() -> None:
    low, high = prices(2.0), prices(6.0)
    assert mean_of([low, high]).of_stock("MUG", "DE-HAM") == 4.0
    with pytest.raises(ValueError, match="same items"):
        mean_of([low, replace(high, items=("CUP",))])


def test_what_is_kept_and_what_is_served_is_the_best_of_all_bundles() -> None:
    """Against planning every smaller order by itself, with the penalties of what it leaves."""
    kept = 0
    for seed in range(24):
        made = scene(60_000 + seed)
        ((order, wishes),) = made.orders
        if made.context.prices is None or len({line.item for line in order.lines}) < len(
            order.lines
        ):
            continue  # units of an item are worth the mean of its lines, whichever of them is left
        dear = replace(wishes, keep_scarce=True)
        each = (range(line.quantity + 1) for line in order.lines)
        best = min(_whole(made, _smaller(order, units), wishes, order) for units in product(*each))
        assert _whole(made, order, dear, order) == pytest.approx(best, rel=1e-9, abs=1e-9)
        planned = plan(order, made.stock, made.context, dear)
        served = sum(line.quantity for leg in planned.legs for line in leg.lines)
        missing = sum(one.quantity for one in planned.unserved)
        assert served + missing == sum(line.quantity for line in order.lines)
        kept += any(one.code == KEPT for one in planned.unserved)
    assert kept > 1


def _smaller(order: Order, units: tuple[int, ...]) -> Order | None:
    lines = tuple(
        replace(line, quantity=n) for line, n in zip(order.lines, units, strict=True) if n
    )
    return replace(order, lines=lines) if lines else None


def _whole(made: Scene, served: Order | None, wishes: Wishes, order: Order) -> float:
    """The full cost of serving an order, and the penalties of what the asked one misses."""
    item = made.context.catalog.item
    penalty = float(sum(line.quantity * item[line.item].unmet_penalty for line in order.lines))
    if served is None:
        return penalty
    asked = asked_of(served, wishes, made.context)
    crowd = Crowd.of([asked], made.stock, made.context)
    choice = choose(crowd)
    served_units = crowd.splits.bundles[choice.target[0]]
    return float(choice.cost[0] + penalty - served_units @ crowd.unmet_penalty[0])
