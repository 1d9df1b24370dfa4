"""Shadow prices laid out for many orders at once: of stock, of slots, of carrier kilograms.

A unit counts in the bucket in which its order is placed, its slot and its kilograms in the bucket
in which a carrier takes them over.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carriers.services import Service
from inventory.items import Catalog
from routing.allocation.prices import Prices

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Shadows:
    """Prices by position in a catalog, a rate book's sites, and services; 0 where none is known.

    `outbound` is [site, bucket], `kilo` [site, service, bucket]; `item` and `site` are positions in
    `stock` [priced item, priced site, bucket], -1 where it has none.
    """

    stock: Floats
    item: Places
    site: Places
    outbound: Floats
    kilo: Floats

    @classmethod
    def of(
        cls,
        prices: Prices | None,
        catalog: Catalog,
        sites: tuple[str, ...],
        services: tuple[Service, ...],
    ) -> "Shadows":
        """Returns the prices of a context's parts; without prices everything is 0."""
        if prices is None:
            return cls(
                np.zeros((1, 1, 1)),
                np.full(len(catalog.items), -1),
                np.full(len(sites), -1),
                np.zeros((len(sites), 1)),
                np.zeros((len(sites), len(services), 1)),
            )
        site = np.array([prices.site_at.get(name, -1) for name in sites], dtype=np.intp)
        service = np.array([prices.service_at.get(one.service, -1) for one in services])
        item = np.array([prices.item_at.get(one.item, -1) for one in catalog.items], dtype=np.intp)
        outbound, kilo = prices.outbound[site], prices.carrier_kg[site][:, service]
        outbound[site < 0] = 0.0
        kilo[site < 0] = 0.0
        kilo[:, service < 0] = 0.0
        return cls(prices.stock, item, site, outbound, kilo)

    def of_stock(self, items: Places, site: Places, bucket: Places) -> Floats:
        """Returns the price of one unit by [row, want]; items [row, want], the others [row]."""
        item, site = self.item[items], self.site[site][:, np.newaxis]
        known = (item >= 0) & (site >= 0)
        return np.where(known, self.stock[item, site, bucket[:, np.newaxis]], 0.0)

    def of_slot(self, site: Places, bucket: Places) -> Floats:
        """Returns the price of packing one unit by [row, service]; `bucket` has that shape."""
        return self.outbound[site[:, np.newaxis], bucket]

    def of_kilo(self, site: Places, bucket: Places) -> Floats:
        """Returns the price of one kilogram by [row, service]; `bucket` has that shape."""
        return self.kilo[site[:, np.newaxis], np.arange(bucket.shape[1]), bucket]
