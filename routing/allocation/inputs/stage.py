"""The stage: where goods of each item can be, and how they go from there, bucket by bucket."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.places import customs_territory
from routing.allocation.inputs.chains import Chains, key_of
from routing.allocation.inputs.horizon import Horizon
from routing.allocation.inputs.lots import Lots
from routing.allocation.inputs.sources import Source
from routing.allocation.problem import Bools, Ints
from routing.lanes import Lane
from warehouses.network import Site

Buckets = NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class Stage:
    """Sites, lanes and sources between which goods of a number of items go over the buckets."""

    items: int
    horizon: Horizon
    sites: tuple[Site, ...]
    lanes: tuple[Lane, ...]
    sources: tuple[Source, ...]

    @property
    def buckets(self) -> int:
        """Number of buckets."""
        return len(self.horizon.starts)

    @cached_property
    def at(self) -> dict[str, int]:
        """Position of each site."""
        return {site.site: at for at, site in enumerate(self.sites)}

    def lead(self, lane: Lane) -> int:
        """Returns the buckets from leaving to being there, at least one."""
        return lead_of(lane, self.horizon)

    def after(self, lane: Lane, bonded: bool) -> tuple[int, bool]:
        """Returns where a lane ends, and whether goods are in bond there.

        Goods enter the bond of a bonded site when they come in bond or over a customs border; what
        is free already stays free.
        """
        end = self.at[lane.to_site]
        enters = self.sites[end].customs == "bonded" and (bonded or self.crosses(lane))
        return end, enters

    def crosses(self, lane: Lane) -> bool:
        """Whether a lane leads over a customs border."""
        start, end = (self.sites[self.at[name]] for name in (lane.from_site, lane.to_site))
        return customs_territory(start.country) != customs_territory(end.country)

    def received(self, source: Source) -> tuple[int, bool]:
        """Returns where bought goods come in, and whether they are in bond there."""
        site = self.at[source.site]
        return site, source.abroad and self.sites[site].customs == "bonded"

    def until(self, site: Ints | int, bonded: Bools | bool, bucket: Ints) -> Ints:
        """Returns the bucket in which goods that come in in a bucket are out of reach.

        Goods in bond are, where the bond that begins with them ends within the horizon.
        """
        ends = bucket + self._bond[site]
        return np.where(bonded, np.minimum(ends, self.buckets), self.buckets).astype(np.int32)

    @cached_property
    def _bond(self) -> Ints:
        """Buckets that goods may stay in bond at each site; a part of one counts, as for stock."""
        days = np.array([site.bond_days for site in self.sites], dtype=float)
        buckets = np.ceil(days / self.horizon.days)
        return np.maximum(np.minimum(buckets, self.buckets), 1).astype(np.int32)

    def chains(self, lots: Lots) -> Chains:
        """Returns a chain for every lot, and for all that becomes of it and of purchases."""
        keys, begins = [key_of(lots.item, lots.site, lots.bonded, lots.until)], [lots.bucket]
        first = self._arrivals(lots)
        at = np.arange(self.buckets, dtype=np.int32)
        for site in range(len(self.sites)):
            for bonded in (False, True):
                come = first[:, site, int(bonded)]
                ends = self.until(site, bonded, at)
                for end in np.unique(ends):
                    early, late = at[ends == end][[0, -1]]
                    item = np.flatnonzero(come <= late)
                    keys.append(key_of(item, site, bonded, int(end)))
                    begins.append(np.maximum(come[item], early))
        return Chains.of(np.concatenate(keys), np.concatenate(begins))

    def _arrivals(self, lots: Lots) -> Buckets:
        """Returns the first bucket in which goods come in, [item, site, state], free before bonded.

        What is there without coming in does not count; past the horizon means never.
        """
        never = self.buckets
        come = np.full((self.items, len(self.sites), 2), never, dtype=np.int16)
        there = come.copy()
        state = lots.bonded.astype(np.int32)
        np.minimum.at(there, (lots.item, lots.site, state), lots.bucket)
        ends = lots.bonded & (lots.until < never)
        released = lots.item[ends], lots.site[ends], 0 * state[ends]
        np.minimum.at(come, released, lots.bucket[ends])
        for source in self.sources:
            site, bonded = self.received(source)
            cell = source.item, site, int(bonded)
            come[cell] = min(come[cell], source.begins)
        while self._spread(come, there):
            pass
        return come

    def _spread(self, come: Buckets, there: Buckets) -> bool:
        """Takes goods one step on along lanes and out of bond; tells whether any came earlier."""
        before = come.copy()
        for lane in self.lanes:
            start = self.at[lane.from_site]
            for state in (0, 1):
                end, bonded = self.after(lane, bool(state))
                left = np.minimum(come[:, start, state], there[:, start, state])
                cell = come[:, end, int(bonded)]
                np.minimum(cell, left + np.int16(self.lead(lane)), out=cell)
        np.minimum(come, self.buckets, out=come)
        ends = np.where(come[:, :, 1] + self._bond < self.buckets, come[:, :, 1], self.buckets)
        np.minimum(come[:, :, 0], ends, out=come[:, :, 0])
        return bool((come < before).any())


def lead_of(lane: Lane, horizon: Horizon) -> int:
    """Returns the buckets from leaving to being there, at least one."""
    return max(1, int(np.ceil(lane.transit_days / horizon.days)))
