"""API processes that can be killed and started again; the socket they share stays open."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.settings import Settings
from tests.siege.clock import HurriedClock

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Nursery:
    """The process that forks the others."""

    process: subprocess.Popen[str]

    def start(self, listening: socket.socket, fatal: int = 0) -> int:
        """Returns the pid of a new API process; see `tests.siege.nursery` for `fatal`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{listening.fileno()} {fatal}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


def kill(process: int) -> None:
    """Kills a process of which it is not sure that it still lives."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


@contextmanager
def nursery(
    settings: Settings, clock: HurriedClock, sockets: Sequence[socket.socket]
) -> Iterator[Nursery]:
    """Opens a nursery of processes with these settings; they end with it."""
    command = [
        sys.executable, "-m", "tests.siege.nursery", repr(clock.origin), repr(clock.speed),
    ]  # fmt: skip
    with subprocess.Popen(
        command, env={**os.environ, **settings.environment(), "OPENBLAS_NUM_THREADS": "1"},
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        pass_fds=[one.fileno() for one in sockets],
    ) as process:  # fmt: skip
        try:
            yield Nursery(process)
        finally:
            process.kill()


def listening() -> socket.socket:
    """Returns a socket that listens on a free port of this machine."""
    return socket.create_server(("127.0.0.1", 0), backlog=2048)


def address(opened: socket.socket) -> tuple[str, int]:
    """Returns host and port of a listening socket."""
    host, port = opened.getsockname()
    return str(host), int(port)
