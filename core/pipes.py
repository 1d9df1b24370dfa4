"""Pipes: packages of bytes from one process to another, each led by its length."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

if sys.platform == "linux":
    import fcntl

LENGTH = 8
"""Bytes of the length that leads a package."""

WIDTH = 1 << 20
"""Bytes that a pipe may hold: as many as Linux grants everybody."""

Pieces = Sequence[bytes | memoryview]


def widen(pipe: IO[bytes]) -> None:
    """Ensures that a pipe holds as much as the system allows, for fewer turns between processes."""
    if sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, WIDTH)


def send(pipe: IO[bytes], pieces: Pieces) -> None:
    """Ensures that a package is on its way; raises `OSError` where nobody listens."""
    length = sum(len(piece) for piece in pieces)
    for piece in (length.to_bytes(LENGTH, "big"), *pieces):
        left = memoryview(piece)
        while left:
            left = left[pipe.write(left) :]
    pipe.flush()


def received(pipe: IO[bytes]) -> memoryview | None:
    """Returns the next package; None at the end, also in the middle of a package."""
    length = _filled(pipe, LENGTH)
    return None if length is None else _filled(pipe, int.from_bytes(length, "big"))


def _filled(pipe: IO[bytes], size: int) -> memoryview | None:
    content = memoryview(bytearray(size))
    left = content
    while left:
        count = pipe.readinto(left)  # type: ignore[attr-defined]  # binary pipes have it
        if not count:
            return None
        left = left[count:]
    return content.toreadonly()
