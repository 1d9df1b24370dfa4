"""The allocation page: what one run decided, what it costs, and what its limits are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd
from sqlmodel import Session

from api.console.network import Flow, present_tiers
from api.console.rendering import money, share
from api.console.views import Tile
from api.services import allocation_figures as figures
from api.services.allocation_figures import Bucket, Lane, Limit, Order, Reason, Use
from api.services.allocations import allocation_table, made_allocation
from api.services.brands import current_brand
from core.brand import SERVING_TIERS
from core.errors import NotFound
from routing.allocation import store
from routing.allocation.records import AllocationRecord

RUNS_SHOWN = 20
FLOWS_SHOWN = 200
STOCK_SHOWN = 12
USES_SHOWN = 16
MOVES_SHOWN = 12
ORDERS_SHOWN = 12
ROWS_SHOWN = 100


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
    """One part of a cost, in settlement currency; `label` is its name in words."""

    name: str
    value: float
    label: str


@dataclass(frozen=True, slots=True)
class FlowRow:
    """Units of one item from a site to a market in a bucket; `unit_cost` in settlement currency."""

    bucket: date
    site: str
    region: str
    service: str
    item: str
    name: str
    customs: str
    quantity: float
    unit_cost: float


@dataclass(frozen=True, slots=True)
class RunPage:
    """One finished allocation, arranged for reading."""

    id: str
    currency: str
    status: str
    proof: str
    objective: float
    bound: float
    demand: float
    served: float
    unmet: float
    tiles: Sequence[Tile]
    tiers: Sequence[str]
    flows: Sequence[Flow]
    costs: Sequence[Part]
    buckets: Sequence[Bucket]
    bucket: date | None
    uses: Sequence[Use]
    binding: Sequence[Limit]
    reasons: Sequence[Reason]
    moves: Sequence[Lane]
    orders: Sequence[Order]
    proposed: int


def finished_runs(session: Session) -> list[RunRow]:
    """Returns finished allocations, newest first."""
    records = store.allocations(session, RUNS_SHOWN)
    return [_row(record) for record in records if record.finished_at and record.result]


def run_page(session: Session, allocation: str, bucket: date | None = None) -> RunPage:
    """Returns one finished allocation, with the flows of one bucket or of all.

    Raises `NotFound` for any other, and `Conflict` for one that an older version of the program
    kept in part only.
    """
    record = store.allocation_of(session, allocation)
    if record.result is None:
        raise NotFound("finished allocation", allocation)
    brand, made = made_allocation(session, allocation)
    result, units = record.result, record.result["units"]
    limits = figures.limits_of(brand, made)
    stock = [one for one in limits if one.is_stock][:STOCK_SHOWN]
    return RunPage(
        id=record.id,
        currency=record.currency,
        status=result["status"],
        proof=made.proof,
        objective=result["objective"],
        bound=result["bound"],
        demand=units["demand"],
        served=units["served"],
        unmet=units["unmet"],
        tiles=_tiles(result, record.currency),
        tiers=[tier for tier in present_tiers(brand) if tier in SERVING_TIERS],
        flows=_by_lane(_within(made.flows, bucket))[:FLOWS_SHOWN],
        costs=[
            Part(name, value, figures.PARTS.get(name, name.capitalize()))
            for name, value in _largest(result["costs"])
            if value
        ],
        buckets=figures.buckets_of(brand, made),
        bucket=bucket,
        uses=figures.uses_of(brand, made)[:USES_SHOWN],
        binding=[one for one in limits if not one.is_stock] + stock,
        reasons=figures.reasons_of(made),
        moves=figures.moved_lanes(made)[:MOVES_SHOWN],
        orders=figures.orders_of(made)[:ORDERS_SHOWN],
        proposed=len(made.purchases),
    )


def flows_of(session: Session, allocation: str, bucket: date | None = None) -> list[Flow]:
    """Returns units by site, market and service with their mean cost, largest first."""
    return _by_lane(_within(allocation_table(session, allocation, "flows"), bucket))


def flow_rows(
    session: Session, allocation: str, wanted: Mapping[str, str], bucket: date | None
) -> tuple[list[FlowRow], int]:
    """Returns the largest flows of single items, and how many there are in all.

    `wanted` narrows them to a `site`, `region`, `service` or `item`, where these are not empty.
    """
    frame = _within(allocation_table(session, allocation, "flows"), bucket)
    for column, value in wanted.items():
        if value:
            frame = frame[frame[column] == value]
    items = current_brand(session).table("items")
    names = dict(zip(items["item"], items["name"], strict=True))
    largest = frame.nlargest(ROWS_SHOWN, "quantity", keep="first")
    rows = [
        FlowRow(
            row["bucket"].date(), row["site"], row["region"], row["service"], row["item"],
            names.get(row["item"]) or row["item"], row["customs"], row["quantity"],
            row["unit_cost"],
        )
        for row in largest.to_dict("records")
    ]  # fmt: skip
    return rows, len(frame)


def _within(flows: pd.DataFrame, bucket: date | None) -> pd.DataFrame:
    return flows if bucket is None else flows[flows["bucket"] == pd.Timestamp(bucket)]


def _by_lane(frame: pd.DataFrame) -> list[Flow]:
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
