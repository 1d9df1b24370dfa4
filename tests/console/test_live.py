"""What open pages are told: sentences, progress, order, roles, and where to go on."""

import asyncio
import json
import threading
from typing import Any

from sqlalchemy import Engine

from api.console import live
from api.database import SessionFactory, session_factory
from api.queue.events import publish
from tests.fakes import FakeClock

JOB = {"job": "job_1", "kind": "scenario.run", "subject": "run_1", "error": ""}


def told(sessions: SessionFactory, clock: FakeClock, role: str, after: int = 0) -> list[Any]:
    """Reads what a stream says before its server stops: (event, data) in order."""
    stopping = threading.Event()
    watch = live.Watch(sessions, clock, stopping, role)

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
