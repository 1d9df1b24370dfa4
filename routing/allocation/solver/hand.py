"""A process that holds some items of an allocation and answers prices for them.

It is started by `crew.Crew` and imports no more than answering needs.
"""

from collections.abc import Sequence
from typing import Any

from core.children import serve
from core.packing import kinds_of, packed, unpack
from core.pipes import Pieces
from routing.allocation.plan import Plan
from routing.allocation.problem import (
    Axes,
    Consignments,
    Demands,
    Limits,
    Pools,
    Problem,
    Segments,
    Ships,
    Transfers,
)
from routing.allocation.solver.answers import Household, Part, Terms, Worth

KINDS = kinds_of(
    Axes,
    Consignments,
    Demands,
    Limits,
    Part,
    Plan,
    Pools,
    Problem,
    Segments,
    Ships,
    Terms,
    Transfers,
    Worth,
)
"""What packages between a crew and its hands may hold."""

BEGIN, PARTS, WORTH, COMPOSED = "begin", "parts", "worth", "composed"
"""What a hand may be asked: to hold items, and three methods of theirs."""

METHODS = frozenset({PARTS, WORTH, COMPOSED})


class Hand:
    """Holds a household, once it was given one."""

    def __init__(self) -> None:
        self._household: Household | None = None

    def answer(self, content: memoryview) -> Pieces:
        """Returns the answer to a package."""
        asked, *given = unpack(content, KINDS)
        return packed(self.told(str(asked), given))

    def told(self, asked: str, given: Sequence[Any]) -> Any:
        """Returns what the items answer; `True` once they are held."""
        if asked == BEGIN:
            self._household = Household(*given)
            return True
        if self._household is None:
            raise ValueError("Expected items before prices.")
        if asked not in METHODS:
            raise ValueError(f"Expected one of {sorted(METHODS)}, got {asked!r}.")
        return getattr(self._household, asked)(*given)


if __name__ == "__main__":
    serve(Hand().answer)
