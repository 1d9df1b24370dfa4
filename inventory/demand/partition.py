"""Partitions: the work that is done on a range of whole items, apart from all others.

Each function here is pure: a partition and a few small tables about the whole brand in, arrays
out. So it does not matter where or in which order partitions are worked, or how often.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inventory.demand import promotions
from inventory.demand.book import Book, Cells, Guide, cells, part_of
from inventory.demand.levels import Levels, Part, levels
from inventory.demand.promotions import Effects, Losses, Tally
from inventory.demand.smoothing import smooth
from inventory.demand.sparse import Sparse

Floats = NDArray[np.float64]

PARTITION_SERIES = 10_000
"""Series of one partition: enough for vectors to pay, few enough for memory."""

SAMPLE_SERIES = 20_000
SAMPLE_RUNS = 16
"""A sample takes this many runs of neighboring items, evenly spread over the catalog."""


@dataclass(frozen=True)
class Partition:
    """Items `begin` and on of a brand, with their history, their names and their promotions.

    `effects` are those of its items, None where no promotion or price moves demand. `full` is the
    strength that counts as a full promotion in the whole brand.
    """

    begin: int
    history: Sparse
    book: Book
    effects: Effects | None = None
    full: float = 1.0

    def plan(self) -> promotions.Part:
        """Returns demand and plan as promotions see them, the weeks up to the horizon included.

        Prices that were paid say little where none is planned: who buys many pays less for each.
        """
        past, future = self.history.promotion_matrix(0, self.history.count, self._ahead)
        price, coming = self.history.price_matrix(0, self.history.count, self._ahead)
        if np.isnan(coming).all():
            price = np.full_like(price, np.nan)
        items = len(self.book.items)
        return promotions.Part(
            demand=self.demand(),
            hidden=self.hidden(),
            promotion=np.concatenate([past, future], axis=1),
            price=np.concatenate([price, coming], axis=1),
            item=np.repeat(np.arange(items, dtype=np.int64), len(self.book.regions)),
            category=self.book.category,
            categories=len(self.book.categories),
            full=self.full,
        )

    def demand(self) -> Floats:
        """Returns weekly demand, [series, week]."""
        return self.history.matrix(0, self.history.count)

    def hidden(self) -> NDArray[np.bool_]:
        """Returns the weeks without stock, [series, week]."""
        return self.history.hidden_matrix(0, self.history.count)

    def lifts(self) -> tuple[Floats, Floats] | tuple[None, None]:
        """Returns what promotions and prices multiply past and coming weeks by."""
        if self.effects is None:
            return None, None
        made = promotions.multipliers(self.plan(), self.effects)
        return made.past, made.future[:, self.book.gap :]

    @property
    def end(self) -> int:
        """The first item after its last one."""
        return self.begin + len(self.book.items)

    @property
    def _ahead(self) -> int:
        return self.book.gap + self.book.horizon


@dataclass(frozen=True, slots=True)
class Base:
    """Plain weekly demand, without what promotions added: of markets and of categories."""

    region: Floats
    """[region, week]."""
    category: Floats
    """[category, week]."""

    def __add__(self, other: "Base") -> "Base":
        return Base(self.region + other.region, self.category + other.category)


def ranges(items: int, regions: int) -> list[tuple[int, int]]:
    """Returns the first and last item of each partition of a brand, last exclusive."""
    size = max(1, PARTITION_SERIES // max(regions, 1))
    return [(begin, min(begin + size, items)) for begin in range(0, items, size)]


def sample_ranges(items: int, regions: int) -> list[tuple[int, int]]:
    """Returns runs of items that stand for the catalog: all of a small one."""
    wanted = max(SAMPLE_RUNS, SAMPLE_SERIES // max(regions, 1))
    if items <= wanted:
        return [(0, items)]
    size = wanted // SAMPLE_RUNS
    begins = np.linspace(0, items - size, SAMPLE_RUNS).astype(int)
    return [(int(begin), int(begin) + size) for begin in begins]


def partitions(
    history: Sparse, book: Book, spans: Sequence[tuple[int, int]]
) -> Iterator[Partition]:
    """Yields the partitions of a brand that is in memory."""
    full = full_promotion(history)
    for begin, end in spans:
        cut, names = history.items_range(begin, end), book.items_range(begin, end)
        yield Partition(begin, cut, names, full=full)


def full_promotion(history: Sparse) -> float:
    """Returns the strength of promotion that counts as full: the highest of the brand, or 1."""
    known = None if history.promotions is None else history.promotions.promotion
    strongest = 0.0 if known is None else float(np.nan_to_num(known).max(initial=0.0))
    return strongest if strongest > 0 else 1.0


def promotion_tally(partition: Partition) -> Tally:
    """Returns what the items of a partition say about promotions and prices."""
    return promotions.tally(partition.plan())


def promotion_losses(partition: Partition, rivals: Sequence[Effects]) -> Losses:
    """Returns how much each candidate effect missed; `rivals` are those of its own items."""
    return promotions.losses(partition.plan(), rivals)


def base(partition: Partition) -> Base:
    """Returns the plain demand of a partition by market and by category."""
    book, (lift, _) = partition.book, partition.lifts()
    demand = partition.demand()
    plain = _seen(demand if lift is None else demand / lift, partition.hidden())
    by_item = plain.reshape(len(book.items), len(book.regions), book.weeks)
    category = np.zeros((len(book.categories), book.weeks))
    np.add.at(category, book.category, by_item.sum(axis=1))
    return Base(by_item.sum(axis=0), category)


def _seen(demand: Floats, hidden: NDArray[np.bool_]) -> Floats:
    """Returns demand whose weeks without stock hold the level of their series: unknown, not 0."""
    rows = np.flatnonzero(hidden.any(axis=1))
    made = demand.copy()
    level = smooth(demand[rows], hidden[rows]).level
    made[rows] = np.where(hidden[rows], level[:, None], demand[rows])
    return made


def past(partition: Partition, guide: Guide) -> Part:
    """Returns the past of a partition as its levels see it."""
    lift, _ = partition.lifts()
    hidden = partition.history.hidden_matrix(0, partition.history.count)
    return part_of(partition.book, guide, partition.demand(), hidden, lift)


def partition_levels(partition: Partition, guide: Guide) -> Levels:
    """Returns the levels of a partition, calibrated."""
    return levels(past(partition, guide), guide.calibration)


def partition_cells(partition: Partition, guide: Guide, found: Levels, ratios: Floats) -> Cells:
    """Returns the forecast of a partition whose levels are known."""
    _, lift = partition.lifts()
    return cells(partition.book, guide, found, ratios, lift)
