"""Shipments for those who wait for them, and the door through which carriers report."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from api.bodies import Moment, MoneyBody, View
from api.dependencies import ClockDep, EntropyDep, SessionDep, SettingsDep, allow
from api.pages import Page, PagingDep
from api.problems import Refused
from api.services.shipments import authenticate_report, receive_events
from carriers import store
from carriers.delays import eta, late_probability
from carriers.records import TrackingEventRecord
from carriers.shipments import Shipment
from carriers.tracking import Status

router = APIRouter(prefix="/v1", tags=["shipments"])

_readers = [Depends(allow("order-service", "planner", "auditor"))]


class Promise(View):
    """The moment sold to the customer."""

    by: Moment


class LineRead(View):
    """Units of one order line."""

    line: int
    item: str
    quantity: int


class ShipmentRead(View):
    """Where a shipment stands, when it is expected, and what its delay costs."""

    id: str
    plan: str
    order: str
    site: str
    region: str
    service: str
    carrier: str
    tracking_code: str
    customs_route: str
    lines: list[LineRead]
    status: Status
    created_at: Moment
    eta: Moment | None
    promise: Promise
    late: bool
    late_since: Moment | None
    late_probability: float
    delivered_at: Moment | None
    last_event_at: Moment | None
    compensation: MoneyBody | None


class EventRead(View):
    """One scan: the shared status beside the carrier's own words."""

    code: str
    status: Status
    occurred_at: Moment
    received_at: Moment
    place: str
    text: str


class ReceivedRead(View):
    """What a report did."""

    accepted: int
    repeated: int
    shipments: list[str]
    unmatched: list[str]


@router.get("/shipments", dependencies=_readers)
def index(
    session: SessionDep,
    clock: ClockDep,
    paging: PagingDep,
    status: Status | None = None,
    order: Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00]*$")] = None,
    late: bool | None = None,
) -> Page[ShipmentRead]:
    """Lists shipments, newest first."""
    after = paging.after(str)
    last = None if after is None else str(after[0])
    rows = store.shipments(session, paging.asked, last, status, order, late)
    now = clock.now()
    return paging.page(rows, key=lambda row: (row.id,), show=lambda row: _read(row, now))


@router.get("/shipments/{shipment}", dependencies=_readers)
def read(shipment: str, session: SessionDep, clock: ClockDep) -> ShipmentRead:
    """Returns one shipment as it stands now."""
    return _read(store.shipment_of(session, shipment), clock.now())


@router.get("/shipments/{shipment}/events", dependencies=_readers)
def events(shipment: str, session: SessionDep, paging: PagingDep) -> Page[EventRead]:
    """Lists what the carrier reported, earliest first."""
    found = store.shipment_of(session, shipment)
    rows = store.event_page(session, found, paging.asked, _last_event(paging.after(str, str)))
    return paging.page(rows, key=lambda row: (row.occurred_at.isoformat(), row.id), show=_event)


Carrier = Annotated[str, Path(max_length=100)]


async def signed_body(
    carrier: Carrier, request: Request, settings: SettingsDep, clock: ClockDep
) -> bytes:
    """Returns the body of a report that the carrier signed; refuses every other with 401."""
    body = await request.body()
    authenticate_report(carrier, request.headers, body, settings.carrier_secrets, clock.now())
    return body


@router.post("/carriers/{carrier}/events")
def receive(
    carrier: Carrier,
    # Before the session: an unsigned report never takes the write lock.
    body: Annotated[bytes, Depends(signed_body)],
    session: SessionDep,
    clock: ClockDep,
    entropy: EntropyDep,
) -> ReceivedRead:
    """Takes a carrier's signed report of scans; order and repeats do not matter.

    Signed as Standard Webhooks describes: headers `webhook-id`, `webhook-timestamp` and
    `webhook-signature` over `id.timestamp.body` with the secret of the carrier.
    """
    return ReceivedRead.model_validate(receive_events(session, carrier, body, clock, entropy))


def _read(shipment: Shipment, now: datetime) -> ShipmentRead:
    owed = shipment.compensation
    return ShipmentRead(
        id=shipment.id,
        plan=shipment.plan,
        order=shipment.order,
        site=shipment.site,
        region=shipment.region,
        service=shipment.service,
        carrier=shipment.carrier,
        tracking_code=shipment.tracking_code,
        customs_route=shipment.customs_route,
        lines=[LineRead.model_validate(line) for line in shipment.lines],
        status=shipment.status,
        created_at=shipment.created_at,
        eta=eta(shipment, now),
        promise=Promise(by=shipment.promised_by),
        late=shipment.late_since is not None,
        late_since=shipment.late_since,
        late_probability=round(late_probability(shipment, now), 4),
        delivered_at=shipment.delivered_at,
        last_event_at=shipment.last_event_at,
        compensation=None if owed is None else MoneyBody.of(owed),
    )


def _event(record: TrackingEventRecord) -> EventRead:
    return EventRead(
        code=record.raw_code,
        status=Status(record.status),
        occurred_at=record.occurred_at,
        received_at=record.received_at,
        place=record.place,
        text=record.text,
    )


def _last_event(after: tuple[str | int, ...] | None) -> tuple[str, str] | None:
    """Returns the last event of the page before; refuses a cursor that names no moment."""
    if after is None:
        return None
    try:
        moment = datetime.fromisoformat(str(after[0]))
        offset = moment.utcoffset()
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        offset = None
    if offset is None:
        raise Refused(422, "The cursor is not one that this list gave.", "bad-cursor")
    return str(after[0]), str(after[1])
