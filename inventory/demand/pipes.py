"""Pipes: packages of bytes from one process to another, each led by its length."""

from typing import IO

LENGTH = 8
"""Bytes of the length that leads a package."""


def send(pipe: IO[bytes], content: bytes) -> None:
    """Ensures that a package is on its way; raises `OSError` where nobody listens."""
    pipe.write(len(content).to_bytes(LENGTH, "big"))
    pipe.write(content)
    pipe.flush()


def received(pipe: IO[bytes]) -> bytes | None:
    """Returns the next package; None at the end, also in the middle of a package."""
    length = pipe.read(LENGTH)
    if len(length) < LENGTH:
        return None
    wanted = int.from_bytes(length, "big")
    content = pipe.read(wanted)
    return content if len(content) == wanted else None
