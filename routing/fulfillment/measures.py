"""Measures of bundles: what some units of each want add up to.

Arguments are shaped [..., want], `units` too, and their leading axes are broadcast; wants are
added in their order, so a bundle measures the same in whatever array it stands.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


def summed(each: Floats, units: Floats) -> Floats:
    """Returns a measure of bundles, given that of one unit of each want."""
    total: Floats = each[..., 0] * units[..., 0]
    for want in range(1, each.shape[-1]):
        total = total + each[..., want] * units[..., want]
    return total


def distinct(codes: Places, units: Floats) -> Floats:
    """Returns how many different codes the units of bundles have."""
    some = units > 0
    count = np.zeros(np.broadcast_shapes(codes.shape, units.shape)[:-1])
    for want in range(codes.shape[-1]):
        new = some[..., want]
        for other in range(want):
            same = codes[..., other] == codes[..., want]
            new = new & ~(same & some[..., other])
        count += new
    return count


def by_weight(rate: Floats, weight_kg: Floats, units: Floats) -> Floats:
    """Returns rates of wants shared by weight; evenly by want where nothing weighs anything."""
    kilos = summed(rate * weight_kg, units)
    weight = summed(weight_kg, units)
    some = (units > 0).astype(float)
    even = summed(rate, some) / np.maximum(some.sum(axis=-1), 1.0)
    weighs = weight > 0
    return np.where(weighs, kilos / np.where(weighs, weight, 1.0), even)
