"""The one door to GLOP: a linear program as arrays in, values and duals out."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver.python import model_builder
from scipy.sparse import csr_array, csr_matrix

Floats = NDArray[np.float64]

PARAMETERS = "use_dual_simplex: true use_preprocessing: false"
"""Dual simplex from the all-unmet basis, which is dual feasible when no cost is negative.

Measured on two cores at 105,000 columns: 2.5 s, against 11.7 s with presolve and 13.1 s primal;
presolve destroys the starting basis.
"""


@dataclass(frozen=True, eq=False)
class LinearProgram:
    """Minimize `objective @ x` with `lower <= matrix @ x <= upper` and `0 <= x <= most`."""

    objective: Floats
    matrix: csr_array
    lower: Floats
    upper: Floats
    most: Floats


@dataclass(frozen=True, eq=False)
class Basis:
    """What GLOP found; `duals` are the change of the objective for one more unit of a bound.

    `proven` is false when the time limit came first; then values and duals are zero.
    """

    proven: bool
    values: Floats
    duals: Floats
    build_seconds: float
    solve_seconds: float


Fill = Callable[[model_builder.Model, LinearProgram], None]
"""Puts a linear program into an empty OR-Tools model."""


def fill_sparse(model: model_builder.Model, program: LinearProgram) -> None:
    """Fills a model in one call from sparse arrays, 10 to 100 times faster than row by row.

    The call belongs to the helper behind OR-Tools' public model, so `fill_rows` stands ready.
    """
    columns = len(program.objective)
    helper: Any = model.helper  # its stubs name an older numpy
    helper.fill_model_from_sparse_data(
        np.zeros(columns),
        program.most,
        program.objective,
        program.lower,
        program.upper,
        csr_matrix(program.matrix),
    )


def fill_rows(model: model_builder.Model, program: LinearProgram) -> None:
    """Fills a model through the public interface alone, row by row."""
    variables = [model.new_num_var(0.0, float(most), None) for most in program.most]
    matrix = program.matrix
    for at, (low, high) in enumerate(zip(program.lower, program.upper, strict=True)):
        cells = slice(matrix.indptr[at], matrix.indptr[at + 1])
        terms = [variables[column] for column in matrix.indices[cells]]
        row = model_builder.LinearExpr.weighted_sum(terms, matrix.data[cells].tolist())
        model.add_linear_constraint(row, low, high)
    model.minimize(model_builder.LinearExpr.weighted_sum(variables, program.objective.tolist()))


def fastest_fill() -> Fill:
    """Returns the sparse fill where this OR-Tools has it, else the public one."""
    has_sparse = hasattr(_empty_model().helper, "fill_model_from_sparse_data")
    return fill_sparse if has_sparse else fill_rows


def _empty_model() -> model_builder.Model:
    return model_builder.Model()  # type: ignore[no-untyped-call]  # OR-Tools types it in part


def minimize(
    program: LinearProgram,
    time_limit: float | None = None,
    fill: Fill | None = None,
    parameters: str = PARAMETERS,
) -> Basis:
    """Returns the optimal basis of a linear program that has one, or an unproven empty one.

    `time_limit` in seconds of wall time; None waits for the proof.
    """
    begun = time.perf_counter()
    model = _empty_model()
    (fill or fastest_fill())(model, program)
    filled = time.perf_counter()
    solver = model_builder.Solver("glop")
    solver.set_solver_specific_parameters(parameters)
    if time_limit is not None:
        solver.set_time_limit_in_seconds(time_limit)
    proven = solver.solve(model) == model_builder.SolveStatus.OPTIMAL
    return Basis(
        proven=proven,
        values=_values(solver, model) if proven else np.zeros(len(program.objective)),
        duals=_duals(solver, model) if proven else np.zeros(len(program.lower)),
        build_seconds=filled - begun,
        solve_seconds=time.perf_counter() - filled,
    )


def _values(solver: model_builder.Solver, model: model_builder.Model) -> Floats:
    values: Floats = solver.values(model.get_variables()).to_numpy(dtype=float)
    return values


def _duals(solver: model_builder.Solver, model: model_builder.Model) -> Floats:
    duals: Floats = solver.dual_values(model.get_linear_constraints()).to_numpy(dtype=float)
    return duals
