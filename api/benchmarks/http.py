"""A small HTTP client for benchmarks: many connections that stay open, times of every answer."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Posted:
    """One answer: its status, its document, and the seconds until it was there."""

    status: int
    document: Any
    seconds: float


@dataclass(frozen=True, slots=True)
class Crowd:
    """Answers to all posts of some clients at once, and how long all of it took."""

    answers: tuple[Posted, ...]
    seconds: float

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.answers) / self.seconds

    def quantile(self, share: float) -> float:
        """Returns the seconds within which that share of the answers was there."""
        times = sorted(answer.seconds for answer in self.answers)
        return times[min(len(times) - 1, int(share * len(times)))]


def post_all(
    port: int,
    path: str,
    headers: Sequence[Mapping[str, str]],
    bodies: Sequence[bytes],
    clients: int,
) -> Crowd:
    """Returns the answers to posts that clients send, each one after the other."""
    requests = [_request(path, named, body) for named, body in zip(headers, bodies, strict=True)]
    return asyncio.run(_crowd(port, requests, clients))


def _request(path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    told: dict[str, object] = {
        "Host": "bench",
        "Content-Type": "application/json",
        "Content-Length": len(body),
    }
    named = [f"{name}: {text}" for name, text in {**told, **headers}.items()]
    lines = [f"POST {path} HTTP/1.1", *named]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _crowd(port: int, requests: Sequence[bytes], clients: int) -> Crowd:
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(clients)]
    begun = time.perf_counter()
    waiting = iter(requests)
    found = await asyncio.gather(*(_client(*each, waiting) for each in opened))
    seconds = time.perf_counter() - begun
    for _, writer in opened:
        writer.close()
    return Crowd(tuple(answer for answers in found for answer in answers), seconds)


async def _client(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, waiting: Any
) -> list[Posted]:
    answers = []
    for request in waiting:
        begun = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                       if line.startswith(b"content-length:")), 0)  # fmt: skip
        body = await reader.readexactly(length)
        seconds = time.perf_counter() - begun
        answers.append(Posted(int(head[9:12]), body, seconds))
    return [Posted(one.status, json.loads(one.document or b"null"), one.seconds)
            for one in answers]  # fmt: skip
