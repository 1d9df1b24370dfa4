"""Lines: two processes, an owner and a hand, talk through two lists of Redis.

What is read is deleted, a list never holds more than a window of packets, and everything expires.
Each end shows by a key that it is there; the keys of a line are never made again once they are
gone, so a flushed Redis ends a line as a killed process does: at both ends, with a
`ConnectionError`.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis

from api.jobs.packets import Incoming, Outgoing
from core.pipes import Pieces

OWNER, HAND = "owner", "hand"

LAPSE_SECONDS = {OWNER: 10, HAND: 5}
"""An end that shows no sign of life for so long is gone. An owner solves between two signs."""

BEAT_SECONDS = 1.0
"""Between two signs of life."""

WINDOW = 8
"""Packets that wait in a list before the sender waits, too."""

KEPT_SECONDS = 600
"""So long packets are kept that nobody reads."""

_PAUSE_SECONDS = 0.01


def _nothing() -> None:
    """Does nothing."""


class Line:
    """One end of a line; `meanwhile` is called at each beat while this end waits.

    All methods raise `ConnectionError` where the other end is gone, or Redis.
    """

    def __init__(
        self,
        server: redis.Redis,
        session: str,
        key: bytes,
        end: str,
        meanwhile: Callable[[], None] = _nothing,
    ) -> None:
        other = HAND if end == OWNER else OWNER
        self._redis, self._meanwhile = server, meanwhile
        self._mine, self._theirs = (f"entrepot:line:{session}:{name}" for name in (end, other))
        self._lapse = LAPSE_SECONDS[end]
        self._sends, self._hears = f"{self._mine}:sends", f"{self._theirs}:sends"
        self._outgoing, self._incoming = Outgoing(key, end), Incoming(key, other)
        self._met: bytes | None = None
        self._beaten_at = float("-inf")

    def open(self) -> None:
        """Begins the line: this end waits for the other one."""
        with _reachable():
            self._redis.set(self._mine, os.urandom(8).hex(), ex=self._lapse)

    def join(self) -> bool:
        """Returns whether this end joined a line that the other one opened, as the only one."""
        if not self.meet():
            return False
        with _reachable():
            token = os.urandom(8).hex()
            return bool(self._redis.set(self._mine, token, ex=self._lapse, nx=True))

    def meet(self) -> bool:
        """Returns whether the other end has come."""
        with _reachable():
            self._met = _bytes(self._redis.get(self._theirs))
        return self._met is not None

    def renew(self) -> None:
        """Shows that this end is there; another thread may do so."""
        with _reachable():
            if not self._redis.expire(self._mine, self._lapse):
                raise ConnectionError("The line was cut.")

    def beat(self) -> None:
        """Shows that this end is there and looks for the other one, once in a while."""
        if time.monotonic() - self._beaten_at < BEAT_SECONDS:
            return
        self.renew()
        with _reachable():
            if self._met is None or _bytes(self._redis.get(self._theirs)) != self._met:
                raise ConnectionError("The other end is gone.")
        self._beaten_at = time.monotonic()
        self._meanwhile()

    def send(self, package: Pieces) -> None:
        """Ensures that a package is on its way; waits while a window of packets is unread."""
        for packet in self._outgoing.packets(package):
            waiting = self._pushed(packet)
            while waiting >= WINDOW:
                self.beat()
                time.sleep(_PAUSE_SECONDS)
                with _reachable():
                    waiting = int(_known(self._redis.llen(self._sends)))
            self.beat()

    def _pushed(self, packet: bytes) -> int:
        with _reachable(), self._redis.pipeline() as both:
            both.rpush(self._sends, packet)
            both.expire(self._sends, KEPT_SECONDS)
            return int(both.execute()[0])

    def receive(self, seconds: float) -> memoryview | None:
        """Returns the next package; None where it is not complete after so many seconds."""
        until = time.monotonic() + seconds
        while True:
            wait = min(BEAT_SECONDS, max(until - time.monotonic(), _PAUSE_SECONDS))
            with _reachable():
                found = _known(self._redis.blpop([self._hears], wait))
            package = self._incoming.add(found[1]) if found else None
            if package is not None:
                return package
            self.beat()
            if time.monotonic() > until:
                return None

    def close(self) -> None:
        """Ends the line for both ends and leaves nothing behind."""
        with suppress(ConnectionError), _reachable():
            self._redis.delete(self._mine, self._theirs, self._sends, self._hears)


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise ConnectionError(f"Redis is away ({type(error).__name__}).") from error


def _bytes(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None


def _known(value: Any) -> Any:
    """Returns an answer of a client that waits, whose types speak of those that do not, too."""
    return value
