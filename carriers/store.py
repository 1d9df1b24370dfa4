"""Saves and loads shipments and tracking events; works in the caller's transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Insert, Table, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from carriers.records import ShipmentRecord, TrackingEventRecord, moving
from carriers.shipments import Shipment
from carriers.tracking import ENDED, TrackingEvent
from core.errors import NotFound
from core.ids import Entropy, mint

_shipment = col(ShipmentRecord.id)
_event = col(TrackingEventRecord.id)


def add_shipments(session: Session, shipments: Sequence[Shipment]) -> None:
    """Ensures that every leg has its shipment; a leg that has one already keeps it."""
    rows = [ShipmentRecord.from_domain(shipment).model_dump() for shipment in shipments]
    if rows:
        session.connection().execute(_insert(session, ShipmentRecord), rows)


def shipments_of_plan(session: Session, plan: str) -> list[Shipment]:
    """Returns the shipments of a plan in the order of its legs."""
    asked = select(ShipmentRecord).where(col(ShipmentRecord.plan) == plan)
    return _domain(session.exec(asked.order_by(col(ShipmentRecord.leg))).all())


def shipment_of(session: Session, shipment: str) -> Shipment:
    """Returns a shipment by id; raises `NotFound`."""
    record = session.exec(select(ShipmentRecord).where(_shipment == shipment)).one_or_none()
    if record is None:
        raise NotFound("shipment", shipment)
    return record.to_domain()


def shipments(
    session: Session,
    limit: int,
    after: str | None = None,
    status: str | None = None,
    order: str | None = None,
    late: bool | None = None,
) -> list[Shipment]:
    """Returns shipments, newest first, that match every given value; `after` is the last id."""
    asked = select(ShipmentRecord).order_by(_shipment.desc()).limit(limit)
    if after is not None:
        asked = asked.where(_shipment < after)
    for column, wanted in ((ShipmentRecord.status, status), (ShipmentRecord.order, order)):
        if wanted is not None:
            asked = asked.where(col(column) == wanted)
    if late is not None:
        since = col(ShipmentRecord.late_since)
        asked = asked.where(since.is_not(None) if late else since.is_(None))
    return _domain(session.exec(asked).all())


def open_shipments(session: Session, limit: int, after: str = "") -> list[Shipment]:
    """Returns shipments on their way by id from `after` on, locked until the caller ends."""
    asked = (
        select(ShipmentRecord)
        .where(col(ShipmentRecord.status).not_in([str(status) for status in ENDED]))
        .where(_shipment > after)
        .order_by(_shipment)
        .limit(limit)
        .with_for_update()
    )
    return _domain(session.exec(asked).all())


def shipments_by_code(
    session: Session, carrier: str, tracking_codes: Iterable[str]
) -> list[Shipment]:
    """Returns a carrier's shipments by tracking code, locked until the caller ends.

    Rows are locked in the order of their ids, so that two reports never wait for each other.
    """
    asked = (
        select(ShipmentRecord)
        .where(col(ShipmentRecord.carrier) == carrier)
        .where(col(ShipmentRecord.tracking_code).in_(sorted(set(tracking_codes))))
        .order_by(_shipment)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return _domain(session.exec(asked).all())


def save_progress(session: Session, shipment: Shipment) -> None:
    """Ensures that a shipment's status, delivery, lateness and compensation are kept."""
    session.exec(
        update(ShipmentRecord)
        .where(_shipment == shipment.id)
        .values(**moving(shipment))
        .execution_options(synchronize_session=False)
    )


def add_events(
    session: Session, events: Sequence[TrackingEvent], now: datetime, entropy: Entropy
) -> int:
    """Returns how many of the events were new; repeats change nothing."""
    rows = [
        {
            "id": mint("evt", now, entropy),
            "carrier": event.carrier,
            "tracking_code": event.tracking_code,
            "raw_code": event.raw_code,
            "status": str(event.status),
            "occurred_at": event.occurred_at,
            "place": event.place,
            "text": event.text,
            "received_at": now,
        }
        for event in events
    ]
    made = _insert(session, TrackingEventRecord).values(rows).returning(_event)
    return len(session.connection().execute(made).all())


def events_of(
    session: Session, carrier: str, tracking_codes: Iterable[str]
) -> dict[str, list[TrackingEvent]]:
    """Returns all events of a carrier's parcels by tracking code."""
    asked = (
        select(TrackingEventRecord)
        .where(col(TrackingEventRecord.carrier) == carrier)
        .where(col(TrackingEventRecord.tracking_code).in_(sorted(set(tracking_codes))))
    )
    found: dict[str, list[TrackingEvent]] = {}
    for record in session.exec(asked):
        found.setdefault(record.tracking_code, []).append(record.to_domain())
    return found


def event_page(
    session: Session, shipment: Shipment, limit: int, after: tuple[str, str] | None = None
) -> Sequence[TrackingEventRecord]:
    """Returns the events of a shipment, earliest first; `after` is the last moment and id seen."""
    occurred = col(TrackingEventRecord.occurred_at)
    asked = (
        select(TrackingEventRecord)
        .where(col(TrackingEventRecord.carrier) == shipment.carrier)
        .where(col(TrackingEventRecord.tracking_code) == shipment.tracking_code)
        .order_by(occurred, _event)
        .limit(limit)
    )
    if after is not None:
        moment = datetime.fromisoformat(after[0])
        asked = asked.where(tuple_(occurred, _event) > (moment, after[1]))
    return session.exec(asked).all()


def _domain(records: Iterable[ShipmentRecord]) -> list[Shipment]:
    return [record.to_domain() for record in records]


def _insert(session: Session, record: type[SQLModel]) -> Insert:
    """Returns an insert that leaves rows alone which are there already."""
    table: Table = SQLModel.metadata.tables[str(record.__tablename__)]
    dialect: Any = {"postgresql": postgresql, "sqlite": sqlite}[session.get_bind().dialect.name]
    made: Insert = dialect.insert(table).on_conflict_do_nothing()
    return made
