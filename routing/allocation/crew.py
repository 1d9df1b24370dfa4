"""A crew: items that answer prices in several processes of this machine.

Each process holds the items of neighboring blocks. Only prices go out and sums come back, so the
same prices give the same answers with any number of processes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np

from core.children import Child
from core.packing import packed, unpack
from routing.allocation.answers import Answering, Household, Part, Terms, Worth
from routing.allocation.hand import BEGIN, COMPOSED, KINDS, PARTS, WORTH
from routing.allocation.plan import Plan
from routing.allocation.problem import Floats, Ints, Problem, only

HAND = "routing.allocation.hand"
"""The module that a process of the crew runs."""


class Crew:
    """Items that answer prices in as many processes as there are children."""

    def __init__(self, problem: Problem, terms: Terms, children: Sequence[Child]) -> None:
        self._children = tuple(children)
        self._cuts = _cuts(terms.begins, problem.items, len(children))
        for child, (begin, end) in zip(self._children, self._cuts, strict=True):
            items = np.arange(begin, end, dtype=np.int32)
            child.send(packed((BEGIN, only(problem, items), terms.only(begin, end))))
        for child in self._children:
            child.answer()

    def _ask(self, asked: str, given: Sequence[Sequence[Any]]) -> list[Any]:
        for child, mine in zip(self._children, given, strict=True):
            child.send(packed((asked, *mine)))
        return [unpack(child.answer(), KINDS) for child in self._children]

    def parts(self, price: Floats, idle: bool) -> Sequence[Part]:
        """Returns what every block answers, in order."""
        told = self._ask(PARTS, [(price, idle)] * len(self._children))
        return [part for parts in told for part in parts]

    def worth(self, price: Floats) -> Worth:
        """Returns what units are worth at these prices, and what items cost at the least."""
        told = self._ask(WORTH, [(price,)] * len(self._children))
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


def _cuts(begins: Ints, items: int, count: int) -> list[tuple[int, int]]:
    """Returns the first and last item of each process, in whole blocks, last exclusive."""
    edges = np.append(begins, items)
    at = [len(begins) * number // count for number in range(count + 1)]
    return [(int(edges[low]), int(edges[high])) for low, high in pairwise(at)]


@contextmanager
def hands(count: int) -> Iterator[tuple[Child, ...]]:
    """Yields processes that can hold items, none where one process does it all.

    They start while the caller goes on.
    """
    children: list[Child] = []
    try:
        children.extend(Child(HAND) for _ in range(count if count > 1 else 0))
        yield tuple(children)
    finally:
        for child in children:
            child.end()


def answering(problem: Problem, terms: Terms, children: Sequence[Child]) -> Answering:
    """Returns the items of a problem: in these processes, or in this one where there are none."""
    return Crew(problem, terms, children) if children else Household(problem, terms)
