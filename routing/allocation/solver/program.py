"""The linear program of a whole problem: the exact route, and the oracle of the other one.

Columns are ships by service, then transfers, then unmet units by segment, then what soft limits
give way by. Rows are pools, demands, and shared limits that are finite.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, hstack, vstack

from routing.allocation.problem import MOVE, Floats, Ints, Problem
from routing.allocation.solver.glop import LinearProgram

MANY = 1e9
"""No departure has more containers."""


@dataclass(frozen=True, eq=False)
class Columns:
    """What the columns of the program are: ships and their services, [ship column]."""

    ship: Ints
    service: Ints
    rows: Ints
    """Shared limits with a row, by their flat position."""
    giving: Ints
    """Positions among `rows` of those that give way."""

    def count(self, problem: Problem) -> int:
        """Returns the number of columns."""
        moved, unmet = len(problem.transfers.cost), len(problem.segments.value)
        return len(self.ship) + moved + unmet + len(self.giving)


def columns_of(problem: Problem) -> Columns:
    """Returns the columns of a problem: every lawful way, every limit that is finite."""
    cost = problem.ships.cost[problem.ships.way]
    ship, service = np.nonzero(np.isfinite(cost))
    rows = np.flatnonzero(np.isfinite(problem.limits.flat))
    giving = np.flatnonzero(np.isfinite(problem.limits.soft[rows]))
    return Columns(*(at.astype(np.int32) for at in (ship, service, rows, giving)))


def linear_program(problem: Problem, columns: Columns) -> LinearProgram:
    """Returns the program that lets units be parted."""
    pools, demands = len(problem.pools.item), len(problem.demands.item)
    matrix = _Cells()
    _stock_cells(problem, columns, matrix)
    _demand_cells(problem, columns, matrix)
    _shared_cells(problem, columns, matrix)
    shape = (pools + demands + len(columns.rows), columns.count(problem))
    units = np.concatenate([problem.pools.units, problem.demand_units]).astype(float)
    limit = problem.limits.flat[columns.rows]
    return LinearProgram(
        objective=np.concatenate(
            [
                problem.ships.cost[problem.ships.way[columns.ship], columns.service],
                problem.transfers.cost,
                problem.segments.value,
                problem.limits.soft[columns.rows[columns.giving]],
            ]
        ),
        matrix=matrix.array(shape),
        lower=np.concatenate([units, np.full(len(limit), -np.inf)]),
        upper=np.concatenate([units, limit]),
        most=_most(problem, columns),
    )


def _most(problem: Problem, columns: Columns) -> Floats:
    """The upper bound of each column; a ship is bounded by its demand."""
    room = problem.throughput[problem.transfers.item]
    return np.concatenate(
        [
            np.full(len(columns.ship), np.inf),
            np.minimum(problem.transfers.most, room).astype(float),
            problem.segments.units.astype(float),
            np.full(len(columns.giving), np.inf),
        ]
    )


def with_departures(problem: Problem, columns: Columns, program: LinearProgram) -> LinearProgram:
    """Returns the program with two whole columns for each lane and bucket: gone, and containers.

    They come last, all of the first kind before those of the second. Nothing moves without a
    departure, each transfer for itself (which makes the relaxation tight), and what moves fits into
    the containers.
    """
    limits, transfers, paid = problem.limits, problem.transfers, problem.consignments
    moved = np.flatnonzero(transfers.kind == MOVE)
    at = transfers.row[moved] - limits.lane_begin
    column, base = len(columns.ship) + moved, len(program.objective)
    most = np.minimum(transfers.most[moved], problem.throughput[transfers.item[moved]])
    departures, number = limits.lane_m3.size, np.arange(len(moved))
    lane = np.repeat(np.arange(len(limits.lane_m3)), limits.lane_m3.shape[1])
    size = paid.container_m3[lane]
    cells = _Cells()
    cells.add(number, column, np.ones(1))
    cells.add(number, base + at, -most.astype(float))
    boxed = np.flatnonzero(size[at] > 0)
    cells.add(len(moved) + at[boxed], column[boxed], transfers.use[moved[boxed]])
    every = np.arange(departures)
    cells.add(len(moved) + every, base + departures + every, -size)
    rows = len(moved) + departures
    links = cells.array((rows, base + 2 * departures))
    wide = csr_array((program.matrix.shape[0], 2 * departures))
    return LinearProgram(
        objective=np.concatenate(
            [program.objective, paid.fixed_cost[lane], paid.container_cost[lane]]
        ),
        matrix=csr_array(vstack([hstack([program.matrix, wide]), links], format="csr")),
        lower=np.concatenate([program.lower, np.full(rows, -np.inf)]),
        upper=np.concatenate([program.upper, np.zeros(rows)]),
        most=np.concatenate([program.most, np.ones(departures), np.full(departures, MANY)]),
    )


class _Cells:
    """Cells of a sparse matrix, collected."""

    def __init__(self) -> None:
        self._parts: list[tuple[NDArray[np.generic], NDArray[np.generic], Floats]] = []

    def add(self, row: NDArray[np.generic], column: NDArray[np.generic], value: Floats) -> None:
        self._parts.append((row, column, np.broadcast_to(value, np.shape(row)).astype(float)))

    def array(self, shape: tuple[int, int]) -> csr_array:
        row, column, value = (np.concatenate(parts) for parts in zip(*self._parts, strict=True))
        return csr_array(coo_array((value, (row, column)), shape=shape))


def _stock_cells(problem: Problem, columns: Columns, matrix: _Cells) -> None:
    """Ensures that what leaves a pool is what appeared in it or came in."""
    one, ships = np.ones(1), len(columns.ship)
    matrix.add(problem.ships.pool[columns.ship], np.arange(ships), one)
    for ends, sign in ((problem.transfers.start, one), (problem.transfers.end, -one)):
        at = np.flatnonzero(ends >= 0)
        matrix.add(ends[at], ships + at, sign)


def _demand_cells(problem: Problem, columns: Columns, matrix: _Cells) -> None:
    """Ensures that what is served and what is not add up to the demand."""
    pools, ships = len(problem.pools.item), len(columns.ship)
    matrix.add(pools + problem.ships.demand[columns.ship], np.arange(ships), np.ones(1))
    first = ships + len(problem.transfers.cost)
    segments = np.arange(len(problem.segments.value))
    matrix.add(pools + problem.segments.demand, first + segments, np.ones(1))


def _shared_cells(problem: Problem, columns: Columns, matrix: _Cells) -> None:
    """Ensures that all items together keep within what they share."""
    first = len(problem.pools.item) + len(problem.demands.item)
    place = np.full(len(problem.limits.flat), -1, np.int32)
    place[columns.rows] = np.arange(len(columns.rows), dtype=np.int32)
    pool = problem.ships.pool[columns.ship]
    weight = problem.weight_kg[problem.pools.item[pool]]
    ship = np.arange(len(columns.ship))
    carrier = problem.carrier_row[pool] + problem.carrier_step * columns.service
    transfer = len(ship) + np.arange(len(problem.transfers.cost))
    parts = (
        (problem.outbound_row[pool], ship, np.ones(len(ship))),
        (carrier, ship, weight),
        (problem.transfers.row, transfer, problem.transfers.use),
    )
    for row, column, use in parts:
        at = np.where(row >= 0, place[row], -1)
        seen = np.flatnonzero(at >= 0)
        matrix.add(first + at[seen], column[seen], use[seen])
    last = len(ship) + len(problem.transfers.cost) + len(problem.segments.value)
    giving = np.arange(len(columns.giving))
    matrix.add(first + columns.giving, last + giving, -np.ones(1))
