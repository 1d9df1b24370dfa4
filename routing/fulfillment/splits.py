"""Splits: every bundle of an order's units, and every division of a bundle between two parties."""

from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


def divisions(units: tuple[int, ...]) -> int:
    """Returns how many ways there are to give a bundle out of some units and divide it in two."""
    return prod((each + 1) * (each + 2) // 2 for each in units)


@dataclass(frozen=True, eq=False)
class Splits:
    """All bundles of some units of each want, numbered, and all divisions of each in two parts.

    `bundles` is shaped [bundle, want]; bundle 0 is empty and the last one holds everything. Both
    parts of a division hold something: `part` and `rest` are their numbers, by rising number of
    the whole. Bundle `divided[i]` has the divisions from `begins[i]` on.
    """

    steps: Places
    bundles: NDArray[np.int64]
    part: Places
    rest: Places
    divided: Places
    begins: Places

    @property
    def count(self) -> int:
        """The number of bundles."""
        return len(self.bundles)

    def number(self, bundle: NDArray[np.int64]) -> Places:
        """Returns the numbers of bundles, which are shaped [..., want]."""
        return np.asarray(bundle @ self.steps, dtype=np.intp)

    def least(self, one: Floats, other: Floats) -> Floats:
        """Returns the least sum over the divisions of each bundle, shaped [row, bundle]."""
        found = np.full(one.shape, np.inf)
        if len(self.divided):
            both = one[:, self.part]
            both += other[:, self.rest]
            found[:, self.divided] = np.minimum.reduceat(both, self.begins, axis=1)
        return found

    def division(self, one: Floats, other: Floats, whole: int) -> tuple[int, int]:
        """Returns the first of the divisions of a bundle with the least sum; both are [bundle]."""
        at = int(np.searchsorted(self.divided, whole))
        end = self.begins[at + 1] if at + 1 < len(self.begins) else len(self.part)
        parts, rests = self.part[self.begins[at] : end], self.rest[self.begins[at] : end]
        best = int(np.argmin(one[parts] + other[rests]))
        return int(parts[best]), int(rests[best])


@lru_cache(maxsize=256)
def splits_of(units: tuple[int, ...]) -> Splits:
    """Returns the splits of some units of each want."""
    steps = np.cumprod([1, *(each + 1 for each in reversed(units[1:]))])[::-1].astype(np.intp)
    grid = np.indices([each + 1 for each in units])
    bundles = np.ascontiguousarray(grid.reshape(len(units), -1).T)
    within = np.ones((len(bundles), len(bundles)), dtype=bool)  # [whole, part]
    for want in range(len(units)):
        within &= bundles[:, want] <= bundles[:, want, np.newaxis]
    within[:, 0] = False
    np.fill_diagonal(within, val=False)
    whole, part = np.nonzero(within)
    divided, begins = np.unique(whole, return_index=True)
    return Splits(steps, bundles, part, whole - part, divided, begins.astype(np.intp))
