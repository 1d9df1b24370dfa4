"""Fakes: a clock that moves when told, and random bytes that are the same in every run."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from core.ids import Entropy


@dataclass
class FakeClock:
    """A clock that stands still until `pass_` moves it."""

    moment: datetime = field(default_factory=lambda: datetime(2026, 9, 7, 8, 0, tzinfo=UTC))

    def now(self) -> datetime:
        return self.moment

    def pass_(self, **time: float) -> datetime:
        """Moves the clock: `clock.pass_(minutes=31)`."""
        self.moment += timedelta(**time)
        return self.moment


def seeded_entropy(seed: int = 0) -> Entropy:
    """Random bytes that are the same in every run."""
    return random.Random(seed).randbytes
