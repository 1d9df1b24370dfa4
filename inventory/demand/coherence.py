"""Coherence: what the items of a region add up to is what the region is expected to ask for."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LOWEST, HIGHEST = 0.5, 2.0
"""A region may halve or double its items; beyond that one of the two forecasts is broken."""

_LEAST = 1e-9
"""Units a week below which the items of a region expect nothing."""


def ratios(region_mean: Floats, item_mean: Floats) -> Floats:
    """Returns by how much to scale every item of a region, clipped to `LOWEST` .. `HIGHEST`.

    `region_mean` is [region, week], `item_mean` [item, region] units a week; the answer is
    [region, week], and 1 where the items expect nothing.
    """
    summed = item_mean.sum(axis=0)[:, None]
    ratio = np.divide(region_mean, summed, out=np.ones_like(region_mean), where=summed > _LEAST)
    return np.asarray(np.clip(ratio, LOWEST, HIGHEST))
