"""Siting: bounds that hold for every choice of sites, and the best choice among all."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from core.folder.orlib import Location, brand_of
from routing.allocation.allocate import allocate
from routing.allocation.problem import Bools, Floats, Problem
from routing.allocation.solver.exact import relaxed
from routing.allocation.solver.sites.bounds import FREE, OPEN, Prices, SiteBounds
from routing.allocation.solver.sites.siting import charged, most_sent, opened, sited
from routing.allocation.solver.solve import Solution, solve
from tests.routing.allocation.problems import random_problem

GAP = 5e-3


def undecided(seed: int, sites: int = 3, buckets: int = 1, items: int = 4) -> Problem:
    """A random problem with every site but the last to be decided, some of them dear."""
    plain = random_problem(seed, items=items, sites=sites, buckets=buckets)
    costs = np.random.default_rng(seed).uniform(5, 400, sites)
    return replace(plain, fixed_cost=costs, decide=np.arange(sites) < sites - 1)


def choices(problem: Problem) -> list[Bools]:
    free = np.flatnonzero(problem.decide)
    made = []
    for bits in itertools.product((False, True), repeat=len(free)):
        is_open = np.ones(len(problem.decide), dtype=bool)
        is_open[free] = bits
        made.append(is_open)
    return made


def parted_cost(problem: Problem, is_open: Bools) -> float:
    fixed = float(problem.fixed_cost[problem.decide & is_open].sum())
    return relaxed(opened(problem, is_open)[0]).cost + fixed


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), buckets=st.integers(1, 3), size=st.floats(0.0, 60.0))
def test_any_prices_bound_every_choice(seed: int, buckets: int, size: float) -> None:
    problem, rng = undecided(seed, buckets=buckets), np.random.default_rng(seed)
    rows = problem.pools.item, problem.demands.item, problem.limits.flat
    pool, demand, row = (rng.uniform(0, size, len(each)) for each in rows)
    cut = SiteBounds(problem).cut(Prices(demand, pool, row))
    for is_open in choices(problem):
        least = parted_cost(problem, is_open)
        assert cut.least(is_open.astype(int)) <= least + 1e-6 * max(1.0, abs(least))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), buckets=st.integers(1, 3))
def test_prices_of_one_network_bound_every_other(seed: int, buckets: int) -> None:
    problem = undecided(seed, buckets=buckets)
    bounds, costs = SiteBounds(problem), [parted_cost(problem, each) for each in choices(problem)]
    for solved in choices(problem):
        found = solve(opened(problem, solved)[0], GAP, time_limit=1.0)
        cut = bounds.cut(Prices(found.demand_price, found.stock_price, found.price))
        for is_open, least in zip(choices(problem), costs, strict=True):
            assert cut.least(is_open.astype(int)) <= least + 1e-6 * max(1.0, abs(least))


@pytest.mark.parametrize("buckets", [1, 3])
@pytest.mark.parametrize("seed", range(6))
def test_the_best_of_all_choices_is_found(seed: int, buckets: int) -> None:
    """Every choice is solved by itself; the search may miss the best by its gap, no more."""
    problem = undecided(seed, sites=4, buckets=buckets)

    def each(network: Problem, gap: float, start: Floats | None) -> Solution:
        return solve(network, gap, start=start, time_limit=5.0)

    found = sited(problem, GAP, each)
    least = min(parted_cost(problem, is_open) for is_open in choices(problem))
    slack = 1e-6 * max(1.0, least)
    assert found.bound <= found.cost + slack
    assert least - slack <= found.cost
    assert found.bound <= _best_whole(problem) + slack
    found.plan(problem).check(opened_as_whole(problem, found.is_open))


def _best_whole(problem: Problem) -> float:
    """The cheapest plan in whole units among the networks, each solved by itself."""
    costs = []
    for is_open in choices(problem):
        fixed = float(problem.fixed_cost[problem.decide & is_open].sum())
        costs.append(solve(opened(problem, is_open)[0], GAP, time_limit=5.0).flow_cost + fixed)
    return min(costs)


def opened_as_whole(problem: Problem, is_open: Bools) -> Problem:
    """The network with the ships of closed sites, whose limits let none of them be used."""
    outbound = np.where(is_open[:, None], problem.limits.outbound, 0.0)
    return replace(problem, limits=replace(problem.limits, outbound=outbound))


@pytest.mark.parametrize("seed", range(20))
def test_bearing_a_share_of_fixed_costs_is_a_relaxation(seed: int) -> None:
    problem = undecided(seed, buckets=1 + seed % 3)
    least = min(parted_cost(problem, is_open) for is_open in choices(problem))
    assert relaxed(charged(problem)).cost <= least + 1e-6 * max(1.0, least)
    assert (most_sent(problem) >= 0).all()


def a_map(seed: int, sites: int, regions: int, capacity: float, fixed: float) -> Location:
    """Warehouses and customers on a square, as those of OR-Library."""
    rng = np.random.default_rng(seed)
    here, there = (rng.uniform(0, 1000, (count, 2)) for count in (sites, regions))
    demand = rng.integers(1, 112, regions).astype(float)
    km = np.linalg.norm(here[None] - there[:, None], axis=2)
    cost = np.round(demand[:, None] * km * rng.uniform(1, 1.25, (regions, sites)), 5)
    return Location(np.full(sites, capacity), fixed * rng.uniform(0.6, 1.4, sites), demand, cost)


@pytest.mark.parametrize("seed", range(4))
def test_a_location_problem_is_solved_as_by_trying_all(seed: int) -> None:
    location = a_map(seed, sites=6, regions=30, capacity=700.0, fixed=150_000.0)
    made = allocate(brand_of(location, "map"))
    costs = []
    for bits in itertools.product((False, True), repeat=6):
        kept = np.flatnonzero(bits)
        if location.capacity[kept].sum() >= location.demand.sum():
            costs.append(_served_from(location, kept) + location.fixed_cost[kept].sum())
    assert made.objective == pytest.approx(min(costs), rel=1e-6)
    assert made.bound == pytest.approx(min(costs), rel=2e-6)


def _served_from(location: Location, kept: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> float:
    """The least cost of serving all from some warehouses, according to HiGHS in scipy."""
    regions, sites = len(location.demand), len(kept)
    shares = np.kron(np.eye(regions), np.ones(sites))
    load = np.kron(location.demand, np.eye(sites))
    found = linprog(
        location.cost[:, kept].ravel(),
        A_ub=load, b_ub=location.capacity[kept], A_eq=shares, b_eq=np.ones(regions),
    )  # fmt: skip
    assert found.fun is not None, found.message
    return float(found.fun)


def test_a_large_location_problem_is_proven_in_its_time() -> None:
    made = allocate(brand_of(a_map(4, 40, 400, 2500.0, 400_000.0), "map"), gap=1e-6)
    assert made.status == "optimal"
    assert made.gap <= 2e-6


def test_too_little_time_leaves_an_honest_gap() -> None:
    brand = brand_of(a_map(1, 30, 200, 1500.0, 400_000.0), "map")
    hurried, proven = allocate(brand, time_limit=0.3), allocate(brand)
    assert hurried.bound <= proven.objective * (1 + 1e-9)
    assert hurried.objective >= proven.bound * (1 - 1e-9)


def test_free_sites_cost_what_is_cheapest() -> None:
    problem = undecided(3)
    count = len(problem.pools.item), len(problem.demands.item), len(problem.limits.flat)
    cut = SiteBounds(problem).cut(
        Prices(np.full(count[1], 20.0), *(np.zeros(count[at]) for at in (0, 2)))
    )
    state = np.where(problem.decide, FREE, OPEN)
    each = [cut.least(is_open.astype(int)) for is_open in choices(problem)]
    assert cut.least(state) == pytest.approx(min(each))
    every = cut.least(np.full(3, OPEN))
    assert cut.least(state, fewest=3) == pytest.approx(every)
