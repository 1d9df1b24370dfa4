"""Purchases: what a plan buys, where goods come in, what they cost, and the orders made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import accumulate

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.brand import Brand
from core.folder.writer import complete
from inventory.suppliers.offers import Offer
from routing.allocation.allocate import allocate
from routing.allocation.problem import BUY
from routing.allocation.results.purchases import orders_of
from tests.builders import two_sites_one_item
from tests.routing.allocation.problems import oracle
from tests.routing.allocation.test_allocate import problem, table

OFFER = {"supplier": "KILN", "item": "MUG", "unit_cost": 4.0, "lead_days": 10.0, "qualified": True}
FACTORY = {"site": "CN-NGB", "tier": "supplier", "country": "CN", "latitude": 29.9,
           "longitude": 121.6}  # fmt: skip
FREIGHT = {"from_site": "CN-NGB", "to_site": "DE-HAM", "service": "ECONOMY", "transit_days": 7,
           "cost_per_unit": 0.5}  # fmt: skip

ENTRY = 0.12 * 12.0
"""Duty on a mug that enters the EU."""


def buying(asked: Mapping[str, int], stock: int = 0, supplier: str = "", **offer: object) -> Brand:
    """Germany asks for mugs on these days; Hamburg holds some, and KILN offers more."""
    rows = [
        {"start": day, "region": "DE", "item": "MUG", "mean": units} for day, units in asked.items()
    ]
    brand = table(two_sites_one_item(), "forecast", rows)
    brand = table(brand, "stock", [{"site": "DE-HAM", "item": "MUG", "on_hand": stock}])
    brand = table(brand, "suppliers", [{"supplier": "KILN", "site": supplier}])
    return table(brand, "offers", [OFFER | offer])


def at_factory(brand: Brand, lanes: Sequence[Mapping[str, object]] = (FREIGHT,)) -> Brand:
    """The supplier stands in Ningbo, from where a lane leads to Hamburg in a week."""
    factory = complete("sites", pd.DataFrame([FACTORY]))
    sites = pd.concat([brand.table("sites"), factory], ignore_index=True)
    return table(brand.with_table("sites", sites), "lanes", lanes)


def test_what_is_missing_is_bought_in_time_and_costs_its_price_and_duty() -> None:
    """Mugs from China are there ten days after they are ordered, at 4 and 12 % duty."""
    made = allocate(buying({"2026-09-21": 30}, stock=10))
    assert made.costs["purchases"] == pytest.approx(20 * (4.0 + ENTRY))
    assert made.units["unmet"] == 0.0
    order = made.purchases.iloc[0]
    assert (order["supplier"], order["site"], order["needed"]) == ("KILN", "DE-HAM", 20)
    assert date(2026, 9, 17) <= order["due"].date() <= date(2026, 9, 27)
    assert order["order_by"] == order["due"] - pd.Timedelta(days=10)
    assert made.document()["purchases"] == {"orders": 1, "needed": 20, "quantity": 20}


def test_a_proven_plan_that_buys_agrees_with_an_independent_solver() -> None:
    brand = at_factory(
        buying({"2026-09-14": 40, "2026-09-28": 60}, 20, "CN-NGB", capacity_per_week=25.0)
    )
    asked = problem(brand)
    assert (asked.transfers.kind == BUY).any()
    assert allocate(brand, gap=1e-6).objective == pytest.approx(
        oracle(asked) + asked.fixed_cost.sum(), rel=1e-6
    )


def test_goods_of_a_supplier_with_a_site_come_in_there_and_take_lanes() -> None:
    """Bought in Ningbo on 17 September at the earliest, they are in Hamburg a week later.

    Duty of 12 % falls on value and freight.
    """
    made = allocate(at_factory(buying({"2026-09-21": 5, "2026-09-28": 7}, 0, "CN-NGB")))
    assert (set(made.purchases["site"]), made.purchases["needed"].sum()) == ({"CN-NGB"}, 12)
    ways = made.moves[["from_site", "to_site"]].drop_duplicates()
    assert ways.to_numpy().tolist() == [["CN-NGB", "DE-HAM"]]
    assert made.moves["quantity"].sum() == 12.0
    assert made.costs["purchases"] == pytest.approx(12 * 4.0)
    assert made.costs["moves"] == pytest.approx(12 * (0.5 + 0.12 * 12.5))
    assert "CN-NGB" not in made.open_sites


def test_goods_too_far_away_for_the_horizon_are_not_bought() -> None:
    slow = {**FREIGHT, "transit_days": 40}
    made = allocate(at_factory(buying({"2026-09-28": 7}, 0, "CN-NGB"), [slow]))
    assert (len(made.purchases), made.units["served"]) == (0, 0.0)


def test_stock_at_a_suppliers_site_moves_on() -> None:
    brand = at_factory(buying({"2026-09-21": 5}, qualified=False))
    brand = table(brand, "stock", [{"site": "CN-NGB", "item": "MUG", "on_hand": 9}])
    made = allocate(brand)
    assert made.moves["quantity"].tolist() == [5.0]
    assert made.units["unmet"] == 0.0


def test_nothing_is_parked_at_a_port_where_room_costs_nothing() -> None:
    """Storage in Hamburg costs 100 a week and m3; a road to the port next to it costs nothing."""
    back = {**FREIGHT, "from_site": "DE-HAM", "to_site": "CN-NGB", "cost_per_unit": 0.0}
    brand = at_factory(buying({"2026-09-28": 5}, 40, "CN-NGB"), [FREIGHT, back])
    sites = brand.table("sites").assign(storage_cost=[100.0, 0.0, 0.0])
    made = allocate(brand.with_table("sites", complete("sites", sites)))
    assert made.moves.empty
    assert made.costs["storage"] > 0


@pytest.mark.parametrize(
    ("changed", "offer"),
    [
        ({}, {"qualified": False}),
        ({}, {"unit_cost": 12.0}),
        ({}, {"lead_days": 28.0}),
        ({"horizon_weeks": 1}, {"lead_days": 0.0}),
    ],
    ids=["not qualified", "dearer than the penalty", "after the horizon", "one bucket"],
)
def test_nothing_is_bought_where_that_may_not_or_need_not_be(
    changed: Mapping[str, int], offer: Mapping[str, object]
) -> None:
    asked = {"2026-09-07": 30, "2026-09-28": 30}
    brand = replace(buying(asked, **offer), **changed)  # type: ignore[arg-type]
    made = allocate(brand)
    assert (len(made.purchases), made.costs["purchases"]) == (0, 0.0)


def test_a_supplier_delivers_no_more_than_its_capacity_from_its_first_week_on() -> None:
    """2.5 a week are 2, then 3, and never before the lead time has passed."""
    asked = problem(buying({"2026-09-28": 90}, capacity_per_week=2.5))
    bought = np.flatnonzero(asked.transfers.kind == BUY)
    bucket = asked.pools.bucket[asked.transfers.end[bought]]
    assert dict(zip(bucket.tolist(), asked.transfers.most[bought].tolist(), strict=True)) == {
        1: 2, 2: 3, 3: 2,
    }  # fmt: skip
    assert allocate(buying({"2026-09-28": 90}, capacity_per_week=2.5)).units["served"] == 7.0


def test_a_price_in_another_currency_counts_at_the_rate_of_the_brand() -> None:
    brand = table(
        buying({"2026-09-21": 30}, unit_cost=40.0, currency="CNY"),
        "fx",
        [{"currency": "CNY", "date": "2026-09-01", "rate": 0.1}],
    )
    made = allocate(brand)
    assert made.costs["purchases"] == pytest.approx(30 * (4.0 + ENTRY))
    order = made.purchases.iloc[0]
    assert (order["unit_cost_minor"], order["total_minor"], order["currency"]) == (
        4000, 120_000, "CNY",
    )  # fmt: skip


def test_goods_from_abroad_come_into_the_bond_of_a_bonded_site_without_duty() -> None:
    brand = buying({"2026-09-21": 30})
    sites = brand.table("sites").assign(customs=["bonded", "free"])
    made = allocate(brand.with_table("sites", complete("sites", sites)))
    assert made.costs["purchases"] == pytest.approx(30 * 4.0)
    assert set(made.flows["customs"]) == {"bonded"}


@settings(max_examples=15, deadline=None)
@given(
    cost=st.floats(0.5, 11.0),
    lead=st.integers(0, 20),
    capacity=st.integers(0, 40),
    stock=st.integers(0, 60),
)
def test_a_plan_costs_no_more_for_an_offer_and_buys_no_more_than_it_ships(
    cost: float, lead: int, capacity: int, stock: int
) -> None:
    asked = {"2026-09-07": 12, "2026-09-14": 40, "2026-09-28": 25}
    offer: dict[str, object] = {"unit_cost": cost, "lead_days": lead, "capacity_per_week": capacity}
    without, made = (
        allocate(buying(asked, stock, "", **offer, qualified=allowed), gap=0.0)
        for allowed in (False, True)
    )
    assert made.objective <= without.objective + 1e-6
    bought = made.purchases["needed"].sum()
    assert made.flows["quantity"].sum() == without.flows["quantity"].sum() + bought
    if bought:
        assert made.flows["quantity"].sum() >= stock


OFFERED = Offer("KILN", "MUG", 4.0, 4.0, "EUR", 50, 12, 10.0, np.inf, True, 1.0)


@given(units=st.lists(st.integers(1, 200), max_size=12), moq=st.integers(0, 120))
def test_orders_are_allowed_cover_every_need_in_time_and_none_comes_too_early(
    units: list[int], moq: int
) -> None:
    offer = replace(OFFERED, moq=moq)
    orders = list(orders_of(offer, list(enumerate(units))))
    assert all(size >= moq and size % offer.multiple == 0 for _, _, size in orders)
    assert sum(needed for _, needed, _ in orders) == sum(units)
    assert all(0 < needed <= size for _, needed, size in orders)
    needs = list(accumulate(units))
    for bucket, need in enumerate(needs):
        assert sum(size for when, _, size in orders if when <= bucket) >= need
    for bucket, _, _ in orders:
        assert sum(size for when, _, size in orders if when < bucket) < needs[bucket]


def test_an_order_is_rounded_up_and_its_rest_covers_the_next_need() -> None:
    made = allocate(buying({"2026-09-21": 10, "2026-09-28": 30}, moq=25, multiple=6))
    orders = made.purchases[["needed", "quantity"]].to_numpy().tolist()
    assert sum(needed for needed, _ in orders) == 40
    assert all(quantity >= 25 and quantity % 6 == 0 for _, quantity in orders)
    assert sum(quantity for _, quantity in orders) < 40 + 30
    assert made.costs["purchases"] == pytest.approx(40 * (4.0 + ENTRY))
