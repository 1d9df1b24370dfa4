"""Allocations that several workers share: whoever is killed or cancelled, the same plan or none."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine

from api.database import SessionFactory
from api.queue import store as queue
from api.queue.records import CANCELLED, ENDED, RUNNING, SUCCEEDED, JobRecord
from api.services.allocations import TABLES, allocation_table, request_allocation
from api.services.brands import load_brand
from api.settings import Settings
from core.brand import Brand
from core.clock import SystemClock
from core.folder.reader import read_brand
from core.ids import Entropy
from examples import three_tier
from routing.allocation import networks
from routing.allocation.allocate import GAP, allocate
from routing.allocation.solver import solve
from tests.journeys.crew_worker import BLOCK_ARCS, EXACT_COLUMNS
from tests.journeys.crowd import Workers, crowd
from tests.journeys.test_worker_survives import holder, read, until

CLOCK = SystemClock()
PATIENT, PROMPT = 20.0, 0.5
"""Seconds for which hands are waited for."""


@pytest.fixture(scope="module")
def brand(tmp_path_factory: pytest.TempPathFactory) -> Brand:
    """The teaching network of the examples."""
    folder = tmp_path_factory.mktemp("three-tier")
    three_tier.write(folder)
    return read_brand(folder)


def workers(engine: Engine, home: Path, count: int, come_seconds: float) -> Workers:
    return crowd(engine, home, count, "crew_worker", str(come_seconds), hands=1)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return Settings(home=tmp_path / "home").folder


@pytest.fixture
def loaded(sessions: SessionFactory, brand: Brand, entropy: Entropy) -> Brand:
    with sessions.begin() as session:
        load_brand(session, brand, CLOCK, entropy)
    return brand


def ask(sessions: SessionFactory, entropy: Entropy) -> str:
    with sessions.begin() as session:
        return request_allocation(session, None, GAP, 0, CLOCK, entropy).job.id


def hands(sessions: SessionFactory) -> Sequence[JobRecord]:
    with sessions.begin() as session:
        return queue.jobs(session, 100, kind="allocation.hand")


def shared(sessions: SessionFactory, job: str) -> bool:
    """Whether a job solves with the help of a hand."""
    record = read(sessions, job)
    return "round" in record.doing and any(one.state == RUNNING for one in hands(sessions))


def all_free(sessions: SessionFactory) -> bool:
    return all(one.state in ENDED for one in hands(sessions))


def test_the_plan_is_the_same_though_its_hand_was_killed(
    engine: Engine, sessions: SessionFactory, loaded: Brand, entropy: Entropy, home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    job = ask(sessions, entropy)
    with workers(engine, home, 2, PATIENT):
        until(lambda: shared(sessions, job))
        os.kill(holder(sessions, hands(sessions)[0].id), signal.SIGKILL)
        until(lambda: read(sessions, job).state in ENDED)
        until(lambda: all_free(sessions))
    ended = read(sessions, job)
    assert (ended.state, ended.attempts, ended.error) == (SUCCEEDED, 1, "")
    monkeypatch.setattr(solve, "EXACT_COLUMNS", EXACT_COLUMNS)
    monkeypatch.setattr(networks, "BLOCK_ARCS", BLOCK_ARCS)
    alone = allocate(loaded, gap=GAP)
    assert ended.result is not None
    assert ended.result["prices_version"] == alone.prices.version
    assert ended.result["objective"] == alone.objective
    with sessions.begin() as session:
        flows = allocation_table(session, ended.subject, TABLES[0])
    assert flows["quantity"].tolist() == alone.flows["quantity"].tolist()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("loaded")
def test_a_killed_owner_leaves_no_busy_hand(
    engine: Engine, sessions: SessionFactory, entropy: Entropy, home: Path
) -> None:
    """The worker that helped becomes the owner itself, and finds nobody left to ask."""
    job = ask(sessions, entropy)
    with workers(engine, home, 2, PROMPT):
        until(lambda: shared(sessions, job))
        os.kill(holder(sessions, job), signal.SIGKILL)
        until(lambda: read(sessions, job).state in ENDED)
        until(lambda: all_free(sessions))
    ended = read(sessions, job)
    assert (ended.state, ended.attempts) == (SUCCEEDED, 2)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("loaded")
def test_a_cancelled_allocation_stops_between_rounds_and_frees_its_hand(
    engine: Engine, sessions: SessionFactory, entropy: Entropy, home: Path
) -> None:
    job = ask(sessions, entropy)
    with workers(engine, home, 2, PATIENT):
        until(lambda: shared(sessions, job))
        with sessions.begin() as session:
            queue.cancel(session, job, CLOCK)
        until(lambda: read(sessions, job).state in ENDED)
        until(lambda: all_free(sessions))
    assert read(sessions, job).state == CANCELLED


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("loaded")
def test_workers_that_all_need_hands_do_not_wait_for_each_other(
    engine: Engine, sessions: SessionFactory, entropy: Entropy, home: Path
) -> None:
    asked = [ask(sessions, entropy) for _ in range(3)]
    with workers(engine, home, 2, PROMPT):
        until(lambda: all(read(sessions, job).state in ENDED for job in asked))
        until(lambda: all_free(sessions))
    assert [read(sessions, job).state for job in asked] == [SUCCEEDED] * 3
