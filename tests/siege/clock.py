"""A clock that all processes of a siege share and that runs faster than the machine's."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class HurriedClock:
    """Began with the machine's clock at `origin` (Unix seconds) and runs at a multiple of it."""

    origin: float
    speed: float

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.origin, UTC) + timedelta(seconds=self._passed())

    def _passed(self) -> float:
        return (time.time() - self.origin) * self.speed
