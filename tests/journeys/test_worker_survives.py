"""Real workers, a real Valkey and both databases: whatever is killed, no job is lost or done twice.

The promise is that another worker ends a killed worker's job within 30 seconds.
"""

import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine
from sqlmodel import col, select

from api.database import SessionFactory, session_factory
from api.jobs.doorbell import Doorbell
from api.jobs.relay import send
from api.jobs.valkey import client, running
from api.queue import store
from api.queue.records import EventRecord, JobRecord
from api.services import scenarios
from api.services.allocations import TABLES, request_allocation
from api.services.brands import load_brand
from api.settings import Settings
from core.clock import SystemClock
from core.ids import Entropy
from routing.allocation import store as allocations
from tests.builders import two_sites_one_item
from tests.journeys.crowd import Workers, crowd

PROMISE = timedelta(seconds=30)
CLOCK = SystemClock()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return Settings(home=tmp_path / "home").folder


def prepare(sessions: SessionFactory, entropy: Entropy) -> str:
    """Loads a small brand and returns a scenario of it."""
    document = {"name": "More", "overrides": [{"demand": "*", "factor": 1.5}]}
    with sessions.begin() as session:
        load_brand(session, two_sites_one_item(), CLOCK, entropy)
        return scenarios.create_scenario(session, document, CLOCK, entropy).id


def workers(engine: Engine, home: Path, count: int) -> Workers:
    return crowd(engine, home, count, "slow_worker")


def ask(sessions: SessionFactory, scenario: str, entropy: Entropy, home: Path) -> str:
    """Commits a run and sends its wake-up, as the service does; returns its job."""
    with sessions.begin() as session:
        job = scenarios.request_run(session, scenario, 0, CLOCK, entropy).job.id
    ring(sessions, home)
    return job


def ring(sessions: SessionFactory, home: Path) -> None:
    """Sends wake-ups over the workers' own Valkey, without becoming its owner."""
    until(lambda: running(home) is not None)
    with Doorbell(Settings(home=home, redis_url=str(running(home)))) as bell:
        send(sessions, bell)


def read(sessions: SessionFactory, job: str) -> JobRecord:
    with sessions.begin() as session:
        return store.job_of(session, job)


def until(true: Callable[[], bool], within: timedelta = timedelta(seconds=90)) -> None:
    deadline = time.monotonic() + within.total_seconds()
    while not true():
        assert time.monotonic() < deadline, "It did not come true in time."
        time.sleep(0.1)


def ends(sessions: SessionFactory, job: str) -> int:
    """Returns how often a job was told to have succeeded."""
    with sessions.begin() as session:
        told = session.exec(select(EventRecord).where(col(EventRecord.type) == "job.succeeded"))
        return sum(event.data["job"] == job for event in told)


def holder(sessions: SessionFactory, job: str) -> int:
    """Returns the process that works on a job, from the name of its worker."""
    return int(read(sessions, job).worker.rpartition(":")[2])


def under_way(sessions: SessionFactory, job: str) -> bool:
    record = read(sessions, job)
    return record.state == "running" and record.progress > 0.1


def test_a_killed_workers_scenario_is_ended_once_by_another(
    engine: Engine, sessions: SessionFactory, entropy: Entropy, home: Path
) -> None:
    scenario = prepare(sessions, entropy)
    with workers(engine, home, 2):
        job = ask(sessions, scenario, entropy, home)
        until(lambda: under_way(sessions, job))
        killed = holder(sessions, job)
        os.kill(killed, signal.SIGKILL)
        until(lambda: read(sessions, job).state == "succeeded", PROMISE)
    ended = read(sessions, job)
    assert holder(sessions, job) != killed
    assert (ended.attempts, ended.fence) == (2, 2)
    assert ends(sessions, job) == 1
    with sessions.begin() as session:
        view = scenarios.run_view(session, ended.subject)
        assert view.run.outcome is not None
    assert running(home) is None  # even the server that the killed worker had started has ended


def test_a_killed_workers_allocation_is_made_once_by_another(
    sqlite_engine: Engine, entropy: Entropy, home: Path
) -> None:
    sessions = session_factory(sqlite_engine)
    prepare(sessions, entropy)
    with workers(sqlite_engine, home, 2):
        with sessions.begin() as session:
            asked = request_allocation(session, None, 1e-3, 0, CLOCK, entropy)
            allocation, job = asked.allocation.id, asked.job.id
        ring(sessions, home)
        until(lambda: under_way(sessions, job))
        with sessions.begin() as session:
            assert allocations.table_of(session, allocation, "flows") is None
        os.kill(holder(sessions, job), signal.SIGKILL)
        until(lambda: read(sessions, job).state == "succeeded", PROMISE)
    assert (read(sessions, job).attempts, ends(sessions, job)) == (2, 1)
    with sessions.begin() as session:
        kept = allocations.allocation_of(session, allocation)
        assert kept.result is not None
        assert all(allocations.table_of(session, allocation, table) for table in TABLES)


def test_a_frozen_worker_that_wakes_up_late_writes_nothing(
    sqlite_engine: Engine, entropy: Entropy, home: Path
) -> None:
    """SIGSTOP stands for a paused machine: it believes that it still holds its job."""
    sessions = session_factory(sqlite_engine)
    scenario = prepare(sessions, entropy)
    with workers(sqlite_engine, home, 2):
        job = ask(sessions, scenario, entropy, home)
        until(lambda: under_way(sessions, job))
        frozen = holder(sessions, job)
        os.kill(frozen, signal.SIGSTOP)
        try:
            until(lambda: read(sessions, job).state == "succeeded", PROMISE)
            ended = read(sessions, job)
        finally:
            os.kill(frozen, signal.SIGCONT)
        time.sleep(2)
    assert read(sessions, job) == ended
    assert ends(sessions, job) == 1
    assert holder(sessions, job) != frozen


def test_a_worker_that_is_stopped_gives_its_job_back(
    sqlite_engine: Engine, entropy: Entropy, home: Path
) -> None:
    sessions = session_factory(sqlite_engine)
    scenario = prepare(sessions, entropy)
    with workers(sqlite_engine, home, 1) as (worker,):
        job = ask(sessions, scenario, entropy, home)
        until(lambda: under_way(sessions, job))
        worker.terminate()
        assert worker.wait(20) == 0
    given = read(sessions, job)
    assert (given.state, given.attempts) == ("queued", 0)
    with workers(sqlite_engine, home, 1):
        until(lambda: read(sessions, job).state == "succeeded")
    assert ends(sessions, job) == 1


@pytest.mark.parametrize("wipe", ["flush", "kill"])
def test_a_wiped_valkey_loses_no_job(
    sqlite_engine: Engine, entropy: Entropy, home: Path, wipe: str
) -> None:
    """Two jobs wait behind one that runs when everything in Valkey is gone."""
    sessions = session_factory(sqlite_engine)
    made = prepare(sessions, entropy)
    with workers(sqlite_engine, home, 1):
        jobs = [ask(sessions, made, entropy, home) for _ in range(3)]
        until(lambda: any(under_way(sessions, job) for job in jobs))
        _wipe(home, wipe)
        until(lambda: all(read(sessions, job).state == "succeeded" for job in jobs))
    assert [ends(sessions, job) for job in jobs] == [1, 1, 1]
    assert [read(sessions, job).attempts for job in jobs] == [1, 1, 1]


def _wipe(home: Path, how: str) -> None:
    with client(str(running(home)), 5.0) as asked:
        if how == "flush":
            asked.flushall()
        else:
            os.kill(int(asked.info("server")["process_id"]), signal.SIGKILL)


def test_a_worker_works_where_redis_never_answers(
    sqlite_engine: Engine, entropy: Entropy, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = session_factory(sqlite_engine)
    monkeypatch.setenv("ENTREPOT_REDIS_URL", "redis://127.0.0.1:1/0")
    made = prepare(sessions, entropy)
    with sessions.begin() as session:
        job = scenarios.request_run(session, made, 0, CLOCK, entropy).job.id
    with workers(sqlite_engine, home, 1):
        until(lambda: read(sessions, job).state == "succeeded")
    with pytest.raises(redis.ConnectionError):
        client("redis://127.0.0.1:1/0", 1.0).ping()
