"""The job `allocation.hand`: holds items of an allocation that another worker solves.

The items live in a process of their own, the one that `allocate --workers` starts, too; this
one carries packages between it and Redis. It ends when the owner lets it go or is gone.
"""

from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

from api.jobs.context import JobContext
from api.jobs.exchange import versions
from api.jobs.lines import BEAT_SECONDS, HAND, Line
from core.children import Child
from routing.allocation.solver import crew

HOLDS = "Holds items of an allocation"


def run(context: JobContext) -> dict[str, Any]:
    """Returns how many times the items were asked, once nobody asks any more."""
    answers = 0
    with suppress(OSError):  # the owner, its Redis or the process is gone
        for _ in _held(context):
            answers += 1
    return {"allocation": context.subject, "answers": answers}


def _held(context: JobContext) -> Iterator[None]:
    """Yields after each answer, until the line ends."""
    told, exchange = context.payload, context.exchange
    if exchange is None or told["versions"] != versions():
        return
    with exchange.connect() as server:
        key = bytes.fromhex(told["key"])
        line = Line(server, told["session"], key, HAND, lambda: context.report(0.0, HOLDS))
        if line.join():
            with closing(line):
                yield from _answered(line)


def _answered(line: Line) -> Iterator[None]:
    """Yields after each answer."""
    child = Child(crew.HAND)
    try:
        while True:
            if (package := line.receive(BEAT_SECONDS)) is None:
                continue
            child.send([package])
            while not child.ready(BEAT_SECONDS):
                line.beat()
            line.send([child.answer()])
            yield
    finally:
        child.end(patience=0.0)
