"""Allocation instances of any size, from a seed: skewed demand, scattered stock, tight limits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routing.allocation.problem import (
    LEAVE,
    NOWHERE,
    Axes,
    Demands,
    Limits,
    Pools,
    Problem,
    Segments,
    Ships,
    Transfers,
    summed,
)

Floats = NDArray[np.float64]

UNLIMITED = 2**40
MAP_KM = 100.0
BANDS = np.array([0.3, 0.8, 1.5, 3.0])
"""Weights in kg at which the next price band begins."""

BAND_PRICE = np.array([0.6, 1.0, 1.8, 3.2, 6.0])
TIGHT = 0.55
"""Share of the stock that sites can pack, and about twice what all services take of it."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many of each an instance has.

    The mean item is asked for by `asking` regions, `units` in all, and held by `holding` sites.
    """

    items: int
    sites: int = 6
    regions: int = 20
    services: int = 3
    asking: float = 8.0
    holding: float = 3.6
    units: float = 30.0

    def __str__(self) -> str:
        return f"{self.items:,} x {self.sites} x {self.regions} x {self.services}"


def instance(size: Size, seed: int) -> Problem:
    """Returns a problem of one bucket whose shared limits bind; the same seed gives the same."""
    rng = np.random.default_rng(seed)
    price = _lane_prices(rng, size)
    weight = rng.lognormal(-0.5, 0.8, size.items)
    value = rng.lognormal(3.0, 0.7, size.items)
    demands, units = _demand(rng, size)
    pools = _stock(rng, size, summed(demands.item, units, size.items))
    band = np.digitize(weight, BANDS)
    ships = _ships(pools, demands, price, band, size.items)
    least = np.full(len(units), np.inf)
    np.minimum.at(least, ships.demand, ships.cost.min(axis=1))
    held = summed(pools.site, pools.units, size.sites)
    kilos = summed(pools.site, pools.units * weight[pools.item], size.sites)
    share = np.linspace(0.25, 0.45, size.services)
    return Problem(
        axes=Axes(
            tuple(f"item {at}" for at in range(size.items)),
            tuple(f"site {at}" for at in range(size.sites)),
            tuple(f"region {at}" for at in range(size.regions)),
            tuple(f"service {at}" for at in range(size.services)),
        ),
        pools=pools,
        demands=demands,
        segments=Segments(
            np.arange(len(units), dtype=np.int32),
            units,
            np.ones(len(units)),
            (0.6 * value + 15.0)[demands.item],
        ),
        ships=ships,
        transfers=_leftovers(pools),
        limits=Limits(
            outbound=np.floor(held * TIGHT)[:, None],
            carrier_kg=np.floor(kilos[:, None] * TIGHT * share)[:, :, None],
            lane_m3=np.zeros((0, 1)),
            storage_m3=np.full((size.sites, 1), np.inf),
            overflow_price=np.zeros(size.sites),
        ),
        cheapest=least,
        weight_kg=weight,
        value=value,
        fixed_cost=np.zeros(size.sites),
        decide=np.zeros(size.sites, dtype=bool),
    )


def _lane_prices(rng: np.random.Generator, size: Size) -> Floats:
    """Returns the cost of a unit by [site, region, service, band]: distance, speed and lateness."""
    here, there = (rng.uniform(0, MAP_KM, (count, 2)) for count in (size.sites, size.regions))
    km = np.linalg.norm(here[:, None] - there[None], axis=2)
    speed = np.linspace(1.6, 0.7, size.services)
    noise = rng.uniform(0.9, 1.1, (size.sites, size.regions, size.services, len(BAND_PRICE)))
    price = (2.0 + 0.06 * km)[:, :, None, None] * speed[:, None] * BAND_PRICE * noise
    days = np.maximum(1.0, km[:, :, None] / 20.0 * np.linspace(0.5, 1.8, size.services))
    handling = rng.uniform(0.2, 0.8, size.sites)[:, None, None, None]
    return np.asarray(price + 0.3 * np.maximum(0.0, days - 4.0)[..., None] + handling)


def _demand(rng: np.random.Generator, size: Size) -> tuple[Demands, NDArray[np.int64]]:
    asks = rng.random((size.items, size.regions), dtype=np.float32) < size.asking / size.regions
    item, region = (at.astype(np.int32) for at in np.nonzero(asks))
    usual = rng.gamma(0.8, (size.units / size.asking - 1.0) / 0.8, size.items)
    units = rng.poisson(usual[item]) + 1
    return Demands(item, region, np.zeros(len(item), np.int32)), units


def _stock(rng: np.random.Generator, size: Size, asked: Floats) -> Pools:
    """Returns 80 to 160 % of each item's demand, unevenly spread over the sites that hold it."""
    holds = rng.random((size.items, size.sites), dtype=np.float32) < size.holding / size.sites
    holds[np.arange(size.items), rng.integers(0, size.sites, size.items)] = True
    item, site = (at.astype(np.int32) for at in np.nonzero(holds))
    share = rng.gamma(1.0, 1.0, len(item))
    share /= summed(item, share, size.items)[item]
    plenty = rng.uniform(0.8, 1.6, size.items)
    units = np.ceil(share * (asked * plenty)[item]).astype(np.int64)
    none = np.zeros(len(item), np.int32)
    return Pools(item, site, none.astype(bool), none, units)


def _ships(
    pools: Pools, demands: Demands, price: Floats, band: NDArray[np.intp], items: int
) -> Ships:
    """Returns every pool with every demand of its item."""
    first = np.searchsorted(demands.item, np.arange(items + 1, dtype=np.int32))
    count = np.diff(first)[pools.item]
    pool = np.repeat(np.arange(len(count), dtype=np.int32), count)
    before = np.cumsum(count) - count
    demand = (np.arange(len(pool)) - np.repeat(before - first[pools.item], count)).astype(np.int32)
    cost = price[pools.site[pool], demands.region[demand], :, band[pools.item[pool]]]
    return Ships(pool, demand, np.arange(len(pool), dtype=np.int32), cost.astype(np.float32))


def _leftovers(pools: Pools) -> Transfers:
    count = len(pools.item)
    nowhere = np.full(count, NOWHERE, np.int32)
    return Transfers(
        item=pools.item, start=np.arange(count, dtype=np.int32), end=nowhere,
        cost=np.zeros(count), most=np.full(count, UNLIMITED), row=nowhere, use=np.zeros(count),
        kind=np.full(count, LEAVE, np.int8), lane=nowhere,
    )  # fmt: skip
