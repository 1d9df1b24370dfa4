"""The runner: claims one job, works on it under a lease, and ends it in one transaction."""

import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from api.database import SessionFactory
from api.jobs.context import CancelRequested, JobContext, LeaseLost, WorkerStopping
from api.jobs.exchange import Exchange
from api.jobs.kinds import JOB_KINDS, handler_of
from api.queue import store
from api.queue.records import JobRecord
from api.queue.store import Claim
from core.clock import Clock
from core.errors import EntrepotError

BEAT = store.LEASE / 4
"""Between two signs of life: three may fail before the lease ends."""

REPORT_EVERY_SECONDS = 0.5
GRACE = timedelta(seconds=5)
"""How long a stopping worker lets a job come to its next report before it gives the job back."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Runner:
    """Works on jobs in the name of one worker; `stopping` is set when the worker shall end.

    Jobs that could use other workers do without them where there is no `exchange`.
    """

    session_factory: SessionFactory
    clock: Clock
    worker: str
    stopping: threading.Event = field(default_factory=threading.Event)
    exchange: Exchange | None = None

    def run(self, job: str) -> bool:
        """Works on one job to some end; returns whether it was there for the taking."""
        with self.session_factory.begin() as session:
            held = store.claim(session, job, self.worker, self.clock)
            record = store.job_of(session, job) if held else None
        if held is None or record is None:
            return False
        with Heartbeat(self, held) as heart:
            heart.cancelled = record.cancel_requested
            self._work(record, held, heart)
        return True

    def run_due(self) -> int:
        """Works on due jobs until there is none; returns how many."""
        worked = 0
        while not self.stopping.is_set():
            with self.session_factory.begin() as session:
                due = store.due_jobs(session, self.clock.now())
            done = sum(self.run(job) for job in due if not self.stopping.is_set())
            if not done:
                break
            worked += done
        return worked

    def _work(self, record: JobRecord, held: Claim, heart: "Heartbeat") -> None:
        context = JobContext(
            job_id=record.id,
            subject=record.subject,
            payload=record.payload,
            session_factory=self.session_factory,
            clock=self.clock,
            tell=_Teller(self, held, heart),
            exchange=self.exchange,
        )
        try:
            heart.check()
            self._finish(held, context, _result(record, context))
        except LeaseLost:
            _log.warning("Job %s went on without this worker: its lease had ended.", record.id)
        except CancelRequested:
            with self.session_factory.begin() as session:
                store.end_cancelled(session, held, self.clock)
        except WorkerStopping:
            with self.session_factory.begin() as session:
                store.give_back(session, held, self.clock)
        except EntrepotError as error:
            self._fail(held, str(error), retry=False)
        except Exception as error:
            _log.exception("Job %s (%s) failed.", record.id, record.kind)
            # What an unforeseen error says may hold addresses or secrets: the log keeps it.
            self._fail(held, f"{type(error).__name__}; the worker's log says more.", retry=True)

    def _finish(self, held: Claim, context: JobContext, result: dict[str, Any]) -> None:
        with self.session_factory.begin() as session:
            if not store.finish(session, held, result, self.clock):
                raise LeaseLost
            for write in context.writes:
                write(session)

    def _fail(self, held: Claim, error: str, retry: bool) -> None:
        with self.session_factory.begin() as session:
            store.fail(session, held, error[:1000], retry, self.clock)


def _result(record: JobRecord, context: JobContext) -> dict[str, Any]:
    if record.kind not in JOB_KINDS:
        raise EntrepotError(f"This worker knows no jobs of the kind {record.kind!r}.")
    return handler_of(record.kind)(context)


class Heartbeat:
    """Renews the lease of one job from a thread of its own until the job ends.

    The thread needs the interpreter now and then: a handler must not hold it for longer than the
    lease in one native call (OR-Tools' linear solver lets go of it, its flow solver does not).
    """

    def __init__(self, runner: Runner, held: Claim) -> None:
        self.cancelled = False
        self._runner, self._held = runner, held
        self._lost = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease-{held.job}", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def check(self) -> None:
        """Raises the reason why the job must not go on, if there is one."""
        if self._lost:
            raise LeaseLost
        if self.cancelled:
            raise CancelRequested
        if self._runner.stopping.is_set():
            raise WorkerStopping

    def _beat(self) -> None:
        good_until = time.monotonic() + store.LEASE.total_seconds()
        stopped_at: float | None = None
        while not self._done.wait(BEAT.total_seconds()) and not self._lost:
            if self._runner.stopping.is_set():
                stopped_at = stopped_at or time.monotonic()
                if time.monotonic() - stopped_at > GRACE.total_seconds():
                    self._give_back()
                    return
            if self._renewed():
                good_until = time.monotonic() + store.LEASE.total_seconds()
            elif time.monotonic() > good_until:
                self._lost = True

    def _renewed(self) -> bool:
        try:
            with self._runner.session_factory.begin() as session:
                cancelled = store.renew(session, self._held, self._runner.clock.now())
        except SQLAlchemyError:
            _log.warning("The lease of job %s could not be renewed; trying again.", self._held.job)
            return False
        self._lost = cancelled is None
        self.cancelled = self.cancelled or bool(cancelled)
        return not self._lost

    def _give_back(self) -> None:
        self._lost = True
        with self._runner.session_factory.begin() as session:
            store.give_back(session, self._held, self._runner.clock)


class _Teller:
    """Writes progress, at most every half second, and stops the job where it must not go on."""

    def __init__(self, runner: Runner, held: Claim, heart: Heartbeat) -> None:
        self._runner, self._held, self._heart = runner, held, heart
        self._told_at = float("-inf")

    def __call__(self, share: float, doing: str) -> None:
        self._heart.check()
        if time.monotonic() - self._told_at < REPORT_EVERY_SECONDS:
            return
        self._told_at = time.monotonic()
        runner = self._runner
        with runner.session_factory.begin() as session:
            held = store.note_progress(session, self._held, share, doing, runner.clock)
        if not held:
            raise LeaseLost
