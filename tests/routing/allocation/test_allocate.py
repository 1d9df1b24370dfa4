"""Allocation of whole brands: inputs over the horizon, the result and its tables."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from carriers.rates import RateBook
from core.brand import Brand
from core.errors import BadInput
from core.folder.columns import blank
from core.folder.reader import read_brand
from core.folder.writer import complete
from examples import three_tier
from routing.allocation.allocate import allocate
from routing.allocation.explain import NO_STOCK, STOCK_USED_UP
from routing.allocation.inputs import problem_of
from routing.allocation.problem import Problem
from routing.allocation.result import Allocation
from routing.costs import unit_costs
from routing.landed_cost.tariffs import Tariffs
from tests.builders import two_sites_one_item
from tests.routing.allocation.problems import oracle


def table(brand: Brand, name: str, rows: Sequence[Mapping[str, object]]) -> Brand:
    return brand.with_table(name, complete(name, pd.DataFrame(list(rows))))


def problem(brand: Brand) -> Problem:
    costs = unit_costs(brand, RateBook.of(brand, brand.today), Tariffs.of(brand))
    return problem_of(brand, costs, brand.table("forecast"))


@pytest.fixture(scope="module")
def teaching(tmp_path_factory: pytest.TempPathFactory) -> Brand:
    """The teaching network of the examples."""
    folder = tmp_path_factory.mktemp("three-tier")
    three_tier.write(folder)
    return read_brand(folder)


@pytest.fixture(scope="module")
def taught(teaching: Brand) -> Allocation:
    return allocate(teaching)


def test_an_independent_solver_agrees_on_the_teaching_network(
    teaching: Brand, taught: Allocation
) -> None:
    asked = problem(teaching)
    constant = asked.storage_cost + asked.fixed_cost.sum()
    assert taught.objective == pytest.approx(oracle(asked) + constant, rel=1e-6)


def test_the_plan_of_the_teaching_network_is_proven_optimal(taught: Allocation) -> None:
    assert (taught.status, taught.method) == ("optimal", "exact")
    assert 0 <= taught.gap <= 1e-6
    assert taught.bound <= taught.objective


def test_served_and_unmet_units_add_up_to_the_demand(taught: Allocation) -> None:
    units = taught.units
    assert units["served"] + units["unmet"] == pytest.approx(units["demand"], abs=1e-6)
    assert taught.flows["quantity"].sum() == pytest.approx(units["served"], abs=1e-6)
    assert taught.unmet["quantity"].sum() == pytest.approx(units["unmet"], abs=1e-6)


def test_the_objective_is_the_sum_of_its_costs_and_of_the_flows(taught: Allocation) -> None:
    flows, unmet, costs = taught.flows, taught.unmet, taught.costs
    assert taught.objective == pytest.approx(sum(costs.values()))
    moved = (flows["quantity"] * flows["unit_cost"]).sum()
    lost = (unmet["quantity"] * unmet["penalty"]).sum()
    assert taught.objective == pytest.approx(moved + lost + costs["storage"] + costs["fixed"])


def test_no_flow_leaves_more_than_the_stock_and_arrivals_of_its_site(
    teaching: Brand, taught: Allocation
) -> None:
    keys = ["site", "item"]
    end = pd.Timestamp(teaching.today) + pd.Timedelta(weeks=teaching.horizon_weeks)
    inbound = teaching.table("inbound")
    due = inbound[inbound["due"] < end].groupby(keys)["quantity"].sum()
    held = teaching.table("stock").groupby(keys)["on_hand"].sum().add(due, fill_value=0)
    leaving = taught.flows.groupby(keys)["quantity"].sum()
    assert (leaving <= held.reindex(leaving.index) + 1e-6).all()


def test_every_unmet_row_has_one_reason(taught: Allocation) -> None:
    assert not taught.unmet.duplicated(["region", "item"]).any()
    assert (taught.unmet["reason"] != "").all()
    assert sum(taught.reasons().values()) == pytest.approx(taught.units["unmet"])


def test_the_tables_have_the_columns_that_others_read(taught: Allocation, tmp_path: Path) -> None:
    taught.save(tmp_path)
    flows = pd.read_parquet(tmp_path / "flows.parquet")
    columns = ["bucket", "site", "region", "service", "item", "quantity", "unit_cost"]
    assert list(flows.columns)[:7] == columns
    assert len(pd.read_parquet(tmp_path / "moves.parquet")) == 0
    unmet = pd.read_parquet(tmp_path / "unmet.parquet")
    assert {"region", "item", "quantity", "reason"} <= set(unmet.columns)
    prices = pd.read_parquet(tmp_path / "prices.parquet")
    assert list(prices.columns) == ["kind", "item", "site", "service", "price"]


def test_the_same_brand_gives_the_same_plan(teaching: Brand, taught: Allocation) -> None:
    again = allocate(teaching)
    pd.testing.assert_frame_equal(again.flows, taught.flows)
    assert again.prices.version == taught.prices.version
    assert again.objective == taught.objective


def test_a_site_serves_its_own_market_when_that_is_cheapest() -> None:
    flows = allocate(two_sites_one_item()).flows
    assert flows[["site", "region", "service"]].to_numpy().tolist() == [
        ["DE-HAM", "DE", "ECONOMY"],
        ["TH-BKK", "TH", "ECONOMY"],
    ]


def test_every_bucket_of_the_horizon_counts_and_none_beyond_it() -> None:
    """Four weeks from 2026-09-07: three buckets lie inside, one before, one after."""
    starts = ["2026-08-24", "2026-09-07", "2026-09-14", "2026-09-28", "2026-10-05"]
    rows = [{"start": day, "region": "DE", "item": "MUG", "mean": 10} for day in starts]
    assert problem(table(two_sites_one_item(), "forecast", rows)).demand_units.tolist() == [30.0]


def test_a_forecast_of_another_time_is_refused() -> None:
    rows = [{"start": "2020-01-06", "region": "DE", "item": "MUG", "mean": 10}]
    with pytest.raises(BadInput, match=r"forecast\.parquet.*horizon"):
        problem(table(two_sites_one_item(), "forecast", rows))


def test_arrivals_within_the_horizon_add_to_stock_in_the_customs_state_of_their_site() -> None:
    rows = [
        {"site": "DE-HAM", "item": "MUG", "quantity": 7, "due": "2026-09-20"},
        {"site": "TH-BKK", "item": "MUG", "quantity": 5, "due": "2026-09-20"},
        {"site": "DE-HAM", "item": "MUG", "quantity": 900, "due": "2026-10-05"},
    ]
    brand = table(two_sites_one_item(), "inbound", rows)
    sites = brand.table("sites").assign(customs=["free", "bonded"])
    asked = problem(brand.with_table("sites", complete("sites", sites)))
    pools = zip(asked.pool_site, asked.pool_bonded, asked.pool_units, strict=True)
    assert list(pools) == [(0, False, 57.0), (1, False, 30.0), (1, True, 5.0)]


def test_weekly_capacities_count_for_every_week_of_the_horizon() -> None:
    asked = problem(two_sites_one_item())
    assert asked.outbound_units.tolist() == [400.0, np.inf]


def test_stock_in_a_return_center_serves_nobody() -> None:
    brand = two_sites_one_item()
    sites = brand.table("sites").assign(tier=["central", "return"])
    changed = brand.with_table("sites", complete("sites", sites))
    assert set(allocate(changed).flows["site"]) == {"DE-HAM"}


def test_a_brand_without_stock_gets_a_plan_that_says_so() -> None:
    made = allocate(two_sites_one_item().with_table("stock", blank("stock")))
    assert made.status == "optimal"
    assert set(made.unmet["reason"]) == {NO_STOCK}
    assert made.kpis["fill"] == 0.0


def test_a_brand_without_rates_gets_a_plan_that_says_so() -> None:
    made = allocate(two_sites_one_item().with_table("rates", blank("rates")))
    assert made.units["served"] == 0.0
    assert set(made.unmet["reason"]) == {"no lawful or possible route"}


def test_a_brand_without_demand_and_forecast_is_refused() -> None:
    with pytest.raises(BadInput, match="demand"):
        allocate(two_sites_one_item().with_table("forecast", blank("forecast")))


def test_a_forecast_of_nothing_gives_an_empty_plan() -> None:
    rows = [{"start": "2026-09-07", "region": "DE", "item": "MUG", "mean": 0}]
    made = allocate(table(two_sites_one_item(), "forecast", rows))
    assert (made.status, made.units["demand"], len(made.flows)) == ("optimal", 0.0, 0)


def test_bonded_and_free_stock_of_one_site_are_told_apart() -> None:
    """Free mugs leave first; mugs in bond owe 12 % duty on leaving."""
    rows = [
        {"site": "DE-HAM", "item": "MUG", "on_hand": 20, "customs": "free"},
        {"site": "DE-HAM", "item": "MUG", "on_hand": 20, "customs": "bonded"},
    ]
    made = allocate(table(two_sites_one_item(), "stock", rows))
    at_home = made.flows[made.flows["region"] == "DE"].groupby("customs").sum(numeric_only=True)
    assert at_home["quantity"]["free"] == 20.0
    assert at_home["unit_cost"]["bonded"] > at_home["unit_cost"]["free"]


def test_a_site_to_be_decided_pays_its_fixed_cost_only_when_it_ships() -> None:
    brand = two_sites_one_item()
    sites = brand.table("sites").assign(status=["open", "decide"], fixed_cost=[10.0, 40.0])
    shipping = brand.with_table("sites", complete("sites", sites))
    used = allocate(shipping)
    assert (used.costs["fixed"], used.open_sites) == (50.0, ("DE-HAM", "TH-BKK"))
    assert used.status == "feasible"
    assert used.objective - used.bound == pytest.approx(40.0)
    only_hamburg = shipping.table("stock")[shipping.table("stock")["site"] == "DE-HAM"]
    idle = allocate(shipping.with_table("stock", only_hamburg))
    assert (idle.costs["fixed"], idle.open_sites) == (10.0, ("DE-HAM",))


def test_storage_is_charged_for_what_lies_there_over_the_horizon() -> None:
    """50 mugs of one liter at 2.00 a cubic meter and week, four weeks: 0.40."""
    brand = two_sites_one_item()
    sites = brand.table("sites").assign(storage_cost=[2.0, 0.0])
    made = allocate(brand.with_table("sites", complete("sites", sites)))
    assert made.costs["storage"] == pytest.approx(0.4)


def test_scarce_units_go_where_they_gain_most() -> None:
    rows = [{"site": "DE-HAM", "item": "MUG", "on_hand": 10}]
    made = allocate(table(two_sites_one_item(), "stock", rows))
    assert set(made.flows["region"]) == {"DE"}
    assert set(made.unmet["reason"]) <= {STOCK_USED_UP, "dearer than the penalty"}
    assert made.prices.of_stock("MUG", "DE-HAM") == pytest.approx(12.0 - 4.4)


def test_a_horizon_twice_as_long_packs_twice_as_much() -> None:
    brand = replace(two_sites_one_item(), horizon_weeks=8)
    assert problem(brand).outbound_units[0] == 800.0
