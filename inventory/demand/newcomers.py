"""Series without a past: what an item may sell where it never sold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]

YOUNG_WEEKS = 26
"""An item first sold less than this many weeks ago may still be opening markets."""


@dataclass(frozen=True, slots=True)
class Filled:
    """Mean and variance of a week for every series, [item, region], gaps filled."""

    mean: Floats
    variance: Floats
    source: NDArray[np.int8]
    """0 own history, 1 category, 2 nothing to go by: mean 0 with a tail, 3 settled: 0."""


def fill(mean: Floats, variance: Floats, weeks: Floats, category: Codes) -> Filled:
    """Returns every series with a mean and a variance; arrays are [item, region].

    `weeks` counts weeks since a series' first demand (0 for none), `category` is a code per item.
    - An item never sold anywhere: the mean of the category's sold items in that region; the
      variance is theirs plus the spread between them. A category without sales says nothing: mean
      0, with a tail that the forecast makes 1 unit at P95.
    - An item first sold less than 26 weeks ago, in a region it has not reached: its own level
      elsewhere, times the region's share of the category over the share of where it sells.
    - Any other item that never sold in a region: 0.
    """
    sold = weeks > 0
    age = weeks.max(axis=1)
    shape = _Categories.of(mean, variance, age > 0, category)
    unsold_item = (age == 0)[:, None]
    young = ((age > 0) & (age < YOUNG_WEEKS))[:, None] & ~sold
    known = shape.known[category][:, None]
    new_mean = np.select(
        [sold, unsold_item & known, young], [mean, shape.mean[category], shape.reach(mean, sold)]
    )
    new_variance = np.select(
        [sold, unsold_item & known, young],
        [variance, shape.variance[category], new_mean * shape.dispersion[category][:, None]],
    )
    source = np.select([sold, (unsold_item & known) | young, unsold_item], [0, 1, 2], default=3)
    return Filled(new_mean, new_variance, source.astype(np.int8))


@dataclass(frozen=True, slots=True)
class _Categories:
    """Per category and region over the items that have sold: mean, variance, share of regions."""

    code: Codes
    mean: Floats
    variance: Floats
    share: Floats
    dispersion: Floats
    known: Flags

    @classmethod
    def of(cls, mean: Floats, variance: Floats, sold: Flags, category: Codes) -> "_Categories":
        groups = int(category.max(initial=0)) + 1
        members = np.bincount(category[sold], minlength=groups)
        size = np.maximum(members, 1)[:, None]
        average = _sums(mean[sold], category[sold], groups) / size
        within = _sums(variance[sold], category[sold], groups) / size
        between = _sums(mean[sold] ** 2, category[sold], groups) / size - average**2
        total = average.sum(axis=1)
        return cls(
            code=category,
            mean=average,
            variance=within + np.maximum(between, 0.0),
            share=average / np.maximum(total, 1e-12)[:, None],
            dispersion=np.maximum(within.sum(axis=1) / np.maximum(total, 1e-12), 1.0),
            known=members > 0,
        )

    def reach(self, mean: Floats, sold: Flags) -> Floats:
        """Returns what each item would sell in each region at the shares of its category."""
        share = self.share[self.code]
        reached = (share * sold).sum(axis=1)
        total = (mean * sold).sum(axis=1)
        scale = np.divide(total, reached, out=np.zeros_like(total), where=reached > 1e-9)
        return np.asarray(scale[:, None] * share)


def _sums(values: Floats, group: Codes, groups: int) -> Floats:
    """Returns the rows of each group added up, [group, column]."""
    columns = [np.bincount(group, column, minlength=groups) for column in values.T]
    return np.array(columns, dtype=np.float64).reshape(values.shape[1], groups).T
