"""Unit costs: what each term is made of, checked by hand on a small brand."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from carriers.rates import RateBook
from core.brand import Brand
from core.folder.writer import complete
from routing.costs import CostBook, UnitCosts
from routing.landed_cost.tariffs import Tariffs
from tests.builders import two_sites_one_item
from warehouses.geography import lane_km
from warehouses.network import Network

HAM, BKK = 0, 1
DE, TH = 0, 1
EXPRESS, ECONOMY = 0, 1


def costs_of(brand: Brand) -> UnitCosts:
    book = CostBook.of(brand, RateBook.of(brand, brand.today), Tariffs.of(brand))
    return book.at(slice(0, None))


def changed(brand: Brand, table: str, **cells: Any) -> Brand:
    return brand.with_table(table, complete(table, brand.table(table).assign(**cells)))


def with_orders(brand: Brand, *orders: tuple[str, str, int]) -> Brand:
    """Orders of mugs before the planning date: id, region, quantity."""
    rows = [
        {"order": order, "line": 1, "placed_at": "2026-08-01T10:00:00Z", "region": region,
         "item": "MUG", "quantity": quantity}
        for order, region, quantity in orders
    ]  # fmt: skip
    return brand.with_table("orders", complete("orders", pd.DataFrame(rows)))


def cell(costs: UnitCosts, term: str, site: int, region: int, service: int) -> float:
    return float(np.broadcast_to(getattr(costs, term), costs.shape)[0, site, region, service])


def test_without_orders_a_unit_travels_in_a_parcel_of_its_own() -> None:
    """A mug of 0.4 kg by express from Hamburg to Germany: 6 + 2 x 0.4."""
    assert cell(costs_of(two_sites_one_item()), "shipping", HAM, DE, EXPRESS) == pytest.approx(6.8)


def test_units_share_the_parcel_that_their_region_usually_orders() -> None:
    """The median order of Germany holds 5 mugs: 2 kg for 6 + 2 x 2 = 10, or 2 a mug."""
    brand = with_orders(two_sites_one_item(), ("1", "DE", 1), ("2", "DE", 5), ("3", "DE", 50))
    costs = costs_of(brand)
    assert cell(costs, "shipping", HAM, DE, EXPRESS) == pytest.approx(2.0)
    assert cell(costs, "shipping", BKK, TH, EXPRESS) == pytest.approx(4 + 1.5 * 0.4)


def test_a_typical_order_above_the_limit_of_a_service_travels_in_several_parcels() -> None:
    """An order of 100 mugs weighs 40 kg; express takes 10: 6 + 2 x 10 = 26 for 25 mugs."""
    brand = with_orders(two_sites_one_item(), ("1", "DE", 100))
    limited = changed(brand, "services", max_weight_kg=[10.0, np.nan])
    assert cell(costs_of(limited), "shipping", HAM, DE, EXPRESS) == pytest.approx(26 / 25)


def test_orders_after_the_planning_date_are_not_known() -> None:
    brand = with_orders(two_sites_one_item(), ("1", "DE", 5))
    before = replace(brand, today=date(2026, 7, 1))
    assert cell(costs_of(before), "shipping", HAM, DE, EXPRESS) == pytest.approx(6.8)


def test_a_price_per_unit_is_paid_by_every_unit_of_the_parcel() -> None:
    brand = with_orders(two_sites_one_item(), ("1", "DE", 5))
    per_unit = changed(brand, "rates", price_per_unit=0.25)
    assert cell(costs_of(per_unit), "shipping", HAM, DE, EXPRESS) == pytest.approx(2.25)


def test_domestic_free_stock_owes_no_duty_and_a_border_brings_it() -> None:
    """Bangkok to Germany: 12 % on 12.00 of goods and 20.20 of freight (cif)."""
    costs = costs_of(two_sites_one_item())
    assert cell(costs, "duty", HAM, DE, EXPRESS) == 0.0
    assert cell(costs, "duty", BKK, DE, EXPRESS) == pytest.approx(0.12 * (12 + 20.2))


def test_release_from_bond_owes_duty_where_free_stock_owes_none() -> None:
    costs = costs_of(two_sites_one_item())
    assert cell(costs, "bonded_duty", HAM, DE, EXPRESS) == pytest.approx(0.12 * (12 + 6.8))
    assert cell(costs, "bonded_duty", BKK, DE, EXPRESS) == cell(costs, "duty", BKK, DE, EXPRESS)


def test_duty_without_freight_falls_on_the_goods_alone() -> None:
    brand = changed(two_sites_one_item(), "duties", basis="fob")
    assert cell(costs_of(brand), "duty", BKK, DE, EXPRESS) == pytest.approx(0.12 * 12)


def test_a_small_consignment_crosses_the_border_without_duty_but_leaves_bond_with_it() -> None:
    brand = changed(two_sites_one_item(), "taxes", de_minimis_duty=150.0)
    costs = costs_of(brand)
    assert cell(costs, "duty", BKK, DE, EXPRESS) == 0.0
    assert cell(costs, "bonded_duty", HAM, DE, EXPRESS) > 0.0


def test_a_usual_order_above_the_threshold_loses_the_relief() -> None:
    """20 mugs are worth 240, above the 150 that come in free."""
    brand = changed(two_sites_one_item(), "taxes", de_minimis_duty=150.0)
    usual = with_orders(brand, ("1", "DE", 20))
    assert cell(costs_of(usual), "duty", BKK, DE, EXPRESS) > 0.0


def test_tax_counts_only_where_nobody_recovers_it() -> None:
    assert costs_of(two_sites_one_item()).tax.sum() == 0.0
    brand = changed(two_sites_one_item(), "taxes", recoverable=False)
    costs = costs_of(brand)
    duty = 0.12 * (12 + 20.2)
    assert cell(costs, "tax", BKK, DE, EXPRESS) == pytest.approx(0.19 * (12 + 20.2 + duty))
    assert cell(costs, "tax", HAM, DE, EXPRESS) == 0.0


def test_every_day_beyond_the_promise_has_its_price() -> None:
    """Express takes 3 days from Bangkok to Germany; a promise of 24 hours is missed by 2."""
    brand = changed(two_sites_one_item(), "regions", promise_hours=24.0)
    assert cell(costs_of(brand), "lateness", BKK, DE, EXPRESS) == pytest.approx(2.0)
    slow = changed(brand, "services", pickup_days=1.0)
    assert cell(costs_of(slow), "lateness", BKK, DE, EXPRESS) == pytest.approx(3.0)


def test_carbon_follows_weight_distance_and_mode() -> None:
    brand = two_sites_one_item()
    priced = replace(brand, weights=replace(brand.weights, carbon_price_per_tonne=100.0))
    costs, network = costs_of(priced), Network.of(brand)
    flown = lane_km(network.site["TH-BKK"].point, network.region["DE"].point) + 95
    kilograms = 0.4 / 1000 * flown * 608 / 1000
    assert cell(costs, "carbon_kg", BKK, DE, EXPRESS) == pytest.approx(kilograms, rel=0.006)
    assert cell(costs, "carbon", BKK, DE, EXPRESS) == pytest.approx(kilograms / 10, rel=0.006)


def test_a_lane_without_a_rate_is_forbidden_and_its_costs_stay_finite() -> None:
    costs = costs_of(two_sites_one_item())
    assert not costs.allowed[0, HAM, TH, ECONOMY]
    assert costs.allowed[0, HAM, DE, ECONOMY]
    assert np.isfinite(costs.total).all()
    assert np.isfinite(costs.bonded_total).all()


@pytest.mark.parametrize(
    ("table", "cells"),
    [
        ("items", {"hazard": "lithium"}),
        ("services", {"max_weight_kg": 0.3}),
        ("services", {"max_length_cm": 9.0}),
    ],
)
def test_goods_that_a_service_refuses_have_no_way(table: str, cells: dict[str, object]) -> None:
    assert not costs_of(changed(two_sites_one_item(), table, **cells)).allowed.any()


def test_a_service_that_accepts_the_hazard_carries_it() -> None:
    brand = changed(two_sites_one_item(), "items", hazard="lithium")
    accepted = changed(brand, "services", hazards=["lithium;liquid", ""])
    assert costs_of(accepted).allowed[0, HAM, DE].tolist() == [True, False]


def test_the_total_is_the_sum_of_its_terms() -> None:
    costs = costs_of(changed(two_sites_one_item(), "taxes", recoverable=False))
    terms = ("shipping", "handling", "duty", "tax", "lateness", "carbon")
    whole = sum(np.broadcast_to(getattr(costs, term), costs.shape) for term in terms)
    assert np.allclose(costs.total, whole)
