"""The sweeper: ends expired holds and marks late shipments every minute, from its own thread."""

import logging
import threading
from types import TracebackType

from sqlalchemy.exc import SQLAlchemyError

from api.database import SessionFactory
from api.services.shipments import mark_late
from api.services.stock import sweep
from core.clock import Clock
from core.ids import Entropy

EVERY_SECONDS = 60.0
_log = logging.getLogger(__name__)


class Sweeper:
    """Sweeps while it is open; sweeping from several processes at once does no harm.

    Holds expire without it, too, for whoever reads or reserves: the sweep keeps the ledger short
    of holds that nobody asked about again.
    """

    def __init__(
        self,
        sessions: SessionFactory,
        clock: Clock,
        entropy: Entropy,
        every_seconds: float = EVERY_SECONDS,
    ) -> None:
        self._sessions, self._clock, self._entropy = sessions, clock, entropy
        self._every_seconds, self._ended = every_seconds, threading.Event()
        self._thread = threading.Thread(target=self._work, name="sweeper", daemon=True)

    def __enter__(self) -> "Sweeper":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ended.wait(self._every_seconds):
            try:
                sweep(self._sessions, self._clock, self._entropy)
                with self._sessions.begin() as session:
                    mark_late(session, self._clock)
            except SQLAlchemyError as error:
                _log.warning("The sweep waits: the database said %s.", type(error).__name__)
