"""Typical parcels: what customers of a region usually order at once."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carriers.rates import billed_weight_kg
from carriers.services import Service
from core.brand import Brand
from inventory.items import Catalog

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TypicalParcels:
    """The median order of each region; NaN where no order is known yet.

    `billed_kg` is shaped [region, service], `value` [region] in settlement currency.
    """

    billed_kg: Floats
    value: Floats


def typical_parcels(
    brand: Brand, catalog: Catalog, services: tuple[Service, ...]
) -> TypicalParcels:
    """Returns the median order of each region among the orders placed before the planning date."""
    orders = _orders(brand, catalog)
    regions = pd.Index(brand.table("regions")["region"])
    billed = np.empty((len(regions), len(services)))
    for at, service in enumerate(services):
        weight = billed_weight_kg(
            orders["weight_kg"], orders["volume_m3"], service.volumetric_divisor
        )
        billed[:, at] = _medians(orders.assign(billed=weight), "billed", regions)
    return TypicalParcels(billed, _medians(orders, "value", regions))


def _orders(brand: Brand, catalog: Catalog) -> pd.DataFrame:
    """One row for each known order: region, weight, volume and value of the goods."""
    lines = brand.table("orders")
    known = lines[lines["placed_at"] < pd.Timestamp(brand.today, tz="UTC")]
    item = pd.Index(catalog.index).get_indexer(pd.Index(known["item"]))
    measures = {
        name: known["quantity"].to_numpy() * array[item]
        for name, array in (
            ("weight_kg", catalog.weight_kg),
            ("volume_m3", catalog.volume_m3),
            ("value", catalog.value),
        )
    }
    whole = known[["order", "region"]].assign(**measures)
    return whole.groupby(["order", "region"], as_index=False).sum()


def _medians(orders: pd.DataFrame, column: str, regions: pd.Index) -> Floats:
    medians: Floats = orders.groupby("region")[column].median().reindex(regions).to_numpy(float)
    return medians
