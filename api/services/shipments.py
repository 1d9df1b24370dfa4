"""Shipments: made when a plan is confirmed, moved by carriers' reports, watched for lateness."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import SecretStr
from sqlmodel import Session

from api.problems import Refused
from api.queue.events import publish
from api.services.brands import current_brand
from carriers import store
from carriers.connectors.protocol import Connector
from carriers.connectors.signed_webhook import BadSignature, SignedWebhook, verify
from carriers.delays import judged, late_probability
from carriers.shipments import (
    CompensationPolicy,
    Outlook,
    Shipment,
    ShipmentLine,
    tracked,
)
from carriers.tracking import TrackingEvent
from core.brand import Brand
from core.clock import Clock, rfc3339
from core.errors import BadInput, Problem
from core.ids import Entropy, mint
from core.money import Money
from inventory.items import Catalog

POLICY = CompensationPolicy()
CONNECTOR: Connector = SignedWebhook()

WATCHERS = ("auditor", "order-service", "planner")
"""Roles that hear of shipments."""

AHEAD = timedelta(hours=24)
"""How far in the future a scan may lie: carriers report local times under wrong offsets."""

_BATCH = 500

Document = Mapping[str, Any]
"""A plan as JSON, as the order service got it."""


@dataclass(frozen=True, slots=True)
class Received:
    """What a carrier's report did: events that were new, repeats, and shipments that it moved."""

    accepted: int
    repeated: int
    shipments: tuple[str, ...]
    unmatched: tuple[str, ...]
    """Tracking codes that belong to no shipment of that carrier; their events are kept."""


def create_shipments(
    session: Session,
    plan: Document,
    clock: Clock,
    entropy: Entropy,
    only: Collection[int] | None = None,
) -> list[str]:
    """Returns the ids of a plan's shipments, one per leg; made once, however often it is asked.

    With `only`, shipments are made of the legs with these numbers.

    `plan` holds `id`, `order`, `region`, `promise.by` and `legs`, each with `site`, `service`,
    `carrier`, `customs_route`, `lines` and `delivery.p50` and `.p95` (RFC 3339); a leg with a
    `promise_by` of its own is promised by then. The tracking code is the id of the shipment: the
    reference under which it is handed to the carrier. The value of its goods is the price of their
    lines, and the value of the catalog where a line has no price.
    """
    brand = current_brand(session)
    legs = [
        _shipment(plan, at, leg, brand, clock.now(), entropy)
        for at, leg in enumerate(plan["legs"])
        if only is None or at in only
    ]
    store.add_shipments(session, legs)
    made = [shipment.id for shipment in store.shipments_of_plan(session, plan["id"])]
    new = {leg.id for leg in legs} & set(made)
    if new:
        data = {"plan": plan["id"], "order": plan["order"], "shipments": made}
        publish(session, "shipment.created", data, WATCHERS, clock)
    return made


def authenticate_report(
    carrier: str,
    headers: Mapping[str, str],
    body: bytes,
    secrets: Mapping[str, SecretStr],
    now: datetime,
) -> None:
    """Refuses with 401 what nobody with the carrier's secret signed in the last five minutes."""
    secret = secrets.get(carrier)
    if secret is None or not secret.get_secret_value():
        raise Refused(401, "This carrier has no secret here, so nothing it sends can be trusted.")
    try:
        verify(headers, body, secret.get_secret_value(), now)
    except BadSignature as error:
        raise Refused(401, str(error), error.code) from None


def receive_events(
    session: Session, carrier: str, body: bytes, clock: Clock, entropy: Entropy
) -> Received:
    """Returns what a carrier's report changed; `authenticate_report` comes before.

    Events may come in any order and repeatedly. Raises `BadInput` for a report that cannot be read.
    """
    events = CONNECTOR.events(carrier, body)
    _refuse_future(events, clock.now())
    codes = {event.tracking_code for event in events}
    # Locked before events are added: the later of two reports folds what both brought.
    moved = store.shipments_by_code(session, carrier, codes)
    added = store.add_events(session, events, clock.now(), entropy)
    known = store.events_of(session, carrier, codes)
    for shipment in moved:
        _update(session, shipment, tracked(shipment, known[shipment.tracking_code]), clock)
    return Received(
        accepted=added,
        repeated=len(events) - added,
        shipments=tuple(shipment.id for shipment in moved),
        unmatched=tuple(sorted(codes - {shipment.tracking_code for shipment in moved})),
    )


def mark_late(session: Session, clock: Clock) -> int:
    """Returns how many shipments were newly marked late; the sweep calls it.

    A shipment is late when its promise is broken or very likely will be. Each is announced once,
    as `shipment.delayed`.
    """
    marked, after = 0, ""
    while batch := store.open_shipments(session, _BATCH, after):
        marked += sum(_update(session, shipment, shipment, clock) for shipment in batch)
        after = batch[-1].id
    return marked


def _refuse_future(events: Sequence[TrackingEvent], now: datetime) -> None:
    problems = [
        Problem("", 0, 0, "lies more than a day in the future", f"/events/{at}/occurred_at")
        for at, event in enumerate(events)
        if event.occurred_at > now + AHEAD
    ]
    if problems:
        raise BadInput(problems)


def _update(session: Session, before: Shipment, moved: Shipment, clock: Clock) -> bool:
    """Saves what became of a shipment and tells; returns whether it is late only now."""
    now = clock.now()
    after = judged(moved, now, POLICY)
    if after != before:
        store.save_progress(session, after)
    if after.status is not before.status:
        publish(session, "shipment.updated", _data(after), WATCHERS, clock)
    delayed = before.late_since is None and after.late_since is not None
    if delayed:
        probability = round(late_probability(after, now), 4)
        data = {**_data(after), "late_probability": probability}
        publish(session, "shipment.delayed", data, WATCHERS, clock)
    return delayed


def _data(shipment: Shipment) -> dict[str, Any]:
    return {
        "shipment": shipment.id,
        "order": shipment.order,
        "carrier": shipment.carrier,
        "status": str(shipment.status),
        "promised_by": rfc3339(shipment.promised_by),
    }


def _shipment(
    plan: Document, at: int, leg: Document, brand: Brand, now: datetime, entropy: Entropy
) -> Shipment:
    identity = mint("shp", now, entropy)
    delivery = leg["delivery"]
    return Shipment(
        id=identity,
        plan=plan["id"],
        leg=at,
        order=plan["order"],
        site=leg["site"],
        region=plan["region"],
        service=leg["service"],
        carrier=leg["carrier"],
        tracking_code=identity,
        customs_route=leg["customs_route"],
        lines=tuple(
            ShipmentLine(line["line"], line["item"], line["quantity"]) for line in leg["lines"]
        ),
        created_at=now,
        outlook=Outlook(_moment(delivery["p50"]), _moment(delivery["p95"])),
        promised_by=_moment(leg.get("promise_by", plan["promise"]["by"])),
        value=_value(leg["lines"], brand),
    )


def _value(lines: Sequence[Document], brand: Brand) -> Money:
    """Returns the value of goods in one currency: as paid, or as the catalog says.

    What has left the catalog since it was promised counts nothing.
    """
    if lines and all(line.get("price") for line in lines):
        currencies = {line["price"]["currency"] for line in lines}
        if len(currencies) == 1:
            minor = sum(line["price"]["amount"] * line["quantity"] for line in lines)
            return Money(minor, currencies.pop())
    catalog = Catalog.of(brand)
    worth = sum(
        (Decimal(str(catalog.item[line["item"]].value)) * line["quantity"]
         for line in lines if line["item"] in catalog.item),
        Decimal(0),
    )  # fmt: skip
    return Money.of(worth, brand.currency)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
