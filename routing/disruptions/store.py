"""Saves and loads signals and alerts; works in the caller's transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Insert, Table, delete, func, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from core.errors import NotFound
from core.ids import Entropy, mint
from routing.disruptions.alerts import OPEN, Alert
from routing.disruptions.records import AlertChangeRecord, AlertRecord, DraftRecord, SignalRecord
from routing.disruptions.response import Draft
from routing.disruptions.signal import Signal

_alert = col(AlertRecord.id)


@dataclass(frozen=True, slots=True)
class KeptDraft:
    """A draft in the database: its line within the alert, and the order that it became."""

    line: int
    draft: Draft
    purchase_order: str | None


def add_signals(
    session: Session, signals: Sequence[Signal], now: datetime, entropy: Entropy
) -> list[Signal]:
    """Returns the signals that were not known yet, now kept; the others change nothing."""
    return [signal for signal in signals if _add(session, signal, now, entropy)]


def _add(session: Session, signal: Signal, now: datetime, entropy: Entropy) -> bool:
    row = {
        "id": mint("sig", now, entropy),
        "source": signal.source,
        "source_id": signal.source_id,
        "version": signal.version,
        "part": signal.part,
        "document": signal.as_json(),
        "received_at": now,
    }
    made = _insert(session, SignalRecord).values(row).returning(col(SignalRecord.id))
    return session.connection().execute(made).first() is not None


def alert_of(session: Session, alert: str, lock: bool = False) -> Alert:
    """Returns an alert by id, locked until the caller ends if asked; raises `NotFound`."""
    found = _one(session, {"id": alert}, lock)
    if found is None:
        raise NotFound("alert", alert)
    return found


def alerts_of_event(session: Session, source: str, source_id: str) -> list[Alert]:
    """Returns all alerts of an event, locked until the caller ends."""
    asked = (
        select(AlertRecord)
        .where(col(AlertRecord.source) == source, col(AlertRecord.source_id) == source_id)
        .order_by(_alert)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return [record.to_domain() for record in session.exec(asked)]


def add_alert(session: Session, alert: Alert) -> Alert:
    """Returns the alert of an incident, locked: this one, or the one that was there before."""
    row = AlertRecord.from_domain(alert).model_dump()
    session.connection().execute(_insert(session, AlertRecord), row)
    return _one(session, {"key": alert.key}, lock=True) or alert


def save_alert(session: Session, alert: Alert) -> None:
    """Ensures that the row of an alert holds what the alert says."""
    row = AlertRecord.from_domain(alert).model_dump(exclude={"id"})
    session.exec(
        update(AlertRecord)
        .where(_alert == alert.id)
        .values(**row)
        .execution_options(synchronize_session=False)
    )


def alerts(
    session: Session,
    now: datetime,
    limit: int | None = None,
    after: str | None = None,
    state: str | None = None,
    severity: str | None = None,
) -> list[Alert]:
    """Returns alerts, newest first, that match every given value, as they stand at a moment."""
    asked = select(AlertRecord).order_by(_alert.desc()).limit(limit)
    if after is not None:
        asked = asked.where(_alert < after)
    if state is not None:
        asked = asked.where(_in_state(state, now))
    if severity is not None:
        asked = asked.where(col(AlertRecord.severity) == severity)
    fresh = asked.execution_options(populate_existing=True)
    return [record.to_domain().seen_at(now) for record in session.exec(fresh)]


def count_open(session: Session) -> int:
    """Returns how many alerts wait for somebody."""
    asked = select(func.count()).where(col(AlertRecord.state).in_(OPEN))
    return session.exec(asked).one()


def drafts_of(session: Session, alerts_: Collection[str]) -> dict[str, list[KeptDraft]]:
    """Returns the drafts of alerts by alert, in the order of their lines."""
    asked = (
        select(DraftRecord)
        .where(col(DraftRecord.alert).in_(list(alerts_)))
        .order_by(col(DraftRecord.alert), col(DraftRecord.line))
        .execution_options(populate_existing=True)
    )
    found: dict[str, list[KeptDraft]] = {alert: [] for alert in alerts_}
    for record in session.exec(asked):
        kept = KeptDraft(record.line, record.to_domain(), record.purchase_order)
        found[record.alert].append(kept)
    return found


def replace_drafts(session: Session, alert: str, drafts: Sequence[Draft]) -> None:
    """Ensures that these are the drafts of an alert that are not ordered; ordered ones stay."""
    session.exec(
        delete(DraftRecord).where(
            col(DraftRecord.alert) == alert, col(DraftRecord.purchase_order).is_(None)
        )
    )
    last = session.exec(
        select(func.max(col(DraftRecord.line))).where(col(DraftRecord.alert) == alert)
    ).one()
    session.add_all(
        DraftRecord.from_domain(alert, line, draft)
        for line, draft in enumerate(drafts, start=(last or 0) + 1)
    )
    session.flush()


def mark_ordered(session: Session, alert: str, orders: Mapping[int, str]) -> None:
    """Ensures that drafts, by line, name the purchase order that they became."""
    for line, order in orders.items():
        session.exec(
            update(DraftRecord)
            .where(col(DraftRecord.alert) == alert, col(DraftRecord.line) == line)
            .values(purchase_order=order)
            .execution_options(synchronize_session=False)
        )


def add_change(session: Session, alert: Alert, step: str, actor: str, note: str = "") -> None:
    """Writes down who changed an alert, and how it stands since."""
    session.add(
        AlertChangeRecord(
            alert=alert.id,
            at=alert.updated_at,
            actor=actor,
            step=step,
            state=alert.state,
            note=note,
        )
    )
    session.flush()


def changes_of(session: Session, alert: str) -> Sequence[AlertChangeRecord]:
    """Returns what happened to an alert, earliest first."""
    asked = select(AlertChangeRecord).where(col(AlertChangeRecord.alert) == alert)
    return session.exec(asked.order_by(col(AlertChangeRecord.sequence))).all()


def _in_state(state: str, now: datetime) -> Any:
    """The condition that an alert is in a state now: a snooze that is over is new again."""
    stored, until = col(AlertRecord.state), col(AlertRecord.snoozed_until)
    if state == "new":
        return or_(stored == "new", (stored == "snoozed") & (until <= now))
    return (stored == state) & (until > now) if state == "snoozed" else stored == state


def _one(session: Session, wanted: Mapping[str, str], lock: bool) -> Alert | None:
    asked = select(AlertRecord).filter_by(**wanted).execution_options(populate_existing=True)
    record = session.exec(asked.with_for_update() if lock else asked).one_or_none()
    return None if record is None else record.to_domain()


def _insert(session: Session, record: type[SQLModel]) -> Insert:
    """Returns an insert that leaves rows alone which are there already."""
    table: Table = SQLModel.metadata.tables[str(record.__tablename__)]
    dialect: Any = {"postgresql": postgresql, "sqlite": sqlite}[session.get_bind().dialect.name]
    made: Insert = dialect.insert(table).on_conflict_do_nothing()
    return made
