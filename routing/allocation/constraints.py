"""Constraints: the rows of the linear program as sparse arrays, one function a sentence."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, hstack, identity, vstack

from routing.allocation.columns import Columns, Limits, of_column
from routing.allocation.glop import LinearProgram
from routing.allocation.problem import Ints, Problem
from routing.costs import Floats


class Block(NamedTuple):
    """Rows of one kind over the flow columns, and the most that each may reach."""

    matrix: csr_array
    most: Floats


@dataclass(frozen=True, eq=False)
class Rows:
    """All capacity rows: stock by pool, then outbound by site, then kilograms by site and service.

    `outbound_sites` and `carrier_cells` (flat positions on [site, service]) name those with a row.
    """

    stock: Block
    outbound: Block
    carrier: Block
    outbound_sites: Ints
    carrier_cells: Ints

    @cached_property
    def matrix(self) -> csr_array:
        """The three blocks one above the other."""
        blocks = [self.stock.matrix, self.outbound.matrix, self.carrier.matrix]
        return csr_array(vstack(blocks, format="csr"))

    @cached_property
    def most(self) -> Floats:
        """The right-hand sides of the three blocks."""
        return np.concatenate([self.stock.most, self.outbound.most, self.carrier.most])


def rows_of(problem: Problem, columns: Columns, limits: Limits) -> Rows:
    """Returns the capacity rows that can bind."""
    sites = np.flatnonzero(limits.outbound).astype(np.int32)
    cells = np.flatnonzero(limits.carrier.ravel()).astype(np.int32)
    return Rows(
        stock=stock_rows(problem, columns),
        outbound=outbound_rows(problem, columns, sites),
        carrier=carrier_rows(problem, columns, cells),
        outbound_sites=sites,
        carrier_cells=cells,
    )


def demand_rows(problem: Problem, columns: Columns) -> csr_array:
    """Ensures that what is served and what is not add up to the demand of an item in a region."""
    flows = _incidence(columns.demand, np.ones(len(columns.demand)), len(problem.demand_units))
    return csr_array(hstack([flows, identity(len(problem.demand_units))], format="csr"))


def stock_rows(problem: Problem, columns: Columns) -> Block:
    """Ensures that no more leaves a pool than is on hand or arrives within the period."""
    flows = _incidence(columns.pool, np.ones(len(columns.pool)), len(problem.pool_units))
    return Block(flows, problem.pool_units)


def outbound_rows(problem: Problem, columns: Columns, sites: Ints) -> Block:
    """Ensures that a site packs no more units than it can in the period."""
    site = of_column(problem, columns)[1]
    flows = _incidence(site, np.ones(len(site)), len(problem.costs.sites))
    return Block(csr_array(flows[sites]), problem.outbound_units[sites])


def carrier_rows(problem: Problem, columns: Columns, cells: Ints) -> Block:
    """Ensures that a carrier service takes no more kilograms from a site than it can."""
    item, site, _, service = of_column(problem, columns)
    sites, services = problem.carrier_kg.shape
    flows = _incidence(site * services + service, problem.weight_kg[item], sites * services)
    return Block(csr_array(flows[cells]), problem.carrier_kg.ravel()[cells])


def _incidence(row: Ints, weight: Floats, rows: int) -> csr_array:
    """A sparse matrix with one cell in each column."""
    return csr_array((weight, (row, np.arange(len(row)))), shape=(rows, len(row)))


def linear_program(problem: Problem, columns: Columns, rows: Rows) -> LinearProgram:
    """Returns the program: flows first, then the unmet units of each demand row.

    Quantities are in multiples of `scale_of`, so that tolerances mean the same at every size.
    """
    scale = scale_of(problem)
    unmet = len(problem.demand_units)
    capacity = hstack([rows.matrix, csr_array((len(rows.most), unmet))], format="csr")
    demand = problem.demand_units / scale
    return LinearProgram(
        objective=np.concatenate([columns.cost, problem.penalty]),
        matrix=csr_array(vstack([demand_rows(problem, columns), capacity], format="csr")),
        lower=np.concatenate([demand, np.full(len(rows.most), -np.inf)]),
        upper=np.concatenate([demand, rows.most / scale]),
    )


def scale_of(problem: Problem) -> float:
    """Returns the units that the linear program counts as one: the mean demand of a row."""
    mean = float(problem.demand_units.mean()) if len(problem.demand_units) else 1.0
    return mean if mean > 0 else 1.0
