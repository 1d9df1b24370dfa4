"""Re-sourcing is the cheapest there is, and respects what suppliers ask for."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.suppliers.offers import Offer
from routing.disruptions.recovery import Recovery
from routing.disruptions.resourcing import (
    CARRYING_SHARE,
    RETURNS,
    Lot,
    preventable,
    resource,
    whole,
)
from routing.disruptions.survival import Cover


def back_on(day: float) -> Recovery:
    """The usual source is back on that day for certain."""
    return Recovery(day, day, day)


def offer(supplier: str = "S", **changed: float) -> Offer:
    asked = {"unit_cost": 5.0, "moq": 1, "multiple": 1, "lead_days": 10.0,
             "capacity_per_week": math.inf, **changed}  # fmt: skip
    return Offer(
        supplier=supplier, item="LAMP", unit_cost=asked["unit_cost"], price=asked["unit_cost"],
        currency="EUR", moq=int(asked["moq"]), multiple=int(asked["multiple"]),
        lead_days=asked["lead_days"], capacity_per_week=asked["capacity_per_week"],
        qualified=True, share=0.0,
    )  # fmt: skip


def cheapest_by_brute_force(
    cover: Cover, recovery: Recovery, price: float, offers: list[Offer]
) -> float:
    """Tries every size of every unlimited offer, and for each return every use of them."""
    returns = recovery.quantiles(RETURNS)
    needs = whole(cover.lost(returns))
    lots = [Lot(one, 0, max(math.ceil(one.lead_days), math.floor(cover.days))) for one in offers]
    lots = [lot for lot in lots if lot.arrives < returns[-1]]
    choices = []
    for lot in lots:
        start, step = lot.offer.smallest_order, lot.offer.multiple
        choices.append([0, *range(start, max(start, needs[-1] + step) + 1, step)])
    best = math.inf
    for sizes in itertools.product(*choices):
        cost = sum(
            lot.offer.unit_cost * CARRYING_SHARE * size
            for lot, size in zip(lots, sizes, strict=True)
        )
        for until, need in zip(returns, needs, strict=True):
            cost += _best_use(cover, float(until), need, price, lots, sizes) / RETURNS
        best = min(best, cost)
    return best


def _best_use(
    cover: Cover, until: float, need: int, price: float, lots: list[Lot], sizes: tuple[int, ...]
) -> float:
    best = math.inf
    for uses in itertools.product(*(range(min(size, need) + 1) for size in sizes)):
        if all(
            sum(use for lot, use in zip(lots, uses, strict=True) if lot.arrives >= day)
            <= preventable(cover, day, until)
            for day in {lot.arrives for lot in lots}
        ):
            cost = price * (need - sum(uses))
            for lot, use in zip(lots, uses, strict=True):
                cost += (lot.use_cost(cover) - lot.offer.unit_cost * CARRYING_SHARE) * use
            best = min(best, cost)
    return best


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0, 8),
    st.floats(0.2, 0.8),
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 6)),
    st.lists(
        st.tuples(
            st.integers(1, 12), st.integers(1, 6), st.integers(1, 3), st.integers(0, 14)
        ),
        min_size=1, max_size=2,
    ),
)  # fmt: skip
def test_the_cost_is_that_of_brute_force(
    stock: float,
    drain: float,
    days: tuple[int, int, int],
    asked: list[tuple[int, int, int, int]],
) -> None:
    cover = Cover(stock, (), drain)
    recovery = Recovery(days[0], days[0] + days[1], sum(days))
    offers = [
        offer(f"S{at}", unit_cost=cost, moq=moq, multiple=multiple, lead_days=lead)
        for at, (cost, moq, multiple, lead) in enumerate(asked)
    ]
    answer = resource(cover, recovery, 8.0, offers)
    assert answer.proven
    best = cheapest_by_brute_force(cover, recovery, 8.0, offers)
    assert answer.cost == pytest.approx(best, abs=1e-6)


def test_the_cheaper_supplier_is_chosen_when_both_are_in_time() -> None:
    answer = resource(
        Cover(300, (), 15),
        back_on(52),
        20,
        [offer("DEAR", unit_cost=9), offer("CHEAP", unit_cost=6)],
    )
    assert [(p.offer.supplier, p.quantity) for p in answer.purchases] == [("CHEAP", 480)]
    assert answer.uncovered == pytest.approx(0)


def test_an_order_is_placed_as_late_as_the_stock_allows() -> None:
    (purchase,) = resource(Cover(300, (), 15), back_on(52), 20, [offer(lead_days=12)]).purchases
    assert (purchase.order_day, purchase.arrival_day) == (8, 20)


def test_a_slow_supplier_saves_only_what_is_lost_after_its_goods_arrive() -> None:
    """Stock ends on day 20, goods come on day 40, the maker is back on day 52: 12 of 32 days."""
    answer = resource(Cover(300, (), 15), back_on(52), 20, [offer(lead_days=40)])
    assert [(p.quantity, round(p.used)) for p in answer.purchases] == [(180, 180)]
    assert answer.uncovered == pytest.approx(300)


def test_a_fast_dear_supplier_bridges_until_the_slow_cheap_one_delivers() -> None:
    fast, slow = offer("FAST", unit_cost=12, lead_days=10), offer("SLOW", unit_cost=6, lead_days=40)
    answer = resource(Cover(300, (), 15), back_on(52), 20, [slow, fast])
    assert {p.offer.supplier: p.quantity for p in answer.purchases} == {"FAST": 300, "SLOW": 180}


def test_a_limited_supplier_delivers_week_by_week() -> None:
    answer = resource(
        Cover(0, (), 10),
        back_on(28),
        20,
        [offer(lead_days=7, capacity_per_week=35, moq=20, multiple=5)],
    )
    assert round(sum(p.used for p in answer.purchases)) == 105
    by_week = [
        sum(p.quantity for p in answer.purchases if p.arrival_day <= 7 * w) for w in (1, 2, 3)
    ]
    assert all(units <= 35 * week for week, units in enumerate(by_week, start=1))
    assert answer.uncovered == pytest.approx(280 - 105)


def test_minimum_and_multiples_hold() -> None:
    (purchase,) = resource(Cover(0, (), 1), back_on(50), 20, [offer(moq=33, multiple=12)]).purchases
    assert purchase.quantity == 48
    assert purchase.quantity % 12 == 0


def test_nothing_is_bought_above_the_price_that_it_would_save() -> None:
    answer = resource(Cover(0, (), 1), back_on(50), 4.0, [offer(unit_cost=5)])
    assert answer.purchases == ()
    assert answer.uncovered == pytest.approx(50)


def test_enough_stock_asks_for_nothing() -> None:
    assert resource(Cover(1000, (), 15), back_on(52), 20, [offer()]).purchases == ()


def test_a_doubtful_need_is_weighed_against_what_it_would_cost() -> None:
    """Stock lasts 20 days, the source is back after 10 to 40: only a part of the gap is bought."""
    cover, recovery = Cover(200, (), 10), Recovery(10, 15, 40)
    dear = resource(cover, recovery, 20, [offer(unit_cost=16)])
    cheap = resource(cover, recovery, 20, [offer(unit_cost=2)])
    assert sum(p.quantity for p in dear.purchases) < sum(p.quantity for p in cheap.purchases)
    assert sum(p.quantity for p in cheap.purchases) == whole(cover.lost(recovery.quantiles(5)))[-1]
    assert cheap.uncovered == pytest.approx(0)
