"""The book of a brand: what every partition of a forecast needs to know about the whole."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from inventory.demand.levels import (
    CATEGORY,
    DEAD,
    NEVER_SOLD,
    NO_EVIDENCE,
    TAIL_UNITS,
    Calibration,
    Levels,
    Part,
)
from inventory.demand.newcomers import fill
from inventory.demand.quantiles import count_quantiles, monotone, widened
from inventory.demand.season import Season

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]

DAYS = 7


@dataclass(frozen=True, slots=True)
class Book:
    """Names and codes of a brand, its weeks, and how far ahead somebody asks.

    `category` is a code per item; `weeks` counts complete past weeks from the Monday `first` on,
    `gap` those between them and the Monday `start` of the forecast.
    """

    items: tuple[str, ...]
    regions: tuple[str, ...]
    categories: tuple[str, ...]
    category: Codes
    first: date
    weeks: int
    gap: int
    horizon: int

    @property
    def start(self) -> date:
        """The Monday of the first forecast week."""
        return self.first + timedelta(days=DAYS * (self.weeks + self.gap))

    @property
    def series(self) -> int:
        """Number of series: items times regions."""
        return len(self.items) * len(self.regions)

    def items_range(self, begin: int, end: int) -> "Book":
        """Returns the book of a partition: some items, all else the same."""
        return replace(self, items=self.items[begin:end], category=self.category[begin:end])

    def by_series(self, of_category: Floats) -> Floats:
        """Returns rows of categories repeated for every series, [series, ...]."""
        return np.repeat(of_category[self.category], len(self.regions), axis=0)


@dataclass(frozen=True, slots=True)
class Guide:
    """What was learned about the whole brand before its partitions are forecast.

    `season` is by category. Everything is small: a few numbers per category and class.
    """

    season: Season
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class Cells:
    """The forecast of a partition: mean [series, week], quantiles [series, week, level]."""

    mean: Floats
    quantiles: Floats


def part_of(book: Book, guide: Guide, demand: Floats, hidden: Flags, lift: Floats | None) -> Part:
    """Returns the past of a partition as its levels see it."""
    return Part(
        demand=demand,
        hidden=hidden if hidden.any() else None,
        season=book.by_series(guide.season.past) if np.ptp(guide.season.past) else None,
        lift=lift,
    )


def completed(book: Book, found: Levels, dead: Flags) -> Levels:
    """Returns the levels of all series, those without a past and dead items included.

    Dead items sold once, and nobody anywhere asked for them over a year: nothing is expected.
    """
    shape = (len(book.items), len(book.regions))
    filled = fill(
        found.mean.reshape(shape),
        found.variance.reshape(shape),
        found.weeks.reshape(shape),
        book.category,
    )
    source = filled.source.ravel()
    mean, variance = filled.mean.ravel(), filled.variance.ravel()
    quantiles, method = found.quantiles.copy(), found.method.copy()
    borrowed = source == 1
    quantiles[borrowed] = count_quantiles(mean[borrowed], variance[borrowed])
    unknown = source == 2
    quantiles[unknown] = 0.0
    quantiles[unknown, -1] = TAIL_UNITS
    for code, kind in ((1, CATEGORY), (2, NO_EVIDENCE), (3, NEVER_SOLD)):
        method[source == code] = kind
    gone = np.repeat(dead, len(book.regions)) & (found.weeks > 0)
    method[gone], mean[gone], quantiles[gone] = DEAD, 0.0, 0.0
    return replace(found, mean=mean, variance=variance, quantiles=quantiles, method=method)


def sums(book: Book, guide: Guide, found: Levels) -> Floats:
    """Returns what the items of each cell add up to in plain weeks, [category, region, week]."""
    cell = np.repeat(book.category, len(book.regions)) * len(book.regions)
    cell = cell + np.tile(np.arange(len(book.regions)), len(book.items))
    size = len(book.categories) * len(book.regions)
    level = np.bincount(cell, found.mean, minlength=size)
    ahead = guide.season.ahead[:, None, book.gap :]
    return np.asarray(level.reshape(len(book.categories), len(book.regions), 1) * ahead)


def cells(book: Book, guide: Guide, found: Levels, ratios: Floats, lift: Floats | None) -> Cells:
    """Returns the forecast of a partition.

    A week is the level times the season of the category, the ratio that makes markets coherent,
    [category, region, week], and what planned promotions and prices multiply it by. Quantiles move
    with the mean and widen with the weeks ahead.
    """
    scale = ratios * guide.season.ahead[:, None, book.gap :]
    factor = scale[book.category].reshape(book.series, book.horizon)
    if lift is not None:
        factor = factor * lift
    mean = found.mean[:, None] * factor
    ahead = np.arange(book.horizon) + book.gap
    wider = np.sqrt(1.0 + ahead * found.alpha[:, None] ** 2)
    quantiles = widened(mean, found.quantiles[:, None, :] * factor[..., None], wider)
    unknown = found.method == NO_EVIDENCE
    quantiles[unknown] = found.quantiles[unknown, None, :]
    return Cells(mean, monotone(quantiles))


def scaled(made: Cells, mean: Floats) -> Cells:
    """Returns cells with another mean, [series, week], their quantiles moved along."""
    factor = np.divide(mean, made.mean, out=np.zeros_like(mean), where=made.mean > 0)
    fresh = np.flatnonzero((made.mean <= 0).any(axis=1) & (mean > 0).any(axis=1))
    quantiles = made.quantiles * factor[..., None]
    quantiles[fresh] = count_quantiles(mean[fresh], 2.0 * mean[fresh])
    return Cells(mean, quantiles)
