"""PuLP with CBC as a peer of `bench allocation`, where it is installed."""

import time
import warnings
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from scipy.sparse import csr_array

from routing.allocation.problem import Problem
from routing.allocation.solver.program import columns_of, linear_program


@dataclass(frozen=True, slots=True)
class Peer:
    """What a peer took from arrays to its optimum in seconds, and that optimum."""

    seconds: float
    cost: float


def has_pulp() -> bool:
    """Whether PuLP, a development dependency, is installed."""
    return find_spec("pulp") is not None


def pulp_cbc(problem: Problem) -> Peer:
    """Returns what PuLP with CBC takes for the whole problem as one linear program."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # PuLP 3 announces PuLP 4
        return _pulp_cbc(problem)


def _pulp_cbc(problem: Problem) -> Peer:
    import pulp  # noqa: PLC0415  # absent from an installation without development dependencies

    begun = time.perf_counter()
    program = linear_program(problem, columns_of(problem))
    model = pulp.LpProblem("allocation", pulp.LpMinimize)
    variables = [
        pulp.LpVariable(f"x{column}", 0.0, most if np.isfinite(most) else None)
        for column, most in enumerate(program.most.tolist())
    ]
    costs = zip(variables, program.objective.tolist(), strict=True)
    model.setObjective(pulp.LpAffineExpression(costs))
    matrix = csr_array(program.matrix)
    limits = zip(program.lower.tolist(), program.upper.tolist(), strict=True)
    for row, (low, high) in enumerate(limits):
        cells = slice(int(matrix.indptr[row]), int(matrix.indptr[row + 1]))
        used = zip(matrix.indices[cells].tolist(), matrix.data[cells].tolist(), strict=True)
        terms = pulp.LpAffineExpression([(variables[at], amount) for at, amount in used])
        sense = pulp.LpConstraintEQ if low == high else pulp.LpConstraintLE
        model += pulp.LpConstraint(terms, sense, rhs=high)
    model.solve(pulp.PULP_CBC_CMD(msg=False))
    return Peer(time.perf_counter() - begun, float(pulp.value(model.objective)))
