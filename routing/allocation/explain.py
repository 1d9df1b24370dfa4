"""Explanations: which capacities bind and what they cost, and why demand stays unmet."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routing.allocation.problem import Ints, Problem
from routing.allocation.solve import Solution
from routing.costs import Floats

NO_STOCK = "no stock anywhere"
NO_ROUTE = "no lawful or possible route"
TOO_DEAR = "dearer than the penalty"
CAPACITY = "capacity"
STOCK_USED_UP = "not enough stock"
NOT_SOLVED = "time limit"

REASONS = (NO_STOCK, NO_ROUTE, TOO_DEAR, CAPACITY, STOCK_USED_UP, NOT_SOLVED)
"""Every reason for unmet demand; the first that holds is given.

"not enough stock" means that every unit in reach serves demand that gains more from it.
"""

_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class BindingRow:
    """A capacity that binds; `price` is what one more unit or kilogram of it would save."""

    row: str
    price: float


def unmet_reasons(problem: Problem, solution: Solution) -> NDArray[np.object_]:
    """Returns one reason for each demand row, meaningful where units stay unmet.

    The prices tell: a way whose own cost is below the penalty fails only because what it would use
    up is worth more elsewhere. If shared capacity alone closes the gap on every way, capacity is
    the reason, else stock.
    """
    shape = len(problem.demand_units)
    if not solution.proven:
        return np.full(shape, NOT_SOLVED, dtype=object)
    cheapest = solution.columns.cheapest
    stocked = problem.item_stock[problem.demand_item] > 0
    gain = problem.penalty - _cheapest_with_capacity(problem, solution)
    reasons = np.full(shape, STOCK_USED_UP, dtype=object)
    reasons[gain <= _TOLERANCE * np.maximum(problem.penalty, 1.0)] = CAPACITY
    reasons[cheapest >= problem.penalty] = TOO_DEAR
    reasons[np.isinf(cheapest)] = NO_ROUTE
    reasons[~stocked] = NO_STOCK
    return reasons


def _cheapest_with_capacity(problem: Problem, solution: Solution) -> Floats:
    """The least cost of serving a unit of each demand row if only shared capacity had a price."""
    columns = solution.columns
    item, site = problem.pool_item[columns.pool], problem.pool_site[columns.pool]
    paid = columns.cost + solution.outbound_price[site]
    paid = paid + solution.carrier_price[site, columns.service] * problem.weight_kg[item]
    least = np.full(len(problem.demand_units), np.inf)
    np.minimum.at(least, columns.demand, paid)
    return least


def binding_rows(problem: Problem, solution: Solution, stock_rows: int) -> tuple[BindingRow, ...]:
    """Returns the capacities with a price: all shared ones, then the dearest stock rows.

    Each kind is sorted by price, the highest first.
    """
    shared = [*_outbound(problem, solution), *_carrier(problem, solution)]
    stock = _stock(problem, solution, stock_rows)
    return (*sorted(shared, key=lambda row: (-row.price, row.row)), *stock)


def _outbound(problem: Problem, solution: Solution) -> list[BindingRow]:
    sites = problem.costs.sites
    return [
        BindingRow(f"outbound_units[{sites[site]}]", float(solution.outbound_price[site]))
        for site in np.flatnonzero(solution.outbound_price > _TOLERANCE)
    ]


def _carrier(problem: Problem, solution: Solution) -> list[BindingRow]:
    sites, services = problem.costs.sites, problem.costs.services
    return [
        BindingRow(
            f"kg_per_week[{sites[site]},{services[service]}]",
            float(solution.carrier_price[site, service]),
        )
        for site, service in np.argwhere(solution.carrier_price > _TOLERANCE)
    ]


def _stock(problem: Problem, solution: Solution, most: int) -> list[BindingRow]:
    price = solution.stock_price
    dearest: Ints = np.argsort(-price, kind="stable")[:most].astype(np.int32)
    return [
        BindingRow(_stock_row(problem, int(pool)), float(price[pool]))
        for pool in dearest
        if price[pool] > _TOLERANCE
    ]


def _stock_row(problem: Problem, pool: int) -> str:
    site = problem.costs.sites[problem.pool_site[pool]]
    item = problem.costs.items[problem.pool_item[pool]]
    state = ",bonded" if problem.pool_bonded[pool] else ""
    return f"stock[{site},{item}{state}]"
