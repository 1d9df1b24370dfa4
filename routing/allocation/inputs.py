"""Inputs: the allocation problem of a brand over the buckets of its planning horizon."""

import numpy as np
import pandas as pd

from carriers.services import services_of
from core.brand import Brand
from inventory.items import Catalog
from routing.allocation.demand import demand_of
from routing.allocation.horizon import Horizon
from routing.allocation.lots import Lots
from routing.allocation.problem import Axes, Limits, Problem
from routing.allocation.ships import ships_of
from routing.allocation.stage import Stage
from routing.costs import UnitCosts
from routing.landed_cost.tariffs import Tariffs
from routing.lanes import Lane, lanes_of
from warehouses.network import Network, Site

OVERFLOW_TIMES, LEAST_OVERFLOW = 10.0, 1.0
"""Goods beyond the storage of a site cost so many times its rate per m3 and bucket, and no less
than this: rented space, dear enough to be avoided."""


def problem_of(brand: Brand, costs: UnitCosts, tariffs: Tariffs, forecast: pd.DataFrame) -> Problem:
    """Returns the problem of serving the forecast from stock, arrivals and moves, bucket by bucket.

    `forecast` has the layout of `forecast.parquet`; with quantiles demand is uncertain, without
    them it is the mean. Capacities per week hold in every bucket.
    """
    catalog, network = Catalog.of(brand), Network.of(brand)
    horizon = Horizon.of(brand, forecast)
    sites = tuple(network.site[site] for site in costs.sites)
    stage = Stage(brand, catalog, horizon, costs, sites, tariffs)
    demands, segments = demand_of(brand, catalog, costs, horizon, forecast)
    lots = Lots.of(brand, costs, horizon, sites)
    lanes = tuple(lane for lane in lanes_of(brand) if stage.joins(lane))
    chains = stage.chains(lots, lanes)
    limits = _limits(brand, horizon, sites, lanes)
    ships, cheapest = ships_of(costs, chains, demands, segments, len(horizon.starts))
    return Problem(
        axes=Axes(
            costs.items,
            costs.sites,
            costs.regions,
            costs.services,
            horizon.starts,
            tuple((lane.from_site, lane.to_site, lane.service) for lane in lanes),
        ),
        pools=chains.pools(lots),
        demands=demands,
        segments=segments,
        ships=ships,
        transfers=stage.transfers(chains, lanes, limits),
        limits=limits,
        cheapest=cheapest,
        weight_kg=catalog.weight_kg,
        value=catalog.value,
        fixed_cost=np.array([site.fixed_cost for site in sites], dtype=float),
        decide=np.array([site.status == "decide" for site in sites], dtype=bool),
    )


def _limits(
    brand: Brand, horizon: Horizon, sites: tuple[Site, ...], lanes: tuple[Lane, ...]
) -> Limits:
    buckets, weeks = len(horizon.starts), horizon.weeks
    kg = np.array([service.kg_per_week for service in services_of(brand)], dtype=float)
    storage = np.array([site.storage_cost for site in sites], dtype=float)
    outbound = np.array([site.outbound_units for site in sites], dtype=float)
    volume = np.array([lane.capacity_m3 for lane in lanes], dtype=float)
    return Limits(
        outbound=np.repeat(outbound[:, None] * weeks, buckets, axis=1),
        carrier_kg=np.tile((kg * weeks)[None, :, None], (len(sites), 1, buckets)),
        lane_m3=np.repeat(volume[:, None] * weeks, buckets, axis=1),
        storage_m3=np.repeat(
            np.array([site.storage_m3 for site in sites], dtype=float)[:, None], buckets, axis=1
        ),
        overflow_price=np.maximum(OVERFLOW_TIMES * storage * weeks, LEAST_OVERFLOW),
    )
