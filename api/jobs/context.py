"""What a running job is given, and the ways in which it may have to stop."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session

from api.database import SessionFactory
from api.jobs.exchange import Exchange
from core.clock import Clock

Write = Callable[[Session], None]
Tell = Callable[[float, str], None]


class Stop(Exception):
    """The job must not go on; handlers let it pass."""


class LeaseLost(Stop):
    """Another worker holds the job now: nothing that this one still writes is kept."""


class CancelRequested(Stop):
    """Somebody cancelled the job."""


class WorkerStopping(Stop):
    """The worker was asked to end; the job goes back to the queue."""


@dataclass(frozen=True, slots=True)
class JobContext:
    """One run of one job.

    `session_factory` opens sessions: a handler reads through short ones of its own. What it wants
    to keep it passes to `on_finish`, which runs in the transaction that ends the job: a worker
    that lost its lease writes nothing. Through `exchange` it meets other workers, if there is one.
    """

    job_id: str
    subject: str
    payload: Mapping[str, Any]
    session_factory: SessionFactory
    clock: Clock
    tell: Tell
    exchange: Exchange | None = None
    writes: list[Write] = field(default_factory=list)

    def report(self, share: float, doing: str) -> None:
        """Notes the share done (0 to 1) and what is being done; raises `Stop` to end the job."""
        self.tell(share, doing)

    def on_finish(self, write: Write) -> None:
        """Ensures that `write(session)` happens in the transaction that ends the job, or never."""
        self.writes.append(write)
