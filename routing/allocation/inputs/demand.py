"""Demand: what a forecast asks for in each bucket, as demands and segments."""

import numpy as np
import pandas as pd

from core.brand import Brand
from core.errors import BadInput
from core.errors import Problem as Fault
from inventory.items import Catalog
from routing.allocation.inputs.horizon import Horizon
from routing.allocation.problem import Demands, Segments
from routing.allocation.segments import QUANTILES, certain, uncertain


def demand_of(
    brand: Brand, catalog: Catalog, horizon: Horizon, forecast: pd.DataFrame
) -> tuple[Demands, Segments]:
    """Returns the demand of each item, region and bucket, and its segments."""
    held = _within(brand, horizon, forecast)
    names = [name for name in QUANTILES if name in held and held[name].notna().all()]
    rows = pd.DataFrame(
        {
            "item": pd.Index(catalog.index).get_indexer(pd.Index(held["item"])),
            "region": pd.Index(brand.table("regions")["region"]).get_indexer(
                pd.Index(held["region"])
            ),
            "bucket": horizon.at(held["start"]),
            **{name: held[name].to_numpy(dtype=float) for name in ("mean", *names)},
        }
    )
    rows = rows[~(rows["mean"] <= 0)].sort_values(["item", "region", "bucket"], kind="stable")
    mean = rows["mean"].to_numpy(dtype=float)
    if len(names) == len(QUANTILES) and len(rows):
        row, units, chance = uncertain(mean, rows[list(QUANTILES)].to_numpy(dtype=float))
    else:
        row, units, chance = certain(mean)
    item = rows["item"].to_numpy(dtype=np.int32)
    demands = Demands(
        item, rows["region"].to_numpy(dtype=np.int32), rows["bucket"].to_numpy(dtype=np.int32)
    )
    return demands, Segments(row, units, chance, catalog.unmet_penalty[item[row]] * chance)


def _within(brand: Brand, horizon: Horizon, forecast: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows of buckets within the horizon; the one that holds today counts whole."""
    first = pd.Timestamp(horizon.starts[0])
    end = pd.Timestamp(horizon.end)
    held = forecast[(forecast["start"] >= first) & (forecast["start"] < end)]
    if len(forecast) and held.empty:
        fault = (
            f"no bucket lies in the horizon from {brand.today} to {end.date()}; correct today or "
            "horizon_weeks in brand.toml, or forecast again"
        )
        raise BadInput([Fault(brand.file("forecast"), 0, 0, fault)])
    return held
