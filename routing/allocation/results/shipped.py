"""Shipped: the flows of a plan one by one and in sum, priced again term by term."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from routing.allocation.problem import Bools, Floats, Ints, Problem
from routing.allocation.results.names import bucket_of, named
from routing.allocation.solver.solve import Solution
from routing.costs import CostBook, UnitCosts, picked


@dataclass(frozen=True, eq=False)
class Flows:
    """Units shipped, a row for each pool, demand and service that they use; arrays [flow]."""

    pool: Ints
    demand: Ints
    lane: tuple[Ints, Ints, Ints, Ints]
    units: Floats
    unit_cost: Floats
    bonded: Bools

    @classmethod
    def of(cls, problem: Problem, solution: Solution) -> "Flows":
        """Returns the flows of a solution, by item."""
        ship, service = np.nonzero(solution.plan.shipped)
        pool, demand = problem.ships.pool[ship], problem.ships.demand[ship]
        lane = (
            problem.pools.item[pool],
            problem.pools.site[pool],
            problem.demands.region[demand],
            service.astype(np.int32),
        )
        return cls(
            pool,
            demand,
            lane,
            solution.plan.shipped[ship, service].astype(float),
            problem.ships.cost[problem.ships.way[ship], service].astype(np.float64),
            problem.pools.bonded[pool],
        )

    def table(self, problem: Problem) -> pd.DataFrame:
        """Returns units by bucket, site, region, service, item and state of the stock."""
        axes = problem.axes
        item, site, region, service = self.lane
        return pd.DataFrame(
            {
                "bucket": bucket_of(problem, problem.pools.bucket[self.pool]),
                "site": named(axes.sites, site),
                "region": named(axes.regions, region),
                "service": named(axes.services, service),
                "item": named(axes.items, item),
                "quantity": self.units,
                "unit_cost": self.unit_cost,
                "customs": pd.Series(np.where(self.bonded, "bonded", "free"), dtype="str"),
            }
        )


@dataclass(frozen=True, eq=False)
class Shipped:
    """All flows in sum: units, those in time, value, late days, kg of CO2, cost by term."""

    units: float
    value: float
    on_time: float
    late_days: float
    carbon_kg: float
    terms: dict[str, float]

    @classmethod
    def of(cls, book: CostBook, flows: Flows) -> "Shipped":
        """Returns the sums over flows, priced again part by part of the items."""
        sums = np.zeros(3)
        terms = dict.fromkeys(_TERMS, 0.0)
        for items in book.parts():
            cut = slice(*np.searchsorted(flows.lane[0], (items.start, items.stop)).tolist())
            units, bonded = flows.units[cut], flows.bonded[cut]
            if not len(units):
                continue
            costs = book.at(items)
            item, *others = (at[cut] for at in flows.lane)
            lane = (item - np.int32(items.start), *others)
            late, carbon = picked(costs.late_days, *lane), picked(costs.carbon_kg, *lane)
            sums += units @ np.stack([late <= 0, late, carbon], axis=1)
            for name, (free, in_bond) in _terms(costs).items():
                each = np.where(bonded, picked(in_bond, *lane), picked(free, *lane))
                terms[name] += float(units @ each)
        on_time, late_days, carbon_kg = sums.tolist()
        value = float(flows.units @ book.catalog.value[flows.lane[0]])
        return cls(float(flows.units.sum()), value, on_time, late_days, carbon_kg, terms)


_TERMS = ("shipping", "handling", "duty", "tax", "lateness", "carbon")


def _terms(costs: UnitCosts) -> dict[str, tuple[Floats, Floats]]:
    """Each term of the unit cost, of free stock and of stock in bond."""
    return {
        "shipping": (costs.shipping, costs.shipping),
        "handling": (costs.handling, costs.handling),
        "duty": (costs.duty, costs.bonded_duty),
        "tax": (costs.tax, costs.bonded_tax),
        "lateness": (costs.lateness, costs.lateness),
        "carbon": (costs.carbon, costs.carbon),
    }
