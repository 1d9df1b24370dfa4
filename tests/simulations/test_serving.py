from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from api.benchmarks.promise_value import interval, setting_of
from api.benchmarks.value_instances import Instance, instance
from inventory.items import Catalog
from routing.allocation.allocate import allocate
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.order import Availability, Order, OrderLine
from routing.fulfillment.plan import Plan
from routing.fulfillment.planning import plan
from simulations.futures import futures_of
from simulations.serving import Arrival, Key, Policy, Setting, serve
from simulations.strategies import myopic
from tests.builders import two_sites_one_item

MONDAY = datetime(2026, 9, 7, 8, tzinfo=UTC)
NEAR: Key = ("DE-HAM", "MUG", "free")
FAR: Key = ("TH-BKK", "MUG", "free")
WEEKS = (date(2026, 9, 7), date(2026, 9, 14))


def orders(*placed: tuple[int, int]) -> list[Order]:
    """Orders of some units, each so many days after Monday."""
    return [
        Order(f"O{at}", "DE", MONDAY + timedelta(days=days, seconds=at),
              (OrderLine(1, "MUG", units),))
        for at, (days, units) in enumerate(placed)
    ]  # fmt: skip


def served(setting: Setting, asked: list[Order]) -> tuple[int, int, Mapping[Key, int]]:
    brand = two_sites_one_item()
    found = serve(asked, setting, myopic(PlanningContext.of(brand)), Catalog.of(brand))
    return found.units, found.unmet_units, found.left


def test_units_run_down_and_what_is_left_over_is_unmet() -> None:
    setting = Setting({NEAR: 3}, (), WEEKS, {})
    assert served(setting, orders((0, 2), (1, 2))) == (3, 1, {NEAR: 0})


def test_arrivals_serve_from_their_day_on() -> None:
    setting = Setting({}, (Arrival(date(2026, 9, 9), NEAR, 5),), WEEKS, {})
    assert served(setting, orders((1, 1), (2, 1))) == (1, 1, {NEAR: 4})


def test_a_site_packs_no_more_than_it_may_in_a_period() -> None:
    setting = Setting({NEAR: 50, FAR: 1}, (), WEEKS, {"DE-HAM": 2})
    units, unmet, left = served(setting, orders((0, 2), (1, 2), (7, 2)))
    assert (units, unmet, left) == (5, 1, {NEAR: 46, FAR: 0})


def test_a_strategy_is_asked_anew_as_days_go_by() -> None:
    brand, asked = two_sites_one_item(), list[tuple[date, int]]()
    context = PlanningContext.of(brand)

    def policy(order: Order, available: Availability) -> Plan:
        return plan(order, available, context)

    def strategy(day: date, left: Mapping[Key, int]) -> Policy:
        asked.append((day, left[NEAR]))
        return policy

    setting = Setting({NEAR: 50}, (), WEEKS, {}, renew_days=3)
    serve(orders((0, 1), (1, 1), (4, 1), (5, 1), (6, 1)), setting, strategy, Catalog.of(brand))
    assert asked == [(WEEKS[0], 50), (date(2026, 9, 11), 48), (date(2026, 9, 13), 46)]


def test_with_ample_stock_everyone_costs_what_the_bound_says() -> None:
    """The costs of replay and allocation are the same, so that the bound is one of both."""
    given = instance(5)
    brand = given.brand
    stock = brand.table("stock")
    sites = brand.table("sites").assign(outbound_units=float("nan"))
    ample = brand.with_table("stock", stock.assign(on_hand=10_000.0)).with_table("sites", sites)
    ample = replace(ample)
    bound = allocate(ample, given.truth, gap=1e-6).bound
    context, setting = PlanningContext.of(ample), setting_of(ample)
    found = serve(given.orders, setting, myopic(context), Catalog.of(ample))
    assert found.unmet_units == 0
    assert found.cost == pytest.approx(bound, rel=5e-4)  # plans round to the cent


def test_the_same_seed_gives_the_same_instance() -> None:
    first, second = instance(3), instance(3)
    assert isinstance(first, Instance)
    assert first.orders == second.orders
    assert first.truth.equals(second.truth)
    assert first.by_day["mean"].sum() == first.truth["mean"].sum() == len(first.orders)


def test_futures_keep_the_mean_of_a_forecast() -> None:
    weekly = instance(3).truth
    drawn = futures_of(weekly, 20, 1)
    mean = sum(float(one["mean"].sum()) for one in drawn) / 20
    assert mean == pytest.approx(float(weekly["mean"].sum()), rel=0.05)
    quantiles = dict(zip(("p05", "p25", "p50", "p75", "p90", "p95"), (0, 1, 2, 3, 5, 6),
                         strict=True))  # fmt: skip
    uncertain = weekly.assign(mean=2.2, **{name: float(n) for name, n in quantiles.items()})
    mean = sum(float(one["mean"].sum()) for one in futures_of(uncertain, 20, 1)) / 20
    assert mean == pytest.approx(2.2 * len(weekly), rel=0.05)


def test_the_interval_is_that_of_student() -> None:
    low, high = interval(np.array([1.0, 2.0, 3.0]))
    assert (low, high) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-3)
