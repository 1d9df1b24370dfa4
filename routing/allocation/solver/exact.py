"""The exact route: the whole problem as one program, for problems small enough.

GLOP solves the relaxation, in which units may be parted, and its duals are the prices. Where the
plan is not whole yet, or sites are still to be decided, SCIP finds the best plan in whole units and
proves how good it is.
"""

from dataclasses import dataclass, replace

import numpy as np
from ortools.linear_solver.python import model_builder
from scipy.sparse import coo_array, csr_array, hstack, vstack

from routing.allocation.plan import Plan
from routing.allocation.problem import MOVE, Bools, Floats, Ints, Problem, Units
from routing.allocation.solver.glop import Fill, LinearProgram, fastest_fill, minimize
from routing.allocation.solver.program import Columns, columns_of, linear_program, with_departures

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
) -> tuple[LinearProgram, Ints]:
    """Returns the program with a column for each site to be decided, and these sites.

    Nothing is shipped from a site that is closed: for each pool and demand together (which makes
    the relaxation tight) and, through its limit, for the site as a whole. Nothing moves from it.
    """
    sites = np.flatnonzero(problem.decide)
    if not len(sites):
        return program, sites
    links = _Links.of(problem, columns, sites, len(program.objective))
    tied = csr_array(vstack([links.ships(), links.moves()], format="csr"))
    limited, upper = links.limited(program)
    count = tied.shape[0]
    return (
        LinearProgram(
            objective=np.concatenate([program.objective, problem.fixed_cost[sites]]),
            matrix=csr_array(vstack([limited, tied], format="csr")),
            lower=np.concatenate([program.lower, np.full(count, -np.inf)]),
            upper=np.concatenate([upper, np.zeros(count)]),
            most=np.concatenate([program.most, np.ones(len(sites))]),
        ),
        sites,
    )


@dataclass(frozen=True, eq=False)
class _Links:
    """What ties columns to sites to be decided; `number` is the place of each among them or -1.

    The columns of sites come after the `count` columns of the program.
    """

    problem: Problem
    columns: Columns
    sites: Ints
    number: Ints
    count: int

    @classmethod
    def of(cls, problem: Problem, columns: Columns, sites: Ints, count: int) -> "_Links":
        """Returns the links of these sites."""
        number = np.full(len(problem.decide), -1)
        number[sites] = np.arange(len(sites))
        return cls(problem, columns, sites, number, count)

    def ships(self) -> csr_array:
        """Ensures that a pool serves a demand, by any service, only where its site is open."""
        problem, used = self.problem, self.columns.ship
        site = self.number[problem.pools.site[problem.ships.pool]]
        tied = np.flatnonzero(site >= 0)
        row = np.full(len(site), -1)
        row[tied] = np.arange(len(tied))
        of_site = np.flatnonzero(row[used] >= 0)
        most = problem.demand_units[problem.ships.demand[tied]]
        return self._rows(row[used[of_site]], of_site, site[tied], most)

    def moves(self) -> csr_array:
        """Ensures that a unit moves out of a site only where it is open."""
        problem, transfers = self.problem, self.problem.transfers
        moved = np.flatnonzero((transfers.kind == MOVE) & (transfers.start >= 0))
        site = self.number[problem.pools.site[transfers.start[moved]]]
        moved, site = moved[site >= 0], site[site >= 0]
        most = np.minimum(transfers.most, problem.throughput[transfers.item])[moved]
        return self._rows(np.arange(len(moved)), len(self.columns.ship) + moved, site, most)

    def _rows(self, row: Ints, column: Ints, site: Ints, most: Units) -> csr_array:
        """Returns rows in which columns are no more than `most` of a site that is open, [row]."""
        rows = np.concatenate([row, np.arange(len(site))])
        places = np.concatenate([column, self.count + site])
        cells = np.concatenate([np.ones(len(column)), -most.astype(float)])
        return csr_array(
            coo_array((cells, (rows, places)), (len(site), self.count + len(self.sites)))
        )

    def limited(self, program: LinearProgram) -> tuple[csr_array, Floats]:
        """Returns the program's rows and upper bounds, outbound limits only of open sites."""
        limits, rows = self.problem.limits, self.columns.rows
        site = rows // max(limits.outbound.shape[1], 1)
        packs = rows < limits.outbound.size
        place = np.flatnonzero(packs & np.isin(site, self.sites))
        row = len(self.problem.pools.item) + len(self.problem.demands.item) + place
        none = csr_array((program.matrix.shape[0], len(self.sites)))
        base = csr_array(hstack([program.matrix, none]))
        cells = -limits.flat[rows[place]], (row, self.count + self.number[site[place]])
        upper = program.upper.copy()
        upper[row] = 0.0
        return csr_array(base + coo_array(cells, base.shape)), upper
