"""The error family: one sentence for a person and one stable `code` for a program."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with an input, and where it stands.

    `line` and `column` count from 1; 0 means the file as a whole. In a Parquet file `line` is the
    row number, counted from 1. In JSON documents `file` is empty and `pointer` says where.
    """

    file: str
    line: int
    column: int
    problem: str
    pointer: str = ""

    def __str__(self) -> str:
        where = self.pointer or f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {self.problem}"


class EntrepotError(Exception):
    """A failure that is somebody's business: the message is one sentence, `code` never changes."""

    code: ClassVar[str] = "error"


class BadInput(EntrepotError):
    """The input cannot be used; every problem found is listed, nothing was changed."""

    code = "bad-input"

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        if isinstance(problems, str):
            problems = (Problem("", 0, 0, problems),)
            super().__init__(problems[0].problem)
        else:
            super().__init__("; ".join(str(problem) for problem in problems[:3]))
        self.problems = tuple(problems)


class NotFound(EntrepotError):
    """Something named in a request does not exist."""

    code = "not-found"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"No {kind} is named {name!r}.")
        self.kind, self.name = kind, name


class Conflict(EntrepotError):
    """The request is well formed, but the state of the world does not allow it (now)."""

    code = "conflict"

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code  # type: ignore[misc]  # narrows the family's code for one instance


@dataclass(frozen=True, slots=True)
class Shortage:
    """How many units of one item were asked for and how many a site could still promise.

    `comes_at` is the moment to promise of the first unit from goods on their way, and how sure it
    is: a probability.
    """

    item: str
    site: str
    requested: int
    available: int
    comes_at: tuple[datetime, float] | None = None


class OutOfStock(Conflict):
    """Stock that a plan counted on is no longer there."""

    code = "insufficient-stock"

    def __init__(self, shortages: Sequence[Shortage]) -> None:
        listed = ", ".join(
            f"{short.item} at {short.site} ({short.requested} asked, {short.available} available)"
            for short in shortages
        )
        super().__init__(f"Not enough stock: {listed}.")
        self.shortages = tuple(shortages)
