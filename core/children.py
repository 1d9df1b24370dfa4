"""Children: processes of ours that answer packages, each with one thread, and end with us."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

import core
from core.pipes import Pieces, received, send, widen

ENDS_SECONDS = 5.0
"""How long a child may take to finish what nobody waits for any more."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Child:
    """A process that runs a module of ours; it ends when its input does.

    Whatever is sent it answers in order. Raises `OSError` where it is gone.
    """

    def __init__(self, module: str) -> None:
        root = str(Path(core.__file__).parents[1])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": path},
            bufsize=0,
        )
        widen(_pipe(self._process.stdin))
        widen(_pipe(self._process.stdout))

    def send(self, content: Pieces) -> None:
        """Ensures that a package is on its way."""
        send(_pipe(self._process.stdin), content)

    def answer(self) -> memoryview:
        """Returns the next answer."""
        answer = received(_pipe(self._process.stdout))
        if answer is None:
            raise BrokenPipeError
        return answer

    def ask(self, content: Pieces) -> memoryview:
        """Returns the answer to a package."""
        self.send(content)
        return self.answer()

    def ready(self, seconds: float) -> bool:
        """Returns whether the next answer begins, or the process ends, within so many seconds."""
        return bool(select.select([_pipe(self._process.stdout)], [], [], seconds)[0])

    def end(self, patience: float = ENDS_SECONDS) -> None:
        """Ends the process: at once when it waits, else after its work or so many seconds."""
        with suppress(OSError):
            _pipe(self._process.stdin).close()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _pipe(self._process.stdout).close()


def serve(answer: Callable[[memoryview], Pieces]) -> None:
    """Answers the packages that come in on stdin until there are no more.

    An error ends the process: the one that asked does the work itself, and meets the error where it
    can be told.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which then ends this
    with os.fdopen(os.dup(0), "rb", 0) as asked, os.fdopen(os.dup(1), "wb", 0) as answers:
        os.dup2(2, 1)  # whatever a library prints is no answer
        while (content := received(asked)) is not None:
            send(answers, answer(content))


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise BrokenPipeError
    return pipe
