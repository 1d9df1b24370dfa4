"""Engines: where the partitions of a forecast are worked. The numbers never depend on it.

Three of them: `Here`, in this process; `Pool`, in processes of this machine; and the queue's own,
in `api.jobs`, for many machines.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Protocol, TypeVar

from core.children import Child
from core.packing import packed
from inventory.demand.packing import unpack
from inventory.demand.partition import Partition
from inventory.demand.steps import light, work

Made = TypeVar("Made")
Own = Sequence[tuple[Any, ...]]

AHEAD = 8
"""Partitions of each process that wait for it or to be fetched: results of more would fill memory,
fewer would let it wait while this process is busy with markets."""

WORKER = "inventory.demand.worker"
"""The module that a process of the pool runs."""

_log = logging.getLogger(__name__)


class Engine(Protocol):
    """Works steps over the partitions of one forecast."""

    def each(
        self, step: str, shops: Sequence[Partition], shared: tuple[Any, ...], own: Own
    ) -> Iterator[Any]:
        """Yields what a step makes of each partition, in order."""

    def once(self, step: str, asked: tuple[Any, ...], make: Callable[[], Made]) -> Made:
        """Returns what `make` makes; an engine that remembers makes it once for what is asked."""


class Here:
    """Works partitions one after another in this process."""

    def each(
        self, step: str, shops: Sequence[Partition], shared: tuple[Any, ...], own: Own
    ) -> Iterator[Any]:
        """Yields what a step makes of each partition, in order."""
        for shop, mine in zip(shops, own, strict=True):
            yield work(step, shop, shared, mine)

    def once(self, step: str, asked: tuple[Any, ...], make: Callable[[], Made]) -> Made:
        """Returns what `make` makes."""
        return make()


class Pool(Here):
    """Works partitions in processes of this machine, each with one thread; a context manager.

    The processes are sent arrays and send arrays back; they load nothing but numpy and scipy, and
    end with this one, however it ends. What a process that died has lost is worked here.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._idle: SimpleQueue[Child] = SimpleQueue()
        self._started: list[Child] = []
        self._threads = ThreadPoolExecutor(workers, "partition")
        self._ended = False

    def __enter__(self) -> "Pool":
        for _ in range(self._workers):
            self._started.append(process := Child(WORKER))
            self._idle.put(process)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._ended = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._started:
            process.end()
        self._threads.shutdown(wait=True)

    def each(
        self, step: str, shops: Sequence[Partition], shared: tuple[Any, ...], own: Own
    ) -> Iterator[Any]:
        """Yields what a step makes of each partition, in order; the first ones begin at once."""
        if all(light(step, mine) for mine in own):
            return super().each(step, shops, shared, own)
        asked = (
            self._threads.submit(self._ask, step, shop, shared, mine)
            for shop, mine in zip(shops, own, strict=True)
        )
        return _in_turn(deque(islice(asked, AHEAD * self._workers)), asked)

    def _ask(
        self, step: str, shop: Partition, shared: tuple[Any, ...], mine: tuple[Any, ...]
    ) -> Any:
        process = self._idle.get()
        try:
            return unpack(process.ask(packed((step, shop, shared, mine))))
        except (OSError, ValueError):  # a pipe that broke, or that `__exit__` has closed
            if self._ended:
                raise
            _log.warning("A process of the forecast died; its work is done here instead.")
            return work(step, shop, shared, mine)
        finally:
            self._idle.put(process)


def _in_turn(waiting: deque[Future[Any]], asked: Iterator[Future[Any]]) -> Iterator[Any]:
    """Yields what was asked in order, and asks for one more whenever one is fetched."""
    try:
        while waiting:
            made = waiting.popleft().result()
            waiting.extend(islice(asked, 1))
            yield made
    finally:
        for one in waiting:
            one.cancel()


def engine_of(workers: int) -> AbstractContextManager[Engine]:
    """Returns the engine of so many processes on this machine."""
    return Pool(workers) if workers > 1 else nullcontext(Here())
