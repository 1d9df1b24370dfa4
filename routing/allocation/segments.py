"""Segments: demand that is uncertain, as units of falling worth.

The k-th unit kept for a demand is worth its penalty times the chance that it is asked for,
P(demand >= k). The sum of these over units not kept is the expected penalty, so the problem stays
linear. With quantiles the chance falls along straight lines between them; with a mean alone demand
is certain up to the whole unit: the last one counts for the fraction that the mean holds.
"""

import numpy as np

from routing.allocation.problem import Floats, Ints, Units

LEVELS = (0.05, 0.25, 0.50, 0.75, 0.90, 0.95)
QUANTILES = ("p05", "p25", "p50", "p75", "p90", "p95")

NARROW = 1e-9
"""Units between two quantiles below which the chance drops at once."""

TAIL_REACH = 4.0
"""The chance falls to 0 at most so many times P95 beyond it, however heavy the mean makes it."""


def certain(mean: Floats) -> tuple[Ints, Units, Floats]:
    """Returns row, units and chance of each segment of demands with these means, [segment]."""
    whole = np.floor(mean + 1e-9).astype(np.int64)
    rest = np.where(mean - whole > 1e-9, mean - whole, 0.0)
    units = np.stack([whole, (rest > 0).astype(np.int64)], axis=1)
    return _listed(units, np.stack([np.ones(len(mean)), rest], axis=1))


def uncertain(mean: Floats, quantiles: Floats) -> tuple[Ints, Units, Floats]:
    """Returns row, units and chance of each segment, [segment]; `quantiles` is [demand, level].

    Segments end at the quantiles, rounded to whole units, and where the chance is 0: there the area
    under it is the mean, if that can be. Straight lines say too much of counts near 0; chances then
    shrink until the mean holds.
    """
    points = np.concatenate([np.zeros((len(mean), 1)), np.maximum.accumulate(quantiles, axis=1)], 1)
    chance = np.broadcast_to(1.0 - np.array((0.0, *LEVELS)), points.shape)
    body = (np.diff(points, axis=1) * (chance[:, 1:] + chance[:, :-1]) / 2.0).sum(axis=1)
    last = points[:, -1]
    tail = 2.0 * (mean - body) / chance[:, -1]
    end = last + np.clip(tail, np.minimum(1.0, last + mean), np.maximum(TAIL_REACH * last, 1.0))
    points = np.concatenate([points, end[:, None]], axis=1)
    chance = np.concatenate([chance, np.zeros((len(mean), 1))], axis=1)
    edges = np.concatenate([np.rint(points[:, :-1]), np.ceil(points[:, -1:])], axis=1)
    area = _area(points, chance, edges)
    units = np.diff(edges, axis=1).astype(np.int64)
    share = np.divide(
        np.diff(area, axis=1), units, out=np.zeros_like(body[:, None] + units), where=units > 0
    )
    share = np.minimum.accumulate(np.where(units > 0, share, 1.0), axis=1)
    kept = (units * share).sum(axis=1)
    share = (
        share
        * np.minimum(1.0, np.divide(mean, kept, out=np.ones_like(mean), where=kept > 0))[:, None]
    )
    return _listed(np.where(share > 0, units, 0), share)


def _area(points: Floats, chance: Floats, edges: Floats) -> Floats:
    """Returns the area under the chance from 0 to each edge, [demand, edge]."""
    total = np.zeros_like(edges)
    for at in range(points.shape[1] - 1):
        low, high = points[:, at : at + 1], points[:, at + 1 : at + 2]
        width = high - low
        slope = np.divide(
            chance[:, at + 1 : at + 2] - chance[:, at : at + 1], width,
            out=np.zeros_like(width), where=width > NARROW,
        )  # fmt: skip
        reach = np.clip(edges - low, 0.0, width)
        total += reach * chance[:, at : at + 1] + slope * reach**2 / 2.0
    return total


def _listed(units: Units, chance: Floats) -> tuple[Ints, Units, Floats]:
    row, level = np.nonzero(units)
    return row.astype(np.int32), units[row, level], chance[row, level]
