"""Saves and loads jobs by guarded statements: whoever's guard no longer holds changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, or_, update
from sqlmodel import Session, col, select

from api.queue.events import publish
from api.queue.records import (
    CANCELLED,
    ENDED,
    FAILED,
    QUEUED,
    RUNNING,
    SUCCEEDED,
    JobRecord,
    OutboxRecord,
)
from core.clock import Clock
from core.errors import NotFound
from core.ids import Entropy, mint

LEASE = timedelta(seconds=10)
"""How long a worker holds a job without a sign of life."""

WATCHERS = ("auditor", "planner")
"""Roles that see jobs and their events."""

ENQUEUED = "entrepot_enqueued"
"""Key of `session.info` that tells the listener after commit that there are wake-ups to send."""

_BACKOFF_SECONDS = (1, 5, 30)
_id = col(JobRecord.id)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a job: good while no higher fence exists."""

    job: str
    fence: int


def enqueue(
    session: Session,
    kind: str,
    subject: str,
    payload: dict[str, Any],
    clock: Clock,
    entropy: Entropy,
    max_attempts: int = 3,
) -> JobRecord:
    """Writes a job and its wake-up in the caller's transaction and returns the job.

    Workers see it once that transaction commits, and never if it rolls back.
    """
    now = clock.now()
    job = JobRecord(
        id=mint("job", now, entropy),
        kind=kind,
        subject=subject,
        payload=payload,
        max_attempts=max_attempts,
        due_at=now,
        created_at=now,
    )
    session.add(job)
    session.flush()
    session.add(OutboxRecord(job=job.id, created_at=now))
    session.info[ENQUEUED] = True
    _tell(session, job, clock)
    return job


def job_of(session: Session, job: str) -> JobRecord:
    """Returns a job as it is now; raises `NotFound`."""
    record = session.exec(
        select(JobRecord).where(_id == job).execution_options(populate_existing=True)
    ).one_or_none()
    if record is None:
        raise NotFound("job", job)
    return record


def jobs(
    session: Session,
    limit: int,
    after: str | None = None,
    state: str | None = None,
    kind: str | None = None,
    subject: str | None = None,
) -> Sequence[JobRecord]:
    """Returns jobs, newest first, that match every given value; `after` is the last id seen."""
    asked = select(JobRecord).order_by(_id.desc()).limit(limit)
    if after is not None:
        asked = asked.where(_id < after)
    for column, wanted in (("state", state), ("kind", kind), ("subject", subject)):
        if wanted is not None:
            asked = asked.where(getattr(JobRecord, column) == wanted)
    return session.exec(asked).all()


def due_jobs(session: Session, now: datetime, limit: int = 20) -> Sequence[str]:
    """Returns ids of jobs that a worker may claim now, oldest first."""
    return session.exec(select(JobRecord.id).where(_due(now)).order_by(_id).limit(limit)).all()


def claim(session: Session, job: str, worker: str, clock: Clock) -> Claim | None:
    """Returns the right to work on a job, or None where it is not due or somebody holds it.

    A job whose last allowed attempt ended without a word fails here.
    """
    now = clock.now()
    claimed = session.exec(
        update(JobRecord)
        .where(_id == job, _due(now), col(JobRecord.attempts) < col(JobRecord.max_attempts))
        .values(
            state=RUNNING,
            worker=worker,
            attempts=col(JobRecord.attempts) + 1,
            fence=col(JobRecord.fence) + 1,
            lease_until=now + LEASE,
            started_at=now,
        )
        .returning(col(JobRecord.fence))
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if claimed is None:
        _fail_exhausted(session, job, clock)
        return None
    _tell(session, job_of(session, job), clock)
    return Claim(job, claimed)


def renew(session: Session, held: Claim, now: datetime) -> bool | None:
    """Extends the lease; returns whether the job is to be cancelled, None where it is lost."""
    return session.exec(
        update(JobRecord)
        .where(_held(held))
        .values(lease_until=now + LEASE)
        .returning(col(JobRecord.cancel_requested))
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()


def note_progress(session: Session, held: Claim, share: float, doing: str, clock: Clock) -> bool:
    """Writes how far a job is and tells watchers; returns whether the claim still holds."""
    values = {"progress": min(max(share, 0.0), 1.0), "doing": doing[:200]}
    return _write(session, held, values, clock)


def finish(session: Session, held: Claim, result: dict[str, Any], clock: Clock) -> bool:
    """Ends a job with its result; returns whether the claim still held."""
    values = {"state": SUCCEEDED, "progress": 1.0, "doing": "", "error": "", "result": result}
    return _write(session, held, {**values, **_ending(clock)}, clock)


def fail(session: Session, held: Claim, error: str, retry: bool, clock: Clock) -> bool:
    """Notes a failed attempt: another follows later, or the job has failed for good."""
    job = job_of(session, held.job)
    if retry and job.attempts < job.max_attempts:
        wait = _BACKOFF_SECONDS[min(job.attempts, len(_BACKOFF_SECONDS)) - 1]
        due = clock.now() + timedelta(seconds=wait)
        values = {
            "state": QUEUED,
            "lease_until": None,
            "due_at": due,
            "doing": "waits to try again",
        }
        return _write(session, held, {**values, "error": error}, clock)
    return _write(session, held, {"state": FAILED, "error": error, **_ending(clock)}, clock)


def give_back(session: Session, held: Claim, clock: Clock) -> bool:
    """Returns a job to the queue as if it had not been tried; whether the claim still held."""
    values = {
        "state": QUEUED, "lease_until": None, "due_at": clock.now(), "doing": "",
        "attempts": col(JobRecord.attempts) - 1,
    }  # fmt: skip
    if not _write(session, held, values, clock):
        return False
    session.add(OutboxRecord(job=held.job, created_at=clock.now()))
    session.info[ENQUEUED] = True
    return True


def end_cancelled(session: Session, held: Claim, clock: Clock) -> bool:
    """Ends a running job that was cancelled; returns whether the claim still held."""
    return _write(session, held, {"state": CANCELLED, "doing": "", **_ending(clock)}, clock)


def cancel(session: Session, job: str, clock: Clock) -> JobRecord:
    """Returns the job after asking it to stop: a queued one ends at once, a running one soon.

    A job that has ended stays as it ended. Raises `NotFound`.
    """
    waiting = (
        update(JobRecord)
        .where(_id == job, col(JobRecord.state) == QUEUED)
        .values(state=CANCELLED, cancel_requested=True, doing="", **_ending(clock))
        .execution_options(synchronize_session=False)
    )
    if session.exec(waiting).rowcount:
        record = job_of(session, job)
        _tell(session, record, clock)
        return record
    session.exec(
        update(JobRecord)
        .where(_id == job, col(JobRecord.state) == RUNNING)
        .values(cancel_requested=True)
        .execution_options(synchronize_session=False)
    )
    return job_of(session, job)


def unsent(session: Session, limit: int = 500) -> Sequence[OutboxRecord]:
    """Returns wake-ups that have not been sent, oldest first."""
    asked = select(OutboxRecord).order_by(col(OutboxRecord.sequence)).limit(limit)
    return session.exec(asked).all()


def forget_sent(session: Session, sent: Sequence[OutboxRecord]) -> None:
    """Deletes wake-ups that are in the queue now."""
    numbers = [record.sequence for record in sent]
    session.exec(delete(OutboxRecord).where(col(OutboxRecord.sequence).in_(numbers)))


def _due(now: datetime) -> ColumnElement[bool]:
    state, lease = col(JobRecord.state), col(JobRecord.lease_until)
    return or_(
        and_(state == QUEUED, col(JobRecord.due_at) <= now), and_(state == RUNNING, lease < now)
    )


def _held(held: Claim) -> ColumnElement[bool]:
    return and_(
        _id == held.job, col(JobRecord.fence) == held.fence, col(JobRecord.state) == RUNNING
    )


def _ending(clock: Clock) -> dict[str, Any]:
    return {"ended_at": clock.now(), "lease_until": None}


def _write(session: Session, held: Claim, values: dict[str, Any], clock: Clock) -> bool:
    written = session.exec(
        update(JobRecord)
        .where(_held(held))
        .values(**values)
        .execution_options(synchronize_session=False)
    ).rowcount
    if written:
        _tell(session, job_of(session, held.job), clock)
    return bool(written)


def _fail_exhausted(session: Session, job: str, clock: Clock) -> None:
    stopped = "The worker stopped without a word at every attempt."
    failed = session.exec(
        update(JobRecord)
        .where(
            _id == job, _due(clock.now()), col(JobRecord.attempts) >= col(JobRecord.max_attempts)
        )
        .values(state=FAILED, error=stopped, doing="", **_ending(clock))
        .execution_options(synchronize_session=False)
    ).rowcount
    if failed:
        _tell(session, job_of(session, job), clock)


def _tell(session: Session, job: JobRecord, clock: Clock) -> None:
    kind = f"job.{job.state}" if job.state in (*ENDED, QUEUED) else "job.progress"
    data = {
        "job": job.id, "kind": job.kind, "subject": job.subject, "state": job.state,
        "progress": job.progress, "doing": job.doing, "error": job.error,
    }  # fmt: skip
    publish(session, kind, data, WATCHERS, clock)
