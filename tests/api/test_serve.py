"""`entrepot serve` as people run it: one command starts everything, and nothing outlives it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

PATIENCE_SECONDS = 60.0


@contextmanager
def served(home: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Runs the command on a free port and yields its process and address once it answers."""
    command = [sys.executable, "-m", "api.cli", "serve", "--port", "0", *options]
    environment = {**os.environ, "ENTREPOT_HOME": str(home)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
            assert said is not None
            wait_until(lambda: answers(said.group()))
            yield process, said.group()
        finally:
            process.kill()


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def descendants(process: int) -> list[int]:
    """Processes that a process started, and those that they started."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [one for child in map(int, children) for one in (child, *descendants(child))]


def gone(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_sigterm_ends_everything_without_complaint(tmp_path: Path) -> None:
    with served(tmp_path) as (process, address):
        assert httpx.get(f"{address}/v1/sites").status_code == 401
        started = descendants(process.pid)
        assert started
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
        assert process.stderr is not None
        assert process.stderr.read() == "Stopped.\n"
        assert all(gone(one) for one in started)


def test_nothing_outlives_a_killed_server_of_two_processes(tmp_path: Path) -> None:
    with served(tmp_path, "--workers", "2") as (process, _):
        started = descendants(process.pid)
        assert len(started) >= 3
        process.kill()
        wait_until(lambda: all(gone(one) for one in started))


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with served(tmp_path, "--no-worker") as (_, address):
        port = address.rsplit(":", 1)[1]
        again = subprocess.run(
            [sys.executable, "-m", "api.cli", "serve", "--port", port],
            env={**os.environ, "ENTREPOT_HOME": str(tmp_path)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert again.returncode == 1
    expected = f"Cannot listen on 127.0.0.1:{port}: Address already in use"
    assert again.stderr.startswith(expected)
