"""Steps: what is done to every partition of a brand, by the names that other processes know."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inventory.demand.book import Cells, Guide
from inventory.demand.calibration import Trials, trials
from inventory.demand.levels import Levels
from inventory.demand.partition import (
    Base,
    Partition,
    base,
    partition_cells,
    partition_levels,
    past,
    promotion_losses,
    promotion_tally,
)
from inventory.demand.promotions import Effects, Losses, Tally

Floats = NDArray[np.float64]

TALLY, LOSSES, BASE, TRIALS, LEVELS, CELLS = (
    "tally", "losses", "base", "trials", "levels", "cells",
)  # fmt: skip


def tally_step(partition: Partition) -> Tally:
    """Returns what a partition says about promotions and prices."""
    return promotion_tally(partition)


def losses_step(partition: Partition, rivals: Sequence[Effects]) -> Losses:
    """Returns how much each candidate effect of its items missed."""
    return promotion_losses(partition, rivals)


def base_step(partition: Partition, effects: Effects | None) -> Base:
    """Returns the plain demand by market and by category."""
    return base(replace(partition, effects=effects))


def trials_step(partition: Partition, guide: Guide, effects: Effects | None) -> Trials:
    """Returns how the past quantiles of its series held."""
    return trials(past(replace(partition, effects=effects), guide))


def levels_step(partition: Partition, guide: Guide, effects: Effects | None) -> Levels:
    """Returns an average week of every series."""
    return partition_levels(replace(partition, effects=effects), guide)


def cells_step(
    partition: Partition, guide: Guide, ratios: Floats, known: Levels, effects: Effects | None
) -> Cells:
    """Returns the forecast of every series and week."""
    return partition_cells(replace(partition, effects=effects), guide, known, ratios)


STEPS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        TALLY: tally_step,
        LOSSES: losses_step,
        BASE: base_step,
        TRIALS: trials_step,
        LEVELS: levels_step,
        CELLS: cells_step,
    }
)
"""A step takes a partition, what all partitions share, and what is its own, in this order."""


def light(step: str, own: tuple[Any, ...]) -> bool:
    """Whether a step is done sooner than told to another process: sums, without effects."""
    return step in {BASE, CELLS} and own[-1] is None


def work(step: str, partition: Partition, shared: tuple[Any, ...], own: tuple[Any, ...]) -> Any:
    """Returns what a step makes of a partition: the same wherever it is worked."""
    return STEPS[step](partition, *shared, *own)
