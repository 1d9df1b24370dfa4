"""The relay: sends wake-ups that transactions promised, once they have committed."""

import logging
import threading
from types import TracebackType

from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from api.database import SessionFactory
from api.jobs.doorbell import Doorbell
from api.queue import store

EVERY_SECONDS = 2.0
_log = logging.getLogger(__name__)


def send(sessions: SessionFactory, doorbell: Doorbell) -> int:
    """Rings for every promised wake-up and forgets those that were sent; returns how many.

    A ring may be sent twice, never lost: who hears it claims the job in the database.
    """
    with sessions.begin() as session:
        promised = store.unsent(session)
    if not promised or not doorbell.ring([record.job for record in promised]):
        return 0
    with sessions.begin() as session:
        store.forget_sent(session, promised)
    return len(promised)


class Relay:
    """Sends wake-ups from a thread of the API process: after each commit, and now and then."""

    def __init__(self, sessions: SessionFactory, doorbell: Doorbell) -> None:
        self._sessions, self._doorbell = sessions, doorbell
        self._due, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="relay", daemon=True)

    def __enter__(self) -> "Relay":
        event.listen(self._sessions, "after_commit", self._after_commit)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        event.remove(self._sessions, "after_commit", self._after_commit)
        self._ended.set()
        self._due.set()
        self._thread.join()
        self._doorbell.close()

    def _after_commit(self, session: Session) -> None:
        if session.info.pop(store.ENQUEUED, False):
            self._due.set()

    def _work(self) -> None:
        while not self._ended.is_set():
            self._due.wait(EVERY_SECONDS)
            self._due.clear()
            try:
                send(self._sessions, self._doorbell)
            except SQLAlchemyError as error:
                _log.warning("Wake-ups wait: the database said %s.", type(error).__name__)
