"""Ships: which pool may serve which demand, and what a unit costs by each service."""

import numpy as np
from numpy.typing import NDArray

from routing.allocation.chains import Chains
from routing.allocation.problem import Demands, Floats, Ints, Segments, Ships
from routing.costs import UnitCosts

CHAINS_AT_ONCE = 5_000
"""Chains whose lanes are priced at once."""


def ships_of(
    costs: UnitCosts, chains: Chains, demands: Demands, segments: Segments, buckets: int
) -> tuple[Ships, Floats]:
    """Returns every pool with every demand of its item and bucket that it can serve at a gain.

    With them comes the least unit cost of any lawful way to each demand, infinite where none is.

    Left out, at no loss: ways that are forbidden or dearer than the dearest unit of the demand.
    """
    items, regions = len(costs.items), len(costs.regions)
    worth = np.zeros(len(demands.item))
    np.maximum.at(worth, segments.demand, segments.value)
    most = np.zeros((items, regions))
    np.maximum.at(most, (demands.item, demands.region), worth)
    place = np.full((items, regions, buckets), -1, np.int32)
    place[demands.item, demands.region, demands.bucket] = np.arange(len(demands.item))
    least = np.full((items, regions), np.inf)
    ways, pools, asked, of_way = [], [], [], []
    count = 0
    serving = np.flatnonzero(chains.site < len(costs.sites))
    for begin in range(0, len(serving), CHAINS_AT_ONCE):
        cut = serving[begin : begin + CHAINS_AT_ONCE]
        cost = _lane_costs(costs, chains.item[cut], chains.site[cut], chains.bonded[cut])
        best = cost.min(axis=2, initial=np.inf)
        np.minimum.at(least, chains.item[cut], best)
        chain, region = np.nonzero(best < most[chains.item[cut]])
        ways.append(cost[chain, region])
        chain = cut[chain]
        bucket = np.arange(buckets)
        row = place[chains.item[chain], region]
        kept = (row >= 0) & (bucket < chains.until[chain][:, None])
        kept &= ways[-1].min(axis=1, initial=np.inf)[:, None] < np.where(
            row >= 0, worth[row], -np.inf
        )
        way, when = np.nonzero(kept)
        pools.append(chains.first[chain[way]] + when)
        asked.append(row[way, when])
        of_way.append(count + way)
        count += len(chain)
    pool = np.concatenate(pools) if pools else np.zeros(0)
    order = np.argsort(pool, kind="stable")
    ships = Ships(
        pool[order].astype(np.int32),
        (np.concatenate(asked) if asked else pool)[order].astype(np.int32),
        (np.concatenate(of_way) if of_way else pool)[order].astype(np.int32),
        np.concatenate(ways) if ways else np.zeros((0, len(costs.services))),
    )
    return ships, least[demands.item, demands.region]


def _lane_costs(costs: UnitCosts, item: Ints, site: Ints, bonded: NDArray[np.bool_]) -> Floats:
    """Returns unit costs [chain, region, service], infinite where the way is forbidden."""
    total = np.where(bonded[:, None, None], costs.bonded_total[item, site], costs.total[item, site])
    allowed = np.broadcast_to(costs.allowed, costs.shape)[item, site]
    return np.where(allowed, total, np.inf)
