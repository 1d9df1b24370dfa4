"""The worker: one process that works on one job at a time.

Jobs run in the worker's own process, not in a fork: a fork would inherit the threads and locks of
the numeric libraries, and a killed parent would leave its child computing. So killing the worker
ends its work at once; its lease ends within ten seconds and another worker, which looks for due
jobs every two, goes on. Many cores are used by many workers.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import FrameType

from sqlalchemy.exc import SQLAlchemyError

from api.jobs import relay
from api.jobs.doorbell import Doorbell
from api.jobs.runner import Runner
from api.queue import events

LOOK_EVERY_SECONDS = 2
_TIDY_EVERY = timedelta(hours=1)


@dataclass(slots=True)
class Worker:
    """Takes jobs as the doorbell rings, and looks into the database for those it did not hear."""

    runner: Runner
    doorbell: Doorbell
    worked: int = 0
    tidied_at: datetime | None = None

    def work(self, burst: bool = False) -> int:
        """Works until asked to stop, or with `burst` until no job is due; returns how many."""
        with self._signals():
            while not self.runner.stopping.is_set():
                found = self._look()
                if burst and not found:
                    break
                if not burst and not self.runner.stopping.is_set():
                    self._listen()
        return self.worked

    def _look(self) -> int:
        """Sends promised wake-ups and works on due jobs; survives a database that is away."""
        try:
            relay.send(self.runner.session_factory, self.doorbell)
            self._tidy()
            found = self.runner.run_due()
        except SQLAlchemyError:
            self.runner.stopping.wait(LOOK_EVERY_SECONDS)
            return 0
        self.worked += found
        return found

    def _listen(self) -> None:
        try:
            job = self.doorbell.listen(LOOK_EVERY_SECONDS)
            self.worked += bool(job and self.runner.run(job))
        except ConnectionError:
            self.runner.stopping.wait(LOOK_EVERY_SECONDS)
        except SQLAlchemyError:
            return  # the job stays due; the next look finds it

    def _tidy(self) -> None:
        now = self.runner.clock.now()
        if self.tidied_at is None or now - self.tidied_at > _TIDY_EVERY:
            self.tidied_at = now
            with self.runner.session_factory.begin() as session:
                events.forget_events(session, now)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Ensures that SIGTERM and SIGINT end the work: the job at hand goes back to the queue."""

        def stop(_: int, __: FrameType | None) -> None:
            self.runner.stopping.set()

        before = {each: signal.signal(each, stop) for each in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
