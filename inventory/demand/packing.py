"""Packing: what packages of a forecast may hold, for other processes and for tables."""

from types import MappingProxyType
from typing import Any

from core.packing import Kinds, kinds_of
from core.packing import unpack as unpack_kinds
from inventory.demand.book import Book, Cells, Guide
from inventory.demand.calibration import Trials
from inventory.demand.levels import Levels
from inventory.demand.partition import Base, Partition
from inventory.demand.promotions import Effects, Losses, Tally
from inventory.demand.season import Season
from inventory.demand.sparse import Sparse, Terms

KNOWN: Kinds = MappingProxyType(
    kinds_of(
        Base, Book, Cells, Effects, Guide, Levels, Losses, Partition, Season, Sparse, Tally, Terms,
        Trials,
    )
)  # fmt: skip
"""What a package may hold beside arrays, texts, numbers, days and tuples of these.

Whoever unpacks may name more kinds: those here load without the libraries of markets.
"""


def unpack(content: bytes | memoryview, *more: type) -> Any:
    """Returns what was packed; raises `ValueError` or `KeyError` for what was not.

    Arrays look into the package and cannot be written to.
    """
    return unpack_kinds(content, {**KNOWN, **kinds_of(*more)})
