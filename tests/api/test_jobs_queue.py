"""The doorbell, the relay and the embedded Valkey: real ones, in folders of their own."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer

from api.database import SessionFactory
from api.jobs import doorbell as bells
from api.jobs import relay
from api.jobs.doorbell import Doorbell
from api.jobs.relay import Relay
from api.jobs.valkey import EmbeddedValkey, client, running
from api.queue import store
from api.queue.records import OutboxRecord
from api.settings import Settings
from core.ids import Entropy
from tests.fakes import FakeClock


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return Settings(home=tmp_path / "a home").folder


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(home=home)


@pytest.fixture
def bell(settings: Settings) -> Iterator[Doorbell]:
    with Doorbell(settings) as opened:
        yield opened


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "It did not come true in time."
        time.sleep(0.05)


def url_of(valkey: EmbeddedValkey) -> str:
    url = valkey.url()
    assert url is not None
    return url


def pid_of(url: str) -> int:
    with client(url, 2.0) as asked:
        return int(asked.info("server")["process_id"])


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


def test_a_ring_is_heard_once(bell: Doorbell) -> None:
    assert bell.ring(["job_1", "job_2"])
    assert [bell.listen(1), bell.listen(1), bell.listen(1)] == ["job_1", "job_2", None]


def test_what_was_heard_leaves_nothing_behind(bell: Doorbell, settings: Settings) -> None:
    bell.ring(["job_1"])
    bell.listen(1)
    with client(str(running(settings.folder)), 2.0) as asked:
        assert [key for key in asked.keys("rq:*") if b"entrepot" in key or b"job" in key] == []


def test_a_message_that_names_another_function_is_dropped(
    bell: Doorbell, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever can write to the queue still cannot make a worker run anything."""
    bell.ring([])
    with client(str(running(settings.folder)), 2.0) as asked:
        queue = Queue(bells.QUEUE, connection=asked, serializer=JSONSerializer)
        queue.enqueue_call("os.mkdir", args=(str(tmp_path / "trap"),))
        queue.enqueue_call(bells.ENTRY, args=("job_1", "job_2"))
        queue.enqueue_call(bells.ENTRY, args=({"not": "text"},))
        Queue(bells.QUEUE, connection=asked).enqueue_call("os.mkdir", args=("pickled",))
    assert [bell.listen(1) for _ in range(4)] == [None] * 4
    assert not (tmp_path / "trap").exists()
    assert len(caplog.records) == 4


def test_a_promised_wake_up_is_sent_after_the_commit(
    sessions: SessionFactory, settings: Settings, clock: FakeClock, entropy: Entropy
) -> None:
    with Doorbell(settings) as ears, Relay(sessions, Doorbell(settings)):
        with sessions.begin() as session:
            job = store.enqueue(session, "test.work", "x", {}, clock, entropy).id
        until(lambda: _listen(ears) == job)


def _listen(bell: Doorbell) -> str | None:
    try:
        return bell.listen(1)
    except ConnectionError:
        return None


def test_wake_ups_wait_while_redis_is_away(
    sessions: SessionFactory, clock: FakeClock, entropy: Entropy, tmp_path: Path
) -> None:
    nobody = Settings(home=tmp_path, redis_url=f"unix://{tmp_path}/nobody.sock")
    with sessions.begin() as session:
        store.enqueue(session, "test.work", "x", {}, clock, entropy)
    with Doorbell(nobody) as silent:
        assert relay.send(sessions, silent) == 0
        with pytest.raises(ConnectionError):
            silent.listen(1)
    with sessions.begin() as session:
        assert len(store.unsent(session)) == 1


def test_a_killed_valkey_is_started_again(bell: Doorbell, settings: Settings) -> None:
    bell.ring(["job_1"])
    pid = pid_of(str(running(settings.folder)))
    os.kill(pid, signal.SIGKILL)
    until(lambda: gone(pid))
    until(lambda: bell.ring(["job_2"]))
    until(lambda: _listen(bell) == "job_2")


def test_all_processes_of_a_home_share_one_server(home: Path) -> None:
    owner, user = EmbeddedValkey(home), EmbeddedValkey(home)
    assert owner.url() == user.url()
    pid = pid_of(url_of(user))
    user.close()
    assert pid_of(url_of(owner)) == pid
    owner.close()
    assert gone(pid)


def test_whoever_is_left_becomes_the_owner(home: Path) -> None:
    owner, user = EmbeddedValkey(home), EmbeddedValkey(home)
    owner.url()
    user.url()
    owner.close()
    pid = pid_of(url_of(user))
    user.close()
    assert gone(pid)


def test_the_orphan_of_a_killed_owner_is_taken_over_and_stopped(home: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from api.jobs.valkey import EmbeddedValkey
EmbeddedValkey(Path({str(home)!r})).url()
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    heir = EmbeddedValkey(home)
    folder = Path((home / "valkey.folder").read_text())
    pid = pid_of(f"unix://{folder}/valkey.sock")
    assert pid_of(url_of(heir)) == pid
    heir.close()
    until(lambda: gone(pid))
    assert not folder.exists()


def test_the_last_to_leave_stops_an_orphan_that_it_only_used(home: Path) -> None:
    owner, user = EmbeddedValkey(home), EmbeddedValkey(home)
    owner.url()
    pid = pid_of(url_of(user))
    assert owner._lock is not None
    owner._lock.close()  # as the system does for a killed process
    user.close()
    until(lambda: gone(pid))


def test_eight_processes_that_start_together_get_one_server(home: Path) -> None:
    every = [EmbeddedValkey(home) for _ in range(8)]
    urls: list[str | None] = []
    threads = [threading.Thread(target=lambda each=each: urls.append(each.url())) for each in every]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(urls) == 8
    assert len(set(urls)) == 1
    for each in every:
        each.close()


def test_the_socket_is_short_and_private_however_long_the_home_is(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30)
    home.mkdir()
    valkey = EmbeddedValkey(home)
    path = Path(url_of(valkey).removeprefix("unix://"))
    assert len(str(path)) < 108
    assert path.parent.stat().st_mode & 0o077 == 0
    valkey.close()


def test_without_a_server_the_address_is_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = EmbeddedValkey(home)
    with (home / "valkey.lock").open("a"):
        monkeypatch.setattr("api.jobs.valkey._started", _refuse)
        assert owner.url(patience_seconds=0.0) is None
    owner.close()


def _refuse(folder: Path) -> None:
    raise OSError("no server here")


def test_sent_wake_ups_are_forgotten(
    sessions: SessionFactory, clock: FakeClock, entropy: Entropy, bell: Doorbell
) -> None:
    with sessions.begin() as session:
        jobs = [store.enqueue(session, "test.work", "x", {}, clock, entropy).id for _ in range(3)]
    assert relay.send(sessions, bell) == 3
    assert relay.send(sessions, bell) == 0
    assert [bell.listen(1) for _ in jobs] == jobs
    with sessions.begin() as session:
        assert not session.get(OutboxRecord, 1)


def test_redis_errors_do_not_reach_the_caller(settings: Settings) -> None:
    away = Settings(home=settings.folder, redis_url="redis://127.0.0.1:1/0")
    assert not Doorbell(away).ring(["job_1"])
    assert issubclass(redis.ConnectionError, redis.RedisError)
