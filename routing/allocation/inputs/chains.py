"""Chains: stock of one item in one place over time, from bucket to bucket."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routing.allocation.inputs.lots import Lots
from routing.allocation.problem import Bools, Ints, Pools

MOST_SITES, MOST_BUCKETS = 2**16, 2**14
"""What the name of a chain has room for."""

Keys = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Chains:
    """Stock over time: an item at a site in one customs state, and the bucket after its bond ends.

    The pools of a chain follow one another from bucket 0 up to `until`; `first` is the first one.
    No goods are there before bucket `begins`. Chains are sorted by item, site, state and end.
    """

    item: Ints
    site: Ints
    bonded: Bools
    until: Ints
    begins: Ints
    first: Ints
    key: Keys

    @classmethod
    def of(cls, keys: Keys, begins: Ints) -> "Chains":
        """Returns the chains of some names, each once, from the first of its beginnings on."""
        key, named = np.unique(keys, return_inverse=True)
        begun = np.full(len(key), MOST_BUCKETS, dtype=np.int32)
        np.minimum.at(begun, named, begins)
        rest, until = np.divmod(key, MOST_BUCKETS)
        rest, bonded = np.divmod(rest, 2)
        item, site = np.divmod(rest, MOST_SITES)
        first = np.cumsum(until) - until
        ints = [part.astype(np.int32) for part in (item, site, until, first)]
        return cls(ints[0], ints[1], bonded.astype(bool), ints[2], begun, ints[3], key)

    def __len__(self) -> int:
        return len(self.key)

    def at(self, item: Ints, site: Ints | int, bonded: Bools | bool, until: Ints | int) -> Ints:
        """Returns the chain of each name; all have to be there."""
        return np.searchsorted(self.key, key_of(item, site, bonded, until)).astype(np.int32)

    def pool(self, chain: Ints, bucket: Ints) -> Ints:
        """Returns the pool of a chain in a bucket."""
        return np.asarray(self.first[chain] + bucket, dtype=np.int32)

    def pools(self, lots: Lots) -> Pools:
        """Returns the pools of all chains with the units that appear in each."""
        chain = np.repeat(np.arange(len(self)), self.until)
        units = np.zeros(len(chain), np.int64)
        of_lot = self.at(lots.item, lots.site, lots.bonded, lots.until)
        np.add.at(units, self.pool(of_lot, lots.bucket), lots.units)
        bucket = np.arange(len(chain), dtype=np.int32) - self.first[chain]
        return Pools(self.item[chain], self.site[chain], self.bonded[chain], bucket, units)


def key_of(item: Ints, site: Ints | int, bonded: Bools | bool, until: Ints | int) -> Keys:
    """Returns the name of each chain as one number that sorts as its parts do."""
    place = np.asarray(item, np.int64) * MOST_SITES + site
    return np.asarray((place * 2 + bonded) * MOST_BUCKETS + until, dtype=np.int64)
