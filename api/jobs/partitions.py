"""The job `forecast.partition`: helps a large forecast, one partition after another.

The forecast itself is the job `forecast.run`: it writes down what is to be worked, works on it as
any helper does, and goes on once nothing is left. So one worker alone finishes, more are faster,
and whoever is killed leaves behind what nobody has to do again.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from api.jobs.context import JobContext
from api.queue.records import ENDED, QUEUED
from api.queue.store import LEASE, enqueue, job_of, jobs
from core.packing import pack
from inventory.demand import steps, store
from inventory.demand.engine import Here, Own
from inventory.demand.markets import Top
from inventory.demand.packing import unpack
from inventory.demand.partition import Partition
from inventory.demand.records import DONE, ForecastPartitionRecord
from inventory.demand.regions import Outlook
from inventory.demand.store import PartitionClaim

KIND = "forecast.partition"

HELPERS = 3
"""Most helping jobs of a forecast that wait for workers."""

SHOPS = "partition"
"""The step under which the partitions themselves are kept, for all steps to read."""

LOOK_SECONDS = 0.1
"""Between two looks at partitions that others work on."""

Made = TypeVar("Made")
Told = Callable[[str, float], None]
"""Is told a step and the share of its partitions that are finished."""


def run(context: JobContext) -> dict[str, Any]:
    """Returns how many partitions of the forecast named by the subject were worked here."""
    worked = 0
    while not _given_up(context) and work_one(context):
        worked += 1
        context.report(0.0, f"{worked} partitions worked")
    return {"forecast": context.subject, "partitions": worked}


def work_one(context: JobContext) -> bool:
    """Returns whether a partition of the subject was worked: False where nobody waits for one."""
    with context.session_factory.begin() as session:
        now = context.clock.now()
        held = store.claim_partition(session, context.subject, context.job_id, now, now + LEASE)
    if held is None:
        return False
    try:
        result = _result(context, held)
        if result is None:
            return False
    except BaseException:
        with context.session_factory.begin() as session:
            store.give_partition_back(session, held)
        raise
    with context.session_factory.begin() as session:
        store.finish_partition(session, held, result)
    return True


def _result(context: JobContext, held: PartitionClaim) -> bytes | None:
    """Returns what a partition gives; None where its run has ended meanwhile."""
    with context.session_factory.begin() as session:
        shop = store.partition_input(session, held.forecast, SHOPS, held.number)
        given = store.partition_input(session, held.forecast, held.step, held.number)
    if shop is None or given is None:
        return None
    shared, own = unpack(given)
    return pack(steps.work(held.step, unpack(shop), shared, own))


def _given_up(context: JobContext) -> bool:
    """Whether nobody waits for the forecast any more."""
    with context.session_factory.begin() as session:
        job = job_of(session, store.forecast_of(session, context.subject).job)
    return job.cancel_requested or job.state in ENDED


class Queued(Here):
    """Works the partitions of one forecast with all workers of the queue; remembers what is done.

    Everything is kept under a digest of what it depends on: a run that begins anew after a crash
    finds what it had, and one that asks for something else (of another brand, say) does not.
    """

    def __init__(self, context: JobContext, told: Told) -> None:
        self._context, self._told = context, told
        self._shops: list[str] = []

    def each(
        self, step: str, shops: Sequence[Partition], shared: tuple[Any, ...], own: Own
    ) -> Iterator[Any]:
        """Yields what a step makes of each partition, in order, once all are worked."""
        if step in {steps.BASE, steps.TRIALS}:  # of sums and a sample, the work is too small
            yield from super().each(step, shops, shared, own)
            return
        self._shops = self._shops or self._kept(shops)
        asked = [self._ask(step, at, (shared, mine)) for at, mine in enumerate(own)]
        self._work(step, len(shops))
        for at, digest in enumerate(asked):
            if (content := self._known(step, at, digest)) is None:
                raise RuntimeError(f"Partition {at} of {step} is gone.")
            yield unpack(content)

    def once(self, step: str, asked: tuple[Any, ...], make: Callable[[], Made]) -> Made:
        """Returns what `make` makes, or made in an earlier attempt at the same."""
        digest = _digest(pack(asked))
        content = self._known(step, 0, digest)
        if content is None:
            content = pack(make())
            self._put(step, 0, digest, state=DONE, claims=1, computed=1, result=content)
        made: Made = unpack(content, Top, Outlook)
        return made

    def _kept(self, shops: Sequence[Partition]) -> list[str]:
        """Returns the digests of partitions, which are there for all workers to read.

        Where an earlier attempt had others, nothing that it left is of use.
        """
        digests = [_digest(pack(shop)) for shop in shops]
        forecast = self._context.subject
        with self._context.session_factory.begin() as session:
            if store.partition_digests(session, forecast, SHOPS) not in ([], digests):
                store.forget_unfinished(session, [forecast])
        for number, shop in enumerate(shops):
            self._put(SHOPS, number, digests[number], state=DONE, input=pack(shop))
        return digests

    def _ask(self, step: str, number: int, given: tuple[Any, ...]) -> str:
        content = pack(given)
        digest = _digest(self._shops[number].encode() + content)
        self._put(step, number, digest, input=content)
        return digest

    def _put(self, step: str, number: int, asked: str, **values: Any) -> None:
        record = ForecastPartitionRecord(
            forecast=self._context.subject, step=step, number=number, asked=asked, **values
        )
        with self._context.session_factory.begin() as session:
            store.put_partition(session, record)

    def _known(self, step: str, number: int, asked: str) -> bytes | None:
        with self._context.session_factory.begin() as session:
            return store.partition_result(session, self._context.subject, step, number, asked)

    def _work(self, step: str, count: int) -> None:
        """Ensures that all partitions of a step are worked, here and by whoever helps."""
        self._call_helpers(self._left(step) - 1)
        while left := self._left(step):
            self._told(step, 1.0 - left / count)
            if not work_one(self._context):
                time.sleep(LOOK_SECONDS)
        self._told(step, 1.0)

    def _left(self, step: str) -> int:
        with self._context.session_factory.begin() as session:
            return store.partitions_left(session, self._context.subject, step)

    def _call_helpers(self, wanted: int) -> None:
        context = self._context
        with context.session_factory.begin() as session:
            waiting = jobs(session, HELPERS, state=QUEUED, kind=KIND, subject=context.subject)
            for _ in range(min(HELPERS, wanted) - len(waiting)):
                enqueue(session, KIND, context.subject, {}, context.clock, os.urandom)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
