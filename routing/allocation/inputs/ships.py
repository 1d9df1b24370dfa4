"""Ships: which pool may serve which demand, and what a unit costs by each service."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

from routing.allocation.inputs.chains import Chains
from routing.allocation.problem import Bools, Demands, Floats, Ints, Segments, Ships
from routing.costs import CostBook, UnitCosts

MANY_COSTS = 2**22
"""Costs beyond which single precision is enough: nobody knows them to seven digits."""


def ships_of(
    book: CostBook, chains: Chains, demands: Demands, segments: Segments
) -> tuple[Ships, Floats]:
    """Returns every pool with every demand of its item and bucket that it can serve at a gain.

    With them comes the least unit cost of any lawful way to each demand, infinite where none is.

    Left out, at no loss: ways that are forbidden or dearer than the dearest unit of the demand.
    """
    worth = np.zeros(len(demands.item))
    np.maximum.at(worth, segments.demand, segments.value)
    cells = len(chains) * len(book.rates.regions) * len(book.rates.services)
    kind = np.float32 if cells > MANY_COSTS else np.float64
    least = np.full(len(worth), np.inf)
    parts = [_none(len(book.rates.services), kind)]
    for items in book.parts():
        asked = slice(*np.searchsorted(demands.item, (items.start, items.stop)).tolist())
        part = _Part(book.at(items), items.start, chains, demands, asked, worth[asked])
        ships, least[asked] = part.ships(kind)
        parts.append(ships)
    return _joined(parts), least


class _Part:
    """Items that are priced at once, with their chains and demands."""

    def __init__(
        self,
        costs: UnitCosts,
        first: int,
        chains: Chains,
        demands: Demands,
        asked: slice,
        worth: Floats,
    ) -> None:
        self.costs, self.chains, self.begin, self.worth = costs, chains, asked.start, worth
        self.item = demands.item[asked] - first
        self.region, self.bucket = demands.region[asked], demands.bucket[asked]
        edges = np.searchsorted(chains.item, (first, first + len(costs.items)))
        chain = np.arange(*edges)
        self.chain = chain[chains.site[chain] < len(costs.sites)]
        self.of = chains.item[self.chain] - first

    def ships(self, kind: DTypeLike) -> tuple[Ships, Floats]:
        """Returns the ships of these items, and the least cost of a way to each of their demands.

        Goods in bond serve only from when they are there: their chain is for them alone.
        """
        chains, chain = self.chains, self.chain
        cost = _lane_costs(self.costs, self.of, chains.site[chain], chains.bonded[chain])
        best = cost.min(axis=2, initial=np.inf)
        row = self._demand_of(int(self.bucket.max(initial=0)) + 1)
        worth = np.append(self.worth, -np.inf)
        at, region = np.nonzero(best < worth[row].max(axis=2, initial=-np.inf)[self.of])
        asked, bucket = row[self.of[at], region], np.arange(row.shape[2])
        begins = np.where(chains.bonded[chain], chains.begins[chain], 0)[at]
        kept = (bucket >= begins[:, None]) & (bucket < chains.until[chain[at]][:, None])
        kept &= best[at, region][:, None] < worth[asked]
        way, when = np.nonzero(kept)
        pool = chains.pool(chain[at[way]], when)
        order = np.argsort(pool, kind="stable")
        demand = (self.begin + asked[way, when]).astype(np.int32)
        made = Ships(
            pool[order], demand[order], way[order].astype(np.int32),
            cost[at, region].astype(kind),
        )  # fmt: skip
        return made, self._least(best)

    def _demand_of(self, buckets: int) -> Ints:
        """Returns the demand of each item, region and bucket; -1 where there is none."""
        shape = len(self.costs.items), len(self.costs.regions), buckets
        row = np.full(shape, -1, np.int32)
        row[self.item, self.region, self.bucket] = np.arange(len(self.item))
        return row

    def _least(self, best: Floats) -> Floats:
        least = np.full((len(self.costs.items), len(self.costs.regions)), np.inf)
        np.minimum.at(least, self.of, best)
        found: Floats = least[self.item, self.region]
        return found


def _lane_costs(costs: UnitCosts, item: Ints, site: Ints, bonded: Bools) -> Floats:
    """Returns unit costs [chain, region, service], infinite where the way is forbidden."""
    total = np.where(bonded[:, None, None], costs.bonded_total[item, site], costs.total[item, site])
    allowed = np.broadcast_to(costs.allowed, costs.shape)[item, site]
    return np.where(allowed, total, np.inf)


def _none(services: int, kind: DTypeLike) -> Ships:
    at = np.zeros(0, np.int32)
    return Ships(at, at, at, np.zeros((0, services), kind))


def _joined(parts: Sequence[Ships]) -> Ships:
    """Returns the ships of all parts, their ways counted on."""
    begins = np.cumsum([0, *(len(part.cost) for part in parts[:-1])])
    ways: list[NDArray[np.signedinteger]] = [
        part.way + begin for part, begin in zip(parts, begins, strict=True)
    ]
    return Ships(
        np.concatenate([part.pool for part in parts]),
        np.concatenate([part.demand for part in parts]),
        np.concatenate(ways).astype(np.int32),
        np.concatenate([part.cost for part in parts]),
    )
