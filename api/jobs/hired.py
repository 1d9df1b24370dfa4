"""Hired hands: an allocation asks other workers to hold some of its items.

For each one it writes a job, `allocation.hand`; the worker that takes it joins a line through
Redis. Whoever has not come after a short while is not waited for, so the job goes on whatever
others do: alone where nobody came, else with those who did. No hand ever waits for anybody but its
owner.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

import redis
from sqlmodel import Session

from api.jobs import relay
from api.jobs.context import JobContext
from api.jobs.exchange import Exchange, versions
from api.jobs.lines import BEAT_SECONDS, OWNER, Line
from api.queue import store
from core.pipes import Pieces
from routing.allocation.solver.crew import Here, Member, Members, Roll

KIND = "allocation.hand"

COME_SECONDS = 2.0
"""So long after they were asked hands are waited for."""

SLOW_SECONDS, SLOW_TIMES = 15.0, 4.0
"""A hand may take so much longer than this process for its own part, and so many times as long."""

_LOOK_SECONDS = 0.02

_log = logging.getLogger(__name__)


class Hired:
    """A hand in another worker: a member of a crew."""

    def __init__(self, line: Line, job: str) -> None:
        self.line, self.job = line, job
        self._sent_at = 0.0

    def send(self, content: Pieces) -> None:
        """Ensures that a package is on its way."""
        self._sent_at = time.monotonic()
        self.line.send(content)

    def answer(self) -> memoryview:
        """Returns the next answer; waits by what this process took for its own part meanwhile."""
        spent = time.monotonic() - self._sent_at
        answer = self.line.receive(SLOW_SECONDS + SLOW_TIMES * spent)
        if answer is None:
            raise TimeoutError("It takes too long.")
        return answer

    def end(self) -> None:
        """Lets the hand go; it notices within a beat or two."""
        self.line.close()


def hired(context: JobContext) -> Members:
    """Returns who asks other workers for all members of a crew but one, in the name of a job.

    A job may ask several times; where nobody came it does not ask again.
    """
    alone = False

    @contextmanager
    def members(count: int) -> Iterator[Roll]:
        nonlocal alone
        with ExitStack() as opened:
            hands = None if alone else _asked(context, count - 1, opened)
            yield tuple if hands is None else hands.roll
            alone = alone or (hands is not None and not hands.came)

    return members


def _asked(context: JobContext, count: int, opened: ExitStack) -> "_Hands | None":
    exchange = context.exchange
    if exchange is None or count < 1:
        return None
    try:
        server = opened.enter_context(exchange.connect())
        hands = _Hands(context, exchange, server)
        opened.callback(hands.let_go)
        hands.ask(count)
    except ConnectionError as error:
        _log.warning("Job %s asks no hands: %s", context.job_id, error)
        return None
    return hands


class _Hands:
    """The hands of one job, from the asking to the end."""

    def __init__(self, context: JobContext, exchange: Exchange, server: redis.Redis) -> None:
        self._context, self._exchange, self._redis = context, exchange, server
        self._asked: list[Hired] = []
        self.came: list[Hired] = []
        self._due = 0.0
        self._done = threading.Event()
        self._beats = threading.Thread(
            target=self._beat, name=f"hands-{context.job_id}", daemon=True
        )

    def ask(self, count: int) -> None:
        """Writes the jobs of so many hands and wakes workers up."""
        with self._context.session_factory.begin() as session:
            asked = [self._written(session) for _ in range(count)]
        self._asked, self._due = asked, time.monotonic() + COME_SECONDS
        self._beats.start()
        relay.send(self._context.session_factory, self._exchange.doorbell)

    def _written(self, session: Session) -> Hired:
        told, key = os.urandom(16).hex(), os.urandom(32)
        line = Line(self._redis, told, key, OWNER)
        line.open()
        payload = {"session": told, "key": key.hex(), "versions": versions()}
        subject, clock = self._context.subject, self._context.clock
        job = store.enqueue(session, KIND, subject, payload, clock, os.urandom, max_attempts=1)
        return Hired(line, job.id)

    def roll(self) -> Sequence[Member]:
        """Returns this process and the hands that have come; nobody if none came."""
        while len(self.came) < len(self._asked):
            self.came = [one for one in self._asked if _has_come(one)]
            if time.monotonic() > self._due:
                break
            time.sleep(_LOOK_SECONDS)
        self._send_away()
        return [Here(), *self.came] if self.came else []

    def let_go(self) -> None:
        """Ends whatever is left."""
        self._done.set()
        if self._beats.is_alive():
            self._beats.join()
        for hand in self.came:
            hand.end()
        self._send_away()

    def _send_away(self) -> None:
        """Ensures that hands who have not come need not come any more."""
        late = [hand for hand in self._asked if hand not in self.came]
        for hand in late:
            hand.end()
        with self._context.session_factory.begin() as session:
            for hand in late:
                store.cancel(session, hand.job, self._context.clock)

    def _beat(self) -> None:
        while not self._done.wait(BEAT_SECONDS):
            for hand in self._asked:
                with suppress(ConnectionError):  # whoever talks to it hears so, too
                    hand.line.renew()


def _has_come(hand: Hired) -> bool:
    with suppress(ConnectionError):
        return hand.line.meet()
    return False
