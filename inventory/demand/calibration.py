"""Calibration: how much wider or narrower quantiles must be to hold what they say."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inventory.demand.levels import RATES, Calibration, Part, classes, levels
from inventory.demand.quantiles import LEVELS

Floats = NDArray[np.float64]

ORIGINS = (4, 8, 12, 16, 20, 24)
"""Weeks before the last one at which quantiles are made again, and judged over 4 weeks each."""

JUDGED = 4
FEWEST_WEEKS = 40
FACTORS = np.round(np.arange(0.7, 1.55, 0.05), 2)

EVIDENCE = 2000.0
"""Cells of a class at which its own factor counts half."""

DAMPING = 0.5
"""Share of the way that is gone: what the past missed, the next weeks miss only in part."""

FIRST_CLASS = 2
"""Below a unit a week a quantile is 0 or 1, and no factor makes that truer."""

LIVE_WEEKS = 13
"""Series without demand for this long say nothing about the width of those that live."""


def neutral() -> Calibration:
    """Returns the factors of somebody who has seen nothing: 1."""
    return np.ones((len(RATES) + 1, len(LEVELS)))


@dataclass(frozen=True, slots=True)
class Trials:
    """Past weeks that were at or below their quantiles stretched by each factor; they add up.

    `held` is [factor, class, level], `cells` counts all weeks asked, [class, level].
    """

    held: Floats
    cells: Floats

    @classmethod
    def none(cls) -> "Trials":
        """Returns the trials of nothing."""
        shape = (len(RATES) + 1, len(LEVELS))
        return cls(np.zeros((len(FACTORS), *shape)), np.zeros(shape))

    def __add__(self, other: "Trials") -> "Trials":
        return Trials(self.held + other.held, self.cells + other.cells)

    def calibration(self) -> Calibration:
        """Returns the factors with which past quantiles would have held what they said.

        A factor is drawn toward 1 where there was little evidence.
        """
        share = self.held / np.maximum(self.cells, 1.0)
        best = FACTORS[np.abs(share - np.array(LEVELS)).argmin(axis=0)]
        factors = 1.0 + DAMPING * (best - 1.0) * self.cells / (self.cells + EVIDENCE)
        factors[:FIRST_CLASS] = 1.0
        factors[:, LEVELS.index(0.50)] = 1.0  # a median is so near the mean that any factor fits
        return np.asarray(factors)


def trials(sample: Part) -> Trials:
    """Returns how the sample's past quantiles held.

    Forecasts made 4 to 24 weeks before the end are held against the 4 weeks after each: a factor
    stretches the distance of a quantile from the mean until the share of weeks at or below it is
    its level. Cells whose quantile is 0 say nothing. Nothing is tried without enough history.
    """
    weeks = sample.demand.shape[1]
    made = Trials.none()
    if weeks < FEWEST_WEEKS:
        return made
    unseen = False if sample.hidden is None else sample.hidden
    for back in ORIGINS:
        end = weeks - back
        found = levels(sample.before(end))
        came = np.where(unseen, np.inf, sample.plain())[:, end : end + JUDGED]
        counted = np.isfinite(came).sum(axis=1)
        group = classes(found.mean)
        live = sample.demand[:, max(0, end - LIVE_WEEKS) : end].any(axis=1)
        for column in range(len(LEVELS)):
            told = np.flatnonzero(live & (found.quantiles[:, column] > 0))
            made.cells[:, column] += np.bincount(
                group[told], counted[told], minlength=len(made.cells)
            )
            made.held[:, :, column] += _held(
                found.mean[told], found.quantiles[told, column], came[told], group[told]
            )
    return made


def _held(mean: Floats, quantile: Floats, came: Floats, group: NDArray[np.intp]) -> Floats:
    """Returns the weeks at or below each stretched quantile, [factor, class]."""
    held = np.zeros((len(FACTORS), len(RATES) + 1))
    for at, factor in enumerate(FACTORS):
        said = mean + (quantile - mean) * factor
        within = (came <= said[:, None] + 1e-9).sum(axis=1)
        held[at] = np.bincount(group, within, minlength=len(RATES) + 1)
    return held
