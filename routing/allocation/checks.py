"""Checks: whether a problem can be solved as it stands; each says what is wrong and a repair."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInput
from core.errors import Problem as Fault
from routing.allocation.problem import Problem

Complaints = Iterator[str]

MOST_UNITS = 10**12
"""Units of one item beyond which whole numbers would no longer be exact."""


def check(problem: Problem) -> None:
    """Ensures that a problem can be solved as it stands; raises `BadInput` with every fault."""
    faults = [complaint for find in CHECKS for complaint in find(problem)]
    if faults:
        raise BadInput([Fault("", 0, 0, fault) for fault in faults])


def check_order(problem: Problem) -> Complaints:
    """Yields a complaint where rows are not sorted by item."""
    item = problem.demands.item
    for name, items in (
        ("pools", problem.pools.item),
        ("demands", item),
        ("segments", problem.segments.demand),
        ("ships", problem.pools.item[problem.ships.pool]),
        ("transfers", problem.transfers.item),
    ):
        if np.any(np.diff(items) < 0):
            yield f"Expected {name} sorted by item; sort them with np.lexsort first."


def check_segments(problem: Problem) -> Complaints:
    """Yields a complaint where units or their worth are no numbers >= 0, or worth rises."""
    yield from _bad("demand", problem.segments.units, "give every forecast a finite mean")
    yield from _bad("penalty", problem.segments.value, "give every item a value or unmet_penalty")
    same = np.diff(problem.segments.demand) == 0
    if np.any(same & (np.diff(problem.segments.value) > 1e-9)):
        yield "Expected later units of a demand to be worth no more; sort segments by value."


def check_stock(problem: Problem) -> Complaints:
    """Yields a complaint where stock is negative or too much to count."""
    yield from _bad("stock", problem.pools.units, "count the stock again")
    if problem.items and problem.throughput.max(initial=0) > MOST_UNITS:
        yield f"Expected at most {MOST_UNITS:,} units of an item; plan in cartons."


def check_limits(problem: Problem) -> Complaints:
    """Yields a complaint where a limit is negative or not a number; infinite means no limit."""
    for name, limits in (
        ("outbound_units", problem.limits.outbound),
        ("kg_per_week", problem.limits.carrier_kg),
        ("capacity_m3", problem.limits.lane_m3),
        ("storage_m3", problem.limits.storage_m3),
    ):
        if np.any(np.isnan(limits)) or np.any(limits < 0):
            yield f"Expected {name} >= 0; leave the cell empty where there is no limit."


def check_costs(problem: Problem) -> Complaints:
    """Yields a complaint where a way or a transfer costs no number."""
    cost = problem.ships.cost
    if np.isnan(cost).any() or (cost == -np.inf).any():
        way, service = (int(at) for at in np.argwhere(np.isnan(cost) | (cost == -np.inf))[0])
        name = problem.axes.services[service]
        yield f"Expected a cost of way {way} by {name}; correct the rate or forbid the way."
    if not np.isfinite(problem.transfers.cost).all():
        yield "Expected a finite cost of every transfer; correct lanes.csv and storage costs."


def check_weights(problem: Problem) -> Complaints:
    """Yields a complaint where the weight of an item is negative, infinite or not a number."""
    yield from _bad("weight_kg", problem.weight_kg, "correct items.csv")


def _bad(name: str, amounts: NDArray[np.generic], repair: str) -> Complaints:
    values = np.asarray(amounts, dtype=float)
    bad = ~np.isfinite(values) | (values < 0)
    if np.any(bad):
        first = float(values[bad][0])
        yield f"Expected a finite {name} >= 0, got {first} in {int(bad.sum())} rows; {repair}."


CHECKS: tuple[Callable[[Problem], Complaints], ...] = (
    check_order, check_segments, check_stock, check_limits, check_costs, check_weights,
)  # fmt: skip
