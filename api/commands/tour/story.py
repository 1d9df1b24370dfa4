"""The story: each chapter uses a door of the running service and returns its tables."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from rich.table import Table

from api.commands.output import Report, table
from api.commands.tour.client import Client, Document
from carriers.connectors.signed_webhook import signature
from core.brand import Brand
from core.clock import Clock, rfc3339
from core.money import Money
from simulations.run import GAP
from simulations.scenarios import read_scenario

ORDERS = 10
FLOOD = "thailand-flood-2011"


@dataclass(frozen=True, slots=True)
class Tour:
    """What the chapters share: the brand, its folder, a client, the clock and carrier secrets."""

    brand: Brand
    folder: Path
    client: Client
    clock: Clock
    secrets: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Chapter:
    """One thing that happened: a sentence for the reader, and tables."""

    title: str
    text: str
    tables: tuple[Table, ...] = ()


Tell = Callable[[Tour, Report], Chapter]


def forecast(tour: Tour, report: Report) -> Chapter:
    """Forecasts demand for the horizon and tells how it was done."""
    made = tour.client.post("/v1/forecasts", {"weeks": tour.brand.horizon_weeks})
    tour.client.finished(made["job"], report)
    found = tour.client.get(f"/v1/forecasts/{made['id']}")["result"]
    models = [(name, count) for name, count in found["models"].items()]
    text = f"{found['series']:,} series of item and region in {found['seconds']:.1f} s"
    return Chapter("Demand forecast", text, (table("How", ("method", "series"), models),))


def allocate(tour: Tour, report: Report) -> Chapter:
    """Allocates stock for the horizon and tells costs, binding limits and unmet demand."""
    made = tour.client.post("/v1/allocations", {"gap": GAP})
    tour.client.finished(made["job"], report)
    found = tour.client.get(f"/v1/allocations/{made['id']}")
    units, currency = found["units"], tour.brand.currency
    text = (
        f"{units['served']:,.0f} of {units['demand']:,.0f} units served for "
        f"{_money(found['objective'], currency)}; no plan can cost less than "
        f"{_money(found['bound'], currency)} (gap {found['gap']:.0e})"
    )
    costs = [(name, _money(cost, currency)) for name, cost in found["costs"].items()]
    binding = [(row["row"], float(row["price"])) for row in found["binding"][:8]]
    return Chapter(
        "Allocation",
        text,
        (
            table("What it costs", ("part", "amount"), costs),
            table("What one more would save", ("limit", currency), binding),
        ),
    )


def orders(tour: Tour, report: Report) -> Chapter:
    """Plans ten real orders, one for each region that ordered first, and confirms them."""
    rows: list[tuple[object, ...]] = []
    for at, body in enumerate(real_orders(tour.brand), start=1):
        began = time.perf_counter()
        plan = tour.client.post("/v1/fulfillment-plans", body)
        milliseconds = 1000 * (time.perf_counter() - began)
        if plan["legs"]:
            tour.client.post(f"/v1/fulfillment-plans/{plan['id']}/confirm", {})
        rows.append(_order_row(body, plan, milliseconds))
        report(at / ORDERS, f"Order {at} of {ORDERS}")
    served = sum(1 for row in rows if row[2])
    columns = ("order", "region", "ships from", "route", "cost", "promise", "P", "options", "ms")
    text = (
        f"{served} of {len(rows)} orders planned, held and confirmed. They come from the weeks "
        "after the planning date and are placed now, so their promises lie in the coming days."
    )
    return Chapter("Orders", text, (table("Plans", columns, rows),))


def real_orders(brand: Brand) -> list[dict[str, Any]]:
    """Returns the first orders after the planning date, one a region, as the API takes them."""
    lines = brand.table("orders")
    later = lines[lines["placed_at"] > pd.Timestamp(brand.today, tz="UTC")]
    heads = later.sort_values(["placed_at", "order"]).drop_duplicates("region").head(ORDERS)
    return [_order_body(later[later["order"] == order], brand.currency) for order in heads["order"]]


def _order_body(lines: pd.DataFrame, currency: str) -> dict[str, Any]:
    first = lines.iloc[0]
    return {
        "order": str(first["order"]),
        "region": str(first["region"]),
        "currency": currency,
        "lines": [
            {
                "line": int(row["line"]),
                "item": str(row["item"]),
                "quantity": int(row["quantity"]),
                "price": Money.of(row["price"], currency).as_json(),
            }
            for row in lines.to_dict("records")
        ],
    }


def _order_row(body: Document, plan: Document, milliseconds: float) -> tuple[object, ...]:
    legs, promise = plan["legs"], plan["promise"] or {}
    return (
        body["order"],
        body["region"],
        ", ".join(f"{leg['site']} by {leg['service']}" for leg in legs),
        ", ".join(leg["customs_route"].replace("_", " ") for leg in legs),
        _money(plan["landed_cost"]["total"]),
        str(promise.get("by") or "")[:10],
        f"{promise['probability']:.0%}" if promise.get("probability") is not None else "",
        plan["decision"]["considered"],
        round(milliseconds),
    )


def shipments(tour: Tour, report: Report) -> Chapter:
    """Lets a carrier report on two shipments with signed events, twice, and tells what moved."""
    found = tour.client.get("/v1/shipments?limit=2")["data"]
    for at, shipment in enumerate(found, start=1):
        codes = ("in_transit", "delivered")[:at]
        for _ in range(2):  # a repeat is harmless
            _carrier_reports(tour, shipment, codes)
        report(at / len(found), "")
    rows = []
    for shipment in found:
        now = tour.client.get(f"/v1/shipments/{shipment['id']}")
        rows.append((now["id"], now["carrier"], now["site"], now["region"], now["status"]))
    columns = ("shipment", "carrier", "from", "to", "status")
    return Chapter("Shipments", "Signed carrier events moved them", (table("", columns, rows),))


def _carrier_reports(tour: Tour, shipment: Document, codes: tuple[str, ...]) -> None:
    now = tour.clock.now()
    events = [
        {"tracking_code": shipment["tracking_code"], "code": code, "occurred_at": rfc3339(now)}
        for code in codes
    ]
    content = json.dumps({"events": events}).encode()
    identity, timestamp = f"msg-{shipment['id']}", str(int(now.timestamp()))
    signed = signature(identity, timestamp, content, tour.secrets[shipment["carrier"]])
    headers = {
        "webhook-id": identity,
        "webhook-timestamp": timestamp,
        "webhook-signature": signed,
    }
    path = f"/v1/carriers/{quote(shipment['carrier'])}/events"
    tour.client.post_signed(path, content, headers)


def flood(tour: Tour, report: Report) -> Chapter:
    """Posts a recorded flood twice: a centroid that may only raise a watch, and its area."""
    for at, feed in enumerate(("gdacs", "cap"), start=1):
        document = files("examples").joinpath("signals", f"{FLOOD}.{feed}.xml").read_text("utf-8")
        tour.client.post("/v1/signals", {"feed": feed, "document": document})
        report(at / 2, "")
    alerts = tour.client.get("/v1/alerts")["data"]
    rows = [_alert_row(alert) for alert in alerts]
    drafts = [draft for alert in alerts for draft in alert["drafts"]]
    columns = ("alert", "severity", "suppliers", "survives", "recovers", "at risk", "drafts")
    text = f"{len(alerts)} alerts, {len(drafts)} drafted purchase order lines that would cure them"
    return Chapter(
        "A flood in Thailand",
        text,
        (table("Alerts", columns, rows), _drafts(drafts[:6])),
    )


def _alert_row(alert: Document) -> tuple[object, ...]:
    return (
        alert["title"],
        alert["severity"],
        ", ".join(alert["suppliers"]),
        _days(alert["time_to_survive_days"]),
        _days(alert["time_to_recover_days"]),
        _money(alert["revenue_at_risk"]),
        len(alert["drafts"]),
    )


def _drafts(drafts: list[Document]) -> Table:
    columns = ("supplier", "item", "to", "units", "order by", "unit cost")
    rows = [
        (
            draft["supplier"],
            draft["item"],
            draft["site"],
            int(draft["quantity"]),
            draft["order_by"],
            _money(draft["unit_cost"]),
        )
        for draft in drafts
    ]
    return table("First drafted lines", columns, rows)


def scenario(tour: Tour, report: Report) -> Chapter:
    """Runs one what-if against the base and tells where the difference comes from."""
    told = read_scenario(tour.folder / "scenarios" / "hamburg-half-capacity.toml")
    kept = tour.client.post("/v1/scenarios", told.document())
    run = tour.client.post(f"/v1/scenarios/{kept['id']}/runs", {})
    tour.client.finished(run["job"], report)
    compared = tour.client.get(f"/v1/runs/compare?ids={run['id']}")
    return Chapter(f"What if: {told.name}", told.note, tuple(_comparison(compared)))


def _comparison(compared: Document) -> Iterator[Table]:
    for difference in compared["differences"]:
        costs = [
            (part["part"], _money(part["base"]), _money(part["here"]), _money(part["difference"]))
            for part in difference["costs"]
        ]
        costs.append(("all", "", "", _money(difference["cost_difference"])))
        yield table("What it would cost more", ("part", "base", "what if", "difference"), costs)
        flows = [
            (flow["site"], flow["region"], flow["service"], round(flow["difference"]))
            for flow in sorted(difference["flows"], key=lambda flow: -abs(flow["difference"]))[:6]
        ]
        yield table("Where units would move", ("from", "to", "by", "units more"), flows)


def _days(days: float | None) -> str:
    return "" if days is None else f"{days:.0f} days"


def _money(amount: Any, currency: str = "") -> str:
    if isinstance(amount, Mapping):
        return str(Money(int(amount["amount"]), str(amount["currency"])))
    return str(Money.of(amount, currency)) if amount is not None else ""


CHAPTERS: tuple[tuple[str, Tell], ...] = (
    ("Forecasting demand", forecast),
    ("Allocating stock", allocate),
    ("Planning ten real orders", orders),
    ("Following shipments", shipments),
    ("Hearing of a flood", flood),
    ("Trying a scenario", scenario),
)
