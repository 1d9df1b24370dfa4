"""Sources: qualified offers that a plan may buy from, and where and when their goods come in.

Goods are received at the site that their supplier names, if lanes lead on from there or it serves
regions itself; time and freight of the lanes come on top. A supplier without such a site delivers,
as drafted purchase orders do, to the serving site that holds most of the item.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from core.brand import Brand
from core.places import customs_territory
from inventory.items import Catalog
from inventory.suppliers.offers import Market, Offer
from inventory.suppliers.orders import day_after
from routing.allocation.inputs.horizon import Horizon
from routing.allocation.problem import Units
from warehouses.network import Network

UNLIMITED = 2**40


@dataclass(frozen=True, slots=True)
class Source:
    """An offer, the site that receives its goods, and whether they cross a customs border for it.

    `item` is a position in the catalog, `begins` the first bucket in which goods can come in.
    """

    offer: Offer
    item: int
    site: str
    abroad: bool
    begins: int

    def most(self, buckets: int, weeks: float) -> Units:
        """Returns the units that the supplier can deliver in each bucket from `begins` on.

        Parts of a unit a bucket add up, so that no week of its capacity is lost.
        """
        count = np.arange(buckets - self.begins + 1)
        if np.isinf(self.offer.capacity_per_week):
            return np.full(len(count) - 1, UNLIMITED, dtype=np.int64)
        so_far = np.floor(self.offer.capacity_per_week * weeks * count + 1e-9)
        whole: Units = np.minimum(so_far, UNLIMITED).astype(np.int64)
        return whole[1:] - whole[:-1]


def sources_of(
    brand: Brand,
    catalog: Catalog,
    network: Network,
    horizon: Horizon,
    leaving: Collection[str],
) -> tuple[Source, ...]:
    """Returns the sources of a brand whose goods can come in within the horizon, by item.

    `leaving` are sites from which lanes lead on. A plan of one bucket buys nothing: it is for the
    stock at hand.
    """
    if len(horizon.starts) < 2 or brand.table("offers").empty:
        return ()
    market, fullest = Market.of(brand), _fullest(brand, network)
    made = []
    for offer in market.offers:
        day = day_after(brand.today, offer.lead_days)
        if not offer.qualified or offer.item not in catalog.index or day >= horizon.end:
            continue
        own = market.supplier[offer.supplier].site
        delivered = not (own in leaving or (own in network.site and network.site[own].serves))
        site = fullest.get(offer.item, fullest[""]) if delivered else own
        item = catalog.index[offer.item]
        abroad = delivered and _crosses(catalog.items[item].origin, network, site)
        made.append(Source(offer, item, site, abroad, horizon.holding(day)))
    return tuple(sorted(made, key=lambda source: source.item))


def _crosses(origin: str, network: Network, site: str) -> bool:
    """Whether goods of an origin come over a customs border; those of an unknown one do."""
    if site not in network.site:
        return False
    return customs_territory(origin) != customs_territory(network.site[site].country)


def _fullest(brand: Brand, network: Network) -> Mapping[str, str]:
    """The serving site that holds most of each item; under "" the one for all others."""
    names = [site.site for site in network.serving]
    stock = brand.table("stock")
    held: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(names, 0.0))
    for item, site, units in zip(stock["item"], stock["site"], stock["on_hand"], strict=True):
        if site in held[str(item)]:
            held[str(item)][str(site)] += float(units)
    most = {item: max(sites, key=sites.__getitem__) for item, sites in held.items() if sites}
    return most | {"": names[0] if names else ""}
