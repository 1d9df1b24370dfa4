from dataclasses import replace

import numpy as np
import pytest

from routing.allocation.prices import Prices, mean_of
from routing.fulfillment.context import PlanningContext, availability_of
from routing.fulfillment.keeping import KEPT, keep_scarce
from routing.fulfillment.order import Order, OrderLine, Wishes
from routing.fulfillment.planning import plan
from tests.builders import two_sites_one_item
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
    made = keep_scarce(plan(order, available, context), order, available, context, WISHES)
    assert sum(one.quantity for one in made.unserved) == kept
    assert all(one.code == KEPT for one in made.unserved)
    assert bool(made.legs) == (not kept)


def test_without_prices_nothing_is_kept() -> None:
    brand = two_sites_one_item()
    context = PlanningContext.of(brand)
    order = Order("O", "DE", MONDAY, (OrderLine(1, "MUG", 2),))
    made = plan(order, availability_of(brand), context)
    assert keep_scarce(made, order, availability_of(brand), context, WISHES) is made


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
    made = keep_scarce(plan(order, available, context), order, available, context, WISHES)
    assert [(one.line, one.code) for one in made.unserved] == [(1, KEPT)]
    assert [line.item for leg in made.legs for line in leg.lines] == ["CUP"]


def test_the_mean_of_prices_is_that_of_every_kind() -> None:
    low, high = prices(2.0), prices(6.0)
    assert mean_of([low, high]).of_stock("MUG", "DE-HAM") == 4.0
    with pytest.raises(ValueError, match="same items"):
        mean_of([low, replace(high, items=("CUP",))])
