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
from routing.allocation.inputs.assembly import problem_of
from routing.allocation.problem import Problem
from routing.allocation.results.explain import NO_STOCK, STOCK_USED_UP
from routing.allocation.results.result import Allocation
from routing.costs import CostBook
from routing.landed_cost.tariffs import Tariffs
from tests.builders import two_sites_one_item
from tests.routing.allocation.problems import oracle


def table(brand: Brand, name: str, rows: Sequence[Mapping[str, object]]) -> Brand:
    return brand.with_table(name, complete(name, pd.DataFrame(list(rows))))


def problem(brand: Brand) -> Problem:
    tariffs = Tariffs.of(brand)
    book = CostBook.of(brand, RateBook.of(brand, brand.today), tariffs)
    return problem_of(brand, book, tariffs, brand.table("forecast"))


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
    """It may part units, so that its optimum lies between our bound and our plan, or just below."""
    asked = problem(teaching)
    least = oracle(asked) + asked.fixed_cost.sum()
    assert taught.objective >= least * (1 - 1e-6)
    assert taught.objective <= least * (1 + 1.5e-3)


def test_the_plan_of_the_teaching_network_is_proven_optimal(taught: Allocation) -> None:
    assert (taught.status, taught.method) == ("optimal", "exact")
    assert 0 <= taught.gap <= 1e-3
    assert taught.bound <= taught.objective


def test_served_and_unmet_units_add_up_to_the_demand(teaching: Brand, taught: Allocation) -> None:
    units = taught.units
    assert units["served"] + units["unmet"] == pytest.approx(units["demand"], abs=1e-6)
    assert units["demand"] == pytest.approx(teaching.table("forecast")["mean"].sum(), rel=0.01)
    assert taught.unmet["quantity"].sum() == pytest.approx(units["unmet"], abs=1e-3)


def test_every_unit_is_whole(taught: Allocation) -> None:
    for table in (taught.flows, taught.moves):
        assert len(table)
        assert (table["quantity"] % 1 == 0).all()


def test_the_objective_is_the_sum_of_its_costs_and_of_the_flows(taught: Allocation) -> None:
    flows, unmet, costs = taught.flows, taught.unmet, taught.costs
    assert taught.objective == pytest.approx(sum(costs.values()))
    shipped = (flows["quantity"] * flows["unit_cost"]).sum()
    lost = (unmet["quantity"] * unmet["penalty"]).sum()
    goods = (taught.moves["quantity"] * taught.moves["unit_cost"]).sum()
    assert costs["moves"] == pytest.approx(goods + sum(one.cost for one in taught.departures))
    rest = costs["storage"] + costs["moves"] + costs["purchases"] + costs["fixed"]
    assert taught.objective == pytest.approx(shipped + lost + rest, rel=1e-6)


def test_no_item_leaves_more_than_its_stock_arrivals_and_purchases(
    teaching: Brand, taught: Allocation
) -> None:
    keys = ["item"]
    end = pd.Timestamp(teaching.today) + pd.Timedelta(weeks=teaching.horizon_weeks)
    inbound = teaching.table("inbound")
    due = inbound[inbound["due"] < end].groupby(keys)["quantity"].sum()
    held = teaching.table("stock").groupby(keys)["on_hand"].sum().add(due, fill_value=0)
    held = held.add(taught.purchases.groupby(keys)["needed"].sum(), fill_value=0)
    leaving = taught.flows.groupby(keys)["quantity"].sum()
    assert (leaving <= held.reindex(leaving.index) + 1e-6).all()


def test_every_unmet_row_has_one_reason(taught: Allocation) -> None:
    assert not taught.unmet.duplicated(["bucket", "region", "item"]).any()
    assert (taught.unmet["reason"] != "").all()
    assert sum(taught.reasons().values()) == pytest.approx(taught.units["unmet"], abs=1e-3)


def test_the_tables_have_the_columns_that_others_read(taught: Allocation, tmp_path: Path) -> None:
    taught.save(tmp_path)
    flows = pd.read_parquet(tmp_path / "flows.parquet")
    columns = ["bucket", "site", "region", "service", "item", "quantity", "unit_cost"]
    assert list(flows.columns)[:7] == columns
    moves = pd.read_parquet(tmp_path / "moves.parquet")
    assert list(moves.columns) == [
        "bucket", "from_site", "to_site", "service", "item", "quantity", "unit_cost",
    ]  # fmt: skip
    unmet = pd.read_parquet(tmp_path / "unmet.parquet")
    assert {"region", "item", "quantity", "reason"} <= set(unmet.columns)
    prices = pd.read_parquet(tmp_path / "prices.parquet")
    assert list(prices.columns) == [
        "kind", "bucket", "item", "site", "to_site", "service", "price",
    ]  # fmt: skip


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
    asked = problem(table(two_sites_one_item(), "forecast", rows))
    assert asked.demands.bucket.tolist() == [0, 1, 3]
    assert asked.demand_units.tolist() == [10, 10, 10]
    assert len(asked.axes.buckets) == 4


def test_a_forecast_of_another_time_is_refused() -> None:
    rows = [{"start": "2020-01-06", "region": "DE", "item": "MUG", "mean": 10}]
    brand = table(two_sites_one_item(), "forecast", rows)
    for file in ("forecast.parquet", "forecast.csv"):
        with pytest.raises(BadInput, match=rf"^{file}:0:0: .*horizon"):
            problem(replace(brand, files={"forecast": file}))


def test_arrivals_within_the_horizon_add_to_stock_in_the_customs_state_of_their_site() -> None:
    rows = [
        {"site": "DE-HAM", "item": "MUG", "quantity": 7, "due": "2026-09-20"},
        {"site": "TH-BKK", "item": "MUG", "quantity": 5, "due": "2026-09-20"},
        {"site": "DE-HAM", "item": "MUG", "quantity": 900, "due": "2026-10-05"},
    ]
    brand = table(two_sites_one_item(), "inbound", rows)
    sites = brand.table("sites").assign(customs=["free", "bonded"])
    asked = problem(brand.with_table("sites", complete("sites", sites)))
    pools = asked.pools
    held = [
        (int(site), bool(bonded), int(bucket), int(units))
        for site, bonded, bucket, units in zip(
            pools.site, pools.bonded, pools.bucket, pools.units, strict=True
        )
        if units
    ]
    assert held == [(0, False, 0, 50), (0, False, 1, 7), (1, False, 0, 30), (1, True, 1, 5)]


def test_capacities_hold_in_every_week() -> None:
    asked = problem(two_sites_one_item())
    assert asked.limits.outbound.tolist() == [[100.0] * 4, [np.inf] * 4]


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
    assert used.status == "optimal"
    assert used.bound == pytest.approx(used.objective)
    only_hamburg = shipping.table("stock")[shipping.table("stock")["site"] == "DE-HAM"]
    idle = allocate(shipping.with_table("stock", only_hamburg))
    assert (idle.costs["fixed"], idle.open_sites) == (10.0, ("DE-HAM",))


def test_storage_is_charged_for_what_lies_there_over_the_horizon() -> None:
    """30 of 50 mugs of one liter leave in the first week; 20 stay at 2.00 a m3 and week: 0.16."""
    brand = two_sites_one_item()
    sites = brand.table("sites").assign(storage_cost=[2.0, 0.0])
    made = allocate(brand.with_table("sites", complete("sites", sites)))
    assert made.costs["storage"] == pytest.approx(0.16)


def test_scarce_units_go_where_they_gain_most() -> None:
    rows = [{"site": "DE-HAM", "item": "MUG", "on_hand": 10}]
    made = allocate(table(two_sites_one_item(), "stock", rows))
    assert set(made.flows["region"]) == {"DE"}
    assert set(made.unmet["reason"]) <= {STOCK_USED_UP, "dearer than the penalty"}
    assert made.prices.of_stock("MUG", "DE-HAM") == pytest.approx(12.0 - 4.4)


def test_a_horizon_twice_as_long_has_twice_the_buckets() -> None:
    brand = replace(two_sites_one_item(), horizon_weeks=8)
    assert problem(brand).limits.outbound.shape == (2, 8)


def test_a_mean_between_whole_units_counts_its_last_unit_by_its_fraction() -> None:
    rows = [{"start": "2026-09-07", "region": "DE", "item": "MUG", "mean": 3.7}]
    asked = problem(table(two_sites_one_item(), "forecast", rows))
    assert asked.segments.units.tolist() == [3, 1]
    assert asked.segments.chance == pytest.approx([1.0, 0.7])
    made = allocate(table(two_sites_one_item(), "forecast", rows))
    assert made.flows["quantity"].tolist() == [4.0]
    assert made.units["served"] == pytest.approx(3.7)


def test_units_that_are_asked_for_too_rarely_are_not_kept() -> None:
    """A mug is worth 12 and costs 4.40 to send: it pays where the chance is above 4.4 / 12."""
    quantiles = {"p05": 10, "p25": 20, "p50": 30, "p75": 40, "p90": 50, "p95": 60}
    rows = [{"start": "2026-09-07", "region": "DE", "item": "MUG", "mean": 31, **quantiles}]
    made = allocate(table(two_sites_one_item(), "forecast", rows))
    assert made.flows["quantity"].sum() == 40.0
    assert set(made.unmet["reason"]) == {"dearer than the penalty"}


def test_stock_moves_ahead_of_demand_where_that_pays() -> None:
    """Bangkok holds nothing; mugs from Hamburg take two weeks and cost 1 a unit, plus 30 % duty."""
    brand = two_sites_one_item()
    lane = {"from_site": "DE-HAM", "to_site": "TH-BKK", "service": "ECONOMY",
            "transit_days": 14, "cost_per_unit": 1.0}  # fmt: skip
    rows = [{"start": "2026-09-21", "region": "TH", "item": "MUG", "mean": 20}]
    brand = table(table(brand, "lanes", [lane]), "forecast", rows)
    brand = table(brand, "stock", [{"site": "DE-HAM", "item": "MUG", "on_hand": 50}])
    made = allocate(brand)
    assert made.moves[["from_site", "to_site", "quantity"]].to_numpy().tolist() == [
        ["DE-HAM", "TH-BKK", 20.0]
    ]
    assert made.moves["bucket"].dt.date.tolist() == [brand.today]
    assert made.flows["site"].tolist() == ["TH-BKK"]
    assert made.costs["moves"] == pytest.approx(20 * (1.0 + 0.30 * 13.0))


def test_stock_whose_bond_has_ended_stays_where_it_is() -> None:
    brand = two_sites_one_item()
    sites = brand.table("sites").assign(customs=["bonded", "free"], bond_days=[30.0, np.nan])
    rows = [
        {"site": "DE-HAM", "item": "MUG", "on_hand": 20, "customs": "bonded",
         "bonded_since": since}
        for since in ("2026-08-01", "2026-08-20")
    ]  # fmt: skip
    kept = {}
    for row in rows:
        changed = table(brand.with_table("sites", complete("sites", sites)), "stock", [row])
        kept[row["bonded_since"]] = allocate(changed).flows["quantity"].sum()
    assert kept == {"2026-08-01": 0.0, "2026-08-20": 20.0}


def bonded_bangkok(bond_days: float) -> Brand:
    """Thailand wants 30 mugs in the last week; Hamburg sends 10 a week, into bond in Bangkok."""
    brand = two_sites_one_item()
    sites = brand.table("sites").assign(customs=["free", "bonded"], bond_days=[np.nan, bond_days])
    lane = {"from_site": "DE-HAM", "to_site": "TH-BKK", "service": "ECONOMY",
            "transit_days": 7, "cost_per_unit": 0.1, "capacity_m3": 0.01}  # fmt: skip
    rows = [{"start": "2026-09-28", "region": "TH", "item": "MUG", "mean": 30}]
    brand = table(table(brand, "lanes", [lane]), "forecast", rows)
    brand = table(brand, "stock", [{"site": "DE-HAM", "item": "MUG", "on_hand": 50}])
    return brand.with_table("sites", complete("sites", sites))


def test_goods_that_move_into_bond_are_released_or_shipped_before_it_ends() -> None:
    """Those that come in by 14 September may stay for two weeks: they leave bond, duty paid."""
    brand = bonded_bangkok(14)
    made = allocate(brand, gap=1e-6)
    units = made.flows.groupby("customs")["quantity"].sum()
    assert units.to_dict() == {"bonded": 20.0, "free": 10.0}
    released = 10 * 0.30 * 12.0
    from_bond = made.flows[made.flows["customs"] == "bonded"]
    assert made.costs["duty"] > released
    assert (from_bond["unit_cost"] > 0.30 * 12.0).all()
    asked = problem(brand)
    assert made.objective == pytest.approx(oracle(asked) + asked.fixed_cost.sum(), rel=1e-6)


@pytest.mark.parametrize("days", [np.nan, 21.0, 28.0, 1000.0])
def test_a_bond_that_outlasts_the_horizon_changes_nothing(days: float) -> None:
    made = allocate(bonded_bangkok(days), gap=1e-6)
    assert set(made.flows["customs"]) == {"bonded"}
    assert len(problem(bonded_bangkok(days)).pools.item) == 2 * 4


def test_goods_in_a_bond_of_a_week_can_be_used_only_as_they_come_in_or_released() -> None:
    made = allocate(bonded_bangkok(7), gap=1e-6)
    units = made.flows.groupby("customs")["quantity"].sum()
    assert units.to_dict() == {"bonded": 10.0, "free": 20.0}


def test_a_forecast_by_week_is_planned_by_week_whatever_the_bucket_of_the_brand() -> None:
    """Planned by day, all demand of a week fell on its Monday, beyond what a day can pack."""
    starts = ["2026-09-07", "2026-09-14"]
    rows = [{"start": day, "region": "DE", "item": "MUG", "mean": 10} for day in starts]
    brand = table(two_sites_one_item(), "forecast", rows)
    asked = problem(replace(brand, bucket="day"))
    assert len(asked.axes.buckets) == brand.horizon_weeks
    assert asked.limits.outbound[0].tolist() == [100.0] * 4


def test_a_forecast_that_begins_next_week_loses_no_week() -> None:
    starts = ["2026-09-10", "2026-09-17", "2026-09-24", "2026-10-01"]
    rows = [{"start": day, "region": "DE", "item": "MUG", "mean": 10} for day in starts]
    asked = problem(table(two_sites_one_item(), "forecast", rows))
    assert asked.demand_units.sum() == 40
    assert len(asked.axes.buckets) == 5


def test_a_brand_without_services_gets_a_plan_that_says_so() -> None:
    brand = two_sites_one_item()
    for name in ("services", "rates"):
        brand = brand.with_table(name, blank(name))
    made = allocate(brand)
    assert made.units["served"] == 0.0
    assert set(made.unmet["reason"]) == {"no lawful or possible route"}


def test_a_brand_with_every_site_closed_gets_a_plan_that_says_so() -> None:
    """No list of sites to be decided is a list of flags all the same; a plan once broke on it."""
    brand = two_sites_one_item()
    sites = brand.table("sites").assign(status="closed")
    made = allocate(brand.with_table("sites", sites))
    assert made.status == "optimal"
    assert made.open_sites == ()
    assert made.flows.empty
    assert made.costs["fixed"] == 0
    assert made.units["unmet"] == made.units["demand"] > 0
    assert set(made.unmet["reason"]) == {NO_STOCK}


def test_a_tail_of_a_billion_units_is_planned_to_the_unit() -> None:
    quantiles = {"p05": 10, "p25": 20, "p50": 30, "p75": 40, "p90": 50, "p95": 1e9}
    rows = [
        {"start": day, "region": region, "item": "MUG", "mean": 31, **quantiles}
        for day in ("2026-09-07", "2026-09-14", "2026-09-21")
        for region in ("DE", "TH")
    ]
    made = allocate(table(two_sites_one_item(), "forecast", rows))
    assert (made.flows["quantity"] % 1 == 0).all()
