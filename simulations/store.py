"""Saves and loads scenarios and their runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam
from sqlalchemy.orm import defer
from sqlalchemy.orm.interfaces import ORMOption
from sqlmodel import Session, col, select

from core.errors import NotFound
from simulations.records import RunRecord, ScenarioRecord


@dataclass(frozen=True, slots=True)
class Promotion:
    """The run whose prices were made the current ones, and when."""

    run: str
    at: datetime


def add_scenario(session: Session, record: ScenarioRecord) -> None:
    """Saves a new scenario."""
    session.add(record)
    session.flush()


def scenario_record(session: Session, scenario: str) -> ScenarioRecord:
    """Returns a scenario by id; raises `NotFound`."""
    record = session.get(ScenarioRecord, scenario)
    if record is None:
        raise NotFound("scenario", scenario)
    return record


def scenario_records(session: Session, limit: int, after: str | None) -> Sequence[ScenarioRecord]:
    """Returns scenarios, newest first; `after` is the last id seen."""
    asked = select(ScenarioRecord).order_by(col(ScenarioRecord.id).desc()).limit(limit)
    if after is not None:
        asked = asked.where(col(ScenarioRecord.id) < after)
    return session.exec(asked).all()


def add_run(session: Session, record: RunRecord) -> None:
    """Saves a run that a job will finish."""
    session.add(record)
    session.flush()


def run_record(session: Session, run: str) -> RunRecord:
    """Returns a run by id, its large columns to be read when asked for; raises `NotFound`."""
    record = session.get(RunRecord, run, options=_light())
    if record is None:
        raise NotFound("run", run)
    return record


def run_records(
    session: Session, limit: int, after: str | None = None, scenario: str | None = None
) -> Sequence[RunRecord]:
    """Returns runs, newest first; those of one scenario where it is given."""
    asked = select(RunRecord).options(*_light()).order_by(col(RunRecord.id).desc()).limit(limit)
    if after is not None:
        asked = asked.where(col(RunRecord.id) < after)
    if scenario is not None:
        asked = asked.where(col(RunRecord.scenario) == scenario)
    return session.exec(asked).all()


def base_run(session: Session, brand_version: str, seed: int) -> RunRecord | None:
    """Returns the run of the base of one brand version and seed, finished or not."""
    return session.exec(
        select(RunRecord)
        .options(*_light())
        .where(
            col(RunRecord.scenario).is_(None),
            col(RunRecord.brand_version) == brand_version,
            col(RunRecord.seed) == seed,
        )
        .order_by(col(RunRecord.id))
        .limit(1)
    ).first()


_PROMOTED = (
    select(RunRecord.id, RunRecord.promoted_at)
    .where(
        col(RunRecord.promoted_at).is_not(None),
        col(RunRecord.brand_version) == bindparam("version"),
    )
    .order_by(col(RunRecord.promoted_at).desc(), col(RunRecord.id).desc())
    .limit(1)
)


def promotion(session: Session, brand_version: str) -> Promotion | None:
    """Returns which run of a brand version had its prices promoted last."""
    found = session.connection().execute(_PROMOTED, {"version": brand_version}).first()
    return None if found is None else Promotion(found.id, found.promoted_at)


def finish_run(
    session: Session,
    run: str,
    outcome: dict[str, object],
    prices: bytes,
    now: datetime,
    forecast: bytes | None = None,
) -> None:
    """Keeps the outcome of a run that has none yet; a finished run never changes."""
    record = run_record(session, run)
    if record.outcome is None:
        record.outcome, record.prices, record.finished_at = outcome, prices, now
        record.forecast = forecast
        session.add(record)


def _light() -> list[ORMOption]:
    return [defer(getattr(RunRecord, name)) for name in ("prices", "forecast")]
