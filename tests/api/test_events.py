"""Events: in order, by role, resumed where a watcher lost touch, ended with the server."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, QueuePool

from api.database import SessionFactory, session_factory
from api.queue import store
from api.queue.events import KEPT, forget_events, newest_event, number_of, publish, read_events
from api.queue.records import EventRecord
from api.services.events import Event, Watch
from api.services.keys import Caller, revoke_key
from core.ids import Entropy
from tests.conftest import Headers
from tests.fakes import FakeClock


def tell(sessions: SessionFactory, clock: FakeClock, name: str, *roles: str) -> None:
    with sessions.begin() as session:
        publish(session, name, {"name": name}, roles or ("planner",), clock)


def seen(sessions: SessionFactory, after: int, role: str, now: datetime) -> list[str]:
    with sessions.begin() as session:
        return [event.type for event in read_events(session, after, role, now)[0]]


def test_events_are_seen_by_their_roles_and_by_admins(
    sessions: SessionFactory, clock: FakeClock
) -> None:
    tell(sessions, clock, "a", "planner", "auditor")
    tell(sessions, clock, "b", "carrier")
    now = clock.now()
    assert seen(sessions, 0, "planner", now) == ["a"]
    assert seen(sessions, 0, "carrier", now) == ["b"]
    assert seen(sessions, 0, "admin", now) == ["a", "b"]
    assert seen(sessions, 1, "admin", now) == ["b"]


def test_an_event_of_a_rolled_back_change_never_happened(
    sessions: SessionFactory, clock: FakeClock
) -> None:
    with sessions() as session:
        publish(session, "undone", {}, ("planner",), clock)
        session.flush()
        session.rollback()
    tell(sessions, clock, "done")
    later = clock.pass_(seconds=4)
    assert seen(sessions, 0, "planner", later) == ["done"]


def test_events_wait_for_one_with_a_lower_number(postgres_engine: Engine, clock: FakeClock) -> None:
    """Two transactions write at once, and the one that took its number first commits last."""
    sessions = session_factory(postgres_engine)
    with sessions() as slow:
        publish(slow, "first", {}, ("planner",), clock)
        slow.flush()
        tell(sessions, clock, "second")
        assert seen(sessions, 0, "planner", clock.now()) == []
        slow.commit()
    assert seen(sessions, 0, "planner", clock.now()) == ["first", "second"]


def test_a_number_that_was_rolled_back_holds_nobody_up_for_long(
    postgres_engine: Engine, clock: FakeClock
) -> None:
    sessions = session_factory(postgres_engine)
    with sessions() as session:
        publish(session, "undone", {}, ("planner",), clock)
        session.flush()
        session.rollback()
    tell(sessions, clock, "done")
    assert seen(sessions, 0, "planner", clock.now()) == []
    assert seen(sessions, 0, "planner", clock.pass_(seconds=3)) == ["done"]


def test_old_events_are_forgotten_and_their_numbers_not_used_again(
    sessions: SessionFactory, clock: FakeClock
) -> None:
    tell(sessions, clock, "old")
    now = clock.pass_(days=KEPT.days, seconds=1)
    with sessions.begin() as session:
        forget_events(session, now)
        assert newest_event(session) == 0
    tell(sessions, clock, "new")
    with sessions.begin() as session:
        (event,), _ = read_events(session, 0, "planner", now + timedelta(seconds=3))
        assert number_of(event) == 2


def test_a_watch_shows_what_happens_after_it_began(
    sessions: SessionFactory, clock: FakeClock
) -> None:
    tell(sessions, clock, "before")
    watch = Watch(sessions, clock, threading.Event(), every_seconds=0.01)

    async def watched() -> list[Event]:
        stream = watch.events(lambda _: PLANNER)
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(tell, sessions, clock, "after")
        found = [await first]
        watch.stopping.set()
        return found + [event async for event in stream]

    assert [event.type for event in asyncio.run(watched())] == ["after"]


PLANNER = Caller("k1", "somebody", "planner")


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    """The service on a real server."""
    app.state.clock = RealClock()
    with served(app) as url:
        yield url


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    config = uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    app.state.stopping.set()
    server.should_exit = True
    thread.join()


def lines_until(lines: Iterator[str], wanted: str) -> list[str]:
    found = []
    for line in lines:
        found.append(line)
        if wanted in line:
            return found
    raise AssertionError(f"The stream ended without {wanted!r}: {found}")


def test_progress_of_a_job_is_streamed_and_resumed(
    address: str,
    sessions: SessionFactory,
    keys: Mapping[str, Headers],
    entropy: Entropy,
) -> None:
    clock = RealClock()
    url = f"{address}/v1/events"
    with httpx.stream("GET", url, headers=keys["planner"], timeout=20) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.iter_lines()
        lines_until(lines, ": open")
        time.sleep(0.6)
        with sessions.begin() as session:
            job = store.enqueue(session, "scenario.run", "run_x", {}, clock, entropy)
        with sessions.begin() as session:
            held = store.claim(session, job.id, "worker", clock)
        assert held
        with sessions.begin() as session:
            store.note_progress(session, held, 0.5, "half way", clock)
        found = lines_until(lines, "half way")
    assert found.count("event: job.queued") == 1
    data = json.loads(found[-1].removeprefix("data: "))
    assert (data["job"], data["progress"]) == (job.id, 0.5)
    resumed = {**keys["planner"], "Last-Event-ID": "1"}
    with httpx.stream("GET", url, headers=resumed, timeout=20) as response:
        again = lines_until(response.iter_lines(), "half way")
    assert "event: job.queued" not in again
    assert "id: 2" in again


def test_nobody_watches_without_a_key(address: str, keys: Mapping[str, Headers]) -> None:
    assert httpx.get(f"{address}/v1/events").status_code == 401
    broken = {**keys["planner"], "Last-Event-ID": "x"}
    assert httpx.get(f"{address}/v1/events", headers=broken).status_code == 422


def test_a_stream_holds_no_connection_and_ends_with_the_server(
    app: FastAPI, keys: Mapping[str, Headers], engine: Engine
) -> None:
    app.state.clock = RealClock()
    ended = threading.Event()
    opened = threading.Event()

    def watch(url: str) -> None:
        with httpx.stream("GET", url, headers=keys["auditor"], timeout=30) as response:
            for line in response.iter_lines():
                if line:
                    opened.set()
        ended.set()

    with served(app) as address:
        watcher = threading.Thread(target=watch, args=(f"{address}/v1/events",))
        watcher.start()
        assert opened.wait(10)
        assert fewest_connections(engine) == 0
    watcher.join(10)
    assert ended.is_set()


def test_a_revoked_key_loses_its_stream(
    address: str, sessions: SessionFactory, keys: Mapping[str, Headers]
) -> None:
    """A stream went on telling a role's events after its key was revoked."""
    url, clock = f"{address}/v1/events", RealClock()
    with httpx.stream("GET", url, headers=keys["planner"], timeout=20) as response:
        lines = response.iter_lines()
        lines_until(lines, ": open")
        with sessions.begin() as session:
            revoke_key(session, keys["planner"]["Authorization"].split("_")[1], clock.now())
            publish(session, "secret", {}, ("planner",), clock)
        assert not any("secret" in line for line in lines)


def fewest_connections(engine: Engine) -> int:
    """Looks at the pool over some tenths of a second."""
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    held = []
    for _ in range(20):
        held.append(pool.checkedout())
        time.sleep(0.02)
    return min(held)


def test_roles_are_kept_sorted(sessions: SessionFactory, clock: FakeClock) -> None:
    tell(sessions, clock, "x", "planner", "auditor")
    with sessions.begin() as session:
        record = session.get(EventRecord, 1)
        assert record is not None
        assert record.roles == ["auditor", "planner"]
