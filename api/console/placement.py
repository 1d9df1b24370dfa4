"""The allocation page: what one run decided, what it costs, and what its limits are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlmodel import Session

from api.console.network import Flow, present_tiers
from api.console.rendering import money, share
from api.console.views import Tile
from api.services.allocations import allocation_table
from core.brand import SERVING_TIERS, Brand
from core.errors import NotFound
from routing.allocation import store
from routing.allocation.records import AllocationRecord

RUNS_SHOWN = 20
FLOWS_SHOWN = 200
STOCK_SHOWN = 12


@dataclass(frozen=True, slots=True)
class RunRow:
    """One finished allocation as the list of runs shows it."""

    id: str
    at: datetime
    objective: float
    unmet: float
    currency: str


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a cost, in settlement currency."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Reason:
    """Units and items that stay unmet for one reason."""

    reason: str
    quantity: float
    items: int


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that binds, in words, and what one more `unit` of it would save."""

    limit: str
    price: float
    unit: str


@dataclass(frozen=True, slots=True)
class RunPage:
    """One finished allocation, arranged for reading."""

    id: str
    currency: str
    status: str
    objective: float
    gap: float
    demand: float
    served: float
    unmet: float
    tiles: Sequence[Tile]
    tiers: Sequence[str]
    flows: Sequence[Flow]
    costs: Sequence[Part]
    binding: Sequence[Limit]
    reasons: Sequence[Reason]


def finished_runs(session: Session) -> list[RunRow]:
    """Returns finished allocations, newest first."""
    records = store.allocations(session, RUNS_SHOWN)
    return [_row(record) for record in records if record.finished_at and record.result]


def run_page(session: Session, brand: Brand, allocation: str) -> RunPage:
    """Returns one finished allocation; raises `NotFound` for any other."""
    record = store.allocation_of(session, allocation)
    if record.result is None:
        raise NotFound("finished allocation", allocation)
    result = record.result
    units, parts = result["units"], result["costs"]
    return RunPage(
        id=record.id,
        currency=record.currency,
        status=result["status"],
        objective=result["objective"],
        gap=result["gap"],
        demand=units["demand"],
        served=units["served"],
        unmet=units["unmet"],
        tiles=_tiles(result, record.currency),
        tiers=[tier for tier in present_tiers(brand) if tier in SERVING_TIERS],
        flows=flows_of(session, allocation)[:FLOWS_SHOWN],
        costs=[Part(name, value) for name, value in _largest(parts) if value],
        binding=_limits(result["binding"], brand),
        reasons=_reasons(allocation_table(session, allocation, "unmet")),
    )


def flows_of(session: Session, allocation: str) -> list[Flow]:
    """Returns units by site, market and service with their mean cost, largest first."""
    frame = allocation_table(session, allocation, "flows")
    frame = frame.assign(cost=frame["quantity"] * frame["unit_cost"])
    lanes = frame.groupby(["site", "region", "service"], observed=True)[["quantity", "cost"]].sum()
    ranked = lanes.sort_values("quantity", ascending=False).reset_index()
    return [_flow(row) for row in ranked.to_dict("records")]


def _flow(row: Any) -> Flow:
    site, region, service = (str(row[name]) for name in ("site", "region", "service"))
    return Flow(site, region, service, float(row["quantity"]), _mean(row))


def _mean(row: Any) -> float:
    return float(row["cost"] / row["quantity"]) if row["quantity"] else 0.0


def _row(record: AllocationRecord) -> RunRow:
    result: dict[str, Any] = record.result or {}
    finished = record.finished_at or record.created_at
    return RunRow(
        record.id, finished, result["objective"], result["units"]["unmet"], record.currency
    )


def _tiles(result: dict[str, Any], currency: str) -> list[Tile]:
    kpis, seconds = result["kpis"], result["seconds"]
    return [
        Tile("Cost a unit", money(kpis["cost_per_unit"], currency), "logistics, without unmet"),
        Tile("On time", share(kpis["on_time"]), "of units, by median transit"),
        Tile("Carbon", f"{kpis['carbon_kg'] / 1000:,.1f} t", "CO₂ equivalent, well to wake"),
        Tile("Solved in", f"{seconds['total']:.1f} s", str(result["method"])),
    ]


def _largest(parts: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(parts.items(), key=lambda part: -part[1])


def _reasons(unmet: pd.DataFrame) -> list[Reason]:
    groups = unmet[unmet["quantity"] > 0].groupby("reason", observed=True)
    rows = [
        Reason(str(reason), float(group["quantity"].sum()), int(group["item"].nunique()))
        for reason, group in groups
    ]
    return sorted(rows, key=lambda row: -row.quantity)


def _limits(binding: Sequence[Mapping[str, Any]], brand: Brand) -> list[Limit]:
    """Returns shared limits, then the dearest stock; a row is written `stock[DE-HAM,MUG]`."""
    items = brand.table("items")
    names = dict(zip(items["item"], items["name"], strict=True))
    shared: list[Limit] = []
    stock: list[Limit] = []
    for row in binding:
        kind, _, inside = str(row["row"]).partition("[")
        parts = inside.rstrip("]").split(",")
        kept = stock if kind == "stock" else shared
        kept.append(_limit(kind, parts, float(row["price"]), names))
    return shared + stock[:STOCK_SHOWN]


def _limit(kind: str, parts: Sequence[str], price: float, names: Mapping[str, str]) -> Limit:
    if kind == "outbound_units":
        return Limit(f"Outbound units of {parts[0]}", price, "unit")
    if kind == "kg_per_week":
        return Limit(f"{parts[1]} from {parts[0]}", price, "kg")
    item, state = parts[1], " in bond" if parts[2:] else ""
    return Limit(f"{names.get(item) or item} at {parts[0]}{state}", price, "unit")
