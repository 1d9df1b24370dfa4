"""What open pages are told: sentences, progress, order, roles, and where to go on."""

import asyncio
import json
import threading
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine

from api.console import live
from api.console.sessions import visiting
from api.database import SessionFactory, session_factory
from api.queue.events import publish
from api.services.keys import CONSOLE_HOURS, Caller, create_key, revoke_key, sign_in, sign_out
from tests.fakes import FakeClock, seeded_entropy

JOB = {"job": "job_1", "kind": "scenario.run", "subject": "run_1", "error": ""}


def told(sessions: SessionFactory, clock: FakeClock, role: str, after: int = 0) -> list[Any]:
    """Reads what a stream says before its server stops: (event, data) in order."""
    stopping = threading.Event()
    watch = live.Watch(sessions, clock, stopping, lambda _: Caller("k1", "somebody", role))

    async def read() -> list[bytes]:
        parts = []
        async for part in live.stream(watch, after):
            parts.append(part)
            if part.startswith(b"event: happened"):
                stopping.set()
        return parts

    found = [part.decode().splitlines() for part in asyncio.run(read())[1:]]
    return [(lines[0].removeprefix("event: "), json.loads(lines[1][6:])) for lines in found]


def test_progress_moves_bars_and_an_end_is_listed(sqlite_engine: Engine, clock: FakeClock) -> None:
    sessions = session_factory(sqlite_engine)
    with sessions.begin() as session:
        running = JOB | {"state": "running", "progress": 0.5, "doing": "Solving"}
        publish(session, "job.progress", running, ["planner"], clock)
        session.flush()
        done = JOB | {"state": "succeeded", "progress": 1.0, "doing": ""}
        publish(session, "job.succeeded", done, ["planner"], clock)
    events = told(sessions, clock, "planner")
    assert [name for name, _ in events] == ["job", "job", "happened"]
    assert (events[0][1]["progress"], events[0][1]["doing"]) == (0.5, "Solving")
    assert (events[0][1]["ended"], events[1][1]["ended"]) == (False, True)
    assert events[2][1] == {"at": "2026-09-07T08:00:00Z", "text": "Scenario is done"}


def test_a_role_sees_its_own_events_and_a_stream_goes_on_where_it_was(
    sqlite_engine: Engine, clock: FakeClock
) -> None:
    sessions = session_factory(sqlite_engine)
    with sessions.begin() as session:
        for at, role in enumerate(["planner", "auditor", "planner"]):
            publish(session, "shipment.created", {"order": f"o{at}"}, [role], clock)
            session.flush()
    assert [data["text"][6:8] for _, data in told(sessions, clock, "planner")] == ["o0", "o2"]
    assert [data["text"][6:8] for _, data in told(sessions, clock, "planner", 1)] == ["o2"]


def test_events_that_nobody_foresaw_are_still_told() -> None:
    assert live.sentence("stock.moved", {"site": "DE-HAM", "units": 3}) == "Stock moved: DE-HAM, 3"
    failed = {"kind": "forecast.run", "state": "failed", "error": "no demand"}
    assert live.sentence("job.failed", failed) == "Forecast failed: no demand"


@pytest.mark.parametrize("ending", ["signed out", "revoked", "expired"])
def test_a_stream_ends_with_its_sign_in(
    sqlite_engine: Engine, clock: FakeClock, ending: str
) -> None:
    """An open page went on hearing events after its visitor had signed out or lost the key."""
    sessions = session_factory(sqlite_engine)
    with sessions.begin() as session:
        key = create_key(session, "somebody", "planner", clock.now(), seeded_entropy(1))
        signed = sign_in(session, key.token, clock.now(), seeded_entropy(2))
    assert signed is not None
    credential = partial(visiting, cookie=signed[0], clock=clock)
    watch = live.Watch(sessions, clock, threading.Event(), credential)

    async def read() -> list[bytes]:
        stream = live.stream(watch, 0)
        parts = [await anext(stream)]
        with sessions.begin() as session:
            publish(session, "shipment.created", {"order": "first"}, ["planner"], clock)
        parts.append(await anext(stream))
        with sessions.begin() as session:
            if ending == "signed out":
                sign_out(session, signed[0])
            elif ending == "revoked":
                revoke_key(session, key.id, clock.now())
            else:
                clock.pass_(hours=CONSOLE_HOURS)
            publish(session, "shipment.created", {"order": "second"}, ["planner"], clock)
        return parts + [part async for part in stream]

    told = b"".join(asyncio.run(read()))
    assert b"first" in told
    assert b"second" not in told
