"""Saves and loads forecasts and overrides in the transaction of the caller; never commits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, update
from sqlmodel import Session, col, select

from core.errors import NotFound
from inventory.demand.records import (
    DONE,
    WAITING,
    WORKED,
    ForecastOverrideRecord,
    ForecastPartitionRecord,
    ForecastPartRecord,
    ForecastRecord,
)

_id = col(ForecastRecord.id)
_part_of = col(ForecastPartRecord.forecast)
_column: Any = ForecastPartitionRecord
_override = col(ForecastOverrideRecord.id)


def add(session: Session, record: ForecastRecord) -> None:
    """Ensures that a forecast that was asked for is known."""
    session.add(record)
    session.flush()


def forecast_of(session: Session, forecast: str) -> ForecastRecord:
    """Returns a forecast; raises `NotFound`."""
    found = session.exec(select(ForecastRecord).where(_id == forecast)).one_or_none()
    if found is None:
        raise NotFound("forecast", forecast)
    return found


def forecasts(session: Session, limit: int, after: str | None = None) -> Sequence[ForecastRecord]:
    """Returns forecasts, newest first; `after` is the last id seen."""
    asked = select(ForecastRecord).order_by(_id.desc()).limit(limit)
    if after is not None:
        asked = asked.where(_id < after)
    return session.exec(asked).all()


def save_result(
    session: Session,
    forecast: str,
    *,
    brand_version: str,
    result: dict[str, Any],
    accuracy: dict[str, Any] | None,
    frame: bytes | None,
    now: datetime,
) -> None:
    """Ensures that a forecast holds what came out of it; a repeated run writes the same again.

    `brand_version` is the version that was forecast: a brand may be loaded while a job waits.
    `frame` holds all rows as Parquet; None where they are kept in parts already.
    """
    if frame is not None:
        keep_part(session, ForecastPartRecord(forecast=forecast, number=0, content=frame))
    session.exec(
        update(ForecastRecord)
        .where(_id == forecast)
        .values(
            brand_version=brand_version,
            result=result,
            accuracy=accuracy,
            finished_at=now,
        )
        .execution_options(synchronize_session=False)
    )


def keep_part(session: Session, part: ForecastPartRecord) -> None:
    """Ensures that a part of a forecast is kept, in place of an earlier one of its number."""
    session.exec(
        delete(ForecastPartRecord).where(
            _part_of == part.forecast, col(ForecastPartRecord.number) == part.number
        )
    )
    session.add(part)
    session.flush()


def latest(session: Session, brand_version: str) -> str | None:
    """Returns the newest finished forecast of a brand version; None without one."""
    return session.exec(
        select(ForecastRecord.id)
        .where(
            col(ForecastRecord.brand_version) == brand_version,
            col(ForecastRecord.finished_at).is_not(None),
        )
        .order_by(col(ForecastRecord.finished_at).desc(), _id.desc())
        .limit(1)
    ).first()


@dataclass(frozen=True, slots=True)
class PartName:
    """A part of a forecast and the first and last of its items by name; "" where it holds all."""

    number: int
    first: str
    last: str

    def may_hold(self, items: Sequence[str]) -> bool:
        """Whether any of the items may be in the part."""
        return not self.last or any(self.first <= item <= self.last for item in items)


def parts_of(session: Session, forecast: str) -> list[PartName]:
    """Returns the parts of a forecast in their order, without what they hold."""
    number = col(ForecastPartRecord.number)
    asked = select(number, col(ForecastPartRecord.first_item), col(ForecastPartRecord.last_item))
    found = session.exec(asked.where(_part_of == forecast).order_by(number))
    return [PartName(*row) for row in found]


def part_content(session: Session, forecast: str, number: int) -> bytes:
    """Returns the Parquet of one part."""
    return session.exec(
        select(col(ForecastPartRecord.content)).where(
            _part_of == forecast, col(ForecastPartRecord.number) == number
        )
    ).one()


@dataclass(frozen=True, slots=True)
class PartitionClaim:
    """The right to work a step of a partition: good until somebody claims it after this one.

    It is only for what was `asked` of the partition then.
    """

    forecast: str
    step: str
    number: int
    asked: str
    claim: int


def put_partition(session: Session, record: ForecastPartitionRecord) -> None:
    """Ensures that a step of a partition is there to be worked, or to be read.

    One that is there and asks for the same stays as it is, worked, finished or not.
    """
    at = _partition(record.forecast, record.step, record.number)
    if session.exec(select(_column.asked).where(at)).first() == record.asked:
        return
    session.exec(delete(ForecastPartitionRecord).where(at))
    session.add(record)
    session.flush()


def claim_partition(
    session: Session, forecast: str, worker: str, now: datetime, until: datetime
) -> PartitionClaim | None:
    """Returns the right to work one unfinished partition that nobody works; None without any.

    Whoever claimed one and has neither finished nor renewed until its lease ended is taken for
    dead.
    """
    free = or_(_column.state == WAITING, _column.lease_until < now)
    found = session.exec(
        select(_column.step, _column.number, _column.asked, _column.claims)
        .where(_column.forecast == forecast, _column.state != DONE, free)
        .order_by(_column.step, _column.number)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if found is None:
        return None
    step, number, asked, claims = found
    claimed = PartitionClaim(forecast, step, number, asked, claims + 1)
    values = {"state": WORKED, "worker": worker, "lease_until": until, "claims": claims + 1}
    return claimed if _written(session, replace(claimed, claim=claims), values) else None


def finish_partition(session: Session, held: PartitionClaim, result: bytes) -> bool:
    """Writes what a partition gave; returns whether the claim still held."""
    values = {"state": DONE, "result": result, "computed": _column.computed + 1}
    return _written(session, held, {**values, "lease_until": None})


def give_partition_back(session: Session, held: PartitionClaim) -> bool:
    """Returns a partition for others to work; whether the claim still held."""
    return _written(session, held, {"state": WAITING, "lease_until": None})


def partition_input(session: Session, forecast: str, step: str, number: int) -> bytes | None:
    """Returns the arrays that a step of a partition takes; None once they are deleted."""
    at = _partition(forecast, step, number)
    return session.exec(select(_column.input).where(at)).one_or_none()


def partition_result(
    session: Session, forecast: str, step: str, number: int, asked: str
) -> bytes | None:
    """Returns what a step of a partition gave for what is asked; None before it has."""
    at = _partition(forecast, step, number)
    return session.exec(
        select(_column.result).where(at, _column.asked == asked, _column.state == DONE)
    ).one_or_none()


def partition_digests(session: Session, forecast: str, step: str) -> list[str]:
    """Returns what is asked of the partitions of a step, by number."""
    return list(
        session.exec(
            select(_column.asked)
            .where(_column.forecast == forecast, _column.step == step)
            .order_by(_column.number)
        )
    )


def partitions_left(session: Session, forecast: str, step: str) -> int:
    """Returns how many partitions of a step are not finished."""
    return session.exec(
        select(func.count()).where(
            _column.forecast == forecast, _column.step == step, _column.state != DONE
        )
    ).one()


def forget_arrays(session: Session, forecasts: Sequence[str]) -> None:
    """Deletes the arrays of partitions; what remains tells how the work was shared."""
    session.exec(
        update(ForecastPartitionRecord)
        .where(_column.forecast.in_(forecasts))
        .values(input=None, result=None)
        .execution_options(synchronize_session=False)
    )


def forget_unfinished(session: Session, forecasts: Sequence[str]) -> None:
    """Deletes all partitions of forecasts that will never finish, and their parts."""
    session.exec(delete(ForecastPartitionRecord).where(_column.forecast.in_(forecasts)))
    session.exec(delete(ForecastPartRecord).where(_part_of.in_(forecasts)))


def unfinished_with_arrays(session: Session) -> Sequence[tuple[str, str]]:
    """Returns forecasts that have partitions but no result yet, each with its job."""
    asked = select(_id, col(ForecastRecord.job)).where(
        col(ForecastRecord.finished_at).is_(None),
        _id.in_(select(_column.forecast).distinct()),
    )
    return session.exec(asked).all()


def _written(session: Session, held: PartitionClaim, values: dict[str, Any]) -> bool:
    """Returns whether values were written: not where a later claim exists."""
    return bool(
        session.exec(
            update(ForecastPartitionRecord)
            .where(
                _partition(held.forecast, held.step, held.number),
                _column.asked == held.asked,
                _column.claims == held.claim,
                _column.state != DONE,
            )
            .values(**values)
            .execution_options(synchronize_session=False)
        ).rowcount
    )


def _partition(forecast: str, step: str, number: int) -> ColumnElement[bool]:
    return and_(_column.forecast == forecast, _column.step == step, _column.number == number)


def add_override(session: Session, record: ForecastOverrideRecord) -> None:
    """Ensures that a decision is known."""
    session.add(record)
    session.flush()


def override_of(session: Session, override: str, *, lock: bool = False) -> ForecastOverrideRecord:
    """Returns one override, locked against other writers on request; raises `NotFound`."""
    asked = select(ForecastOverrideRecord).where(_override == override)
    found = session.exec(asked.with_for_update() if lock else asked).one_or_none()
    if found is None:
        raise NotFound("forecast override", override)
    return found


def overrides(
    session: Session, limit: int | None = None, after: str | None = None, *, standing: bool = False
) -> Sequence[ForecastOverrideRecord]:
    """Returns overrides, newest first; `after` is the last id seen.

    With `standing` only those that nobody withdrew.
    """
    asked = select(ForecastOverrideRecord).order_by(_override.desc()).limit(limit)
    if after is not None:
        asked = asked.where(_override < after)
    if standing:
        asked = asked.where(col(ForecastOverrideRecord.withdrawn_at).is_(None))
    return session.exec(asked).all()
