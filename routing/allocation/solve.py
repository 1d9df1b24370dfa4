"""The exact route: one linear program, its flows made feasible to the last digit, its proof."""

import time
from dataclasses import dataclass

import numpy as np

from routing.allocation.columns import Columns, columns_of, limits_of, of_column
from routing.allocation.constraints import Rows, linear_program, rows_of, scale_of
from routing.allocation.glop import Basis, Fill, minimize
from routing.allocation.problem import Ints, Problem, check, summed
from routing.costs import Floats

_DUST = 1e-9
"""Flows below this share of a mean demand row are rounding of the solver."""


@dataclass(frozen=True, eq=False)
class Solution:
    """Flows and prices of one problem, feasible exactly.

    `units` per column and `unmet` per demand row; `stock_price` per pool, `outbound_price` per
    site, `carrier_price` [site, service], all in settlement currency per unit or kilogram.
    `flow_cost` is what flows and unmet units cost; `bound` is a lower bound of it, computed from
    the prices alone, so that it holds whatever the solver did. `proven` is false when the time
    limit came first; then nothing is served.
    """

    columns: Columns
    units: Floats
    unmet: Floats
    stock_price: Floats
    outbound_price: Floats
    carrier_price: Floats
    flow_cost: float
    bound: float
    proven: bool
    build_seconds: float
    solve_seconds: float


def solve(problem: Problem, time_limit: float | None = None, fill: Fill | None = None) -> Solution:
    """Returns the cheapest plan of a problem with its shadow prices.

    Raises `BadInput` where the arrays cannot be solved as they stand. `time_limit` in seconds.
    """
    begun = time.perf_counter()
    check(problem)
    limits = limits_of(problem)
    columns = columns_of(problem, limits)
    rows = rows_of(problem, columns, limits)
    program = linear_program(problem, columns, rows)
    built = time.perf_counter() - begun
    basis = minimize(program, time_limit, fill)
    units = _feasible_units(problem, columns, basis)
    unmet = _unmet(problem, columns, units)
    prices = _prices(problem, basis)
    outbound, carrier = _shared_prices(problem, rows, prices)
    return Solution(
        columns=columns,
        units=units,
        unmet=unmet,
        stock_price=prices[: len(problem.pool_units)],
        outbound_price=outbound,
        carrier_price=carrier,
        flow_cost=float(units @ columns.cost + unmet @ problem.penalty),
        bound=lower_bound(problem, columns, rows, prices),
        proven=basis.proven,
        build_seconds=built + basis.build_seconds,
        solve_seconds=basis.solve_seconds,
    )


def _feasible_units(problem: Problem, columns: Columns, basis: Basis) -> Floats:
    """The solver's flows without dust, shrunk where its tolerance let a row overflow."""
    units = basis.values[: len(columns.cost)]
    units = np.where(units > _DUST, units, 0.0) * scale_of(problem)
    item, site, _, service = of_column(problem, columns)
    weight, cell = problem.weight_kg[item], site * problem.carrier_kg.shape[1] + service
    units = units * _shrink(columns.demand, units, problem.demand_units)
    units = units * _shrink(columns.pool, units, problem.pool_units)
    units = units * _shrink(site, units, problem.outbound_units)
    return units * _shrink(cell, units * weight, problem.carrier_kg.ravel())


def _shrink(row: Ints, load: Floats, most: Floats) -> Floats:
    """The factor on each column that brings every row down to its limit."""
    used = summed(row, load, len(most))
    over = used > most
    factor: Floats = np.where(over, most, 1.0) / np.where(over, used, 1.0)
    return factor[row]


def _unmet(problem: Problem, columns: Columns, units: Floats) -> Floats:
    """Units of each demand row that no flow serves."""
    demand = problem.demand_units
    served = summed(columns.demand, units, len(demand))
    return np.maximum(demand - served, 0.0)


def _prices(problem: Problem, basis: Basis) -> Floats:
    """What one more of each capacity would be worth; a dual of a `<=` row is its negative."""
    return np.maximum(-basis.duals[len(problem.demand_units) :], 0.0)


def _shared_prices(problem: Problem, rows: Rows, prices: Floats) -> tuple[Floats, Floats]:
    """Prices of the shared rows on their axes; 0 where no row can bind."""
    pools, sites = len(problem.pool_units), len(rows.outbound_sites)
    outbound = np.zeros(len(problem.costs.sites))
    outbound[rows.outbound_sites] = prices[pools : pools + sites]
    carrier = np.zeros(problem.carrier_kg.size)
    carrier[rows.carrier_cells] = prices[pools + sites :]
    return outbound, carrier.reshape(problem.carrier_kg.shape)


def lower_bound(problem: Problem, columns: Columns, rows: Rows, prices: Floats) -> float:
    """Returns a cost that no plan can undercut, for any prices of the capacities that are >= 0.

    Lagrangian bound: with capacities paid for instead of limited, each unit of demand takes its
    cheapest way or stays unmet.
    """
    paid = columns.cost + rows.matrix.T @ prices
    cheapest = problem.penalty.copy()
    np.minimum.at(cheapest, columns.demand, paid)
    return float(problem.demand_units @ cheapest - rows.most @ prices)
