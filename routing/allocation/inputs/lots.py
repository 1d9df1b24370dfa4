"""Lots: units that appear, as stock on hand or as arrivals."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.brand import Brand
from inventory.items import Catalog
from routing.allocation.inputs.horizon import Horizon
from routing.allocation.problem import Ints, Units
from warehouses.network import Site


@dataclass(frozen=True, eq=False)
class Lots:
    """Units that appear: item, site, customs state, bucket, and the bucket after its bond ends."""

    item: Ints
    site: Ints
    bonded: NDArray[np.bool_]
    bucket: Ints
    until: Ints
    units: Units

    @classmethod
    def of(
        cls, brand: Brand, catalog: Catalog, horizon: Horizon, sites: tuple[Site, ...]
    ) -> "Lots":
        """Returns stock on hand and arrivals due within the horizon at sites of the plan.

        Bonded stock that has outstayed its bond is left out: it may not be shipped any more.
        """
        rows = pd.concat([_on_hand(brand), _arrivals(brand, horizon)], ignore_index=True)
        rows["item"] = pd.Index(catalog.index).get_indexer(pd.Index(rows["item"]))
        names = pd.Index([site.site for site in sites])
        rows["site"] = names.get_indexer(pd.Index(rows["site"]))
        rows = rows[(rows["site"] >= 0) & (rows["units"] > 0)]
        days = np.array([site.bond_days for site in sites], dtype=float)
        buckets = len(horizon.starts)
        until = np.full(len(rows), buckets, dtype=np.int64)
        dated = rows["bonded"].to_numpy() & rows["since"].notna().to_numpy()
        held = days[rows["site"].to_numpy()]
        ends = dated & np.isfinite(held)
        last = rows["since"][ends] + pd.to_timedelta(held[ends], unit="D")
        since = (last - pd.Timestamp(horizon.starts[0])).dt.days.to_numpy()
        until[ends] = np.clip(-(-since // horizon.days), 0, buckets)
        rows = rows.assign(until=until)
        rows = rows[rows["bucket"] < rows["until"]]
        keys = ["item", "site", "bonded", "until", "bucket"]
        summed = rows.groupby(keys, as_index=False)["units"].sum()
        return cls(
            summed["item"].to_numpy(np.int32),
            summed["site"].to_numpy(np.int32),
            summed["bonded"].to_numpy(bool),
            summed["bucket"].to_numpy(np.int32),
            summed["until"].to_numpy(np.int32),
            np.floor(summed["units"].to_numpy(float)).astype(np.int64),
        )


def _on_hand(brand: Brand) -> pd.DataFrame:
    stock = brand.table("stock")
    return pd.DataFrame(
        {
            "item": stock["item"],
            "site": stock["site"],
            "bonded": stock["customs"] == "bonded",
            "since": stock["bonded_since"],
            "bucket": 0,
            "units": stock["on_hand"],
        }
    )


def _arrivals(brand: Brand, horizon: Horizon) -> pd.DataFrame:
    """Goods due before the horizon ends, late ones included, in the customs state of their site."""
    inbound, sites = brand.table("inbound"), brand.table("sites")
    due = inbound[inbound["due"] < pd.Timestamp(horizon.end)]
    bonded = due["site"].map(dict(zip(sites["site"], sites["customs"] == "bonded", strict=True)))
    return pd.DataFrame(
        {
            "item": due["item"],
            "site": due["site"],
            "bonded": bonded.astype(bool),
            "since": due["due"],
            "bucket": np.minimum(horizon.at(due["due"]), len(horizon.starts) - 1),
            "units": due["quantity"],
        }
    )
