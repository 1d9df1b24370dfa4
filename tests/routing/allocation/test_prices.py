"""Prices as a product: kept, named by content, asked by id, and the start of the next run."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput
from routing.allocation.prices import (
    Prices,
    load_prices,
    prices_bytes,
    prices_from,
    prices_of,
    rows_of,
)
from routing.allocation.problem import Problem
from routing.allocation.results.explain import binding_rows
from routing.allocation.solver.solve import solve
from tests.routing.allocation.problems import random_problem

ARRAYS = ("stock", "outbound", "carrier_kg", "lane_m3", "storage_m3")


@pytest.fixture
def problem() -> Problem:
    return random_problem(7, buckets=3)


@pytest.fixture
def prices(problem: Problem) -> Prices:
    return prices_of(problem, solve(problem))


def arrays_of(rng: np.random.Generator, items: int, sites: int, buckets: int) -> Prices:
    """Prices of every kind, about half of them 0."""

    def drawn(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return rng.uniform(0, 9, shape) * (rng.random(shape) < 0.5)

    names = tuple(f"site {at}" for at in range(sites))
    return Prices(
        items=tuple(f"item {at}" for at in range(items)),
        sites=names,
        services=("AIR", "SEA"),
        lanes=tuple((names[0], name, "SEA") for name in names[1:]),
        buckets=tuple(date(2026, 9, 7) + timedelta(weeks=at) for at in range(buckets)),
        stock=drawn(items, sites, buckets),
        outbound=drawn(sites, buckets),
        carrier_kg=drawn(sites, 2, buckets),
        lane_m3=drawn(sites - 1, buckets),
        storage_m3=drawn(sites, buckets),
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31), items=st.integers(0, 6), sites=st.integers(1, 4),
    buckets=st.integers(1, 4),
)  # fmt: skip
def test_prices_come_back_from_a_file_as_they_were(
    seed: int, items: int, sites: int, buckets: int
) -> None:
    prices = arrays_of(np.random.default_rng(seed), items, sites, buckets)
    back = prices_from(prices_bytes(prices))
    assert back.version == prices.version
    assert (back.sites, back.services, back.lanes) == (prices.sites, prices.services, prices.lanes)
    assert back.buckets == prices.buckets
    for name in ARRAYS[1:]:
        assert np.array_equal(getattr(back, name), getattr(prices, name))
    for item in prices.items:
        for site in prices.sites:
            for bucket in range(buckets):
                asked = item, site, bucket
                assert back.of_stock(*asked) == prices.of_stock(*asked)


def test_every_bucket_and_kind_of_a_solution_is_kept(problem: Problem, prices: Prices) -> None:
    shape = len(problem.axes.items), len(problem.axes.sites), 3
    assert prices.stock.shape == shape
    assert prices.buckets == problem.axes.buckets
    kept = [prices.outbound, prices.carrier_kg, prices.lane_m3, prices.storage_m3]
    flat = np.concatenate([part.ravel() for part in kept])
    assert np.array_equal(flat, solve(problem).price)


@pytest.mark.parametrize("array", ARRAYS)
def test_another_price_is_another_version(prices: Prices, array: str) -> None:
    raised = replace(prices, **{array: getattr(prices, array) + 0.01})
    assert raised.version != prices.version


def test_prices_are_asked_by_id_and_unknown_ids_cost_nothing(prices: Prices) -> None:
    assert prices.of_stock("item 2", "site 1") == prices.stock[2, 1, 0]
    assert prices.of_stock("item 2", "site 1", 2) == prices.stock[2, 1, 2]
    assert prices.of_outbound("site 2") == prices.outbound[2, 0]
    assert prices.of_carrier_kg("site 0", "service 0", 1) == prices.carrier_kg[0, 0, 1]
    assert prices.of_lane_m3("site 1", "next", "SEA", 1) == prices.lane_m3[1, 1]
    assert prices.of_storage_m3("site 1", 2) == prices.storage_m3[1, 2]
    assert prices.of_stock("item 2", "nowhere") == prices.of_stock("nothing", "site 1") == 0.0
    assert prices.of_outbound("nowhere") == prices.of_carrier_kg("site 0", "nobody") == 0.0
    assert prices.of_lane_m3("site 1", "nowhere", "SEA") == prices.of_storage_m3("nowhere") == 0.0


def test_a_day_belongs_to_the_bucket_that_holds_it(prices: Prices) -> None:
    first = prices.buckets[0]
    days = {-30: 0, 0: 0, 6: 0, 7: 1, 13: 1, 14: 2, 20: 2, 400: 2}
    found = {away: prices.bucket_of(first + timedelta(days=away)) for away in days}
    assert found == days


def test_no_price_is_negative(prices: Prices) -> None:
    for name in ARRAYS:
        assert getattr(prices, name).min(initial=0.0) >= 0


@pytest.mark.parametrize("seed", range(10))
def test_prices_of_a_problem_are_its_rows_again(seed: int) -> None:
    problem = random_problem(seed, buckets=1 + seed % 3)
    found = solve(problem, method="decomposition")
    again = rows_of(prices_from(prices_bytes(prices_of(problem, found))), problem)
    assert again == pytest.approx(found.price)


def test_names_that_earlier_prices_do_not_know_begin_at_nothing(
    problem: Problem, prices: Prices
) -> None:
    axes = replace(problem.axes, sites=("new", *problem.axes.sites[1:]))
    rows = rows_of(prices, replace(problem, axes=axes))
    known = rows_of(prices, problem)
    outbound = rows[: problem.limits.outbound.size].reshape(-1, 3)
    assert not outbound[0].any()
    assert np.array_equal(outbound[1:], known[: problem.limits.outbound.size].reshape(-1, 3)[1:])


def test_a_later_plan_begins_at_the_prices_of_its_own_weeks(
    problem: Problem, prices: Prices
) -> None:
    later = tuple(day + timedelta(weeks=1) for day in problem.axes.buckets)
    rows = rows_of(prices, replace(problem, axes=replace(problem.axes, buckets=later)))
    size = problem.limits.outbound.size
    now, then = (flat[:size].reshape(-1, 3) for flat in (rows_of(prices, problem), rows))
    assert np.array_equal(then, now[:, [1, 2, 2]])


@pytest.mark.parametrize("seed", range(10))
def test_where_a_run_begins_changes_nothing_but_the_way(seed: int) -> None:
    """Any start gives a plan and a bound that the other run's bound and plan do not contradict."""
    problem = random_problem(seed, items=12, buckets=2)
    one = solve(problem, gap=1e-3, method="decomposition")
    far = prices_of(problem, replace(one, price=one.price * 3.0 + 1.0))
    other = solve(problem, gap=1e-3, method="decomposition", start=rows_of(far, problem))
    slack = 1e-6 * max(1.0, one.flow_cost)
    assert one.bound <= other.flow_cost + slack
    assert other.bound <= one.flow_cost + slack


def test_files_of_the_first_bucket_alone_still_load(tmp_path: Path) -> None:
    rows = [
        ("stock", "MUG", "HAM", "", 2.5), ("stock", "MUG", "BKK", "", 0.0),
        ("outbound", "", "HAM", "", 0.5), ("outbound", "", "BKK", "", 0.0),
        ("carrier_kg", "", "HAM", "POST", 0.0), ("carrier_kg", "", "BKK", "POST", 1.5),
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["kind", "item", "site", "service", "price"])
    frame.to_parquet(tmp_path / "prices.parquet", index=False)
    prices = load_prices(tmp_path / "prices.parquet")
    assert (prices.items, prices.sites, prices.services) == (("MUG",), ("HAM", "BKK"), ("POST",))
    assert prices.stock.tolist() == [[[2.5], [0.0]]]
    assert prices.of_outbound("HAM", prices.bucket_of(date(2026, 9, 7))) == 0.5
    assert prices.of_carrier_kg("BKK", "POST") == 1.5


def test_a_file_that_somebody_wrote_with_pandas_loads_too(prices: Prices, tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    prices.frame().to_parquet(path, index=False)
    back = load_prices(path)
    keys = ["kind", "bucket", "item", "site", "to_site", "service"]
    ours, theirs = (one.frame().sort_values(keys, ignore_index=True) for one in (prices, back))
    pd.testing.assert_frame_equal(ours, theirs)
    assert len(ours) > 5


def test_files_that_hold_no_prices_are_refused(prices: Prices, tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    with pytest.raises(BadInput, match="cannot be read"):
        load_prices(path)
    path.write_bytes(b"not Parquet")
    with pytest.raises(BadInput, match="Parquet"):
        load_prices(path)
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(BadInput, match="columns"):
        load_prices(path)
    for column, value in (("price", -1.0), ("price", np.nan), ("kind", "luck"), ("price", "dear")):
        frame = prices.frame().astype({column: object})
        frame.loc[0, column] = value
        frame.astype({"price": str} if value == "dear" else {}).to_parquet(path)
        with pytest.raises(BadInput, match="finite prices"):
            load_prices(path)


@pytest.mark.parametrize("seed", range(12))
def test_every_limit_that_binds_is_named_with_its_bucket_and_has_its_price(seed: int) -> None:
    """Of every kind: what a row's name says is where the prices hold the same figure."""
    problem = random_problem(seed, items=8, buckets=3)
    found = solve(problem, time_limit=5.0)
    prices = prices_of(problem, found)
    asked = {
        "outbound_units": prices.of_outbound,
        "kg_per_week": prices.of_carrier_kg,
        "capacity_m3": prices.of_lane_m3,
        "storage_m3": prices.of_storage_m3,
    }
    shared = [row for row in binding_rows(problem, found, 5) if not row.row.startswith("stock")]
    for row in shared:
        kind, _, inside = row.row.rstrip("]").partition("[")
        *names, day = inside.split(",")
        bucket = prices.bucket_of(date.fromisoformat(day))
        price = asked[kind](*names, bucket)  # type: ignore[operator]
        assert price == row.price
    assert len(shared) == (found.price > 1e-6).sum()


def test_lanes_and_rooms_bind_in_some_of_these_problems() -> None:
    """Else the test above would claim nothing about them."""
    rows = [
        row.row.partition("[")[0]
        for seed in range(12)
        for problem in [random_problem(seed, items=8, buckets=3)]
        for row in binding_rows(problem, solve(problem, time_limit=5.0), 5)
    ]
    assert {"outbound_units", "kg_per_week", "capacity_m3", "storage_m3", "stock"} <= set(rows)
