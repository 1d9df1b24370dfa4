"""Commits together what many clients ask for at once: one transaction for a small group.

Requests that arrive while a group is committed make the next one, so a busy process commits large
groups and an idle one commits each request at once. The promises:

- a group that fails is not judged: each of its requests runs alone, so an error reaches only the
  request that caused it; so does a request that the group put off (`PutOff`);
- a request that is heavy runs alone, beside the groups;
- a group waits `LINGER_SECONDS` for those who will come at once, and `LOCK_SECONDS` for rows that
  other transactions hold; then its requests run alone, and those who wait for nothing are done.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

LARGEST_GROUP = 64
"""Requests of one group."""

LINGER_SECONDS = 0.002
"""How long a group stays open for as many requests as the group before it had."""

LOCK_SECONDS = 0.05
"""How long the transaction of a group waits for a locked row."""

ALONE = 8
"""Requests that run alone at the same time."""


class PutOff(Exception):
    """The answer to a request that is to run alone, after the group that changed nothing for it."""


Ask = TypeVar("Ask")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Ask, Answer]):
    """A request and where its answer goes."""

    ask: Ask
    answer: Future[Answer]


class Committer(Generic[Ask, Answer]):
    """Gathers requests; `act` runs some of them in one transaction and answers each.

    `act(asks, alone)` returns an answer or an exception for each ask once everything is committed,
    or raises after rolling back everything. `heavy` says which asks never join a group.
    """

    def __init__(
        self,
        act: Callable[[Sequence[Ask], bool], Sequence[Answer | Exception]],
        heavy: Callable[[Ask], bool],
    ) -> None:
        self._act, self._heavy = act, heavy
        self._asked: queue.SimpleQueue[Waiting[Ask, Answer] | None] = queue.SimpleQueue()
        self._alone = ThreadPoolExecutor(ALONE, thread_name_prefix="alone")
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, ask: Ask) -> Future[Answer]:
        """Returns the answer to come; raises `RuntimeError` after closing."""
        waiting: Waiting[Ask, Answer] = Waiting(ask, Future())
        with self._lock:
            if self._closed:
                raise RuntimeError("The service is stopping.")
            if self._thread is None:  # a process that asks for nothing has no thread
                self._thread = threading.Thread(target=self._work, name="commits", daemon=True)
                self._thread.start()
            if self._heavy(ask):
                self._alone.submit(self._run_alone, waiting)
            else:
                self._asked.put(waiting)
        return waiting.answer

    def close(self) -> None:
        """Ends when everything that was asked for is answered."""
        with self._lock:
            self._closed = True
            self._asked.put(None)
        if self._thread is not None:
            self._thread.join()
        self._alone.shutdown()

    def _work(self) -> None:
        before = 1
        while True:
            group, ended = self._gathered(before)
            if group:
                self._commit(group)
                before = len(group)
            if ended:
                return

    def _gathered(self, before: int) -> tuple[list[Waiting[Ask, Answer]], bool]:
        """Returns the next group and whether it is the last one."""
        first = self._asked.get()
        if first is None:
            return [], True
        group, until = [first], time.monotonic() + LINGER_SECONDS
        while len(group) < LARGEST_GROUP:
            patience = until - time.monotonic() if len(group) < before else 0.0
            try:
                found = self._asked.get(timeout=patience) if patience > 0 else (
                    self._asked.get_nowait()
                )  # fmt: skip
            except queue.Empty:
                break
            if found is None:
                return group, True
            group.append(found)
        return group, False

    def _commit(self, group: Sequence[Waiting[Ask, Answer]]) -> None:
        try:
            answers = self._act([waiting.ask for waiting in group], False)
        except Exception:  # whoever caused it hears of it when it runs alone
            for waiting in group:
                self._alone.submit(self._run_alone, waiting)
            return
        for waiting, answer in zip(group, answers, strict=True):
            if isinstance(answer, PutOff):
                self._alone.submit(self._run_alone, waiting)
            else:
                _give(waiting.answer, answer)

    def _run_alone(self, waiting: Waiting[Ask, Answer]) -> None:
        try:
            (answer,) = self._act([waiting.ask], True)
        except Exception as error:  # it is raised where the answer is awaited
            answer = error
        _give(waiting.answer, answer)


def _give(future: Future[Answer], answer: Answer | Exception) -> None:
    if not future.set_running_or_notify_cancel():
        return  # the client has gone; what was committed stays
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
