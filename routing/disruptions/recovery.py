"""Time to recover: how long a supplier or site stays away, as a triangular distribution."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInput


@dataclass(frozen=True, slots=True)
class Recovery:
    """Days from today until goods flow again: least, likeliest and most."""

    low: float
    likely: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.likely <= self.high < math.inf:
            raise BadInput(
                "Expected 0 <= recover_days_low <= recover_days_likely <= recover_days_high, got "
                f"{self.low:g}, {self.likely:g}, {self.high:g}."
            )

    @property
    def mean(self) -> float:
        """Expected days."""
        return (self.low + self.likely + self.high) / 3

    def longer_than(self, days: float) -> float:
        """Returns P(recovery takes longer than that many days)."""
        width = self.high - self.low
        if days < self.low or width == 0:
            return 1.0 if days < self.low else 0.0
        if days < self.likely:
            return 1.0 - (days - self.low) ** 2 / (width * (self.likely - self.low))
        if days < self.high:
            return (self.high - days) ** 2 / (width * (self.high - self.likely))
        return 0.0

    def quantiles(self, count: int) -> NDArray[np.float64]:
        """Returns the middles of that many equally likely stretches: a sample without chance."""
        width = self.high - self.low
        if width == 0:
            return np.full(count, self.low)
        share = (np.arange(count) + 0.5) / count
        rising = share < (self.likely - self.low) / width
        up = self.low + np.sqrt(share * width * (self.likely - self.low))
        down = self.high - np.sqrt((1 - share) * width * (self.high - self.likely))
        return np.where(rising, up, down)


USUAL: Mapping[str, Recovery] = MappingProxyType(
    {
        "flood": Recovery(7, 30, 90),
        "earthquake": Recovery(7, 30, 120),
        "tsunami": Recovery(14, 60, 180),
        "cyclone": Recovery(3, 10, 45),
        "volcano": Recovery(3, 14, 60),
        "wildfire": Recovery(3, 14, 60),
        "explosion": Recovery(14, 60, 180),
        "drought": Recovery(7, 30, 120),
        "landslide": Recovery(3, 14, 45),
    }
)
"""Days by kind of hazard where nobody has stated better ones; our judgement, meant to be replaced
by `recover_days_*` in suppliers.csv."""

USUAL_OTHER = Recovery(1, 5, 14)


def stated_or_usual(low: float, likely: float, high: float, kind: str) -> Recovery:
    """Returns the recovery that a supplier states, and the usual one of the hazard without any.

    NaN stands for a number that is not stated: a missing end is half or twice the likely days, a
    missing likely number the middle. Raises `BadInput` for numbers out of order.
    """
    if math.isnan(likely) and not math.isnan(low + high):
        likely = (low + high) / 2
    if math.isnan(likely):
        return USUAL.get(kind, USUAL_OTHER)
    return Recovery(
        likely / 2 if math.isnan(low) else low,
        likely,
        likely * 2 if math.isnan(high) else high,
    )
