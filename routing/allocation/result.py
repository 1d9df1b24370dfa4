"""Results: what an allocation decides, costs and proves, as tables and as one document."""

from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.brand import Brand
from routing.allocation.columns import of_column, per_unit
from routing.allocation.explain import BindingRow, binding_rows, unmet_reasons
from routing.allocation.prices import Prices, prices_of, save_prices
from routing.allocation.problem import Problem, summed
from routing.allocation.solve import Solution
from routing.costs import Floats, picked

OPTIMAL_GAP = 1e-6
"""A plan proven this close to the bound counts as optimal."""

STOCK_ROWS = 50
"""So many binding stock rows are listed in a document; the prices hold all of them."""

MOVES = ("bucket", "from_site", "to_site", "service", "item", "quantity", "unit_cost")
WEIGHED = frozenset({"lateness", "carbon", "unmet"})
"""Costs that count in the decision but that nobody pays."""

_DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, eq=False)
class Allocation:
    """A plan for one period, in settlement currency and units.

    `status` is `optimal`, `feasible` (proven within `gap`, which is above 1e-6) or `stopped` (the
    time limit came first and nothing is served). `objective` is the sum of `costs`, recomputed from
    the flows, and `bound` is a cost that no plan undercuts.
    """

    status: str
    method: str
    objective: float
    bound: float
    gap: float
    seconds: dict[str, float]
    units: dict[str, float]
    costs: dict[str, float]
    kpis: dict[str, float]
    open_sites: tuple[str, ...]
    binding: tuple[BindingRow, ...]
    flows: pd.DataFrame
    moves: pd.DataFrame
    unmet: pd.DataFrame
    prices: Prices

    def document(self) -> dict[str, Any]:
        """Returns everything but the tables as one JSON document."""
        return {
            "status": self.status,
            "objective": self.objective,
            "bound": self.bound,
            "gap": self.gap,
            "method": self.method,
            "seconds": self.seconds,
            "units": self.units,
            "costs": self.costs,
            "kpis": self.kpis,
            "open_sites": list(self.open_sites),
            "binding": [asdict(row) for row in self.binding],
            "prices_version": self.prices.version,
        }

    def reasons(self) -> dict[str, float]:
        """Returns unmet units by reason, the largest first."""
        by_reason = self.unmet.groupby("reason")["quantity"].sum().sort_values(ascending=False)
        return {str(reason): float(units) for reason, units in by_reason.items()}

    def save(self, folder: Path) -> None:
        """Writes flows, moves, unmet and prices as Parquet files into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("flows", "moves", "unmet"):
            table: pd.DataFrame = getattr(self, name)
            table.to_parquet(folder / f"{name}.parquet", index=False, compression="zstd")
        save_prices(self.prices, folder / "prices.parquet")


def result_of(
    brand: Brand, problem: Problem, solution: Solution, seconds: dict[str, float]
) -> Allocation:
    """Returns the result of a solution; its objective is recomputed from the flows.

    Raises `ArithmeticError` where the bound exceeds the objective, which no correct pair of plan
    and prices can do.
    """
    costs = _costs(problem, solution)
    objective = float(sum(costs.values()))
    constant = problem.storage_cost + float(problem.fixed_cost[~problem.decide].sum())
    bound = solution.bound + constant
    if bound > objective + OPTIMAL_GAP * max(1.0, abs(objective)):
        raise ArithmeticError(f"The bound {bound} exceeds the objective {objective}.")
    gap = max(0.0, objective - bound) / max(1.0, abs(objective))
    return Allocation(
        status=_status(solution, gap),
        method="exact",
        objective=objective,
        bound=min(bound, objective),
        gap=gap,
        seconds=seconds,
        units=_units(problem, solution),
        costs=costs,
        kpis=_kpis(brand, problem, solution, costs),
        open_sites=_open_sites(problem, solution),
        binding=binding_rows(problem, solution, STOCK_ROWS),
        flows=_flows(problem, solution, brand.today),
        moves=_no_moves(),
        unmet=_unmet(problem, solution, brand.today),
        prices=prices_of(problem, solution),
    )


def _status(solution: Solution, gap: float) -> str:
    if not solution.proven:
        return "stopped"
    return "optimal" if gap <= OPTIMAL_GAP else "feasible"


def _costs(problem: Problem, solution: Solution) -> dict[str, float]:
    terms = {name: float(solution.units @ each) for name, each in _terms(problem, solution).items()}
    return terms | {
        "storage": problem.storage_cost,
        "fixed": float(problem.fixed_cost[_used_or_open(problem, solution)].sum()),
        "unmet": float(solution.unmet @ problem.penalty),
    }


def _terms(problem: Problem, solution: Solution) -> dict[str, Floats]:
    """Each term of the unit cost of every column."""
    costs = problem.costs
    terms = {
        "shipping": (costs.shipping, costs.shipping),
        "handling": (costs.handling, costs.handling),
        "duty": (costs.duty, costs.bonded_duty),
        "tax": (costs.tax, costs.bonded_tax),
        "lateness": (costs.lateness, costs.lateness),
        "carbon": (costs.carbon, costs.carbon),
    }
    return {
        name: per_unit(problem, solution.columns, free, bonded)
        for name, (free, bonded) in terms.items()
    }


def _units(problem: Problem, solution: Solution) -> dict[str, float]:
    return {
        "demand": float(problem.demand_units.sum()),
        "served": float(problem.demand_units.sum() - solution.unmet.sum()),
        "unmet": float(solution.unmet.sum()),
    }


def _used_or_open(problem: Problem, solution: Solution) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Sites that are open anyway, and sites to be decided from which something leaves."""
    site = of_column(problem, solution.columns)[1]
    leaving = summed(site, solution.units, len(problem.costs.sites))
    return ~problem.decide | (leaving > 0)


def _open_sites(problem: Problem, solution: Solution) -> tuple[str, ...]:
    used = _used_or_open(problem, solution)
    return tuple(site for site, is_open in zip(problem.costs.sites, used, strict=True) if is_open)


def _kpis(
    brand: Brand, problem: Problem, solution: Solution, costs: dict[str, float]
) -> dict[str, float]:
    """Shares of demand and of the value served, averages per unit, and emissions in kg.

    Logistics cost is what is paid: lateness, carbon and unmet demand are weighed, not paid.
    """
    columns = solution.columns
    lane = of_column(problem, columns)
    units, served = solution.units, max(float(solution.units.sum()), 1e-12)
    value = float(units @ problem.value[lane[0]])
    logistics = sum(amount for name, amount in costs.items() if name not in WEIGHED)
    late_days = picked(problem.costs.late_days, *lane)
    demand = float(problem.demand_units.sum())
    stock_value = float(problem.pool_units @ problem.value[problem.pool_item])
    years = brand.horizon_weeks * 7 / _DAYS_PER_YEAR
    return {
        "fill": float(units.sum()) / demand if demand else 1.0,
        "on_time": float(units @ (late_days <= 0)) / served if units.sum() else 1.0,
        "late_days_per_unit": float(units @ late_days) / served,
        "logistics_cost": logistics,
        "cost_per_unit": logistics / served if units.sum() else 0.0,
        "logistics_cost_share": logistics / value if value else 0.0,
        "served_value": value,
        "carbon_kg": float(units @ picked(problem.costs.carbon_kg, *lane)),
        "inventory_turns": value / years / stock_value if stock_value else 0.0,
    }


def _flows(problem: Problem, solution: Solution, bucket: date) -> pd.DataFrame:
    """Units by site, region, service and item; `customs` is the state of the stock they leave."""
    used = np.flatnonzero(solution.units > 0)
    item, site, region, service = (at[used] for at in of_column(problem, solution.columns))
    bonded = problem.pool_bonded[solution.columns.pool[used]]
    return pd.DataFrame(
        {
            "bucket": _bucket(bucket, len(used)),
            "site": _named(problem.costs.sites, site),
            "region": _named(problem.costs.regions, region),
            "service": _named(problem.costs.services, service),
            "item": _named(problem.costs.items, item),
            "quantity": solution.units[used],
            "unit_cost": solution.columns.cost[used],
            "customs": pd.Series(np.where(bonded, "bonded", "free"), dtype="str"),
        }
    )


def _unmet(problem: Problem, solution: Solution, bucket: date) -> pd.DataFrame:
    """Units that stay unmet by region and item, with the penalty of one and the reason."""
    left = np.flatnonzero(solution.unmet > OPTIMAL_GAP * np.maximum(problem.demand_units, 1.0))
    return pd.DataFrame(
        {
            "bucket": _bucket(bucket, len(left)),
            "region": _named(problem.costs.regions, problem.demand_region[left]),
            "item": _named(problem.costs.items, problem.demand_item[left]),
            "quantity": solution.unmet[left],
            "penalty": problem.penalty[left],
            "reason": pd.Series(unmet_reasons(problem, solution)[left], dtype="str"),
        }
    )


def _no_moves() -> pd.DataFrame:
    """One period moves nothing between sites; the table keeps its columns."""
    text = ("from_site", "to_site", "service", "item")
    types = dict.fromkeys(text, "str") | {"bucket": "datetime64[us]"}
    return pd.DataFrame({name: pd.Series(dtype=types.get(name, "float64")) for name in MOVES})


def _bucket(bucket: date, rows: int) -> "pd.Series[pd.Timestamp]":
    return pd.Series(np.full(rows, np.datetime64(bucket, "us")), dtype="datetime64[us]")


def _named(names: tuple[str, ...], at: "np.ndarray[Any, np.dtype[np.int32]]") -> "pd.Series[str]":
    return pd.Series(np.array(names, dtype=object)[at], dtype="str")
