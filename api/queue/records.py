"""Tables of background work: jobs, the wake-ups still to send, and events."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Index
from sqlmodel import Field, SQLModel

QUEUED, RUNNING = "queued", "running"
SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"
ENDED = (SUCCEEDED, FAILED, CANCELLED)


class JobRecord(SQLModel, table=True):
    """The truth about one job; the queue in Valkey only wakes workers up.

    A worker holds a running job until `lease_until`; `fence` grows with every claim, and only the
    holder of the newest fence may write. `progress` goes from 0 to 1.
    """

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')",
            name="job_state_known",
        ),
        CheckConstraint("progress >= 0 AND progress <= 1", name="job_progress_is_a_share"),
        Index("job_due", "state", "due_at"),
        Index("job_subject", "subject"),
    )

    id: str = Field(primary_key=True)
    kind: str
    subject: str
    payload: dict[str, Any] = Field(sa_type=JSON)
    state: str = QUEUED
    attempts: int = 0
    max_attempts: int = 3
    due_at: datetime
    lease_until: datetime | None = None
    fence: int = 0
    worker: str = ""
    cancel_requested: bool = False
    progress: float = 0.0
    doing: str = ""
    result: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    error: str = ""
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None


class OutboxRecord(SQLModel, table=True):
    """A wake-up that was promised in a transaction; deleted once it is in the queue."""

    __tablename__ = "outbox"
    __table_args__ = ({"sqlite_autoincrement": True},)

    sequence: int | None = Field(default=None, primary_key=True)
    job: str = Field(foreign_key="job.id")
    created_at: datetime


class EventRecord(SQLModel, table=True):
    """Something that happened, for those who watch; `roles` says who may see it."""

    __tablename__ = "event"
    __table_args__ = (
        Index("event_published", "published_at"),
        {"sqlite_autoincrement": True},
    )

    sequence: int | None = Field(default=None, primary_key=True)
    type: str
    data: dict[str, Any] = Field(sa_type=JSON)
    roles: list[str] = Field(sa_type=JSON)
    published_at: datetime
