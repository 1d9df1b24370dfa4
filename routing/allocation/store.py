"""Saves and loads allocations; works inside the caller's transaction and never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, update
from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from core.errors import NotFound
from routing.allocation.records import AllocationRecord

_id = col(AllocationRecord.id)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of an allocation: one document, and its tables as Parquet.

    `stock` and `forecast` are what it saw: with them each flow can be explained later.
    """

    result: dict[str, Any]
    flows: bytes
    moves: bytes
    purchases: bytes
    unmet: bytes
    prices: bytes
    stock: bytes
    forecast: str | None


def add(session: Session, record: AllocationRecord) -> None:
    """Ensures that an allocation that was asked for is known."""
    session.add(record)
    session.flush()


def allocation_of(session: Session, allocation: str) -> AllocationRecord:
    """Returns an allocation without reading its tables; raises `NotFound`."""
    asked = select(AllocationRecord).where(_id == allocation).options(*_light())
    found = session.exec(asked).one_or_none()
    if found is None:
        raise NotFound("allocation", allocation)
    return found


def allocations(
    session: Session, limit: int, after: str | None = None
) -> Sequence[AllocationRecord]:
    """Returns allocations without their tables, newest first; `after` is the last id seen."""
    asked = select(AllocationRecord).options(*_light()).order_by(_id.desc()).limit(limit)
    if after is not None:
        asked = asked.where(_id < after)
    return session.exec(asked).all()


def table_of(session: Session, allocation: str, table: str) -> bytes | None:
    """Returns one table (`flows`, say, or `stock`) as Parquet.

    None before the job ended, and where that was before such tables were kept.

    Raises `NotFound` for an unknown allocation.
    """
    allocation_of(session, allocation)
    column = col(getattr(AllocationRecord, table))
    content: bytes | None = session.exec(select(column).where(_id == allocation)).one()
    return content


def save_outcome(
    session: Session, allocation: str, brand_version: str, outcome: Outcome, now: datetime
) -> None:
    """Ensures that an allocation holds its outcome; a repeated run writes the same again.

    `brand_version` is the version that the job has seen.
    """
    session.exec(
        update(AllocationRecord)
        .where(_id == allocation)
        .values(
            brand_version=brand_version,
            result=outcome.result,
            flows=outcome.flows,
            moves=outcome.moves,
            purchases=outcome.purchases,
            unmet=outcome.unmet,
            prices=outcome.prices,
            stock=outcome.stock,
            forecast=outcome.forecast,
            finished_at=now,
        )
        .execution_options(synchronize_session=False)
    )


_NEWEST = (
    select(AllocationRecord.id, AllocationRecord.finished_at)
    .where(
        col(AllocationRecord.brand_version) == bindparam("version"),
        col(AllocationRecord.is_base),
        col(AllocationRecord.finished_at).is_not(None),
    )
    .order_by(col(AllocationRecord.finished_at).desc(), _id.desc())
    .limit(1)
)


def newest_base(session: Session, brand_version: str) -> tuple[str, datetime] | None:
    """Returns id and end of the newest finished allocation of a brand version as it is."""
    found = session.connection().execute(_NEWEST, {"version": brand_version}).first()
    return None if found is None else (found.id, found.finished_at)


def latest_base(session: Session) -> AllocationRecord | None:
    """Returns the newest finished allocation of the brand as it is, without its tables."""
    return session.exec(
        select(AllocationRecord)
        .where(
            col(AllocationRecord.is_base),
            col(AllocationRecord.finished_at).is_not(None),
        )
        .options(*_light())
        .order_by(col(AllocationRecord.finished_at).desc(), _id.desc())
        .limit(1)
    ).first()


def _light() -> tuple[Any, ...]:
    """Options that leave the large columns in the database."""
    columns: tuple[Any, ...] = (
        AllocationRecord.flows,
        AllocationRecord.moves,
        AllocationRecord.purchases,
        AllocationRecord.unmet,
        AllocationRecord.prices,
        AllocationRecord.stock,
    )
    return tuple(defer(column) for column in columns)
