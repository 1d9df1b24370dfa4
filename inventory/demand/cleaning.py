"""Cleaning: one-off wholesale rows, told from levels that come back, and cut to what is usual."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Whole = NDArray[np.signedinteger]
Codes = NDArray[np.int32]
Rows = NDArray[np.intp]

EVIDENCE = 8
"""Other days with demand that a series must show before one of its days can be called unusual."""

SIGMAS = 10.0
"""How far above the mean of the others a day must lie, in their standard deviations.

Twice as far with the least evidence: few days do not show how high others may reach.
"""

RECURS = 0.5
"""A level of which another day of the series reached at least half is no one-off."""

TOGETHER = 3
"""Unusual days of one item in two regions, at most so many days apart, are an event."""

PASSES = 4
"""Most one-offs of a series: after the largest is set aside, the next is looked at."""


def without_one_offs(
    series: Whole, day: Codes, quantity: Floats, promoted: Flags, regions: int
) -> Floats:
    """Returns the quantity that counts of each row: all of it, or the limit of a one-off.

    Rows are sorted by series (item times `regions` plus region) and day. A row is a one-off when

    - it is the largest of its series and carries no promotion,
    - the series has at least 8 other rows with demand, and the row exceeds their mean by more than
      ten standard deviations, taken to be no less than the mean nor than those of a Poisson count
      (twenty with 8 rows): a trading day of ten times the usual demand always stays,
    - none of them reaches half of it: a season, a sale or a customer who comes back would, and
    - no other region asked for the same item out of all proportion within 3 days: that is an event.

    Then the next largest row of the series is held against what is left, at most four times. All
    of them are cut to what the remaining rows allow by that rule, or to the largest of these. An
    item's result depends on its own rows only. The idea of clipping what lies beyond k sigma in
    repeated passes is that of frePPLe's outlier filter.
    """
    found = _one_offs(series, quantity, promoted)
    found = found[~_together(series[found], day[found], regions)]
    rows = np.flatnonzero((quantity > 0) & np.isin(series, series[found]))
    kept = quantity.copy()
    if rows.size:
        usual = _Others.of(series[rows], quantity[rows], np.isin(rows, found))
        allowed = np.maximum(usual.limit(), usual.largest)
        at = np.searchsorted(series[rows][usual.begin], series[found])
        kept[found] = np.minimum(quantity[found], allowed[at])
    return kept


def _one_offs(series: Whole, quantity: Floats, promoted: Flags) -> Rows:
    """Returns the rows that pass for one-offs by their own series."""
    rows = np.flatnonzero(quantity > 0)
    found = [rows[:0]]
    for _ in range(PASSES):
        tops = _tops(series[rows], quantity[rows], promoted[rows])
        found.append(rows[tops])
        left = np.isin(series[rows], series[rows[tops]])
        left[tops] = False
        rows = rows[left]
    return np.sort(np.concatenate(found))


def _tops(series: Whole, quantity: Floats, promoted: Flags) -> Rows:
    """Returns the largest row of each series that is too large for the others."""
    if not series.size:
        return np.array([], dtype=np.intp)
    begin = _begins(series)
    owner = np.repeat(np.arange(len(begin)), np.diff(begin, append=len(series)))
    free = np.where(promoted, -1.0, quantity)
    at = np.flatnonzero(free == np.maximum.reduceat(free, begin)[owner])
    top = at[np.unique(owner[at], return_index=True)[1]]
    others = _Others.of(series, quantity, np.isin(np.arange(len(series)), top))
    size = quantity[top]
    unusual = ~promoted[top] & (others.count >= EVIDENCE) & (others.largest < RECURS * size)
    tops: Rows = top[unusual & (size > others.limit())]
    return tops


@dataclass(frozen=True, slots=True)
class _Others:
    """The rows of each series that are not set aside: how many, how large, how scattered."""

    begin: Rows
    count: Floats
    largest: Floats
    mean: Floats
    variance: Floats

    @classmethod
    def of(cls, series: Whole, quantity: Floats, aside: Flags) -> "_Others":
        begin = _begins(series)
        owner = np.repeat(np.arange(len(begin)), np.diff(begin, append=len(series)))
        left = np.where(aside, 0.0, quantity)
        count = np.add.reduceat((~aside).astype(np.float64), begin)
        mean = np.add.reduceat(left, begin) / np.maximum(count, 1.0)
        missed = np.where(aside, 0.0, left - mean[owner]) ** 2
        variance = np.add.reduceat(missed, begin) / np.maximum(count, 1.0)
        return cls(begin, count, np.maximum.reduceat(left, begin), mean, variance)

    def limit(self) -> Floats:
        """Returns what these rows allow another one to be."""
        far = SIGMAS * (1.0 + EVIDENCE / np.maximum(self.count, 1.0))
        least = np.maximum(self.mean, self.mean**2)
        return np.asarray(self.mean + far * np.sqrt(np.maximum(self.variance, least)))


def _begins(series: Whole) -> Rows:
    """Returns the first row of each series."""
    return np.flatnonzero(np.diff(series, prepend=series[0] - 1))


def _together(series: Whole, day: Codes, regions: int) -> Flags:
    """Flags rows that a row of the same item in another region is close to in time."""
    order = np.lexsort((day, series // regions))
    series, day = series[order], day[order]
    near = (np.diff(series // regions) == 0) & (np.diff(series) != 0)
    near &= np.diff(day) <= TOGETHER
    flagged = np.zeros(len(series), dtype=bool)
    flagged[order] = np.append(near, False) | np.append(False, near)
    return flagged
