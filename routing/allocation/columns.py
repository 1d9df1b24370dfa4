"""Columns: every way in which a pool of stock may serve a demand, without the hopeless ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routing.allocation.problem import Ints, Problem, summed
from routing.costs import Bools, Floats, picked


@dataclass(frozen=True, eq=False)
class Columns:
    """Flows that may be worth something: pool, demand row, service and unit cost of each.

    `cheapest` is the least unit cost of each demand row over every lawful and possible way, also
    those left out; infinite where there is none. It explains demand that nobody serves.
    """

    pool: Ints
    demand: Ints
    service: Ints
    cost: Floats
    cheapest: Floats


@dataclass(frozen=True, eq=False)
class Limits:
    """Which shared capacities can bind at all: outbound [site] and kilograms [site, service]."""

    outbound: Bools
    carrier: Bools


def limits_of(problem: Problem) -> Limits:
    """Returns the capacities below the most that stock and demand could ever ask of them."""
    most = np.minimum(problem.pool_units, problem.item_demand[problem.pool_item])
    sites = len(problem.costs.sites)
    units = summed(problem.pool_site, most, sites)
    weight = most * problem.weight_kg[problem.pool_item]
    kilograms = summed(problem.pool_site, weight, sites)
    return Limits(
        outbound=problem.outbound_units < units,
        carrier=problem.carrier_kg < kilograms[:, np.newaxis],
    )


def columns_of(problem: Problem, limits: Limits) -> Columns:
    """Returns the columns that an optimal plan may need.

    Left out, at no loss: ways that are forbidden, ways dearer than the penalty, and services that
    another one without a capacity that can bind undercuts on the same lane.
    """
    pool, demand = _pairs(problem)
    cost = _pair_costs(problem, pool, demand)
    cheapest = np.full(len(problem.demand_units), np.inf)
    np.minimum.at(cheapest, demand, cost.min(axis=1, initial=np.inf))
    wanted = cost < problem.penalty[demand][:, np.newaxis]
    wanted &= ~_undercut(cost, limits.carrier[problem.pool_site[pool]])
    pair, service = np.nonzero(wanted)
    return Columns(
        pool=pool[pair],
        demand=demand[pair],
        service=service.astype(np.int32),
        cost=cost[pair, service],
        cheapest=cheapest,
    )


def _pairs(problem: Problem) -> tuple[Ints, Ints]:
    """Every pool with every demand row of its item: the cross product, item by item."""
    edges = np.searchsorted(problem.demand_item, np.arange(len(problem.costs.items) + 1))
    first, count = edges[:-1][problem.pool_item], np.diff(edges)[problem.pool_item]
    pool = np.repeat(np.arange(len(count), dtype=np.int32), count)
    before = np.cumsum(count) - count
    demand = np.arange(len(pool)) - np.repeat(before - first, count)
    return pool, demand.astype(np.int32)


def _pair_costs(problem: Problem, pool: Ints, demand: Ints) -> Floats:
    """Unit costs shaped [pair, service]; infinite where the way is forbidden."""
    costs = problem.costs
    lane = problem.pool_item[pool], problem.pool_site[pool], problem.demand_region[demand]
    total = np.where(
        problem.pool_bonded[pool][:, np.newaxis], costs.bonded_total[lane], costs.total[lane]
    )
    return np.where(np.broadcast_to(costs.allowed, costs.shape)[lane], total, np.inf)


def _undercut(cost: Floats, limited: Bools) -> Bools:
    """Whether an unlimited service on the same lane is cheaper, or as cheap and listed first."""
    free = np.where(limited, np.inf, cost)
    if not free.shape[1]:
        return np.zeros(cost.shape, dtype=bool)
    best = free.argmin(axis=1)
    least = np.take_along_axis(free, best[:, np.newaxis], axis=1)
    undercut: Bools = cost >= least
    undercut[np.arange(len(cost)), best] = False
    return undercut


def of_column(problem: Problem, columns: Columns) -> tuple[Ints, Ints, Ints, Ints]:
    """Returns item, site, region and service of each column, as positions on the axes."""
    return (
        problem.pool_item[columns.pool],
        problem.pool_site[columns.pool],
        problem.demand_region[columns.demand],
        columns.service,
    )


def per_unit(problem: Problem, columns: Columns, free: Floats, bonded: Floats) -> Floats:
    """Returns one term of cost for each column, by the customs state of its pool."""
    lane = of_column(problem, columns)
    in_bond: NDArray[np.bool_] = problem.pool_bonded[columns.pool]
    return np.where(in_bond, picked(bonded, *lane), picked(free, *lane))
