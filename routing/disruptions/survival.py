"""Time to survive: how long stock and arrivals last, and what is lost when they do not.

Sales that cannot be served are lost, not waited for. Up to a moment T the lost units are
`max(0, max over t <= T of need t - supply before t)`: the reflection formula of a store that
cannot run below zero.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Cover:
    """What one item can still live on.

    `stock` units are there today, `arrivals` are (days from today, units) in order of time, and
    `drain` units leave per day beyond what unharmed suppliers go on to bring.
    """

    stock: float
    arrivals: tuple[tuple[float, float], ...]
    drain: float

    @property
    def days(self) -> float:
        """Days until the first unit is missing; infinite when nothing drains."""
        if self.drain <= 0:
            return math.inf
        supply = self.stock
        for day, units in self.arrivals:
            if supply / self.drain < day:
                break
            supply += units
        return supply / self.drain

    def lost(self, days: NDArray[np.float64] | Sequence[float]) -> NDArray[np.float64]:
        """Returns the units lost up to each of the days, when nothing else is done."""
        until = np.asarray(days, dtype=float)
        moments = np.array([day for day, _ in self.arrivals], dtype=float)
        before = self.stock + np.concatenate(
            ([0.0], np.cumsum([units for _, units in self.arrivals]))
        )
        short = self.drain * moments - before[:-1]  # just before each arrival
        arrived = np.searchsorted(moments, until, side="right")
        worst = np.concatenate(([0.0], np.maximum.accumulate(np.maximum(short, 0.0))))
        return np.maximum(worst[arrived], self.drain * until - before[arrived])
