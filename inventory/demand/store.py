"""Saves and loads forecasts and overrides in the transaction of the caller; never commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from core.errors import NotFound
from inventory.demand.records import ForecastOverrideRecord, ForecastRecord

_id = col(ForecastRecord.id)
_override = col(ForecastOverrideRecord.id)


def add(session: Session, record: ForecastRecord) -> None:
    """Ensures that a forecast that was asked for is known."""
    session.add(record)
    session.flush()


def forecast_of(session: Session, forecast: str) -> ForecastRecord:
    """Returns a forecast without reading its frame; raises `NotFound`."""
    found = session.exec(
        select(ForecastRecord).where(_id == forecast).options(defer(_frame()))
    ).one_or_none()
    if found is None:
        raise NotFound("forecast", forecast)
    return found


def forecasts(session: Session, limit: int, after: str | None = None) -> Sequence[ForecastRecord]:
    """Returns forecasts without their frames, newest first; `after` is the last id seen."""
    asked = select(ForecastRecord).options(defer(_frame())).order_by(_id.desc()).limit(limit)
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
    frame: bytes,
    now: datetime,
) -> None:
    """Ensures that a forecast holds what came out of it; a repeated run writes the same again.

    `brand_version` is the version that was forecast: a brand may be loaded while a job waits.
    """
    session.exec(
        update(ForecastRecord)
        .where(_id == forecast)
        .values(
            brand_version=brand_version,
            result=result,
            accuracy=accuracy,
            frame=frame,
            finished_at=now,
        )
        .execution_options(synchronize_session=False)
    )


def latest_frame(session: Session, brand_version: str) -> bytes | None:
    """Returns the Parquet of the newest finished forecast of a brand version; None without one."""
    return session.exec(
        select(_frame())
        .where(
            col(ForecastRecord.brand_version) == brand_version,
            col(ForecastRecord.finished_at).is_not(None),
        )
        .order_by(col(ForecastRecord.finished_at).desc(), _id.desc())
        .limit(1)
    ).first()


def frame_of(session: Session, forecast: str) -> bytes | None:
    """Returns the Parquet of one forecast; None before its job has ended."""
    return session.exec(select(_frame()).where(_id == forecast)).one_or_none()


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


def _frame() -> Any:
    return col(ForecastRecord.frame)
