"""Stock-outs: weeks in which an item could not be sold, so that its demand is unknown, not zero."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import xlogy

from inventory.demand.lines import DAYS, coded

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int32]
Keys = NDArray[np.int64]
Whole = NDArray[np.signedinteger]

CHANCE = 1e-4
"""A silence is a stock-out where the chance of one like it anywhere in the item's life is less."""

EVIDENCE = 8
"""Weeks with demand that an item must show before its silence can mean anything."""

AROUND = 8
"""Weeks on each side of a silence whose demand says what was usual then."""

LONGEST = 26
"""Weeks: a longer silence is a season, or an item that was taken off the shelf and came back."""

SEASONAL = 0.25
"""A year before or after, the same weeks must have sold this share of what was usual around."""

YEAR = 52

COVERED = 4
"""Days of a week without stock from which on the week counts as hidden."""

QUIET = 0.05
"""The shop was closed where so small a share of the usual number of items sold."""

USUAL = 13
"""Weeks on each side that say how many items usually sell in a week."""

FEWEST = 2
"""Items that must have sold some day: with one alone, a closed shop looks like a stock-out."""


@dataclass(frozen=True, slots=True)
class Weekly:
    """Units of each item and week that had any, sorted by item and week; `weeks` in all."""

    item: Codes
    week: Codes
    units: Floats
    weeks: int

    @classmethod
    def of(cls, item: Whole, week: Whole, quantity: Floats, weeks: int) -> "Weekly":
        """Returns units added up by item and week."""
        sold = quantity > 0
        key, units = item[sold].astype(np.int64) * weeks + week[sold], quantity[sold]
        if (np.diff(key) < 0).any():
            order = np.argsort(key, kind="stable")
            key, units = key[order], units[order]
        new = np.diff(key, prepend=-1) > 0
        total = np.bincount(np.cumsum(new) - 1, weights=units).astype(np.float64)
        item, week = np.divmod(key[new], weeks)
        return cls(item.astype(np.int32), week.astype(np.int32), total, weeks)

    def between(self, item: Keys, begin: Keys, end: Keys) -> Floats:
        """Returns the units of items from week `begin` to before `end`, all arrays alike."""
        total = np.append(0.0, np.cumsum(self.units))
        key = self.item.astype(np.int64) * self.weeks + self.week
        low = np.searchsorted(key, item * self.weeks + np.clip(begin, 0, self.weeks))
        high = np.searchsorted(key, item * self.weeks + np.clip(end, 0, self.weeks))
        return np.asarray(total[np.maximum(high, low)] - total[low])


@dataclass(frozen=True, slots=True)
class Silences:
    """Stretches of weeks without any demand of an item: from week `begin` to before `end`."""

    item: Keys
    begin: Keys
    end: Keys

    def only(self, chosen: Flags) -> "Silences":
        """Returns the chosen ones."""
        return Silences(self.item[chosen], self.begin[chosen], self.end[chosen])


def closed_weeks(weekly: Weekly) -> Flags:
    """Returns the weeks in which the whole brand sold nothing or nearly nothing, [week].

    At most 5 % of the usual number of items sold (the median of 13 weeks on each side), and the
    units of the weeks around make that all but impossible (a chance below 1e-4 by the negative
    binomial of `silences`). Weeks at the end count as well, and so do yearly closures.
    """
    count = np.bincount(weekly.week, minlength=weekly.weeks)
    closed = np.zeros(weekly.weeks, dtype=bool)
    if len(np.unique(weekly.item)) < FEWEST:
        return closed
    window = np.lib.stride_tricks.sliding_window_view(
        np.pad(count.astype(np.float64), USUAL, constant_values=np.nan), 2 * USUAL + 1
    )
    quiet = count <= QUIET * np.nanmedian(window, axis=1)
    return quiet & _improbable_together(weekly, quiet)


def _improbable_together(weekly: Weekly, quiet: Flags) -> Flags:
    """Flags the quiet weeks that chance does not explain, the whole brand taken as one item."""
    units = np.bincount(weekly.week, weights=weekly.units, minlength=weekly.weeks).astype(
        np.float64
    )
    week = np.flatnonzero(~quiet)
    flagged = np.zeros(weekly.weeks, dtype=bool)
    if not week.size:
        return flagged
    # A silence that lasts to the end is judged as if the usual demand returned after it.
    usual = np.median(units[week[-AROUND:]])
    week, sold = np.append(week, weekly.weeks), np.append(units[week], usual)
    one = np.zeros(len(week), dtype=np.int32)
    told = _Silent.of(
        Weekly(one, week.astype(np.int32), sold, weekly.weeks + 1),
        np.zeros(weekly.weeks + 1, dtype=bool),
    )
    found = told.stretch.only(told.impossible())
    for begin, end in zip(found.begin, found.end, strict=True):
        flagged[begin:end] = True
    return flagged


def silences(weekly: Weekly, closed: Flags) -> Silences:
    """Returns the stretches of weeks without demand that chance and season do not explain.

    A stretch lies between two weeks with demand of an item that has at least 8 of them; closed
    weeks do not count. Its chance is `p0 * p00 ** (k - 1)` for `k` weeks, times the weeks of the
    item's life, and must be below 1e-4. `p0` is the larger of two: the share of other weeks
    without demand, and what a negative binomial of the item's variance gives for zero at the lower
    of the mean weeks on both sides (8 each). `p00` is the share of weeks without demand that
    followed another one, drawn towards `p0`. So a lumpy item needs a long silence, and one that
    always sells a short one. Not a stock-out is what lasts longer than 26 weeks, and what was as
    silent in the same weeks a year before or after: that is a season.
    """
    told = _Silent.of(weekly, closed)
    short = (told.length <= LONGEST) & ~told.seasonal()
    return told.stretch.only(told.improbable() & short)


def unsold(silent: Silences, weekly: Weekly, closed: Flags, regions: int) -> Keys:
    """Returns the weeks of silences as sorted keys: series times weeks plus week.

    `weekly` is that of all series. Closed weeks are left out, and so is a series before its first
    demand, when it may not have been on offer.
    """
    first = np.full((int(silent.item.max(initial=-1)) + 1) * regions, weekly.weeks)
    inside = slice(int(np.searchsorted(weekly.item, np.int32(len(first)))))
    np.minimum.at(first, weekly.item[inside], weekly.week[inside])
    length = silent.end - silent.begin
    row = np.repeat(np.arange(len(length)), length)
    week = silent.begin[row] + _counting(length)
    series = silent.item[row, None] * regions + np.arange(regions)
    known = ~closed[week][:, None] & (first[series] < silent.begin[row, None])
    keys: Keys = np.unique((series * weekly.weeks + week[:, None])[known])
    return keys


@dataclass(frozen=True, slots=True)
class _Silent:
    """Every stretch without demand, and what is known of its item outside of it."""

    weekly: Weekly
    before_week: Keys
    """Closed weeks before each week, cumulated."""
    stretch: Silences
    first: Keys
    last: Keys
    length: Floats
    selling: Floats
    life: Floats
    zeros: Floats
    pairs: Floats

    @classmethod
    def of(cls, weekly: Weekly, closed: Flags) -> "_Silent":
        item, week = weekly.item, weekly.week
        until = np.append(0, np.cumsum(closed)).astype(np.int64)
        at = np.flatnonzero((np.diff(item) == 0) & (np.diff(week) > 1))
        gap = Silences(*(told.astype(np.int64) for told in (item[at], week[at] + 1, week[at + 1])))
        length = (gap.end - gap.begin - (until[gap.end] - until[gap.begin])).astype(np.float64)
        gap, length = gap.only(length > 0), length[length > 0]
        silent = gap.item.astype(item.dtype)  # another type would have all items converted
        low, high = np.searchsorted(item, silent), np.searchsorted(item, silent, side="right")
        selling = (high - low).astype(np.float64)
        zeros = np.bincount(gap.item, weights=length)[gap.item].astype(np.float64)
        pairs = np.bincount(gap.item, weights=length - 1.0)[gap.item].astype(np.float64)
        return cls(
            weekly=weekly,
            before_week=until,
            stretch=gap,
            first=week[low].astype(np.int64),
            last=week[high - 1].astype(np.int64),
            length=length,
            selling=selling,
            life=selling + zeros,
            zeros=zeros - length,
            pairs=pairs - (length - 1.0),
        )

    def improbable(self) -> Flags:
        """Flags stretches that chance does not explain, of items with enough evidence."""
        usual = np.maximum(self.no_count(), self.zeros / self._outside())
        follows = np.maximum(usual, (self.pairs + 2.0 * usual) / (self.zeros + 2.0))
        return self._below(usual, follows)

    def impossible(self) -> Flags:
        """Flags stretches that the units of the weeks around do not allow, however often."""
        usual = self.no_count()
        return self._below(usual, usual)

    def _below(self, first: Floats, next_: Floats) -> Flags:
        # xlogy knows that 0 log 0 is 0, and says -inf for an impossible week without a warning.
        chance = xlogy(1.0, first) + xlogy(self.length - 1.0, next_) + np.log(self.life)
        found: Flags = (chance < np.log(CHANCE)) & (self.selling >= EVIDENCE)
        return found

    def seasonal(self) -> Flags:
        """Flags stretches that were as silent a year before or after, within the item's life."""
        found = np.zeros(len(self.length), dtype=bool)
        around = self._around()
        for shift in (-YEAR, YEAR):
            begin, end = self.stretch.begin + shift, self.stretch.end + shift
            inside = (begin >= self.first) & (end <= self.last + 1)
            units = self.weekly.between(self.stretch.item, begin, end)
            found |= inside & (units < SEASONAL * around * self.length)
        return found

    def _around(self) -> Floats:
        """Returns the lower of the mean weekly units before and after the stretch."""
        before = self._mean(self.stretch.begin - AROUND, self.stretch.begin)
        return np.minimum(before, self._mean(self.stretch.end, self.stretch.end + AROUND))

    def _mean(self, begin: Keys, end: Keys) -> Floats:
        begin, end = np.maximum(begin, self.first), np.minimum(end, self.last + 1)
        count = (end - begin) - (self.before_week[end] - self.before_week[begin])
        return self.weekly.between(self.stretch.item, begin, end) / np.maximum(count, 1)

    def no_count(self) -> Floats:
        """Returns the chance of no unit in a week: a negative binomial of what was usual around.

        Its shape follows from mean and variance of the weeks outside the stretch; without excess
        variance it is a Poisson.
        """
        mean, variance = self._moments()
        excess = np.maximum(variance - mean, 1e-9 * np.maximum(mean, 1e-9))
        shape = mean**2 / excess
        return np.asarray(np.exp(-shape * np.log1p(self._around() / np.maximum(shape, 1e-12))))

    def _moments(self) -> tuple[Floats, Floats]:
        item, units, of = self.weekly.item, self.weekly.units, self.stretch.item
        mean = np.bincount(item, weights=units)[of] / self._outside()
        square = np.bincount(item, weights=units**2)[of] / self._outside()
        return mean, np.maximum(square - mean**2, 0.0)

    def _outside(self) -> Floats:
        return np.maximum(self.life - self.length, 1.0)


def stated(
    stockouts: pd.DataFrame,
    items: tuple[str, ...],
    regions: tuple[str, ...],
    first: date,
    weeks: int,
) -> Keys:
    """Returns the weeks that `stockouts.csv` says had nothing to sell, as sorted keys.

    A key is series times `weeks` plus week. A week counts where at least 4 of its days are
    covered; weeks count from `first`, a Monday, and only those before week `weeks` are told. Rows
    without a region mean all of them.
    """
    origin, last = np.datetime64(first, "D"), weeks * DAYS - 1
    begin, end = (
        (stockouts[name].to_numpy().astype("datetime64[D]") - origin).astype(np.int64)
        for name in ("start", "end")
    )
    begin, end = np.maximum(begin, 0), np.minimum(end, last)
    item, region = coded(items, stockouts["item"]), coded(regions, stockouts["region"])
    everywhere = (stockouts["region"] == "").to_numpy(bool)
    known = np.flatnonzero((item >= 0) & (end >= begin) & ((region >= 0) | everywhere))
    copies = np.where(region[known] < 0, len(regions), 1)
    row = np.repeat(known, copies)
    place = np.where(region[row] < 0, _counting(copies), region[row])
    series = item[row].astype(np.int64) * len(regions) + place
    days = end[row] - begin[row] + 1
    covered = np.repeat(series * weeks * DAYS + begin[row], days) + _counting(days)
    keys, count = np.unique(np.unique(covered) // DAYS, return_counts=True)
    hidden: Keys = keys[count >= COVERED]
    return hidden


def _counting(sizes: NDArray[np.signedinteger]) -> Keys:
    """Returns 0, 1, ... for each size, one after another."""
    before = np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.asarray(np.arange(int(sizes.sum())) - before, dtype=np.int64)
