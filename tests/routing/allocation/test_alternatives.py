"""Alternatives: what else could be done with a unit, against an oracle that does it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from core.errors import BadInput
from routing.allocation.problem import Problem, with_limits
from routing.allocation.results.explain import Alternatives, Way, alternatives
from routing.allocation.solver.answers import Household, Terms
from routing.allocation.solver.exact import relaxed
from routing.allocation.solver.solve import Solution, solve
from tests.routing.allocation.problems import one_lane, random_problem

STEP = 1


def every(problem: Problem, found: Solution) -> Iterator[Alternatives]:
    """Explains every demand of a problem."""
    axes, demands = problem.axes, problem.demands
    for item, region, bucket in zip(demands.item, demands.region, demands.bucket, strict=True):
        yield alternatives(
            problem, found, axes.items[item], axes.regions[region], axes.buckets[bucket]
        )


def over_the_bound(problem: Problem, found: Solution) -> float:
    """What the plan costs above the bound that its own prices prove."""
    household = Household(problem, Terms.of(problem, 1, np.zeros(0, np.int32)))
    finite = np.isfinite(problem.limits.flat)
    worth = float(found.price[finite] @ problem.limits.flat[finite])
    return found.flow_cost - household.worth(found.price).bound + worth


@pytest.mark.parametrize("route", ["exact", "decomposition"])
@pytest.mark.parametrize("buckets", [1, 3])
@pytest.mark.parametrize("seed", range(15))
def test_used_ways_are_worse_by_no_more_than_the_gap_and_none_is_better(
    seed: int, buckets: int, route: str
) -> None:
    """Complementary slackness: what the plan pays too much, in all its ways, is within its gap."""
    problem = random_problem(seed, buckets=buckets)
    found = solve(problem, gap=1e-3, method=route, time_limit=5.0)
    slack = 1e-5 * max(1.0, found.flow_cost)
    lost = 0.0
    for told in every(problem, found):
        ways = [way for way in told.ways if way.site]
        assert min((way.reduced_cost for way in ways), default=0.0) >= -1e-5
        lost += sum(way.reduced_cost * way.units for way in ways)
    assert lost <= over_the_bound(problem, found) + slack


@pytest.mark.parametrize("buckets", [1, 3])
@pytest.mark.parametrize("seed", range(8))
def test_a_unit_that_is_forced_another_way_costs_its_reduced_cost(seed: int, buckets: int) -> None:
    """Where prices are unique, that is; where the optimum bends they lie between both sides."""
    problem = random_problem(seed, items=3, regions=3, buckets=buckets, most_units=9973)
    found = solve(problem, method="exact", time_limit=5.0)
    least = relaxed(problem)
    found = replace(found, price=least.price)
    same = compared = 0
    for told in every(problem, found):
        for way in told.ways:
            if way.site and _has_room(problem, told, way):
                more = (_forced(problem, told, way, STEP) - least.cost) / STEP
                assert more >= way.reduced_cost - 1e-3
                compared += 1
                same += abs(more - way.reduced_cost) < 1e-3
    assert compared > 5
    assert same > 0.8 * compared


def _rows(problem: Problem, told: Alternatives, way: Way) -> list[tuple[int, float]]:
    """The shared limits that a unit takes from on its way, and how much."""
    axes, limits = problem.axes, problem.limits
    site, bucket = axes.sites.index(way.site), axes.buckets.index(told.bucket)
    service, item = axes.services.index(way.service), axes.items.index(told.item)
    outbound = np.ravel_multi_index((site, bucket), limits.outbound.shape)
    carrier = np.ravel_multi_index((site, service, bucket), limits.carrier_kg.shape)
    return [
        (int(outbound), 1.0),
        (limits.outbound.size + int(carrier), float(problem.weight_kg[item])),
    ]


def _has_room(problem: Problem, told: Alternatives, way: Way) -> bool:
    return all(problem.limits.flat[row] >= use for row, use in _rows(problem, told, way))


def _forced(problem: Problem, told: Alternatives, way: Way, step: int) -> float:
    """The least cost where a unit goes one way, whatever else happens."""
    axes, demands, pools = problem.axes, problem.demands, problem.pools
    item, region = axes.items.index(told.item), axes.regions.index(told.region)
    site, bucket = axes.sites.index(way.site), axes.buckets.index(told.bucket)
    is_demand = (demands.item == item) & (demands.region == region) & (demands.bucket == bucket)
    is_pool = (pools.item == item) & (pools.site == site) & (pools.bucket == bucket)
    is_pool &= pools.bonded == (way.customs == "bonded")
    (demand,), (pool, *_) = np.flatnonzero(is_demand), np.flatnonzero(is_pool)
    flat = problem.limits.flat.copy()
    for row, use in _rows(problem, told, way):
        flat[row] -= step * use
    units = pools.units.copy()
    units[pool] -= step
    segments = problem.segments
    asked = segments.units.copy()
    asked[np.flatnonzero(segments.demand == demand)[0]] -= step
    changed = replace(
        with_limits(problem, flat),
        pools=replace(pools, units=units),
        segments=replace(segments, units=asked),
    )
    return relaxed(changed).cost + step * way.unit_cost


def test_what_is_left_is_told_with_its_penalty() -> None:
    """Ten mugs for thirteen askers: three go without, and one more mug would be worth 96."""
    problem = one_lane(demand=13, stock=10)
    told = alternatives(problem, solve(problem), "MUG", "DE")
    assert told.demand_price == pytest.approx(100.0)
    ship = Way("HAM", "free", "POST", 4.0, 0.0, 0.0, 96.0, 0.0, 10.0)
    leave = Way("", "", "", 100.0, 0.0, 0.0, 0.0, 0.0, 3.0)
    assert told.ways == (ship, leave)


def test_ample_stock_costs_nothing_and_leaving_a_unit_its_whole_penalty_less_the_way() -> None:
    problem = one_lane(demand=8, stock=10)
    told = alternatives(problem, solve(problem), "MUG", "DE", date(2026, 9, 9))
    assert [(way.site, way.stock, way.reduced_cost) for way in told.ways] == [
        ("HAM", 0.0, 0.0), ("", 0.0, 96.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("item", "region", "bucket", "words"),
    [
        ("CUP", "DE", None, "items of the plan, got CUP"),
        ("MUG", "FR", None, "regions of the plan, got FR"),
        ("MUG", "DE", date(2026, 1, 1), "asks for MUG in 2026-09-07, not in 2026-01-01"),
    ],
)
def test_what_nobody_asks_for_is_refused_with_what_is(
    item: str, region: str, bucket: date | None, words: str
) -> None:
    problem = one_lane(demand=8, stock=10)
    with pytest.raises(BadInput, match=words):
        alternatives(problem, solve(problem), item, region, bucket)
