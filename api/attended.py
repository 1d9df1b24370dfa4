"""Processes that end with the one that started them, also when that is killed.

The parent holds the writing end of the child's standard input and never writes. However the parent
ends, the system closes it, and the child stops as if it had been asked to.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

GRACE_SECONDS = 8
"""How long a child may take to end before it is killed."""


def end_with_input() -> None:
    """Ensures that this process gets SIGTERM once its standard input closes."""
    threading.Thread(target=_wait_for_end, name="attended", daemon=True).start()


def _wait_for_end() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def attended(
    arguments: Sequence[str],
    files: Sequence[int] = (),
    env: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs Python with arguments, in a process that calls `end_with_input`, and ends it.

    The child has a session of its own: Ctrl-C in a terminal reaches the parent only. `files` are
    file descriptors that it inherits, `env` goes on top of this process's environment.
    """
    child = subprocess.Popen(  # noqa: S603  # this interpreter, arguments of this project
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        pass_fds=files,
        env={**os.environ, **env},
        start_new_session=True,
    )
    try:
        yield child
    finally:
        child.terminate()
        _bury(child)


def _bury(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdin is not None:
        child.stdin.close()
