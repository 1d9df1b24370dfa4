"""Hired hands: other workers hold items of an allocation; whatever they do, the plan is the same.

Real workers, a real Valkey and both databases.
"""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine

from api.database import SessionFactory
from api.jobs import hired as hiring
from api.jobs.context import JobContext, Stop
from api.jobs.doorbell import Doorbell
from api.jobs.exchange import Exchange
from api.jobs.hired import KIND, hired
from api.queue import store
from api.queue.records import ENDED, JobRecord
from api.settings import Settings
from core.clock import SystemClock
from routing.allocation import networks
from routing.allocation.problem import Problem
from routing.allocation.solver.solve import Solution, solve
from tests.journeys.test_worker_survives import until
from tests.routing.allocation.problems import random_problem
from tests.routing.allocation.test_crew import same

ROOT = Path(__file__).parents[2]
GAP = 1e-5
Report = Callable[[float, str], None]


@pytest.fixture
def problem(monkeypatch: pytest.MonkeyPatch) -> Problem:
    """Forty items in blocks of a few, so that there is something to share out."""
    monkeypatch.setattr(networks, "BLOCK_ARCS", 300)
    return random_problem(11, items=40, sites=4, regions=6, buckets=3)


@pytest.fixture
def alone(problem: Problem) -> Solution:
    return solve(problem, GAP, method="decomposition")


@pytest.fixture
def bell(settings: Settings) -> Iterator[Doorbell]:
    with Doorbell(settings) as opened:
        opened.ring([])
        yield opened


@pytest.fixture
def server(bell: Doorbell) -> Iterator[redis.Redis]:
    with bell.connect() as opened:
        yield opened


@pytest.fixture
def context(sessions: SessionFactory, bell: Doorbell) -> JobContext:
    """An allocation job that may ask for one hand."""
    return JobContext("job_1", "alc_1", {}, sessions, SystemClock(), _nothing, Exchange(bell, 1))


@pytest.fixture
def worker(engine: Engine, bell: Doorbell, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that is free."""
    url = engine.url.render_as_string(hide_password=False)
    settings = Settings(home=settings.folder, database_url=url)
    started = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "worker", "--json"],
        env={**os.environ, **settings.environment()}, cwd=ROOT, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    yield started
    started.terminate()
    started.wait(30)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker of the test may still be starting when it is asked."""
    monkeypatch.setattr(hiring, "COME_SECONDS", 30.0)


def _nothing(share: float, doing: str) -> None:
    """Tells nobody."""


def solved(problem: Problem, context: JobContext, report: Report = _nothing) -> Solution:
    return solve(
        problem, GAP, method="decomposition", report=report, workers=2, members=hired(context)
    )


def hand_jobs(sessions: SessionFactory) -> Sequence[JobRecord]:
    with sessions.begin() as session:
        return store.jobs(session, 100, kind=KIND)


def ended(sessions: SessionFactory) -> JobRecord:
    """The one job of a hand, once it has ended."""
    until(lambda: hand_jobs(sessions)[0].state in ENDED)
    (job,) = hand_jobs(sessions)
    return job


def left(server: redis.Redis) -> list[bytes]:
    return list(server.scan_iter("entrepot:line:*"))


class At:
    """Does something in the second round, while the hand holds items."""

    def __init__(self, do: Callable[[], object]) -> None:
        self._do, self._rounds = do, 0

    def __call__(self, gap: float, doing: str) -> None:
        self._rounds += 1
        if self._rounds == 2:
            self._do()


@pytest.mark.usefixtures("worker", "patient")
def test_a_worker_that_helps_changes_nothing_in_the_plan(
    problem: Problem, alone: Solution, context: JobContext, sessions: SessionFactory,
    server: redis.Redis, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    assert same(alone, solved(problem, context))
    job = ended(sessions)
    assert (job.state, job.subject) == ("succeeded", "alc_1")
    assert job.result is not None
    assert job.result["answers"] >= alone.rounds
    assert caplog.records == []
    assert left(server) == []


@pytest.mark.usefixtures("patient")
def test_a_hand_that_is_killed_is_not_missed(
    problem: Problem, alone: Solution, context: JobContext, worker: subprocess.Popen[bytes],
    server: redis.Redis, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    with caplog.at_level(logging.WARNING):
        assert same(alone, solved(problem, context, At(worker.kill)))
    assert "done here instead" in caplog.text
    assert left(server) == []


@pytest.mark.usefixtures("worker", "patient")
def test_a_flushed_redis_changes_nothing_and_frees_the_hand(
    problem: Problem, alone: Solution, context: JobContext, sessions: SessionFactory,
    server: redis.Redis,
) -> None:  # fmt: skip
    """Packages on their way are lost; where there are none, the hand may even go on."""
    assert same(alone, solved(problem, context, At(server.flushall)))
    assert ended(sessions).state == "succeeded"
    assert left(server) == []


@pytest.mark.usefixtures("worker", "patient")
def test_a_hand_is_free_as_soon_as_its_owner_stops(
    problem: Problem, context: JobContext, sessions: SessionFactory, server: redis.Redis
) -> None:
    def stop() -> None:
        raise Stop

    with pytest.raises(Stop):
        solved(problem, context, At(stop))
    assert ended(sessions).state == "succeeded"
    assert left(server) == []


@pytest.mark.usefixtures("worker", "patient")
def test_a_hand_that_is_cancelled_lets_its_owner_go_on(
    problem: Problem, alone: Solution, context: JobContext, sessions: SessionFactory
) -> None:
    def cancel() -> None:
        with sessions.begin() as session:
            store.cancel(session, hand_jobs(sessions)[0].id, context.clock)
        until(lambda: hand_jobs(sessions)[0].state == "cancelled")

    assert same(alone, solved(problem, context, At(cancel)))


def test_where_nobody_comes_nobody_is_waited_for(
    problem: Problem, alone: Solution, context: JobContext, sessions: SessionFactory,
    server: redis.Redis, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(hiring, "COME_SECONDS", 0.1)
    members = hired(context)
    for _ in range(2):  # the second time nobody is asked
        again = solve(problem, GAP, method="decomposition", workers=2, members=members)
        assert same(alone, again)
    assert [job.state for job in hand_jobs(sessions)] == ["cancelled"]
    assert left(server) == []


@pytest.mark.usefixtures("worker")
def test_a_worker_with_other_libraries_declines(
    problem: Problem, alone: Solution, context: JobContext, sessions: SessionFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """In a rolling upgrade two versions run side by side; their answers may differ."""
    monkeypatch.setattr(hiring, "versions", lambda: "numpy 1.0")
    monkeypatch.setattr(hiring, "COME_SECONDS", 5.0)
    assert same(alone, solved(problem, context))
    job = ended(sessions)
    assert job.result is None or job.result["answers"] == 0


def test_without_redis_an_allocation_asks_nobody(
    problem: Problem, alone: Solution, sessions: SessionFactory, tmp_path: Path
) -> None:
    away = Doorbell(Settings(home=tmp_path, redis_url=f"unix://{tmp_path}/nobody.sock"))
    exchange = Exchange(away, 1)
    context = JobContext("job_1", "alc_1", {}, sessions, SystemClock(), _nothing, exchange)
    assert same(alone, solved(problem, context))
    assert hand_jobs(sessions) == []


@pytest.mark.usefixtures("patient")
def test_a_hand_that_is_too_slow_is_not_waited_for(
    problem: Problem, alone: Solution, context: JobContext, worker: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Its machine sleeps: it may still seem alive for a while."""
    monkeypatch.setattr(hiring, "SLOW_SECONDS", 0.5)
    try:
        with caplog.at_level(logging.WARNING):
            sleep = At(lambda: worker.send_signal(signal.SIGSTOP))
            assert same(alone, solved(problem, context, sleep))
    finally:
        worker.send_signal(signal.SIGCONT)
    assert "takes too long" in caplog.text
