"""Planning again from an earlier plan: as good as proven, and little else changes."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from api.benchmarks.instances import Size, instance
from routing.allocation.problem import Problem, only, with_limits
from routing.allocation.solver.carried import Earlier, carried
from routing.allocation.solver.exact import relaxed
from routing.allocation.solver.replan import replanned
from routing.allocation.solver.solve import solve
from tests.routing.allocation.problems import random_problem

GAP = 3e-3
SIZE = Size(1_500, sites=3, regions=6, services=2, asking=4.0, holding=2.0)


def packs_less(problem: Problem) -> Problem:
    flat = problem.limits.flat.copy()
    flat[0] = np.floor(flat[0] * 0.96)
    return with_limits(problem, flat)


def packs_more(problem: Problem) -> Problem:
    flat = problem.limits.flat.copy()
    flat[1] *= 1.05
    return with_limits(problem, flat)


def dearer(problem: Problem) -> Problem:
    cost = problem.ships.cost.astype(float)
    cost[problem.pools.site[problem.ships.pool] == 1] *= 1.02
    return replace(problem, ships=replace(problem.ships, cost=cost))


def sells_more(problem: Problem) -> Problem:
    """More demand of a tenth of the items: their plans fit no longer."""
    units = problem.segments.units.copy()
    units[problem.demands.item[problem.segments.demand] % 10 == 3] += 2
    return replace(problem, segments=replace(problem.segments, units=units))


def drops_items(problem: Problem) -> Problem:
    return only(problem, np.flatnonzero(np.arange(problem.items) % 20).astype(np.int32))


def nothing(problem: Problem) -> Problem:
    return problem


CHANGES = (packs_less, packs_more, dearer, sells_more, drops_items, nothing)


@pytest.fixture(scope="module")
def earlier() -> Earlier:
    problem = instance(SIZE, seed=3)
    found = solve(problem, GAP, method="decomposition")
    return Earlier(problem, found.plan, found.price)


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_problem_is_planned_within_its_gap(
    earlier: Earlier, change: Callable[[Problem], Problem]
) -> None:
    problem = change(earlier.problem)
    found = solve(problem, GAP, start=earlier, method="decomposition")
    found.plan.check(problem)
    best = relaxed(problem).cost
    assert found.gap <= GAP
    assert found.bound <= best * (1 + 1e-6)
    assert best <= found.flow_cost * (1 + 1e-6)


@pytest.mark.parametrize("change", [packs_less, packs_more, dearer, sells_more, nothing])
def test_most_items_keep_their_plan(earlier: Earlier, change: Callable[[Problem], Problem]) -> None:
    problem = change(earlier.problem)
    made = replanned(problem, earlier, GAP, seed=0)
    assert made is not None
    ships = problem.ships.demand
    kept = (made.plan.shipped == earlier.plan.shipped).all(axis=1)
    changed = np.unique(problem.demands.item[ships[~kept]])
    assert len(changed) <= 0.5 * problem.items


def test_an_earlier_plan_fits_items_whose_rows_are_the_same() -> None:
    before = random_problem(5, items=30, buckets=3)
    found = solve(before, GAP, method="decomposition")
    after = only(before, np.flatnonzero(np.arange(30) % 3 != 1).astype(np.int32))
    units = after.pools.units.copy()
    touched = int(after.pools.item[0])
    units[0] += 1
    after = replace(after, pools=replace(after.pools, units=units))
    plan, known = carried(Earlier(before, found.plan, found.price), after)
    assert (known == (np.arange(after.items) != touched)).all()
    kept = np.flatnonzero(known).astype(np.int32)
    plan.of_items(after, kept).check(only(with_limits(after, after.limits.flat * 2 + 1e9), kept))


def test_other_sites_or_a_wild_change_are_planned_from_the_beginning(earlier: Earlier) -> None:
    flat = earlier.problem.limits.flat.copy()
    flat[0] = 0.0
    assert replanned(with_limits(earlier.problem, flat), earlier, GAP, seed=0) is None
    axes = replace(earlier.problem.axes, sites=("a", "b", "c"))
    assert replanned(replace(earlier.problem, axes=axes), earlier, GAP, seed=0) is None
