"""Departures: whole containers and fixed costs, against a mixed-integer oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.allocation.plan import Plan
from routing.allocation.problem import MOVE, Consignments, Problem
from routing.allocation.results.departures import departures_of
from routing.allocation.solver.departures.consignments import (
    by_volume,
    most_m3,
    with_departures,
    with_fewer,
)
from routing.allocation.solver.departures.containers import container_bound
from routing.allocation.solver.solve import solve
from tests.routing.allocation.problems import departing, oracle

SLACK = 1e-6


def off(value: float) -> float:
    return SLACK * max(1.0, abs(value))


@pytest.mark.parametrize("seed", range(40))
def test_bounds_enclose_the_best_whole_departures(seed: int) -> None:
    """The oracle may part units, but neither departures nor containers."""
    problem = departing(seed)
    best = oracle(problem)
    found = solve(problem, gap=1e-3, method="decomposition", time_limit=2.0)
    found.plan.check(problem)
    assert found.flow_cost == pytest.approx(found.plan.flow_cost(problem))
    assert found.flow_cost >= best - off(best)
    assert found.bound <= best + off(best)


@pytest.mark.parametrize("seed", range(12))
def test_small_problems_are_solved_to_proof(seed: int) -> None:
    problem = departing(seed, items=3, most_units=20)
    best = oracle(problem)
    found = solve(problem, gap=1e-6)
    assert found.gap <= 1e-6
    assert found.flow_cost >= best - off(best)
    assert found.flow_cost <= best * 1.02 + 2.0


@pytest.mark.parametrize("seed", range(40))
def test_a_charge_by_volume_is_a_bound(seed: int) -> None:
    problem = departing(seed)
    assert oracle(by_volume(problem)) <= oracle(problem) + off(oracle(problem))


@pytest.mark.parametrize("seed", range(25))
def test_cases_of_containers_give_a_better_bound(seed: int) -> None:
    problem = departing(seed)
    near = solve(by_volume(problem), gap=1e-4, method="decomposition")
    best = oracle(problem)
    bound = container_bound(problem, near.plan, near.price, near.bound, best)
    assert near.bound - off(best) <= bound <= best + off(best)


@pytest.mark.parametrize("seed", range(25))
def test_giving_up_departures_never_costs_more(seed: int) -> None:
    problem = departing(seed)
    near = solve(by_volume(problem), gap=1e-3, method="decomposition")
    before = near.plan.flow_cost(problem)
    plan = with_fewer(problem, near.plan.copy())
    plan.check(problem)
    assert plan.flow_cost(problem) <= before + off(before)
    left = solve(with_departures(problem, plan), gap=1e-3, method="decomposition")
    left.plan.check(problem)


@given(
    st.lists(st.floats(0.0, 300.0), min_size=1, max_size=6),
    st.floats(0.0, 50.0),
    st.just(0.0) | st.floats(0.1, 40.0),
    st.floats(0.0, 500.0),
    st.floats(1e-3, 400.0),
)
def test_no_departure_costs_less_than_its_volume(
    volumes: list[float], fixed: float, size: float, cost: float, most: float
) -> None:
    one = Consignments(np.array([fixed]), np.array([size]), np.array([cost if size > 0 else 0.0]))
    least = one.least_per_m3(np.array([[most]]))[0, 0]
    for volume in volumes:
        m3 = min(volume, most)
        paid = one.cost(np.array([[m3]]), np.array([[m3]]))[0, 0]
        assert least * m3 <= paid + 1e-6 * max(1.0, paid)


@pytest.mark.parametrize("seed", range(8))
def test_departures_are_told_with_all_that_they_cost(seed: int) -> None:
    problem = departing(seed)
    plan = solve(problem, gap=1e-2, method="decomposition", time_limit=2.0).plan
    told = departures_of(problem, plan)
    assert sum(one.cost for one in told) == pytest.approx(plan.consigned(problem).sum())
    moved = problem.transfers.kind == MOVE
    assert sum(one.quantity for one in told) == plan.moved[moved].sum()
    size = dict(zip(problem.axes.lanes, problem.consignments.container_m3, strict=True))
    for one in told:
        held = size[one.from_site, one.to_site, one.service]
        assert one.m3 <= one.containers * held + 1e-6 if held else one.containers == 0


def test_goods_wait_for_each_other_to_share_a_container() -> None:
    """Two weeks of small moves go together where a container costs more than waiting."""
    problem = next(
        made
        for made in (departing(seed, items=8, most_units=60) for seed in range(60))
        if _departures(made, solve(by_volume(made), gap=1e-4).plan) > 3
    )
    near = solve(by_volume(problem), gap=1e-4)
    found = solve(problem, gap=1e-3, time_limit=4.0)
    assert _departures(problem, found.plan) < _departures(problem, near.plan)
    assert found.flow_cost < near.plan.flow_cost(problem)


def _departures(problem: Problem, plan: Plan) -> int:
    return int((plan.consigned(problem) > 0).sum())


def test_most_volume_of_a_departure_is_its_limit_or_all_there_is() -> None:
    problem = departing(3)
    most = most_m3(problem)
    assert np.isfinite(most).all()
    assert (most <= problem.limits.lane_m3).all()
