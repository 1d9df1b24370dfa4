"""Explanations: which capacities bind and what they cost, and why demand stays unmet."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routing.allocation.problem import Floats, Problem, summed
from routing.allocation.solve import Solution

NO_STOCK = "no stock anywhere"
NO_ROUTE = "no lawful or possible route"
TOO_DEAR = "dearer than the penalty"
CAPACITY = "capacity"
STOCK_USED_UP = "not enough stock"

REASONS = (NO_STOCK, NO_ROUTE, TOO_DEAR, CAPACITY, STOCK_USED_UP)
"""Every reason for unmet demand; the first that holds is given.

"dearer than the penalty" also holds for units that are asked for too rarely to be worth a way, and
"not enough stock" means that every unit in reach serves demand that gains more from it.
"""

_TOLERANCE = 1e-6

_LEAST_TOLD = 1e-6
"""Gaps are told no finer than sums are rounded."""


def proof_told(status: str, gap: float) -> str:
    """Returns what a status means, with the gap that is proven.

    >>> proof_told("optimal", 0.00068)
    'optimal, proven within 0.068 %'
    >>> proof_told("stopped", 0.0312)
    'stopped when its time was over, at most 3.2 % above the best plan'
    """
    share = f"{_rounded_up(100 * max(gap, _LEAST_TOLD)):g} %"
    told = {
        "optimal": f"optimal, proven within {share}",
        "feasible": f"feasible, at most {share} above the best plan, which is more than was asked",
        "stopped": f"stopped when its time was over, at most {share} above the best plan",
    }
    return told.get(status, f"{status}, at most {share} above the best plan")


def _rounded_up(percent: float) -> float:
    """Returns a figure of two digits that is not smaller."""
    step = 10.0 ** (math.floor(math.log10(percent)) - 1)
    return math.ceil(percent / step - 1e-9) * step


@dataclass(frozen=True, slots=True)
class BindingRow:
    """A capacity that binds; `price` is what one more unit, kilogram or m3 of it would save."""

    row: str
    price: float


def unmet_reasons(problem: Problem, solution: Solution) -> NDArray[np.object_]:
    """Returns one reason for each demand, meaningful where units stay unmet.

    The prices tell: a way whose own cost is below the worth of a unit fails only because what it
    would use up is worth more elsewhere. If shared capacity alone closes the gap on every way,
    capacity is the reason, else stock.
    """
    worth = _worth_of_unmet(problem, solution)
    stocked = summed(problem.pools.item, problem.pools.units, problem.items) > 0
    gain = worth - _cheapest_with_capacity(problem, solution)
    reasons = np.full(len(worth), STOCK_USED_UP, dtype=object)
    reasons[gain <= _TOLERANCE * np.maximum(worth, 1.0)] = CAPACITY
    reasons[problem.cheapest >= worth] = TOO_DEAR
    reasons[np.isinf(problem.cheapest)] = NO_ROUTE
    reasons[~stocked[problem.demands.item]] = NO_STOCK
    return reasons


def _worth_of_unmet(problem: Problem, solution: Solution) -> Floats:
    """Returns what the best unit that is not served would be worth, [demand]."""
    worth = np.zeros(len(problem.demands.item))
    left = np.flatnonzero(solution.plan.unmet > 0)
    np.maximum.at(worth, problem.segments.demand[left], problem.segments.value[left])
    return worth


def _cheapest_with_capacity(problem: Problem, solution: Solution) -> Floats:
    """The least cost of serving a unit of each demand if only shared capacity had a price."""
    ships, price = problem.ships, solution.price
    weight = problem.weight_kg[problem.pools.item[ships.pool]]
    services = np.arange(len(problem.axes.services))
    rows = problem.carrier_row[ships.pool][:, None] + problem.carrier_step * services
    paid = ships.cost[ships.way] + price[rows] * weight[:, None]
    least = np.full(len(problem.demands.item), np.inf)
    best = paid.min(axis=1, initial=np.inf) + price[problem.outbound_row[ships.pool]]
    np.minimum.at(least, ships.demand, best)
    return least


def binding_rows(problem: Problem, solution: Solution, stock_rows: int) -> tuple[BindingRow, ...]:
    """Returns the capacities with a price: all shared ones, then the dearest stock rows.

    Each kind is sorted by price, the highest first.
    """
    priced = np.flatnonzero(solution.price > _TOLERANCE)
    shared = [BindingRow(row_name(problem, int(at)), float(solution.price[at])) for at in priced]
    stock = _stock(problem, solution, stock_rows)
    return (*sorted(shared, key=lambda row: (-row.price, row.row)), *stock)


def row_name(problem: Problem, row: int) -> str:
    """Returns the name of a shared limit, with its bucket where there is more than one."""
    limits, axes = problem.limits, problem.axes
    buckets = limits.outbound.shape[1]
    at, bucket = divmod(row, buckets)
    when = f",{axes.buckets[bucket]}" if buckets > 1 else ""
    sites, services, lanes = len(axes.sites), len(axes.services), len(axes.lanes)
    if at < sites:
        return f"outbound_units[{axes.sites[at]}{when}]"
    at -= sites
    if at < sites * services:
        site, service = divmod(at, services)
        return f"kg_per_week[{axes.sites[site]},{axes.services[service]}{when}]"
    at -= sites * services
    if at < lanes:
        start, end, service_name = axes.lanes[at]
        return f"capacity_m3[{start},{end},{service_name}{when}]"
    return f"storage_m3[{axes.sites[at - lanes]}{when}]"


def _stock(problem: Problem, solution: Solution, most: int) -> list[BindingRow]:
    """The dearest pools that hold stock in the first bucket."""
    pools = problem.pools
    held = np.flatnonzero((pools.bucket == 0) & (pools.units > 0))
    price = solution.stock_price[held]
    dearest = np.argsort(-price, kind="stable")[:most]
    return [
        BindingRow(_stock_row(problem, int(held[at])), float(price[at]))
        for at in dearest
        if price[at] > _TOLERANCE
    ]


def _stock_row(problem: Problem, pool: int) -> str:
    site = problem.axes.sites[problem.pools.site[pool]]
    item = problem.axes.items[problem.pools.item[pool]]
    state = ",bonded" if problem.pools.bonded[pool] else ""
    return f"stock[{site},{item}{state}]"
