"""Inputs: the allocation problem of a brand over the buckets of its planning horizon."""

import numpy as np
import pandas as pd

from carriers.services import services_of
from core.brand import Brand
from inventory.items import Catalog
from routing.allocation.inputs.demand import demand_of
from routing.allocation.inputs.horizon import Horizon
from routing.allocation.inputs.lots import Lots
from routing.allocation.inputs.ships import ships_of
from routing.allocation.inputs.sites import leads_on, sites_of
from routing.allocation.inputs.sources import sources_of
from routing.allocation.inputs.stage import Stage, lead_of
from routing.allocation.inputs.transfers import transfers_of
from routing.allocation.problem import Axes, Consignments, Limits, Problem
from routing.costs import CostBook
from routing.landed_cost.tariffs import Tariffs
from routing.lanes import Lane, lanes_of
from warehouses.network import Network

OVERFLOW_TIMES, LEAST_OVERFLOW = 10.0, 1.0
"""Goods beyond the storage of a site cost so many times its rate per m3 and bucket, and no less
than this: rented space, dear enough to be avoided."""


def problem_of(brand: Brand, book: CostBook, tariffs: Tariffs, forecast: pd.DataFrame) -> Problem:
    """Returns the problem of serving the forecast from stock, arrivals, moves and purchases.

    `forecast` has the layout of `forecast.parquet`; with quantiles demand is uncertain, without
    them it is the mean. Capacities per week hold in every bucket.
    """
    catalog, horizon = book.catalog, Horizon.of(brand, forecast)
    stage = _stage(brand, catalog, horizon, book.rates.sites)
    demands, segments = demand_of(brand, catalog, horizon, forecast)
    lots = Lots.of(brand, catalog, horizon, stage.sites)
    chains = stage.chains(lots)
    limits = _limits(brand, stage)
    ships, cheapest = ships_of(book, chains, demands, segments)
    return Problem(
        axes=Axes(
            tuple(catalog.index),
            tuple(stage.at),
            book.rates.regions,
            book.rates.services,
            horizon.starts,
            tuple((lane.from_site, lane.to_site, lane.service) for lane in stage.lanes),
            tuple((one.offer.supplier, one.offer.item, one.site) for one in stage.sources),
        ),
        pools=chains.pools(lots),
        demands=demands,
        segments=segments,
        ships=ships,
        transfers=transfers_of(brand, catalog, tariffs, stage, chains, limits),
        limits=limits,
        cheapest=cheapest,
        weight_kg=catalog.weight_kg,
        value=catalog.value,
        fixed_cost=np.array([site.serves * site.fixed_cost for site in stage.sites], dtype=float),
        decide=np.array(
            [site.serves and site.status == "decide" for site in stage.sites], dtype=bool
        ),
        consignments=_consignments(stage.lanes),
    )


def _consignments(lanes: tuple[Lane, ...]) -> Consignments:
    return Consignments(
        np.array([lane.fixed_cost for lane in lanes], dtype=float),
        np.array([lane.container_m3 for lane in lanes], dtype=float),
        np.array([lane.container_cost for lane in lanes], dtype=float),
    )


def _stage(brand: Brand, catalog: Catalog, horizon: Horizon, serving: tuple[str, ...]) -> Stage:
    """Returns the stage on which goods of a brand go: the lanes, sites and sources that matter."""
    network, lanes = Network.of(brand), lanes_of(brand)
    sources = sources_of(brand, catalog, network, horizon, {lane.from_site for lane in lanes})
    short = [lane for lane in lanes if lead_of(lane, horizon) < len(horizon.starts)]
    sites = sites_of(network, serving, short, _goods(brand) | {source.site for source in sources})
    known = {site.site for site in sites}
    return Stage(
        len(catalog.items),
        horizon,
        sites,
        tuple(lane for lane in short if leads_on(lane, sites)),
        tuple(source for source in sources if source.site in known),
    )


def _goods(brand: Brand) -> set[str]:
    """The sites at which goods are or to which they are on their way."""
    return {
        str(site) for name in ("stock", "inbound") for site in brand.table(name)["site"].unique()
    }


def _limits(brand: Brand, stage: Stage) -> Limits:
    sites, lanes, weeks, buckets = stage.sites, stage.lanes, stage.horizon.weeks, stage.buckets
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
