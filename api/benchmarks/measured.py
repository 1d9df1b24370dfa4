"""What every benchmark returns: figures beside the figures of a peer, each with a ratio."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from core.errors import EntrepotError

Report = Callable[[float, str], None]
"""Tells progress: the share done from 0 to 1 and what is being done now."""


class WrongAnswer(EntrepotError):
    """A benchmark whose answer differs from its peer's measures nothing."""

    code = "wrong-answer"


@dataclass(frozen=True, slots=True)
class Line:
    """One figure and the same figure of a peer; `higher_is_better` for throughputs."""

    case: str
    figure: str
    unit: str
    ours: float
    peer_name: str
    peer: float
    higher_is_better: bool = False

    @property
    def ratio(self) -> float:
        """How many times better than the peer; below 1 is worse."""
        better, worse = (self.ours, self.peer) if self.higher_is_better else (self.peer, self.ours)
        return better / worse if worse else 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one benchmark in one run."""

    bench: str
    seed: int
    lines: tuple[Line, ...]

    def document(self) -> dict[str, Any]:
        """Returns the JSON document: `bench`, `seed` and `lines`, each with its `ratio`."""
        lines = [asdict(line) | {"ratio": line.ratio} for line in self.lines]
        return {"bench": self.bench, "seed": self.seed, "lines": lines}


Measure = Callable[[int, Report], Measured]
"""A benchmark: seed and progress in, figures out. Raises `WrongAnswer` where answers differ."""
