"""The exact route: agreement with an independent solver, conservation, bounds and prices."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from core.errors import BadInput
from routing.allocation.columns import columns_of, limits_of, of_column
from routing.allocation.constraints import rows_of
from routing.allocation.explain import (
    CAPACITY,
    NO_ROUTE,
    NO_STOCK,
    NOT_SOLVED,
    STOCK_USED_UP,
    TOO_DEAR,
    binding_rows,
    unmet_reasons,
)
from routing.allocation.glop import LinearProgram, fill_rows, fill_sparse, minimize
from routing.allocation.prices import prices_of
from routing.allocation.problem import Problem
from routing.allocation.solve import lower_bound, solve
from tests.routing.allocation.problems import (
    one_lane,
    oracle,
    random_problem,
    without_routes,
    without_stock,
)

SEEDS = range(40)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_independent_solver_finds_the_same_cost(seed: int) -> None:
    """Pruning, scaling and the repair of flows lose nothing against HiGHS on the full program."""
    problem = random_problem(seed)
    solution = solve(problem)
    assert solution.proven
    assert solution.flow_cost == pytest.approx(oracle(problem), rel=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_bound_never_exceeds_the_cost_and_meets_it(seed: int) -> None:
    solution = solve(random_problem(seed))
    assert solution.bound <= solution.flow_cost * (1 + 1e-9)
    assert solution.bound == pytest.approx(solution.flow_cost, rel=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_unit_appears_or_vanishes_and_no_capacity_overflows(seed: int) -> None:
    problem = random_problem(seed)
    solution = solve(problem)
    item, site, _, service = of_column(problem, solution.columns)
    units = solution.units
    served = np.bincount(solution.columns.demand, units, len(problem.demand_units))
    leaving = np.bincount(solution.columns.pool, units, len(problem.pool_units))
    packed = np.bincount(site, units, len(problem.costs.sites))
    carried = np.zeros_like(problem.carrier_kg)
    np.add.at(carried, (site, service), units * problem.weight_kg[item])
    assert units.min(initial=0.0) >= 0
    assert solution.unmet.min(initial=0.0) >= 0
    assert np.allclose(served + solution.unmet, problem.demand_units, rtol=0, atol=1e-9)
    for used, most in (
        (leaving, problem.pool_units),
        (packed, problem.outbound_units),
        (carried, problem.carrier_kg),
    ):
        assert np.all(used <= most * (1 + 1e-12))


@pytest.mark.parametrize("seed", range(8))
def test_a_bound_holds_for_any_prices(seed: int) -> None:
    """The bound is Lagrangian: wrong prices make it weaker, never wrong."""
    problem = random_problem(seed)
    solution = solve(problem)
    limits = limits_of(problem)
    from_scratch = columns_of(problem, limits)
    rows = rows_of(problem, from_scratch, limits)
    prices = np.random.default_rng(seed).uniform(0, 10, len(rows.most))
    assert lower_bound(problem, from_scratch, rows, prices) <= solution.flow_cost * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_more_stock_or_capacity_never_costs_more(seed: int) -> None:
    problem = random_problem(seed)
    richer = replace(
        problem,
        pool_units=problem.pool_units * 1.2,
        outbound_units=problem.outbound_units + 5,
        carrier_kg=problem.carrier_kg + 5,
    )
    assert solve(richer).flow_cost <= solve(problem).flow_cost * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_a_stock_price_is_what_one_more_unit_saves(seed: int) -> None:
    """Where a little more and a little less change the cost at one rate, that rate is the price."""
    problem = random_problem(seed)
    solution, step = solve(problem), 1e-3 * problem.demand_units.mean()
    for pool in range(min(6, len(problem.pool_units))):
        more, less = problem.pool_units.copy(), problem.pool_units.copy()
        more[pool] += step
        less[pool] -= min(step, less[pool])
        saved = (solution.flow_cost - solve(replace(problem, pool_units=more)).flow_cost) / step
        lost = solve(replace(problem, pool_units=less)).flow_cost - solution.flow_cost
        assert lost / step >= saved - 1e-5
        if lost / step == pytest.approx(saved, abs=1e-6):
            assert solution.stock_price[pool] == pytest.approx(saved, abs=1e-4)


@pytest.mark.parametrize("seed", range(12))
def test_shared_prices_are_what_one_more_slot_or_kilogram_saves(seed: int) -> None:
    problem = random_problem(seed)
    solution, step = solve(problem), 1e-3 * problem.demand_units.mean()
    for site in range(len(problem.costs.sites)):
        more, less = problem.outbound_units.copy(), problem.outbound_units.copy()
        more[site] += step
        less[site] = max(less[site] - step, 0.0)
        gain = solution.flow_cost - solve(replace(problem, outbound_units=more)).flow_cost
        loss = solve(replace(problem, outbound_units=less)).flow_cost - solution.flow_cost
        if gain == pytest.approx(loss, abs=1e-7 * step):
            assert solution.outbound_price[site] * step == pytest.approx(gain, abs=1e-4 * step)


@pytest.mark.parametrize("seed", range(12))
def test_the_price_where_nothing_lies_is_what_a_first_unit_saves(seed: int) -> None:
    problem = random_problem(seed)
    solution, step = solve(problem), 1e-4 * problem.demand_units.mean()
    prices = prices_of(problem, solution)
    held = set(zip(problem.pool_item.tolist(), problem.pool_site.tolist(), strict=True))
    empty = [(item, site) for item in range(5) for site in range(3) if (item, site) not in held]
    for item, site in empty[:3]:
        added = _with_pool(problem, item, site, step)
        saved = (solution.flow_cost - solve(added).flow_cost) / step
        assert saved <= prices.stock[item, site] + 1e-5


def _with_pool(problem: Problem, item: int, site: int, units: float) -> Problem:
    order = np.argsort(np.append(problem.pool_item, item), kind="stable")
    return replace(
        problem,
        pool_item=np.append(problem.pool_item, np.int32(item))[order],
        pool_site=np.append(problem.pool_site, np.int32(site))[order],
        pool_bonded=np.append(problem.pool_bonded, False)[order],
        pool_units=np.append(problem.pool_units, units)[order],
    )


def test_both_ways_to_fill_the_solver_give_the_same_plan() -> None:
    """The sparse fill is semi-private; the public one stands ready and says the same."""
    problem = random_problem(3, items=12)
    fast, public = solve(problem, fill=fill_sparse), solve(problem, fill=fill_rows)
    assert np.array_equal(fast.units, public.units)
    assert np.array_equal(fast.stock_price, public.stock_price)
    assert fast.flow_cost == public.flow_cost


def test_the_solver_returns_duals_of_the_textbook() -> None:
    """Two variables, two rows: the duals are 2 and -1, not the activities 3 and 2."""
    program = LinearProgram(
        objective=np.array([1.0, 2.0]),
        matrix=csr_array(np.array([[1.0, 1.0], [1.0, 0.0]])),
        lower=np.array([3.0, -np.inf]),
        upper=np.array([np.inf, 2.0]),
    )
    basis = minimize(program)
    assert basis.values.tolist() == [2.0, 1.0]
    assert basis.duals.tolist() == [2.0, -1.0]


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e6])
def test_the_size_of_demand_does_not_blur_the_plan(size: float) -> None:
    problem = random_problem(11)
    scaled = replace(
        problem,
        demand_units=problem.demand_units * size,
        pool_units=problem.pool_units * size,
        outbound_units=problem.outbound_units * size,
        carrier_kg=problem.carrier_kg * size,
    )
    assert solve(scaled).flow_cost == pytest.approx(solve(problem).flow_cost * size, rel=1e-9)


def test_nothing_at_hand_still_gives_a_plan_with_a_reason() -> None:
    problem = without_stock(one_lane(demand=10, stock=5))
    solution = solve(problem)
    assert solution.unmet.tolist() == [10.0]
    assert unmet_reasons(problem, solution).tolist() == [NO_STOCK]


def test_no_route_still_gives_a_plan_with_a_reason() -> None:
    problem = without_routes(one_lane(demand=10, stock=50))
    solution = solve(problem)
    assert solution.unmet.tolist() == [10.0]
    assert unmet_reasons(problem, solution).tolist() == [NO_ROUTE]


def test_scarce_stock_is_the_reason_for_what_it_leaves_unmet() -> None:
    problem = one_lane(demand=10, stock=4)
    solution = solve(problem)
    assert (solution.units.tolist(), solution.unmet.tolist()) == ([4.0], [6.0])
    assert unmet_reasons(problem, solution).tolist() == [STOCK_USED_UP]
    assert solution.stock_price.tolist() == [96.0]


def test_a_way_dearer_than_the_penalty_is_not_taken() -> None:
    problem = one_lane(demand=10, stock=50, penalty=3.0)
    solution = solve(problem)
    assert solution.unmet.tolist() == [10.0]
    assert unmet_reasons(problem, solution).tolist() == [TOO_DEAR]
    assert solution.flow_cost == solution.bound == 30.0


def test_a_site_that_packs_nothing_is_named_as_the_capacity_that_binds() -> None:
    problem = replace(one_lane(demand=10, stock=50), outbound_units=np.zeros(1))
    solution = solve(problem)
    assert unmet_reasons(problem, solution).tolist() == [CAPACITY]
    row = binding_rows(problem, solution, 10)[0]
    assert (row.row, row.price) == ("outbound_units[HAM]", 96.0)


def test_kilograms_of_a_carrier_are_priced_per_kilogram() -> None:
    """A unit weighs 2 kg and gains 96: one more kilogram is worth 48."""
    problem = replace(one_lane(demand=10, stock=50), carrier_kg=np.array([[8.0]]))
    solution = solve(problem)
    assert solution.units.tolist() == [4.0]
    assert solution.carrier_price.tolist() == [[48.0]]
    assert unmet_reasons(problem, solution).tolist() == [CAPACITY]


def test_goods_in_bond_pay_duty_when_they_leave() -> None:
    problem = replace(one_lane(demand=10, stock=50), pool_bonded=np.ones(1, dtype=bool))
    assert solve(problem).flow_cost == 10 * (4.0 + 3.0)


def test_no_demand_gives_an_empty_plan() -> None:
    problem = one_lane(demand=10, stock=5)
    none = np.zeros(0, dtype=np.int32)
    idle = replace(
        problem, demand_item=none, demand_region=none, demand_units=np.zeros(0), penalty=np.zeros(0)
    )
    solution = solve(idle)
    assert (solution.flow_cost, solution.bound, solution.proven) == (0.0, 0.0, True)


def test_a_time_limit_leaves_a_plan_and_a_true_bound() -> None:
    """Nothing is served, which is feasible, and the bound still holds."""
    problem = random_problem(5, items=150, sites=6, regions=12)
    stopped, solved = solve(problem, time_limit=1e-4), solve(problem)
    assert not stopped.proven
    assert stopped.unmet.sum() == pytest.approx(problem.demand_units.sum())
    assert stopped.bound <= solved.flow_cost <= stopped.flow_cost
    assert set(unmet_reasons(problem, stopped)) == {NOT_SOLVED}


@pytest.mark.parametrize(
    ("field", "cells", "said"),
    [
        ("demand_units", [np.nan], "forecast"),
        ("penalty", [-1.0], "unmet_penalty"),
        ("pool_units", [np.inf], "stock"),
        ("weight_kg", [-2.0], "items.csv"),
        ("outbound_units", [np.nan], "no limit"),
    ],
)
def test_arrays_that_make_no_sense_are_refused_with_a_repair(
    field: str, cells: list[float], said: str
) -> None:
    changed: dict[str, Any] = {field: np.array(cells)}
    problem = replace(one_lane(demand=10, stock=5), **changed)
    with pytest.raises(BadInput, match=said):
        solve(problem)


def test_a_rate_that_is_not_a_number_is_refused_by_lane() -> None:
    problem = one_lane(demand=10, stock=5)
    broken = replace(problem.costs, shipping=np.full((1, 1, 1, 1), np.nan))
    with pytest.raises(BadInput, match="HAM to DE by POST"):
        solve(replace(problem, costs=broken))
