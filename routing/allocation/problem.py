"""The allocation problem of one period: frozen arrays, and checks that say how to repair them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInput
from core.errors import Problem as Fault
from routing.costs import Bools, Floats, UnitCosts

Ints = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Problem:
    """Which units serve which demand: everything that the decision depends on, for one period.

    Demand rows and stock pools are sorted by item; ids are positions on the axes of `costs`. A
    pool is the stock of one item at one site in one customs state, arrivals included. Quantities
    are units, capacities hold for the whole period and are infinite where there is no limit, money
    is in settlement currency. `storage_cost` and `fixed_cost` do not depend on the flows, except
    that a site that is still to be decided (`decide`) costs nothing when nothing leaves it.
    """

    costs: UnitCosts
    demand_item: Ints
    demand_region: Ints
    demand_units: Floats
    penalty: Floats
    pool_item: Ints
    pool_site: Ints
    pool_bonded: Bools
    pool_units: Floats
    weight_kg: Floats
    value: Floats
    outbound_units: Floats
    carrier_kg: Floats
    fixed_cost: Floats
    decide: Bools
    storage_cost: float

    @cached_property
    def item_demand(self) -> Floats:
        """Units asked for over all regions, shaped [item]."""
        return summed(self.demand_item, self.demand_units, len(self.costs.items))

    @cached_property
    def item_stock(self) -> Floats:
        """Units at hand over all sites, shaped [item]."""
        return summed(self.pool_item, self.pool_units, len(self.costs.items))


def summed(at: Ints, amounts: Floats, length: int) -> Floats:
    """Returns the sums of amounts by position, shaped [length]."""
    sums: Floats = np.bincount(at, weights=amounts, minlength=length).astype(float)
    return sums


Complaints = Iterator[str]


def check(problem: Problem) -> None:
    """Ensures that a problem can be solved as it stands; raises `BadInput` with every fault."""
    faults = [complaint for find in CHECKS for complaint in find(problem)]
    if faults:
        raise BadInput([Fault("", 0, 0, fault) for fault in faults])


def check_order(problem: Problem) -> Complaints:
    """Yields a complaint where demand rows or stock pools are not sorted by item."""
    for name, items in (("demand", problem.demand_item), ("stock", problem.pool_item)):
        if np.any(np.diff(items) < 0):
            yield f"Expected {name} rows sorted by item; sort them with np.lexsort first."


def check_demand(problem: Problem) -> Complaints:
    """Yields a complaint where demand or its penalty is negative, infinite or not a number."""
    yield from _bad_amounts("demand", problem.demand_units, "give every forecast a finite mean")
    yield from _bad_amounts("penalty", problem.penalty, "give every item a value or unmet_penalty")


def check_stock(problem: Problem) -> Complaints:
    """Yields a complaint where stock is negative, infinite or not a number."""
    yield from _bad_amounts("stock", problem.pool_units, "count the stock again")


def check_capacities(problem: Problem) -> Complaints:
    """Yields a complaint where a capacity is negative or not a number; infinite means no limit."""
    for name, limits in (
        ("outbound_units", problem.outbound_units),
        ("kg_per_week", problem.carrier_kg),
    ):
        if np.any(np.isnan(limits)) or np.any(limits < 0):
            yield f"Expected {name} >= 0; leave the cell empty where there is no limit."


def check_costs(problem: Problem) -> Complaints:
    """Yields a complaint where an allowed lane has a cost that is infinite or not a number."""
    for name, total in (("free", problem.costs.total), ("bonded", problem.costs.bonded_total)):
        bad = problem.costs.allowed & ~np.isfinite(total)
        if np.any(bad):
            item, site, region, service = (int(at) for at in np.argwhere(bad)[0])
            yield (
                f"Expected a finite cost of {name} stock from {problem.costs.sites[site]} to "
                f"{problem.costs.regions[region]} by {problem.costs.services[service]} for "
                f"{problem.costs.items[item]}; correct the rate or forbid the lane."
            )


def check_weights(problem: Problem) -> Complaints:
    """Yields a complaint where the weight of an item is negative, infinite or not a number."""
    yield from _bad_amounts("weight_kg", problem.weight_kg, "correct items.csv")


def _bad_amounts(name: str, amounts: Floats, repair: str) -> Complaints:
    bad = ~np.isfinite(amounts) | (amounts < 0)
    if np.any(bad):
        first = float(amounts[bad][0])
        yield f"Expected a finite {name} >= 0, got {first} in {int(bad.sum())} rows; {repair}."


CHECKS: tuple[Callable[[Problem], Complaints], ...] = (
    check_order,
    check_demand,
    check_stock,
    check_capacities,
    check_costs,
    check_weights,
)
