"""Packets: packages in pieces of bounded size, compressed and sealed, on their way through Redis.

A seal is a keyed digest of what a packet holds, who sends it and its number. The key stands in the
database: whoever can write to Redis alone can neither forge a packet nor drop, repeat or reorder
one unnoticed.
"""

import hmac
import struct
from collections.abc import Iterator
from hashlib import blake2b

import pyarrow as pa

from core.pipes import Pieces

SIZE = 2 << 20
"""Most bytes that a packet holds of a package."""

SEAL = 16
"""Bytes of a seal."""

_HEAD = struct.Struct(">QI")  # bytes of the package, and bytes that this packet adds to it
_CODEC = pa.Codec("zstd", compression_level=1)


class Unsealed(ConnectionError):
    """A packet is not what the other end sent next."""


class Outgoing:
    """Makes the packets of one end, numbered from 0."""

    def __init__(self, key: bytes, sender: str) -> None:
        self._key, self._sender, self._number = key, sender, 0

    def packets(self, package: Pieces) -> Iterator[bytes]:
        """Yields the packets of a package, one at least."""
        total = sum(len(piece) for piece in package)
        for content in _cut(package):
            squeezed = _CODEC.compress(content, asbytes=True)
            body = _HEAD.pack(total, len(content)) + squeezed
            yield _seal(self._key, self._sender, self._number, body) + body
            self._number += 1


class Incoming:
    """Puts packages together from the packets of the other end."""

    def __init__(self, key: bytes, sender: str) -> None:
        self._key, self._sender, self._number = key, sender, 0
        self._package, self._filled = bytearray(), 0

    def add(self, packet: bytes) -> memoryview | None:
        """Returns the package that this packet completes, if it does; raises `Unsealed`."""
        seal, body = packet[:SEAL], packet[SEAL:]
        if not hmac.compare_digest(seal, _seal(self._key, self._sender, self._number, body)):
            raise Unsealed("A packet is not what the other end sent next.")
        self._number += 1
        total, size = _HEAD.unpack_from(body)
        if not self._filled:
            self._package = bytearray(total)
        begin, self._filled = self._filled, self._filled + size
        squeezed = memoryview(body)[_HEAD.size :]
        self._package[begin : self._filled] = _CODEC.decompress(squeezed, size, asbytes=True)
        if self._filled < total:
            return None
        package, self._package, self._filled = self._package, bytearray(), 0
        return memoryview(package).toreadonly()


def _seal(key: bytes, sender: str, number: int, body: bytes) -> bytes:
    made = blake2b(key=key, digest_size=SEAL, person=sender.encode())
    made.update(number.to_bytes(8, "big"))
    made.update(body)
    return made.digest()


def _cut(package: Pieces) -> Iterator[bytes]:
    """Yields the bytes of a package in pieces of `SIZE`, the last one shorter; one at least."""
    held = bytearray()
    for piece in package:
        left = memoryview(piece)
        while left:
            room = SIZE - len(held)
            held += left[:room]
            left = left[room:]
            if len(held) == SIZE:
                yield bytes(held)
                held.clear()
    if held or not any(package):
        yield bytes(held)
