"""The sweeper ends expired holds from its own thread, and outlives a database that is away."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from api.database import SessionFactory, engine_for, session_factory
from api.sweeper import Sweeper
from inventory import store
from inventory.stock import Entry, Lot, ReservationState
from tests.fakes import FakeClock, seeded_entropy


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def state(sessions: SessionFactory, held: str) -> ReservationState:
    with sessions() as session:
        return store.get(session, held).state


@pytest.mark.usefixtures("loaded")
def test_an_expired_hold_is_swept_without_anybody_asking(
    sessions: SessionFactory, clock: FakeClock
) -> None:
    entropy = seeded_entropy(4)
    with sessions.begin() as session:
        until = clock.now() + timedelta(minutes=30)
        lots = [Lot("DE-HAM", "MUG", 5)]
        held = store.reserve(session, lots, Entry(clock.now(), "test", entropy), until).id
    with Sweeper(sessions, clock, entropy, every_seconds=0.02):
        clock.pass_(minutes=31)
        wait_until(lambda: state(sessions, held) is ReservationState.EXPIRED)


def test_a_database_that_is_away_does_not_end_the_sweeper(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    away = session_factory(engine_for("postgresql://nobody@/nothing?host=/nowhere"))
    with Sweeper(away, clock, seeded_entropy(), every_seconds=0.02):
        wait_until(lambda: len(caplog.records) >= 2)
    assert "OperationalError" in caplog.records[0].message
