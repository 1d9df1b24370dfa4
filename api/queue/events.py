"""Events: what happened, written with the change itself and read in order by those who watch."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert
from sqlmodel import Session, col, select

from api.queue.records import EventRecord
from core.clock import Clock, SystemClock

SETTLED = timedelta(seconds=3)
"""How long a reader waits for a number that is missing before it goes on without it."""

KEPT = timedelta(days=2)
"""How long events can be read again."""


def publish(
    session: Session,
    type: str,  # noqa: A002  # the word of the event stream
    data: dict[str, Any],
    roles: Iterable[str],
    clock: Clock | None = None,
) -> EventRecord:
    """Writes an event in the caller's transaction and returns its record.

    Watchers with one of the roles see it once the transaction commits, admins always.
    """
    now = (clock or SystemClock()).now()
    record = EventRecord(type=type, data=data, roles=sorted(roles), published_at=now)
    session.add(record)
    return record


def publish_each(
    session: Session,
    type: str,  # noqa: A002  # the word of the event stream
    each: Sequence[dict[str, Any]],
    roles: Iterable[str],
    clock: Clock,
) -> None:
    """Writes an event for each of many data in one statement, as `publish` writes one."""
    if each:
        shared = {"type": type, "roles": sorted(roles), "published_at": clock.now()}
        rows = [{**shared, "data": data} for data in each]
        session.connection().execute(insert(EventRecord), rows)


def read_events(
    session: Session, after: int, role: str, now: datetime, limit: int = 200
) -> tuple[list[EventRecord], int]:
    """Returns the events after a number that a role may see, and the number to go on from.

    Numbers are given before a transaction commits, so a lower one may appear after a higher one.
    Events behind a missing number are held back until it appears, or until they are older than
    `SETTLED`: then its transaction was rolled back.
    """
    rows = session.exec(
        select(EventRecord)
        .where(col(EventRecord.sequence) > after)
        .order_by(col(EventRecord.sequence))
        .limit(limit)
    ).all()
    ready = list(_in_order(rows, after, now))
    visible = [row for row in ready if role == "admin" or role in row.roles]
    return visible, number_of(ready[-1]) if ready else after


def _in_order(rows: Sequence[EventRecord], after: int, now: datetime) -> Iterator[EventRecord]:
    for row in rows:
        if number_of(row) != after + 1 and now - row.published_at < SETTLED:
            return
        yield row
        after = number_of(row)


def number_of(record: EventRecord) -> int:
    """Returns the number of a stored event."""
    return record.sequence or 0


def newest_event(session: Session) -> int:
    """Returns the number of the newest event; 0 before the first."""
    return session.exec(select(func.max(col(EventRecord.sequence)))).one() or 0


def forget_events(session: Session, now: datetime) -> None:
    """Deletes events that were published longer than `KEPT` ago."""
    session.exec(delete(EventRecord).where(col(EventRecord.published_at) < now - KEPT))
