"""Results: what an allocation decides, costs and proves, as tables and as one document."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.brand import Brand
from routing.allocation.prices import Prices, prices_of, save_prices
from routing.allocation.problem import (
    BUY,
    CARRY,
    LEAVE,
    MOVE,
    RELEASE,
    Problem,
    summed,
)  # fmt: skip
from routing.allocation.results.departures import Departure, departures_of
from routing.allocation.results.explain import BindingRow, binding_rows, unmet_reasons
from routing.allocation.results.names import bucket_of, named
from routing.allocation.results.purchases import purchases_of
from routing.allocation.results.shipped import Flows, Shipped
from routing.allocation.solver.solve import Solution
from routing.costs import CostBook

LEAST_GAP = 1e-6
"""Rounding of sums; a plan this near the bound is optimal whatever was asked for."""

STORED = (CARRY, LEAVE)
"""Transfers that stay where they are and pay for room."""

STOCK_ROWS = 50
"""So many binding stock rows are listed in a document; the prices hold all of them."""

WEIGHED = frozenset({"lateness", "carbon", "unmet"})
"""Costs that count in the decision but that nobody pays."""

NOT_LOGISTICS = WEIGHED | {"purchases"}
"""Costs that are not what moving and keeping goods costs."""

TABLES = ("flows", "moves", "purchases", "unmet")
"""Tables of a result that are written as they are."""

_DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, eq=False)
class Allocation:
    """A plan for the buckets of the horizon, in settlement currency and whole units.

    `status` is `optimal` (proven within the gap that was asked for), `feasible` (proven within
    `gap`, which is wider) or `stopped` (the time limit came first). `objective` is the sum of
    `costs`, recomputed from the flows, and `bound` is a cost that no plan undercuts. `units` are
    expected ones: demand that is uncertain counts by its chance.
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
    departures: tuple[Departure, ...]
    flows: pd.DataFrame
    moves: pd.DataFrame
    purchases: pd.DataFrame
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
            "purchases": self.ordered(),
            "departures": [one.document() for one in self.departures],
            "binding": [asdict(row) for row in self.binding],
            "prices_version": self.prices.version,
        }

    def ordered(self) -> dict[str, int]:
        """Returns how many orders are proposed, the units that the plan needs, and those ordered.

        Orders are rounded up to what suppliers take; `objective` counts what the plan needs.
        """
        orders = self.purchases
        needed, quantity = (int(orders[name].sum()) for name in ("needed", "quantity"))
        return {"orders": len(orders), "needed": needed, "quantity": quantity}

    def reasons(self) -> dict[str, float]:
        """Returns unmet units by reason, the largest first."""
        by_reason = self.unmet.groupby("reason")["quantity"].sum().sort_values(ascending=False)
        return {str(reason): float(units) for reason, units in by_reason.items()}

    def save(self, folder: Path) -> None:
        """Writes flows, moves, purchases, unmet and prices as Parquet files into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in TABLES:
            table: pd.DataFrame = getattr(self, name)
            table.to_parquet(folder / f"{name}.parquet", index=False, compression="zstd")
        save_prices(self.prices, folder / "prices.parquet")


def result_of(
    brand: Brand,
    book: CostBook,
    problem: Problem,
    solution: Solution,
    seconds: dict[str, float],
    asked_gap: float,
) -> Allocation:
    """Returns the result of a solution; its objective is recomputed from the flows.

    Raises `ArithmeticError` where the bound exceeds the objective, which no correct pair of plan
    and prices can do.
    """
    flows = Flows.of(problem, solution)
    shipped = Shipped.of(book, flows)
    spent = _costs(problem, solution, shipped)
    objective = float(sum(spent.values()))
    constant = float(problem.fixed_cost[~problem.decide].sum())
    bound = solution.bound + constant
    if bound > objective + LEAST_GAP * max(1.0, abs(objective)):
        raise ArithmeticError(f"The bound {bound} exceeds the objective {objective}.")
    gap = max(0.0, objective - bound) / max(1.0, abs(objective))
    return Allocation(
        status=_status(solution, gap, asked_gap),
        method=solution.method,
        objective=objective,
        bound=min(bound, objective),
        gap=gap,
        seconds=seconds,
        units=_units(problem, solution),
        costs=spent,
        kpis=_kpis(brand, problem, solution, shipped, spent),
        open_sites=_open_sites(problem, solution, len(book.rates.sites)),
        binding=binding_rows(problem, solution, STOCK_ROWS),
        departures=departures_of(problem, solution.plan),
        flows=flows.table(problem),
        moves=_moves(problem, solution),
        purchases=purchases_of(brand, problem, solution.plan),
        unmet=_unmet(problem, solution),
        prices=prices_of(problem, solution),
    )


def _status(solution: Solution, gap: float, asked: float) -> str:
    if gap <= max(asked, LEAST_GAP):
        return "optimal"
    return "feasible" if solution.proven else "stopped"


def _costs(problem: Problem, solution: Solution, shipped: Shipped) -> dict[str, float]:
    terms = shipped.terms
    kind, spent = problem.transfers.kind, solution.plan.moved * problem.transfers.cost
    over = np.maximum(solution.plan.use(problem) - problem.limits.flat, 0.0)
    soft = np.isfinite(problem.limits.soft) & (over > 0)
    released = float(spent[kind == RELEASE].sum())
    return terms | {
        "duty": terms["duty"] + released,
        "storage": float(
            spent[np.isin(kind, STORED)].sum() + over[soft] @ problem.limits.soft[soft]
        ),
        "moves": float(spent[kind == MOVE].sum() + solution.plan.consigned(problem).sum()),
        "purchases": float(spent[kind == BUY].sum()),
        "fixed": float(problem.fixed_cost[_is_open(problem, solution)].sum()),
        "unmet": float(solution.plan.unmet @ problem.segments.value),
    }


def _units(problem: Problem, solution: Solution) -> dict[str, float]:
    """Expected units: those of a segment count by the chance that they are asked for."""
    chance = problem.segments.chance
    demand = float(problem.segments.units @ chance)
    unmet = float(solution.plan.unmet @ chance)
    return {"demand": demand, "served": demand - unmet, "unmet": unmet}


def _is_open(problem: Problem, solution: Solution) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Sites that are open anyway, and sites to be decided that are opened."""
    return np.asarray(~problem.decide | solution.is_open)


def _open_sites(problem: Problem, solution: Solution, serving: int) -> tuple[str, ...]:
    used = _is_open(problem, solution)[:serving]
    return tuple(np.array(problem.axes.sites[:serving], dtype=object)[used].tolist())


def _kpis(
    brand: Brand, problem: Problem, solution: Solution, flows: Shipped, spent: dict[str, float]
) -> dict[str, float]:
    """Shares of demand and of the value served, averages per unit, and emissions in kg.

    Logistics cost is what is paid: lateness, carbon and unmet demand are weighed, not paid, and
    what goods cost that are bought is not logistics. Stock counts what is bought, too.
    """
    total, value = flows.units, flows.value
    shipped = max(total, 1e-12)
    expected = _units(problem, solution)
    logistics = sum(amount for name, amount in spent.items() if name not in NOT_LOGISTICS)
    transfers = problem.transfers
    bought = solution.plan.moved * (transfers.kind == BUY)
    stock_value = float(problem.pools.units @ problem.value[problem.pools.item])
    stock_value += float(bought @ problem.value[transfers.item])
    years = brand.horizon_weeks * 7 / _DAYS_PER_YEAR
    return {
        "fill": expected["served"] / expected["demand"] if expected["demand"] else 1.0,
        "on_time": flows.on_time / shipped if total else 1.0,
        "late_days_per_unit": flows.late_days / shipped,
        "logistics_cost": logistics,
        "cost_per_unit": logistics / shipped if total else 0.0,
        "logistics_cost_share": logistics / value if value else 0.0,
        "served_value": value,
        "carbon_kg": flows.carbon_kg,
        "inventory_turns": value / years / stock_value if stock_value else 0.0,
    }


def _moves(problem: Problem, solution: Solution) -> pd.DataFrame:
    """Units moved between sites by the bucket in which they leave."""
    transfers, axes = problem.transfers, problem.axes
    used = np.flatnonzero((transfers.kind == MOVE) & (solution.plan.moved > 0))
    start = transfers.start[used]
    ends = np.array(axes.lanes, dtype=object).reshape(-1, 3)[transfers.lane[used]]
    return pd.DataFrame(
        {
            "bucket": bucket_of(problem, problem.pools.bucket[start]),
            "from_site": pd.Series(ends[:, 0], dtype="str"),
            "to_site": pd.Series(ends[:, 1], dtype="str"),
            "service": pd.Series(ends[:, 2], dtype="str"),
            "item": named(axes.items, transfers.item[used]),
            "quantity": solution.plan.moved[used].astype(float),
            "unit_cost": transfers.cost[used],
        }
    )


def _unmet(problem: Problem, solution: Solution) -> pd.DataFrame:
    """Expected units unmet by bucket, region and item, with their mean penalty and the reason."""
    demands, segments = problem.demands, problem.segments
    count = len(demands.item)
    expected = summed(segments.demand, solution.plan.unmet * segments.chance, count)
    lost = summed(segments.demand, solution.plan.unmet * segments.value, count)
    left = np.flatnonzero(expected > LEAST_GAP)
    return pd.DataFrame(
        {
            "bucket": bucket_of(problem, demands.bucket[left]),
            "region": named(problem.axes.regions, demands.region[left]),
            "item": named(problem.axes.items, demands.item[left]),
            "quantity": expected[left],
            "penalty": lost[left] / expected[left],
            "reason": pd.Series(unmet_reasons(problem, solution)[left], dtype="str"),
        }
    )
