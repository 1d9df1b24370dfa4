"""The exact route: the whole problem as one program, for problems small enough.

GLOP solves the relaxation, in which units may be parted, and its duals are the prices. Where the
plan is not whole yet, or sites are still to be decided, SCIP finds the best plan in whole units and
proves how good it is.
"""

from dataclasses import dataclass, replace

import numpy as np
from ortools.linear_solver.python import model_builder
from scipy.sparse import coo_array, csr_array, hstack, vstack

from routing.allocation.glop import Fill, LinearProgram, fastest_fill, minimize
from routing.allocation.plan import Plan
from routing.allocation.problem import MOVE, Bools, Floats, Problem
from routing.allocation.program import Columns, columns_of, linear_program, with_departures

WHOLE = 1e-6
"""Units further than this from a whole number are parted."""

LEAST_SCALE = 1.0


@dataclass(frozen=True, eq=False)
class Relaxed:
    """The best plan that may part units: values [column], prices [row], cost, and if proven."""

    columns: Columns
    values: Floats
    price: Floats
    cost: float
    proven: bool


def relaxed(problem: Problem, time_limit: float | None = None, fill: Fill | None = None) -> Relaxed:
    """Returns the optimum of the relaxation; quantities are scaled to a usual demand for it."""
    columns = columns_of(problem)
    program = linear_program(problem, columns)
    units = problem.demand_units
    scale = max(float(units.mean()), LEAST_SCALE) if len(units) else LEAST_SCALE
    unit = max(float(np.abs(program.objective).mean()), 1e-9) if len(program.objective) else 1.0
    scaled = replace(
        program,
        objective=program.objective / unit,
        lower=program.lower / scale,
        upper=program.upper / scale,
        most=program.most / scale,
    )
    basis = minimize(scaled, time_limit, fill)
    price = np.zeros(len(problem.limits.flat))
    first = len(problem.pools.item) + len(problem.demands.item)
    price[columns.rows] = np.maximum(-basis.duals[first:], 0.0) * unit
    values = basis.values * scale
    return Relaxed(columns, values, price, float(program.objective @ values), basis.proven)


def is_whole(found: Relaxed, problem: Problem) -> bool:
    """Whether a relaxed plan parts no unit."""
    units = found.values[: found.columns.count(problem) - len(found.columns.giving)]
    return found.proven and bool((np.abs(units - np.rint(units)) < WHOLE).all())


def plan_of(problem: Problem, columns: Columns, values: Floats) -> Plan:
    """Returns the plan that the values of columns stand for, rounded to whole units."""
    plan = Plan.empty(problem)
    units = np.rint(values).astype(np.int64)
    ships, moved = len(columns.ship), len(problem.transfers.cost)
    plan.shipped[columns.ship, columns.service] = units[:ships]
    plan.moved[:] = units[ships : ships + moved]
    plan.unmet[:] = units[ships + moved : ships + moved + len(plan.unmet)]
    return plan


@dataclass(frozen=True, eq=False)
class Integer:
    """The best plan in whole units that was found: sites open [site], and the proof."""

    plan: Plan | None
    is_open: Bools
    bound: float
    proven: bool


def best_whole(problem: Problem, gap: float, time_limit: float | None = None) -> Integer:
    """Returns the best plan in whole units within `gap`, with sites opened as it pays.

    `bound` is a cost that no plan undercuts, fixed cost of sites to be decided included.
    """
    columns = columns_of(problem)
    program, sites = _with_sites(problem, columns, linear_program(problem, columns))
    first = len(program.objective) - len(sites)
    if problem.consignments.any:
        program = with_departures(problem, columns, program)
    model = model_builder.Model()  # type: ignore[no-untyped-call]  # OR-Tools types it in part
    fastest_fill()(model, program)
    units = columns.count(problem) - len(columns.giving)
    for column in (*range(units), *range(first, len(program.objective))):
        model.helper.set_var_integrality(column, True)
    solver = model_builder.Solver("scip")
    solver.set_solver_specific_parameters(f"limits/gap = {gap}")
    if time_limit is not None:
        solver.set_time_limit_in_seconds(time_limit)
    status = solver.solve(model)
    proven = status == model_builder.SolveStatus.OPTIMAL
    open_all = np.ones(len(problem.decide), dtype=bool)
    if not proven and status != model_builder.SolveStatus.FEASIBLE:
        return Integer(None, open_all, -np.inf, proven=False)
    values = solver.values(model.get_variables()).to_numpy(dtype=float)
    open_all[sites] = values[first : first + len(sites)] > 0.5
    bound = float(solver.best_objective_bound)
    return Integer(plan_of(problem, columns, values), open_all, bound, proven)


def _with_sites(
    problem: Problem, columns: Columns, program: LinearProgram
) -> tuple[LinearProgram, np.ndarray]:
    """Returns the program with a column for each site to be decided, and these sites.

    Nothing is shipped from a site that is closed: for each pool and demand together (which makes
    the relaxation tight) and, through its limit, for the site as a whole. Nothing moves from it.
    """
    sites = np.flatnonzero(problem.decide)
    if not len(sites):
        return program, sites
    number = np.full(len(problem.decide), -1)
    number[sites] = np.arange(len(sites))
    count = len(program.objective)
    pool_site = problem.pools.site
    ship_site = number[pool_site[problem.ships.pool]]
    held = np.flatnonzero(ship_site >= 0)
    row_of_ship = np.full(len(ship_site), -1)
    row_of_ship[held] = np.arange(len(held))
    used = np.flatnonzero(row_of_ship[columns.ship] >= 0)
    most = problem.demand_units[problem.ships.demand[held]].astype(float)
    moves = np.flatnonzero(
        np.isin(problem.transfers.kind, (MOVE,)) & (problem.transfers.start >= 0)
    )
    move_site = number[pool_site[problem.transfers.start[moves]]]
    moves, move_site = moves[move_site >= 0], move_site[move_site >= 0]
    room = np.minimum(problem.transfers.most, problem.throughput[problem.transfers.item])[moves]
    rows = np.concatenate(
        [
            row_of_ship[columns.ship[used]],
            np.arange(len(held)),
            len(held) + np.arange(len(moves)),
            len(held) + np.arange(len(moves)),
        ]
    )
    cols = np.concatenate(
        [
            used,
            count + ship_site[held],
            len(columns.ship) + moves,
            count + move_site,
        ]
    )
    cells = np.concatenate([np.ones(len(used)), -most, np.ones(len(moves)), -room.astype(float)])
    links = coo_array((cells, (rows, cols)), (len(held) + len(moves), count + len(sites)))
    base = hstack([program.matrix, csr_array((program.matrix.shape[0], len(sites)))])
    outbound = _outbound_rows(problem, columns, sites)
    base = csr_array(base) + coo_array(
        (-outbound[2], (outbound[0], count + number[outbound[1]])), base.shape
    )
    upper = program.upper.copy()
    upper[outbound[0]] = 0.0
    links_rows = links.shape[0]
    return (
        LinearProgram(
            objective=np.concatenate([program.objective, problem.fixed_cost[sites]]),
            matrix=csr_array(vstack([base, links], format="csr")),
            lower=np.concatenate([program.lower, np.full(links_rows, -np.inf)]),
            upper=np.concatenate([upper, np.zeros(links_rows)]),
            most=np.concatenate([program.most, np.ones(len(sites))]),
        ),
        sites,
    )


def _outbound_rows(
    problem: Problem, columns: Columns, sites: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Floats]:
    """Returns the rows of outbound limits of these sites, their sites, and the limits."""
    buckets = problem.limits.outbound.shape[1]
    site = columns.rows // max(buckets, 1)
    place = np.flatnonzero((columns.rows < problem.limits.outbound.size) & np.isin(site, sites))
    first = len(problem.pools.item) + len(problem.demands.item)
    return first + place, site[place], problem.limits.flat[columns.rows[place]]
