"""Solving: both routes against independent oracles, proofs that hold, units that are never lost."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from core.errors import BadInput
from routing.allocation.problem import MOVE, Problem, Ships, with_limits
from routing.allocation.results.explain import (
    CAPACITY,
    NO_ROUTE,
    NO_STOCK,
    STOCK_USED_UP,
    TOO_DEAR,
    unmet_reasons,
)
from routing.allocation.solver.decomposition import MOST_ROUNDS, Decomposition
from routing.allocation.solver.exact import relaxed
from routing.allocation.solver.glop import LinearProgram, fill_rows, fill_sparse, minimize
from routing.allocation.solver.program import columns_of, linear_program
from routing.allocation.solver.solve import Solution, solve
from tests.routing.allocation.problems import (
    brute_force,
    one_lane,
    oracle,
    random_problem,
    without_routes,
    without_stock,
)

ROUTES = ("exact", "decomposition")
SEEDS = range(60)
STEP = 1e-3


def near(seed: int, buckets: int) -> tuple[Problem, float]:
    problem = random_problem(seed, buckets=buckets)
    return problem, oracle(problem)


@pytest.mark.parametrize("buckets", [1, 4])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_relaxation_agrees_with_scipy(seed: int, buckets: int) -> None:
    problem, least = near(seed, buckets)
    assert relaxed(problem).cost == pytest.approx(least, rel=1e-6, abs=1e-5)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("buckets", [1, 4])
@pytest.mark.parametrize("seed", SEEDS)
def test_bounds_enclose_the_optimum(seed: int, buckets: int, route: str) -> None:
    """What the oracle finds in parted units is never below our bound, nor above our plan."""
    problem, least = near(seed, buckets)
    found = solve(problem, gap=1e-3, method=route, time_limit=5.0)
    slack = 1e-6 * max(1.0, abs(least))
    assert found.flow_cost >= least - slack
    assert found.bound <= found.flow_cost + slack
    if route == "decomposition":
        assert found.bound <= least + slack
    found.plan.check(problem)


@pytest.mark.parametrize("groups", [0, 5])
@pytest.mark.parametrize("buckets", [1, 4])
@pytest.mark.parametrize("seed", range(30))
def test_mixture_and_bound_meet_at_the_optimum(seed: int, buckets: int, groups: int) -> None:
    """With one group of all items as with a group for each."""
    problem, least = near(seed, buckets)
    with Decomposition(problem, groups=groups) as loop:
        found = loop.run(1e-6)
    assert found.rounds < MOST_ROUNDS
    assert found.mixture.cost == pytest.approx(least, rel=2e-6, abs=1e-4)
    assert found.bound == pytest.approx(least, rel=2e-6, abs=1e-4)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("seed", range(12))
def test_whole_units_cost_little_more_than_parted_ones(seed: int, route: str) -> None:
    problem = random_problem(seed, items=30, regions=6, most_units=60)
    least = oracle(problem)
    found = solve(problem, gap=1e-3, method=route, time_limit=5.0)
    assert found.flow_cost <= least * 1.01


@pytest.mark.parametrize("seed", range(40))
def test_tiny_problems_are_solved_as_by_trying_every_plan(seed: int) -> None:
    problem = random_problem(seed, items=1, sites=2, regions=1, most_units=4)
    small = replace(problem, pools=replace(problem.pools, units=np.minimum(problem.pools.units, 3)))
    if len(small.ships.pool) * len(small.axes.services) > 7:
        pytest.skip("more plans than are worth trying")
    found = solve(small, gap=1e-9)
    best = brute_force(small)
    assert found.flow_cost == pytest.approx(best, rel=1e-9, abs=1e-9)
    assert found.bound <= best + 1e-6


@pytest.mark.parametrize("route", ROUTES)
def test_the_same_seed_gives_the_same_plan(route: str) -> None:
    problem = random_problem(7, items=20, buckets=3)
    one, other = (solve(problem, gap=1e-3, seed=3, method=route) for _ in range(2))
    for mine, theirs in zip(one.plan.parts, other.plan.parts, strict=True):
        assert np.array_equal(mine, theirs)
    assert np.array_equal(one.price, other.price)


@pytest.mark.parametrize("seed", range(20))
def test_prices_are_what_one_more_is_worth(seed: int) -> None:
    """Where the optimum bends, a price lies between what one less costs and one more saves."""
    problem = random_problem(seed)
    found = relaxed(problem)
    priced = np.flatnonzero(found.price > 1e-6)
    for row in priced[:4]:
        more = _cost_with(problem, int(row), STEP)
        assert (found.cost - more) / STEP <= found.price[row] + 1e-4
        if problem.limits.flat[row] > STEP:
            less = _cost_with(problem, int(row), -STEP)
            assert (less - found.cost) / STEP >= found.price[row] - 1e-4


def _cost_with(problem: Problem, row: int, step: float) -> float:
    flat = problem.limits.flat.copy()
    flat[row] += step
    return relaxed(with_limits(problem, flat)).cost


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), more=st.integers(1, 30))
def test_more_stock_never_costs_more(seed: int, more: int) -> None:
    """Stock that nobody pays to keep, that is: in one bucket nothing is stored."""
    problem = random_problem(seed)
    richer = replace(problem, pools=replace(problem.pools, units=problem.pools.units + more))
    assert relaxed(richer).cost <= relaxed(problem).cost + 1e-6


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), factor=st.floats(1.0, 5.0), buckets=st.integers(1, 3))
def test_more_capacity_never_costs_more(seed: int, factor: float, buckets: int) -> None:
    problem = random_problem(seed, buckets=buckets)
    wider = with_limits(problem, problem.limits.flat * factor)
    assert relaxed(wider).cost <= relaxed(problem).cost + 1e-6


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), buckets=st.integers(1, 3))
def test_fewer_lanes_never_cost_less(seed: int, buckets: int) -> None:
    problem = random_problem(seed, buckets=buckets)
    ships = problem.ships
    half = slice(0, len(ships.pool) // 2)
    fewer = Ships(ships.pool[half], ships.demand[half], ships.way[half], ships.cost)
    assert relaxed(replace(problem, ships=fewer)).cost >= relaxed(problem).cost - 1e-6


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), buckets=st.integers(1, 4))
def test_every_unit_is_somewhere(seed: int, buckets: int) -> None:
    problem = random_problem(seed, items=8, buckets=buckets)
    solve(problem, gap=1e-2, method="decomposition").plan.check(problem)


# --- hard cases ---------------------------------------------------------------------------------


def reasons(problem: Problem, found: Solution) -> list[str]:
    left = np.zeros(len(problem.demands.item), dtype=bool)
    left[problem.segments.demand[found.plan.unmet > 0]] = True
    return [str(reason) for reason in unmet_reasons(problem, found)[left]]


@pytest.mark.parametrize("route", ROUTES)
def test_without_stock_nothing_is_served(route: str) -> None:
    problem = without_stock(random_problem(1, buckets=2))
    found = solve(problem, method=route)
    assert not found.plan.shipped.any()
    assert found.flow_cost == pytest.approx(found.bound)
    assert set(reasons(problem, found)) == {NO_STOCK}


@pytest.mark.parametrize("route", ROUTES)
def test_without_routes_nothing_is_served(route: str) -> None:
    problem = without_routes(one_lane(demand=5, stock=9))
    found = solve(problem, method=route)
    assert found.flow_cost == pytest.approx(500.0)
    assert reasons(problem, found) == [NO_ROUTE]


@pytest.mark.parametrize("route", ROUTES)
def test_without_demand_nothing_is_shipped(route: str) -> None:
    problem = one_lane(demand=0, stock=9)
    found = solve(problem, method=route)
    assert found.flow_cost == 0.0
    assert found.bound == pytest.approx(0.0)


@pytest.mark.parametrize("route", ROUTES)
def test_a_site_that_may_pack_nothing_serves_nobody(route: str) -> None:
    problem = one_lane(demand=5, stock=9)
    closed = replace(problem, limits=replace(problem.limits, outbound=np.zeros((1, 1))))
    found = solve(closed, method=route)
    assert not found.plan.shipped.any()
    assert reasons(closed, found) == [CAPACITY]


@pytest.mark.parametrize("route", ROUTES)
def test_units_dearer_than_their_penalty_stay_unmet(route: str) -> None:
    problem = one_lane(demand=5, stock=9, penalty=3.0, cost=4.0)
    found = solve(problem, method=route)
    assert reasons(problem, found) == [TOO_DEAR]


@pytest.mark.parametrize("route", ROUTES)
def test_scarce_stock_has_the_price_of_what_it_saves(route: str) -> None:
    problem = one_lane(demand=9, stock=5)
    found = solve(problem, method=route)
    assert found.stock_price == pytest.approx([96.0])
    assert reasons(problem, found) == [STOCK_USED_UP]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("units", [1, 10**9])
def test_huge_numbers_and_tiny_ones_are_told_apart(route: str, units: int) -> None:
    """A penalty of a billion beside a cost of a millionth, and a billion units."""
    problem = one_lane(demand=units, stock=units, penalty=1e9, cost=0.000123)
    found = solve(problem, method=route)
    assert int(found.plan.shipped.sum()) == units
    assert found.flow_cost == pytest.approx(units * 0.000123, rel=1e-9)


@pytest.mark.parametrize("route", ROUTES)
def test_costs_of_six_decimals_decide(route: str) -> None:
    problem = one_lane(demand=4, stock=4)
    at = np.zeros(1, np.int32)
    two = replace(
        problem,
        axes=replace(problem.axes, services=("DEAR", "CHEAP")),
        ships=Ships(at, at, at, np.array([[4.000001, 4.0]])),
        limits=replace(problem.limits, carrier_kg=np.full((1, 2, 1), np.inf)),
    )
    assert solve(two, method=route).plan.shipped.tolist() == [[0, 4]]


def test_a_time_limit_leaves_the_best_plan_so_far_with_its_honest_gap() -> None:
    problem = random_problem(3, items=200, sites=4, regions=8, buckets=3)
    found = solve(problem, gap=1e-9, method="decomposition", time_limit=0.01)
    found.plan.check(problem)
    assert found.bound <= relaxed(problem).cost + 1e-6
    assert found.flow_cost >= found.bound


@pytest.mark.parametrize("seed", range(12))
def test_sites_are_opened_where_it_pays(seed: int) -> None:
    """Every choice of open sites is tried, each by the oracle."""
    plain = random_problem(seed, items=3, sites=3)
    costs = np.random.default_rng(seed).uniform(10, 300, 3)
    problem = replace(plain, fixed_cost=costs, decide=np.array([True, True, False]))
    best = min(
        _with_open(plain, [first, second, True]) + costs[0] * first + costs[1] * second
        for first in (False, True)
        for second in (False, True)
    )
    found = solve(problem, gap=1e-6)
    assert found.bound <= found.flow_cost + 1e-6
    assert found.flow_cost >= best - 1e-6
    assert found.flow_cost <= best * 1.02 + 5.0, "whole units cost a little more than parted ones"


def _with_open(problem: Problem, is_open: list[bool]) -> float:
    outbound = np.where(np.array(is_open)[:, None], problem.limits.outbound, 0.0)
    return oracle(replace(problem, limits=replace(problem.limits, outbound=outbound)))


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (lambda p: replace(p, weight_kg=np.array([-1.0])), "weight_kg"),
        (
            lambda p: replace(p, limits=replace(p.limits, outbound=np.array([[np.nan]]))),
            "outbound_units",
        ),
        (
            lambda p: replace(p, pools=replace(p.pools, units=np.array([-3]))),
            "stock",
        ),
        (
            lambda p: replace(p, segments=replace(p.segments, value=np.array([np.inf]))),
            "penalty",
        ),
        (
            lambda p: replace(p, ships=replace(p.ships, cost=np.array([[np.nan]]))),
            "correct the rate",
        ),
    ],
)
def test_a_problem_that_cannot_be_says_what_to_mend(broken, told: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadInput, match=told):
        solve(broken(one_lane(demand=5, stock=9)))


# --- the solver's door --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_both_ways_to_fill_a_model_give_the_same_optimum(seed: int) -> None:
    problem = random_problem(seed, buckets=2)
    program = linear_program(problem, columns_of(problem))
    fast, plain = (minimize(program, fill=fill) for fill in (fill_sparse, fill_rows))
    assert fast.values @ program.objective == pytest.approx(plain.values @ program.objective)


def test_a_program_without_columns_is_solved() -> None:
    none = np.zeros(0)
    made = minimize(LinearProgram(none, csr_array((0, 0)), none, none, none))
    assert made.proven


@pytest.mark.parametrize("seed", range(8))
def test_nothing_leaves_a_site_that_stays_closed(seed: int) -> None:
    """Stock of closed sites was moved out and shipped from elsewhere, below the proven bound."""
    plain = random_problem(seed, items=3, sites=3, buckets=3)
    decided = np.array([True, True, False])
    problem = replace(plain, fixed_cost=np.array([900.0, 900.0, 0.0]), decide=decided)
    found = solve(problem, gap=1e-4, time_limit=5.0)
    closed = decided & ~found.is_open
    sent = problem.pools.site[problem.ships.pool[found.plan.flows()[0]]]
    moved = (problem.transfers.kind == MOVE) & (found.plan.moved > 0)
    left = problem.pools.site[problem.transfers.start[moved]]
    assert not closed[sent].any()
    assert not closed[left].any()
    assert found.bound <= found.flow_cost
