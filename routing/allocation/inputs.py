"""Inputs: the allocation problem of a brand over its planning horizon."""

import numpy as np
import pandas as pd

from carriers.services import services_of
from core.brand import Brand
from core.errors import BadInput
from core.errors import Problem as Fault
from inventory.items import Catalog
from routing.allocation.problem import Problem
from routing.costs import UnitCosts
from warehouses.network import Network

_BUCKET_DAYS = {"week": 7, "day": 1}


def problem_of(brand: Brand, costs: UnitCosts, forecast: pd.DataFrame) -> Problem:
    """Returns the problem of serving the forecast of the horizon from stock and arrivals.

    `forecast` has the layout of `forecast.parquet`. Expected demand counts; capacities per week
    count for every week of the horizon.
    """
    catalog, network, weeks = Catalog.of(brand), Network.of(brand), brand.horizon_weeks
    sites = [network.site[site] for site in costs.sites]
    demand = _demand(brand, costs, forecast)
    pools = _pools(brand, costs)
    item = demand["item"].to_numpy(dtype=np.int32)
    kg_per_week = [service.kg_per_week for service in services_of(brand)]
    return Problem(
        costs=costs,
        demand_item=item,
        demand_region=demand["region"].to_numpy(dtype=np.int32),
        demand_units=demand["units"].to_numpy(dtype=float),
        penalty=catalog.unmet_penalty[item],
        pool_item=pools["item"].to_numpy(dtype=np.int32),
        pool_site=pools["site"].to_numpy(dtype=np.int32),
        pool_bonded=pools["bonded"].to_numpy(dtype=bool),
        pool_units=pools["units"].to_numpy(dtype=float),
        weight_kg=catalog.weight_kg,
        value=catalog.value,
        outbound_units=weeks * np.array([site.outbound_units for site in sites], dtype=float),
        carrier_kg=np.tile(weeks * np.array(kg_per_week, dtype=float), (len(sites), 1)),
        fixed_cost=np.array([site.fixed_cost for site in sites], dtype=float),
        decide=np.array([site.status == "decide" for site in sites], dtype=bool),
        storage_cost=_storage_cost(brand, catalog, pools, [site.storage_cost for site in sites]),
    )


def _demand(brand: Brand, costs: UnitCosts, forecast: pd.DataFrame) -> pd.DataFrame:
    """Expected units of each item and region over the horizon, sorted; ids as positions."""
    held = _within_horizon(brand, forecast)
    rows = pd.DataFrame(
        {
            "item": pd.Index(costs.items).get_indexer(pd.Index(held["item"])),
            "region": pd.Index(costs.regions).get_indexer(pd.Index(held["region"])),
            "units": held["mean"].to_numpy(dtype=float),
        }
    )
    total = rows.groupby(["item", "region"], as_index=False).sum()
    return total.loc[~(total["units"] <= 0)]


def _within_horizon(brand: Brand, forecast: pd.DataFrame) -> pd.DataFrame:
    """Buckets that run within the horizon; the bucket that holds the planning date counts whole."""
    today, days = pd.Timestamp(brand.today), pd.Timedelta(days=_BUCKET_DAYS[brand.bucket])
    end = today + pd.Timedelta(weeks=brand.horizon_weeks)
    held = forecast[(forecast["start"] + days > today) & (forecast["start"] < end)]
    if len(forecast) and held.empty:
        fault = (
            f"no bucket lies in the horizon from {today.date()} to {end.date()}; correct today or "
            "horizon_weeks in brand.toml, or forecast again"
        )
        raise BadInput([Fault("forecast.parquet", 0, 0, fault)])
    return held


def _pools(brand: Brand, costs: UnitCosts) -> pd.DataFrame:
    """Units by item, site and customs state, sorted; arrivals due within the horizon included."""
    stock = brand.table("stock")
    on_hand = stock[["item", "site"]].assign(
        bonded=stock["customs"] == "bonded", units=stock["on_hand"].astype(float)
    )
    rows = pd.concat([on_hand, _arrivals(brand)], ignore_index=True)
    rows = rows.assign(
        item=pd.Index(costs.items).get_indexer(pd.Index(rows["item"])),
        site=pd.Index(costs.sites).get_indexer(pd.Index(rows["site"])),
    )
    rows = rows[(rows["site"] >= 0) & (rows["units"] > 0)]
    return rows.groupby(["item", "site", "bonded"], as_index=False).sum()


def _arrivals(brand: Brand) -> pd.DataFrame:
    """Goods due before the horizon ends, late ones included, in the customs state of their site."""
    inbound, sites = brand.table("inbound"), brand.table("sites")
    end = pd.Timestamp(brand.today) + pd.Timedelta(weeks=brand.horizon_weeks)
    due = inbound[inbound["due"] < end]
    bonded = due["site"].map(dict(zip(sites["site"], sites["customs"] == "bonded", strict=True)))
    return due[["item", "site"]].assign(
        bonded=bonded.astype(bool), units=due["quantity"].astype(float)
    )


def _storage_cost(
    brand: Brand, catalog: Catalog, pools: pd.DataFrame, per_m3_week: list[float]
) -> float:
    """Storing everything at hand over the horizon, the same whatever leaves in this one period."""
    volume = catalog.volume_m3[pools["item"]] * pools["units"].to_numpy(dtype=float)
    rate = np.array(per_m3_week, dtype=float)[pools["site"]]
    return float(volume @ rate) * brand.horizon_weeks
