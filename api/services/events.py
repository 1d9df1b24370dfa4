"""Live events: what a role may see, as it happens."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool

from api.database import SessionFactory
from api.queue.events import newest_event, number_of, read_events
from api.services.keys import Credential
from core.clock import Clock

LOOK_EVERY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it leaves the house; `id` is where a watcher who lost touch goes on."""

    id: int
    type: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Watch:
    """Looks for events in short sessions, so that no connection is held between two looks.

    The stream ends when `stopping` is set, and at the first look at which its credential opens
    nothing any more.
    """

    reading: SessionFactory
    clock: Clock
    stopping: threading.Event
    every_seconds: float = LOOK_EVERY_SECONDS

    async def events(
        self, credential: Credential, after: int | None = None
    ) -> AsyncIterator[Event]:
        """Yields the events that a caller may see, in order: those after an id, or only new ones.

        Every look asks anew who holds the credential.
        """
        seen = await run_in_threadpool(self._newest) if after is None else after
        while not self.stopping.is_set():
            found, seen = await run_in_threadpool(self._look, seen, credential)
            if found is None:
                return
            for each in found:
                yield each
            if not found:
                await asyncio.sleep(self.every_seconds)

    def _newest(self) -> int:
        with self.reading.begin() as session:
            return newest_event(session)

    def _look(self, after: int, credential: Credential) -> tuple[list[Event] | None, int]:
        with self.reading.begin() as session:
            who = credential(session)
            if who is None:
                return None, after
            rows, seen = read_events(session, after, who.role, self.clock.now())
            return [Event(number_of(row), row.type, row.data) for row in rows], seen
