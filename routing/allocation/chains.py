"""Chains: stock of one item in one place over time, from bucket to bucket."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from routing.allocation.lots import Lots
from routing.allocation.problem import Ints, Pools


@dataclass(frozen=True, eq=False)
class Chains:
    """Stock over time: an item at a site in one customs state, and the bucket after its bond ends.

    The pools of a chain follow one another from bucket 0 up to `until`; `first` is the first one.
    """

    item: Ints
    site: Ints
    bonded: NDArray[np.bool_]
    until: Ints

    @property
    def first(self) -> Ints:
        """The pool of bucket 0 of each chain."""
        return (np.cumsum(self.until) - self.until).astype(np.int32)

    @property
    def index(self) -> pd.MultiIndex:
        """What names a chain."""
        return pd.MultiIndex.from_arrays([self.item, self.site, self.bonded, self.until])

    def at(
        self, item: Ints, site: Ints, bonded: NDArray[np.bool_], until: Ints
    ) -> NDArray[np.intp]:
        """Returns the chain of each name, -1 where there is none."""
        asked = pd.MultiIndex.from_arrays([item, site, bonded, until])
        return np.asarray(self.index.get_indexer(asked))

    def pools(self, lots: Lots) -> Pools:
        """Returns the pools of all chains with the units that appear in each."""
        chain = np.repeat(np.arange(len(self.item)), self.until)
        units = np.zeros(len(chain), np.int64)
        lot = self.first[self.at(lots.item, lots.site, lots.bonded, lots.until)]
        np.add.at(units, lot + lots.bucket, lots.units)
        bucket = np.arange(len(chain), dtype=np.int32) - self.first[chain]
        return Pools(self.item[chain], self.site[chain], self.bonded[chain], bucket, units)
