"""A crew: items that answer prices in several processes, of this machine or of others.

Each member holds the items of neighboring blocks. Only prices go out and sums come back, so the
same prices give the same answers with any number of members, wherever they are. Where one is gone,
this process takes its items over: they are told all earlier prices again, and answer the same.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from core.children import Child
from core.packing import packed, unpack
from core.pipes import Pieces
from routing.allocation.plan import Plan
from routing.allocation.problem import Floats, Ints, Problem, only
from routing.allocation.solver.answers import Answering, Household, Part, Terms, Worth
from routing.allocation.solver.hand import BEGIN, COMPOSED, KINDS, PARTS, WORTH, Hand

HAND = "routing.allocation.solver.hand"
"""The module that a process of the crew runs."""

_log = logging.getLogger(__name__)


class Member(Protocol):
    """Somebody who holds items; answers packages as `hand.Hand` does, in order.

    `send` and `answer` raise `OSError` where it is gone or takes too long.
    """

    def send(self, content: Pieces) -> None:
        """Ensures that a package is on its way."""

    def answer(self) -> memoryview:
        """Returns the next answer."""

    def end(self) -> None:
        """Lets the member go, whatever it does; may be called again."""


class Here:
    """A member in this process. Let it be the first one: it works as its answers are fetched."""

    def __init__(self) -> None:
        self._hand, self._asked = Hand(), deque[bytes]()

    def send(self, content: Pieces) -> None:
        """Notes a package."""
        self._asked.append(b"".join(content))

    def answer(self) -> memoryview:
        """Returns the answer to the next package."""
        answer = self._hand.answer(memoryview(self._asked.popleft()))
        return memoryview(b"".join(answer))

    def end(self) -> None:
        """Lets nobody go."""


Roll = Callable[[], Sequence[Member]]
"""Calls the roll: returns the members who have come, at most as many as were asked for."""

Members = Callable[[int], AbstractContextManager[Roll]]
"""Asks for so many members without waiting for them, and lets them go at the end."""


class Crew:
    """Items that answer prices in as many places as there are members."""

    def __init__(self, problem: Problem, terms: Terms, members: Sequence[Member]) -> None:
        self._cuts = _cuts(terms.begins, problem.items, len(members))
        self._places = [
            _Place(member, problem, terms, *cut)
            for member, cut in zip(members, self._cuts, strict=True)
        ]
        for place in self._places:
            place.answer()

    def _ask(self, asked: str, given: Sequence[Sequence[Any]]) -> list[Any]:
        for place, mine in zip(self._places, given, strict=True):
            place.send(asked, *mine)
        return [place.answer() for place in self._places]

    def parts(self, price: Floats, idle: bool) -> Sequence[Part]:
        """Returns what every block answers, in order."""
        told = self._ask(PARTS, [(price, idle)] * len(self._places))
        return [part for parts in told for part in parts]

    def worth(self, price: Floats) -> Worth:
        """Returns what units are worth at these prices, and what items cost at the least."""
        told = self._ask(WORTH, [(price,)] * len(self._places))
        return Worth(
            *(
                np.concatenate([getattr(one, name) for one in told])
                for name in ("pool", "demand", "bounds")
            )
        )

    def composed(self, rounds: Ints) -> Plan:
        """Returns the plan in which each item does what it answered in a round, [item]."""
        told = self._ask(COMPOSED, [(rounds[begin:end],) for begin, end in self._cuts])
        shipped, moved, unmet = (
            np.concatenate([part.parts[at] for part in told]) for at in range(3)
        )
        return Plan(shipped, moved, unmet)


class _Place:
    """Where items `begin` to `end` are: with a member, or here once that is gone."""

    def __init__(
        self, member: Member, problem: Problem, terms: Terms, begin: int, end: int
    ) -> None:
        self._member = member
        self._problem, self._terms, self._begin, self._end = problem, terms, begin, end
        self._heard: list[tuple[Any, ...]] = []
        self._asked: tuple[Any, ...] = ()
        self._lost: OSError | None = None
        self._here: Hand | None = None
        self.send(*self._items())

    def _items(self) -> tuple[str, Problem, Terms]:
        items = np.arange(self._begin, self._end, dtype=np.int32)
        return BEGIN, only(self._problem, items), self._terms.only(self._begin, self._end)

    def send(self, *asked: Any) -> None:
        """Asks the items; nobody waits for them yet."""
        self._asked = asked
        if self._here is None and self._lost is None:
            try:
                self._member.send(packed(asked))
            except OSError as error:
                self._lost = error  # the others are asked first

    def answer(self) -> Any:
        """Returns what the items answer to what they were asked last."""
        told = self._answer()
        if self._asked[0] == PARTS:
            self._heard.append(self._asked)
        return told

    def _answer(self) -> Any:
        if self._here is None and self._lost is None:
            try:
                return unpack(self._member.answer(), KINDS)
            except OSError as error:
                self._lost = error
        if self._here is None:
            self._here = self._taken_over()
        asked, *given = self._asked
        return True if asked == BEGIN else self._here.told(asked, given)

    def _taken_over(self) -> Hand:
        """Returns the items in this process, as they were before what they are asked now."""
        _log.warning(
            "A member of the crew is gone (%s): its work is done here instead.",
            str(self._lost) or type(self._lost).__name__,
        )
        with suppress(OSError):
            self._member.end()
        here = Hand()
        for asked, *given in (self._items(), *self._heard):
            here.told(asked, given)
        return here


def _cuts(begins: Ints, items: int, count: int) -> list[tuple[int, int]]:
    """Returns the first and last item of each place, in whole blocks, last exclusive."""
    edges = np.append(begins, items)
    at = [len(begins) * number // count for number in range(count + 1)]
    return [(int(edges[low]), int(edges[high])) for low, high in pairwise(at)]


@contextmanager
def hands(count: int) -> Iterator[Roll]:
    """Asks for processes of this machine that hold items, this one among them.

    They start while the caller goes on. Nobody comes where one process does it all.
    """
    children: list[Child] = []
    try:
        children.extend(Child(HAND) for _ in range(count - 1))
        yield lambda: [Here(), *children] if children else []
    finally:
        for child in children:
            child.end()


def answering(problem: Problem, terms: Terms, members: Sequence[Member]) -> Answering:
    """Returns the items of a problem: with these members, or in this process without any."""
    return Crew(problem, terms, members) if members else Household(problem, terms)
