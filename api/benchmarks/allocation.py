"""`bench allocation`: our exact route against HiGHS in scipy on the same linear program."""

import time
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linprog

from api.benchmarks.measured import Line, Measured, Report, WrongAnswer
from routing.allocation.columns import columns_of, limits_of
from routing.allocation.constraints import linear_program, rows_of, scale_of
from routing.allocation.glop import LinearProgram
from routing.allocation.problem import Problem
from routing.allocation.solve import Solution, solve
from routing.costs import Floats, UnitCosts

TOLERANCE = 1e-6


class Size(NamedTuple):
    """How many of each kind an instance has."""

    items: int
    sites: int = 6
    regions: int = 15
    services: int = 5


SIZES = (Size(100), Size(400))


def measure(seed: int, report: Report, sizes: tuple[Size, ...] = SIZES) -> Measured:
    """Returns seconds from arrays to the optimum for each size, beside those of the peer.

    The peer gets the same program after our reductions, so that only the solvers differ.
    """
    lines = []
    for at, size in enumerate(sizes):
        report(at / len(sizes), f"Allocating {size.items} items")
        problem = instance(size, seed)
        solution = solve(problem)
        peer = _peer_seconds(problem, solution)
        ours = solution.build_seconds + solution.solve_seconds
        case = f"{' x '.join(str(length) for length in size)}, {len(solution.units):,} columns"
        lines.append(Line(case, "total", "s", ours, "scipy linprog (HiGHS)", peer))
    return Measured("allocation", seed, tuple(lines))


def instance(size: Size, seed: int) -> Problem:
    """Returns a random problem whose capacities bind; the same seed gives the same problem."""
    rng = np.random.default_rng(seed)
    asked = rng.gamma(1.0, 30.0, (size.items, size.regions)) * _chance(rng, size, size.regions, 0.9)
    share = rng.gamma(1.0, 1.0, (size.items, size.sites)) * _chance(rng, size, size.sites, 0.6)
    held = share / size.sites * asked.sum(axis=1, keepdims=True) * 1.8
    weight = rng.lognormal(-1.0, 1.0, size.items)
    demand, pools = np.argwhere(asked > 0), np.argwhere(held > 0)
    kilograms = (held * weight[:, np.newaxis]).sum(axis=0) / size.services
    outbound = np.minimum(held.sum(axis=0), asked.sum() / size.sites)
    return Problem(
        costs=_costs(rng, size, weight),
        demand_item=demand[:, 0].astype(np.int32),
        demand_region=demand[:, 1].astype(np.int32),
        demand_units=asked[asked > 0],
        penalty=(30 * (0.5 + weight))[demand[:, 0]],
        pool_item=pools[:, 0].astype(np.int32),
        pool_site=pools[:, 1].astype(np.int32),
        pool_bonded=np.zeros(len(pools), dtype=bool),
        pool_units=held[held > 0],
        weight_kg=weight,
        value=20 * (0.5 + weight),
        outbound_units=0.8 * outbound,
        carrier_kg=np.tile(0.7 * kilograms[:, np.newaxis], size.services),
        fixed_cost=np.zeros(size.sites),
        decide=np.zeros(size.sites, dtype=bool),
        storage_cost=0.0,
    )


def _chance(rng: np.random.Generator, size: Size, columns: int, share: float) -> Floats:
    return (rng.random((size.items, columns)) < share).astype(float)


def _costs(rng: np.random.Generator, size: Size, weight: Floats) -> UnitCosts:
    """Prices of lanes by kilogram, and nothing else that costs."""
    lanes = rng.uniform(2, 10, size[1:])
    nothing = np.zeros((1, 1, 1, 1))
    return UnitCosts(
        items=tuple(f"item {at}" for at in range(size.items)),
        sites=tuple(f"site {at}" for at in range(size.sites)),
        regions=tuple(f"region {at}" for at in range(size.regions)),
        services=tuple(f"service {at}" for at in range(size.services)),
        shipping=lanes * (0.5 + weight).reshape(-1, 1, 1, 1),
        handling=nothing,
        duty=nothing,
        tax=nothing,
        bonded_duty=nothing,
        bonded_tax=nothing,
        lateness=nothing,
        carbon=nothing,
        allowed=np.ones(size, dtype=bool),
        late_days=nothing,
        carbon_kg=nothing,
    )


def _peer_seconds(problem: Problem, solution: Solution) -> float:
    """Seconds that the peer needs from the same arrays; raises `WrongAnswer` on another cost."""
    begun = time.perf_counter()
    limits = limits_of(problem)
    columns = columns_of(problem, limits)
    program = linear_program(problem, columns, rows_of(problem, columns, limits))
    cost = _peer_cost(program) * scale_of(problem)
    seconds = time.perf_counter() - begun
    if abs(cost - solution.flow_cost) > TOLERANCE * max(1.0, abs(cost)):
        raise WrongAnswer(f"Ours costs {solution.flow_cost}, the peer's {cost}.")
    return seconds


def _peer_cost(program: LinearProgram) -> float:
    equal = np.isfinite(program.lower)
    matrix: Any = program.matrix  # linprog takes sparse arrays; its stubs do not say so
    found = linprog(
        program.objective,
        A_eq=matrix[equal],
        b_eq=program.upper[equal],
        A_ub=matrix[~equal],
        b_ub=program.upper[~equal],
    )
    if found.fun is None:
        raise WrongAnswer(f"The peer found nothing: {found.message}")
    return float(found.fun)
