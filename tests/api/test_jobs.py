"""Jobs in the database: promised with the caller's change, claimed once, ended once."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import func
from sqlmodel import col, select
from starlette.testclient import TestClient as Client

from api.database import SessionFactory
from api.jobs import kinds, runner
from api.jobs.context import JobContext
from api.jobs.runner import Runner
from api.queue import store
from api.queue.records import EventRecord, JobRecord, OutboxRecord
from core.errors import BadInput, NotFound
from core.ids import Entropy
from tests.conftest import Headers
from tests.fakes import FakeClock

Handler = Callable[[JobContext], dict[str, Any]]
Enqueue = Callable[[], str]


@pytest.fixture
def handle(monkeypatch: pytest.MonkeyPatch) -> Callable[[Handler], None]:
    """Makes a function the handler of jobs of the kind `test.work`."""

    def use(handler: Handler) -> None:
        module = ModuleType("handler")
        module.run = handler  # type: ignore[attr-defined]
        monkeypatch.setitem(kinds.JOB_KINDS, "test.work", "handler")
        monkeypatch.setitem(sys.modules, "handler", module)

    return use


@pytest.fixture
def enqueue(sessions: SessionFactory, clock: FakeClock, entropy: Entropy) -> Enqueue:
    """Commits one job of the kind `test.work` and returns its id."""

    def one() -> str:
        with sessions.begin() as session:
            return store.enqueue(session, "test.work", "x", {"n": 1}, clock, entropy).id

    return one


@pytest.fixture
def worker(sessions: SessionFactory, clock: FakeClock) -> Runner:
    return Runner(sessions, clock, "first")


def read(sessions: SessionFactory, job: str) -> JobRecord:
    with sessions.begin() as session:
        return store.job_of(session, job)


def count(sessions: SessionFactory, table: type) -> int:
    with sessions.begin() as session:
        return session.exec(select(func.count()).select_from(table)).one()


def test_a_job_and_its_wake_up_roll_back_with_the_callers_change(
    sessions: SessionFactory, clock: FakeClock, entropy: Entropy
) -> None:
    with sessions() as session:
        store.enqueue(session, "test.work", "x", {}, clock, entropy)
        session.rollback()
    assert [count(sessions, table) for table in (JobRecord, OutboxRecord, EventRecord)] == [0, 0, 0]


def test_a_job_ends_with_its_result_and_what_it_saved(
    sessions: SessionFactory, worker: Runner, enqueue: Enqueue, handle: Callable[[Handler], None]
) -> None:
    def work(context: JobContext) -> dict[str, Any]:
        context.report(0.5, "half way")
        context.on_finish(lambda session: session.add(EventRecord(
            type="saved", data={}, roles=[], published_at=context.clock.now())))  # fmt: skip
        return {"answer": context.payload["n"] + 1}

    handle(work)
    job = enqueue()
    assert worker.run(job)
    ended = read(sessions, job)
    assert (ended.state, ended.result, ended.progress, ended.attempts) == (
        "succeeded", {"answer": 2}, 1.0, 1,
    )  # fmt: skip
    with sessions.begin() as session:
        told = session.exec(select(EventRecord).order_by(col(EventRecord.sequence))).all()
    assert [event.type for event in told] == [
        "job.queued", "job.progress", "job.progress", "job.succeeded", "saved",
    ]  # fmt: skip
    assert told[2].data["doing"] == "half way"


def test_only_one_of_two_workers_gets_a_job(
    sessions: SessionFactory, clock: FakeClock, enqueue: Enqueue
) -> None:
    job = enqueue()
    with sessions.begin() as session:
        first = store.claim(session, job, "first", clock)
        second = store.claim(session, job, "second", clock)
    assert first == store.Claim(job, 1)
    assert second is None


def test_a_worker_that_lost_its_lease_cannot_write(
    sessions: SessionFactory,
    clock: FakeClock,
    worker: Runner,
    enqueue: Enqueue,
    handle: Callable[[Handler], None],
) -> None:
    """The first worker sleeps past its lease; the second one ends the job meanwhile."""
    second = Runner(sessions, clock, "second")
    saved: list[str] = []

    def work(context: JobContext) -> dict[str, Any]:
        who = "late" if not saved else "prompt"
        saved.append(who)
        if who == "late":
            clock.pass_(seconds=11)
            assert second.run(context.job_id)
        context.on_finish(lambda session: saved.append(f"{who} wrote"))
        return {"by": who}

    handle(work)
    job = enqueue()
    assert worker.run(job)
    ended = read(sessions, job)
    assert (ended.state, ended.result, ended.fence, ended.worker) == (
        "succeeded", {"by": "prompt"}, 2, "second",
    )  # fmt: skip
    assert saved == ["late", "prompt", "prompt wrote"]


def test_a_report_after_the_lease_was_lost_ends_the_work(
    sessions: SessionFactory, clock: FakeClock, enqueue: Enqueue
) -> None:
    job = enqueue()
    with sessions.begin() as session:
        first = store.claim(session, job, "first", clock)
    clock.pass_(seconds=11)
    with sessions.begin() as session:
        second = store.claim(session, job, "second", clock)
    assert first is not None
    assert second is not None
    with sessions.begin() as session:
        assert not store.note_progress(session, first, 0.9, "late", clock)
        assert store.renew(session, first, clock.now()) is None
        assert not store.give_back(session, first, clock)
        assert not store.fail(session, first, "late", retry=True, clock=clock)
        assert not store.end_cancelled(session, first, clock)
        assert not store.finish(session, first, {}, clock)
        assert store.renew(session, second, clock.now()) is False
    assert read(sessions, job).progress == 0.0


def test_a_surprise_is_tried_again_later_and_its_words_stay_in_the_log(
    sessions: SessionFactory,
    clock: FakeClock,
    worker: Runner,
    enqueue: Enqueue,
    handle: Callable[[Handler], None],
) -> None:
    def work(context: JobContext) -> dict[str, Any]:
        raise OSError("postgresql://user:secret@host")

    handle(work)
    job = enqueue()
    waits = []
    for _ in range(3):
        while not worker.run(job):
            clock.pass_(seconds=1)
            waits.append(1)
    ended = read(sessions, job)
    assert (ended.state, ended.attempts) == ("failed", 3)
    assert ended.error == "OSError; the worker's log says more."
    assert len(waits) == 6  # one second, then five


def test_bad_input_fails_at_once_with_its_own_words(
    sessions: SessionFactory, worker: Runner, enqueue: Enqueue, handle: Callable[[Handler], None]
) -> None:
    def work(context: JobContext) -> dict[str, Any]:
        raise BadInput("Expected demand, got none.")

    handle(work)
    job = enqueue()
    worker.run(job)
    ended = read(sessions, job)
    assert (ended.state, ended.error) == ("failed", "Expected demand, got none.")


def test_a_job_that_kills_every_worker_fails_in_the_end(
    sessions: SessionFactory, clock: FakeClock, enqueue: Enqueue
) -> None:
    job = enqueue()
    for _ in range(3):
        with sessions.begin() as session:
            assert store.claim(session, job, "doomed", clock)
        clock.pass_(seconds=11)
    with sessions.begin() as session:
        assert store.due_jobs(session, clock.now()) == [job]
        assert store.claim(session, job, "wary", clock) is None
    assert read(sessions, job).error == "The worker stopped without a word at every attempt."


def test_a_queued_job_is_cancelled_at_once(
    sessions: SessionFactory, clock: FakeClock, worker: Runner, enqueue: Enqueue
) -> None:
    job = enqueue()
    with sessions.begin() as session:
        assert store.cancel(session, job, clock).state == "cancelled"
    assert not worker.run(job)


def test_a_running_job_is_cancelled_at_its_next_report(
    sessions: SessionFactory,
    clock: FakeClock,
    worker: Runner,
    enqueue: Enqueue,
    handle: Callable[[Handler], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "BEAT", store.LEASE / 1000)

    def work(context: JobContext) -> dict[str, Any]:
        with sessions.begin() as session:
            assert store.cancel(session, context.job_id, clock).cancel_requested
        while True:
            context.report(0.5, "on and on")

    handle(work)
    job = enqueue()
    worker.run(job)
    assert read(sessions, job).state == "cancelled"


def test_a_stopping_worker_gives_its_job_back_untried(
    sessions: SessionFactory,
    worker: Runner,
    enqueue: Enqueue,
    handle: Callable[[Handler], None],
) -> None:
    def work(context: JobContext) -> dict[str, Any]:
        worker.stopping.set()
        context.report(0.5, "half way")
        return {}

    handle(work)
    job = enqueue()
    worker.run(job)
    given = read(sessions, job)
    assert (given.state, given.attempts) == ("queued", 0)
    assert count(sessions, OutboxRecord) == 2


def test_the_lease_is_renewed_while_the_work_goes_on(
    sessions: SessionFactory,
    clock: FakeClock,
    worker: Runner,
    enqueue: Enqueue,
    handle: Callable[[Handler], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "BEAT", store.LEASE / 1000)

    def work(context: JobContext) -> dict[str, Any]:
        before = read(sessions, context.job_id).lease_until
        clock.pass_(seconds=5)
        while read(sessions, context.job_id).lease_until == before:
            pass
        return {}

    handle(work)
    job = enqueue()
    assert worker.run_due() == 1
    assert read(sessions, job).state == "succeeded"


def test_an_unknown_kind_fails_and_says_so(
    sessions: SessionFactory, worker: Runner, enqueue: Enqueue
) -> None:
    job = enqueue()
    worker.run(job)
    assert read(sessions, job).error == "This worker knows no jobs of the kind 'test.work'."


def test_an_unknown_job_is_nobodys(sessions: SessionFactory, worker: Runner) -> None:
    assert not worker.run("job_none")
    with pytest.raises(NotFound), sessions.begin() as session:
        store.job_of(session, "job_none")


@pytest.fixture
def jobs(enqueue: Enqueue, clock: FakeClock) -> list[str]:
    made = []
    for _ in range(3):
        made.append(enqueue())
        clock.pass_(seconds=1)
    return made


def test_planners_list_read_and_cancel_jobs(
    client: Client, keys: dict[str, Headers], jobs: list[str]
) -> None:
    first = client.get("/v1/jobs?limit=2", headers=keys["planner"]).json()
    assert [job["id"] for job in first["data"]] == [jobs[2], jobs[1]]
    rest = client.get(f"/v1/jobs?cursor={first['next']}", headers=keys["planner"]).json()
    assert [job["id"] for job in rest["data"]] == [jobs[0]]
    cancelled = client.delete(f"/v1/jobs/{jobs[0]}", headers=keys["planner"])
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    again = client.delete(f"/v1/jobs/{jobs[0]}", headers=keys["planner"])
    assert (again.status_code, again.json()["state"]) == (202, "cancelled")
    left = client.get("/v1/jobs?state=queued", headers=keys["auditor"]).json()
    assert len(left["data"]) == 2


def test_jobs_are_hidden_from_other_roles(
    client: Client, keys: dict[str, Headers], jobs: list[str]
) -> None:
    assert client.get(f"/v1/jobs/{jobs[0]}").status_code == 401
    assert client.get(f"/v1/jobs/{jobs[0]}", headers=keys["carrier"]).status_code == 403
    assert client.delete(f"/v1/jobs/{jobs[0]}", headers=keys["auditor"]).status_code == 403
    assert client.get("/v1/jobs/job_none", headers=keys["planner"]).status_code == 404
