"""Coherence: what the items of a market add up to is what the market is expected to ask for."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LOWEST, HIGHEST = 1.0 / 3.0, 3.0
"""A market may divide or multiply its items by three; beyond that one of the two is broken."""

ROUNDS = 3
"""Rounds of scaling to categories and markets in turn; the markets come last and hold exactly."""

_LEAST = 1e-9
"""Units a week below which a sum of items expects nothing."""


def ratios(sums: Floats, region_mean: Floats, category_mean: Floats | None = None) -> Floats:
    """Returns by how much to scale the items of each cell, [category, region, week].

    `sums` is what the items of a cell add up to, [category, region, week]; `region_mean` is
    [region, week]; `category_mean` is [category, week], NaN where nothing is known that its items
    do not know, or None. Cells are raked to the known categories and to the markets in turn
    (iterative proportional fitting; Deming and Stephan, On a least squares adjustment of a sampled
    frequency table, 1940), and each ratio is clipped to `LOWEST` .. `HIGHEST`.
    """
    cells = sums.copy()
    if category_mean is not None:
        for _ in range(ROUNDS):
            have = cells.sum(axis=1)
            wanted = np.where(np.isnan(category_mean), have, category_mean)
            cells *= _share(wanted, have)[:, None]
            cells *= _share(region_mean, cells.sum(axis=0))
    cells *= _share(region_mean, cells.sum(axis=0))
    made = np.clip(_share(cells, sums), LOWEST, HIGHEST)
    for _ in range(ROUNDS):  # what clipped cells lack, the others bring as far as they may
        made = np.clip(made * _share(region_mean, (made * sums).sum(axis=0)), LOWEST, HIGHEST)
    return np.asarray(made)


def _share(wanted: Floats, have: Floats) -> Floats:
    return np.divide(wanted, have, out=np.ones_like(wanted), where=have > _LEAST)
