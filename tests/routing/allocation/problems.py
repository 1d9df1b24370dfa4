"""Random allocation problems with every feature, and an oracle that shares no code with us."""

from dataclasses import replace

import numpy as np
from scipy.optimize import linprog

from routing.allocation.problem import Problem
from routing.costs import UnitCosts


def unit_costs_like(rng: np.random.Generator, shape: tuple[int, int, int, int]) -> UnitCosts:
    """Random unit costs; a tenth of the lanes are forbidden, some axes have length 1."""
    items, sites, regions, services = shape
    return UnitCosts(
        items=tuple(f"item {at}" for at in range(items)),
        sites=tuple(f"site {at}" for at in range(sites)),
        regions=tuple(f"region {at}" for at in range(regions)),
        services=tuple(f"service {at}" for at in range(services)),
        shipping=rng.uniform(1, 20, shape),
        handling=rng.uniform(0, 2, (1, sites, 1, 1)),
        duty=rng.uniform(0, 3, (items, sites, regions, 1)),
        tax=rng.uniform(0, 3, (items, sites, regions, 1)),
        bonded_duty=rng.uniform(2, 6, (items, sites, regions, 1)),
        bonded_tax=rng.uniform(2, 6, (items, sites, regions, 1)),
        lateness=rng.uniform(0, 1, (1, sites, regions, services)),
        carbon=rng.uniform(0, 1, shape),
        allowed=rng.random(shape) < 0.9,
        late_days=rng.uniform(0, 1, (1, sites, regions, services)),
        carbon_kg=rng.uniform(0, 1, shape),
    )


def random_problem(seed: int, items: int = 5, sites: int = 3, regions: int = 4) -> Problem:
    """A small problem: free and bonded pools, tight and missing capacities, low penalties."""
    rng = np.random.default_rng(seed)
    services = int(rng.integers(1, 4))
    asked = np.argwhere(rng.random((items, regions)) < 0.8)
    held = np.argwhere(rng.random((items, sites, 2)) < 0.5)
    units = rng.uniform(0, 100, len(asked)) * 10.0 ** rng.integers(0, 4)
    total = units.sum()
    return Problem(
        costs=unit_costs_like(rng, (items, sites, regions, services)),
        demand_item=asked[:, 0].astype(np.int32),
        demand_region=asked[:, 1].astype(np.int32),
        demand_units=units,
        penalty=rng.uniform(5, 60, items)[asked[:, 0]],
        pool_item=held[:, 0].astype(np.int32),
        pool_site=held[:, 1].astype(np.int32),
        pool_bonded=held[:, 2].astype(bool),
        pool_units=rng.uniform(0, 1.5 * total / max(len(held), 1), len(held)),
        weight_kg=rng.uniform(0.1, 5, items),
        value=rng.uniform(5, 100, items),
        outbound_units=_capacities(rng, (sites,), total / sites),
        carrier_kg=_capacities(rng, (sites, services), total / sites),
        fixed_cost=np.zeros(sites),
        decide=np.zeros(sites, dtype=bool),
        storage_cost=0.0,
    )


def _capacities(
    rng: np.random.Generator, shape: tuple[int, ...], usual: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    drawn = rng.uniform(0, 2 * usual, shape)
    kind = rng.random(shape)
    return np.where(kind < 0.3, np.inf, np.where(kind < 0.4, 0.0, drawn))


def oracle(problem: Problem) -> float:
    """The least cost according to HiGHS in scipy, over every lane, with no reduction."""
    costs, flows = problem.costs, []
    for pool, (item, site) in enumerate(zip(problem.pool_item, problem.pool_site, strict=True)):
        total = costs.bonded_total if problem.pool_bonded[pool] else costs.total
        for row in np.flatnonzero(problem.demand_item == item):
            region = problem.demand_region[row]
            for service in range(len(costs.services)):
                if costs.allowed[item, site, region, service]:
                    cost = total[item, site, region, service]
                    flows.append((pool, row, site, service, problem.weight_kg[item], cost))
    rows, columns = len(problem.demand_units), len(flows)
    served = np.zeros((rows, columns + rows))
    served[np.arange(rows), columns + np.arange(rows)] = 1.0
    stock = np.zeros((len(problem.pool_units), columns + rows))
    outbound = np.zeros((len(costs.sites), columns + rows))
    carrier = np.zeros((*problem.carrier_kg.shape, columns + rows))
    for column, (pool, row, site, service, weight, _) in enumerate(flows):
        served[row, column] = stock[pool, column] = outbound[site, column] = 1.0
        carrier[site, service, column] = weight
    upper = np.concatenate([problem.pool_units, problem.outbound_units, problem.carrier_kg.ravel()])
    matrix = np.concatenate([stock, outbound, carrier.reshape(-1, columns + rows)])
    found = linprog(
        [cost for *_, cost in flows] + list(problem.penalty),
        A_ub=matrix[np.isfinite(upper)],
        b_ub=upper[np.isfinite(upper)],
        A_eq=served,
        b_eq=problem.demand_units,
    )
    assert found.fun is not None, found.message
    return float(found.fun)


def one_lane(demand: float, stock: float, penalty: float = 100.0, cost: float = 4.0) -> Problem:
    """One item, one site, one region, one service."""
    flat = np.zeros((1, 1, 1, 1))
    costs = UnitCosts(
        items=("MUG",), sites=("HAM",), regions=("DE",), services=("POST",),
        shipping=flat + cost, handling=flat, duty=flat, tax=flat, bonded_duty=flat + 3.0,
        bonded_tax=flat, lateness=flat, carbon=flat, allowed=flat == 0, late_days=flat,
        carbon_kg=flat,
    )  # fmt: skip
    at = np.zeros(1, dtype=np.int32)
    return Problem(
        costs=costs, demand_item=at, demand_region=at, demand_units=np.array([demand]),
        penalty=np.array([penalty]), pool_item=at, pool_site=at, pool_bonded=np.zeros(1, bool),
        pool_units=np.array([stock]), weight_kg=np.array([2.0]), value=np.array([50.0]),
        outbound_units=np.array([np.inf]), carrier_kg=np.array([[np.inf]]),
        fixed_cost=np.zeros(1), decide=np.zeros(1, bool), storage_cost=0.0,
    )  # fmt: skip


def without_stock(problem: Problem) -> Problem:
    """The same problem with nothing at hand."""
    none = np.zeros(0, dtype=np.int32)
    return replace(
        problem, pool_item=none, pool_site=none, pool_bonded=none.astype(bool),
        pool_units=none.astype(float),
    )  # fmt: skip


def without_routes(problem: Problem) -> Problem:
    """The same problem with every lane forbidden."""
    forbidden = np.zeros_like(problem.costs.allowed)
    return replace(problem, costs=replace(problem.costs, allowed=forbidden))
