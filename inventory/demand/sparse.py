"""Sparse: weekly demand as arrays without its zeros, light enough for processes that only count."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
Keys = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Terms:
    """Promotion and price by series and week, sparse, sorted by series then week.

    Each is the mean over the days of the week that have a row which tells it, NaN where none does.
    Weeks count from the history's first Monday; those after its last complete week are the plan.
    """

    series: Codes
    week: Codes
    promotion: Floats
    price: Floats

    @property
    def weeks(self) -> int:
        """Weeks up to the last one that has a row."""
        return int(self.week.max(initial=-1)) + 1

    def matrix(self, values: Floats, begin: int, end: int, weeks: int, empty: float) -> Floats:
        """Returns one column of the terms for series `begin` to `end`, [series, week]."""
        low, high = np.searchsorted(self.series, np.array((begin, end), self.series.dtype))
        dense = np.full((end - begin, weeks), empty)
        inside = np.flatnonzero(self.week[low:high] < weeks) + low
        told = inside[~np.isnan(values[inside])]
        dense[self.series[told] - begin, self.week[told]] = values[told]
        return dense

    def series_range(self, begin: int, end: int) -> "Terms":
        """Returns the terms of series `begin` to `end`, numbered from 0."""
        low, high = np.searchsorted(self.series, np.array((begin, end), self.series.dtype))
        return Terms(
            (self.series[low:high] - begin).astype(np.int32),
            self.week[low:high],
            self.promotion[low:high],
            self.price[low:high],
        )


@dataclass(frozen=True, kw_only=True)
class Sparse:
    """Weekly demand of series, in complete weeks; weeks without demand are not stored.

    A series is one item in one region; series `i * len(regions) + r` is item `i` in region `r`, so
    the regions of an item stand together. `series`, `week` and `quantity` hold one entry per
    series and week that had any demand, sorted by series.
    """

    items: tuple[str, ...]
    regions: tuple[str, ...]
    weeks: int
    series: Codes
    week: Codes
    quantity: Floats
    hidden: Keys
    """Weeks in which a series could not be sold: sorted keys, series times `weeks` plus week."""
    promotions: Terms | None
    """Promotions and prices, past and planned; None where the brand has none that say anything."""

    @property
    def count(self) -> int:
        """Number of series, those without any demand included."""
        return len(self.items) * len(self.regions)

    def matrix(self, begin: int, end: int) -> Floats:
        """Returns the weekly demand of series `begin` to `end`, [series, week], zeros filled in."""
        low, high = np.searchsorted(self.series, np.array((begin, end), self.series.dtype))
        dense = np.zeros((end - begin, self.weeks))
        dense[self.series[low:high] - begin, self.week[low:high]] = self.quantity[low:high]
        return dense

    def hidden_matrix(self, begin: int, end: int) -> Flags:
        """Returns the weeks whose demand is unknown, of series `begin` to `end`, [series, week]."""
        low, high = np.searchsorted(self.hidden, (begin * self.weeks, end * self.weeks))
        dense = np.zeros((end - begin) * self.weeks, dtype=bool)
        dense[self.hidden[low:high] - begin * self.weeks] = True
        return dense.reshape(end - begin, self.weeks)

    def promotion_matrix(
        self, begin: int, end: int, ahead: int | None = None
    ) -> tuple[Floats, Floats]:
        """Returns the promotion strength of series `begin` to `end`, past and future.

        Both are [series, week], 0 where none is known: the complete weeks, and the weeks after
        them up to the last planned one, or `ahead` of them.
        """
        return self._terms("promotion", begin, end, ahead, 0.0)

    def price_matrix(self, begin: int, end: int, ahead: int | None = None) -> tuple[Floats, Floats]:
        """Returns the mean price like `promotion_matrix`; NaN where none is known."""
        return self._terms("price", begin, end, ahead, np.nan)

    def items_range(self, begin: int, end: int) -> Self:
        """Returns the demand of items `begin` to `end`, all regions of each: a partition.

        Series are numbered from 0.
        """
        low, high = begin * len(self.regions), end * len(self.regions)
        # Of the type of the series: another would have all of them converted to look up two.
        rows = slice(*np.searchsorted(self.series, np.array((low, high), self.series.dtype)))
        keys = slice(*np.searchsorted(self.hidden, (low * self.weeks, high * self.weeks)))
        return replace(
            self,
            items=self.items[begin:end],
            series=(self.series[rows] - low).astype(np.int32),
            week=self.week[rows],
            quantity=self.quantity[rows],
            hidden=self.hidden[keys] - low * self.weeks,
            promotions=self.promotions and self.promotions.series_range(low, high),
        )

    def _terms(
        self, name: str, begin: int, end: int, ahead: int | None, empty: float
    ) -> tuple[Floats, Floats]:
        if self.promotions is None:
            sizes = (self.weeks, ahead or 0)
            past, future = (np.full((end - begin, size), empty) for size in sizes)
            return past, future
        after = max(self.promotions.weeks - self.weeks, 0) if ahead is None else ahead
        values = getattr(self.promotions, name)
        dense = self.promotions.matrix(values, begin, end, self.weeks + after, empty)
        return dense[:, : self.weeks], dense[:, self.weeks :]
