"""The planning context: everything about a brand that an order plan needs, built once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carriers.emissions import kg_co2e
from carriers.rates import RateBook
from carriers.services import Service, services_of
from core.brand import Brand, Weights
from inventory.items import Catalog, Item
from routing.allocation.prices import Prices
from routing.fulfillment.duties import ROUTES, Regimes
from routing.fulfillment.grids import Grids
from routing.fulfillment.incoming import Incoming
from routing.fulfillment.order import Availability
from routing.fulfillment.parcels import LaneCard, lane_card
from routing.fulfillment.promise import Transit
from routing.fulfillment.shadows import Shadows
from routing.landed_cost.regime import CustomsRoute, Regime, regime_of
from routing.landed_cost.tariffs import DutyRow, Tariffs
from warehouses.bond import leaves_in_bond
from warehouses.calendars import Doorstep
from warehouses.geography import coordinates, distances_km
from warehouses.network import Network, Region, Site

_TABLES = (
    "sites", "regions", "items", "services", "rates", "zones", "duties", "taxes", "fx", "inbound",
    "deliveries",
)  # fmt: skip
"""Tables whose content decides a plan; stock is read afresh for every order."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One service from one site to one region: its price bands, its transit, its emissions."""

    site: Site
    service: Service
    card: LaneCard
    transit: Transit
    carbon_kg_per_kg: float


@dataclass(frozen=True, slots=True)
class Foreseen:
    """When goods of a lot are handed over, and the probability that they are there by `p95`."""

    p50: datetime
    p95: datetime
    probability: float


@dataclass(frozen=True)
class PlanningContext:
    """A brand ready to plan orders: frozen, shared by all of them, and safe between threads.

    Lanes, regimes and duty rows are looked up once and kept; they follow from the frozen inputs.
    So does what is `foreseen` of a lot by region, site, service, due day and supplier.
    """

    currency: str
    rules_date: date
    weights: Weights
    network: Network
    catalog: Catalog
    services: tuple[Service, ...]
    rates: RateBook
    tariffs: Tariffs
    distance_km: NDArray[np.float64]
    data_version: str
    prices: Prices | None = None
    incoming: Incoming = field(default_factory=Incoming)
    foreseen: dict[tuple[str, str, str, date, str], Foreseen] = field(
        default_factory=dict, repr=False, compare=False
    )
    _lanes: dict[str, tuple[Lane, ...]] = field(default_factory=dict, repr=False, compare=False)
    _lane: dict[tuple[str, str, str], Lane] = field(default_factory=dict, repr=False, compare=False)
    _regimes: dict[tuple[str, CustomsRoute], Regime] = field(
        default_factory=dict, repr=False, compare=False
    )
    _duties: dict[tuple[str, str, str], DutyRow | None] = field(
        default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def of(
        cls, brand: Brand, prices: Prices | None = None, data_version: str = ""
    ) -> "PlanningContext":
        """Returns the context of a brand; rates are those of its planning date.

        Without a version, one is computed from the content that plans depend on.
        """
        network, rates = Network.of(brand), RateBook.of(brand, brand.today)
        sites = tuple(network.site[site].point for site in rates.sites)
        regions = tuple(network.region[region].point for region in rates.regions)
        return cls(
            currency=brand.currency,
            rules_date=brand.rules_date,
            weights=brand.weights,
            network=network,
            catalog=Catalog.of(brand),
            services=services_of(brand),
            rates=rates,
            tariffs=Tariffs.of(brand),
            distance_km=distances_km(coordinates(sites), coordinates(regions)),
            data_version=data_version or content_version(brand),
            prices=prices,
            incoming=Incoming.of(brand),
        )

    def lanes(self, region: str) -> tuple[Lane, ...]:
        """Returns every lane that leads to a region, by site and service in folder order."""
        if region not in self._lanes:
            self._lanes[region] = tuple(self._find_lanes(self.rates.regions.index(region)))
        return self._lanes[region]

    def lane(self, region: str, site: str, service: str) -> Lane:
        """Returns one lane; raises `KeyError` where there is no rate."""
        key = (region, site, service)
        if key not in self._lane:
            lanes = self.lanes(region)
            self._lane.update({(region, x.site.site, x.service.service): x for x in lanes})
        return self._lane[key]

    @cached_property
    def grids(self) -> Grids:
        """What is known of all lanes and items, as arrays; sites in the order of the rate book."""
        return Grids.of(self.network, self.catalog, self.services, self.rates, self.distance_km)

    @cached_property
    def shadows(self) -> Shadows:
        """The shadow prices, as arrays; sites in the order of the rate book."""
        return Shadows.of(self.prices, self.catalog, self.rates.sites, self.services)

    @cached_property
    def regimes(self) -> Regimes:
        """The regimes of all regions on all routes, as arrays: routes by region."""
        regions = self.network.regions
        return Regimes.of(
            [self.regime(each.country, route) for each in regions for route in ROUTES]
        )

    @cached_property
    def region_at(self) -> Mapping[str, int]:
        """Position of each region in the network."""
        return {region.region: at for at, region in enumerate(self.network.regions)}

    def regime(self, country: str, route: CustomsRoute) -> Regime:
        """Returns what a country takes on a customs route on the rules date."""
        key = (country, route)
        if key not in self._regimes:
            self._regimes[key] = regime_of(self.tariffs, country, route, self.rules_date)
        return self._regimes[key]

    def duty_row(self, country: str, item: Item) -> DutyRow | None:
        """Returns the duty row of an item in a country on the rules date."""
        key = (country, item.origin, item.hs_code)
        if key not in self._duties:
            self._duties[key] = self.tariffs.duty_row(*key, self.rules_date)
        return self._duties[key]

    def price_buckets(self, moments: NDArray[np.int64]) -> NDArray[np.intp]:
        """Returns the bucket of the prices that holds each moment (UTC); 0 without prices."""
        if self.prices is None:
            return np.zeros(moments.shape, dtype=np.intp)
        return self.prices.buckets_of(moments.astype("datetime64[us]"))

    def price_bucket(self, at: datetime) -> int:
        """Returns the bucket of the prices that holds a moment; 0 without prices."""
        return 0 if self.prices is None else self.prices.bucket_of(at.astimezone(UTC).date())

    def stock_price(self, item: str, site: str, placed: int) -> float:
        """Returns the shadow price of one unit for orders of a bucket; 0 without prices."""
        return 0.0 if self.prices is None else self.prices.of_stock(item, site, placed)

    def slot_price(self, site: str, sent: int) -> float:
        """Returns the shadow price of packing one unit in a bucket; 0 without prices."""
        return 0.0 if self.prices is None else self.prices.of_outbound(site, sent)

    def kilo_price(self, site: str, service: str, sent: int) -> float:
        """Returns the shadow price of one kilogram sent in a bucket; 0 without prices."""
        return 0.0 if self.prices is None else self.prices.of_carrier_kg(site, service, sent)

    def _find_lanes(self, region_at: int) -> list[Lane]:
        found = []
        for site_at, site in enumerate(self.rates.sites):
            for service_at, service in enumerate(self.services):
                position = (service_at, site_at, region_at)
                card = lane_card(self.rates, position, service)
                if card is None:
                    continue
                transit = Transit(
                    float(self.rates.transit_days[position]),
                    float(self.rates.transit_days_p95[position]),
                )
                km = float(self.distance_km[site_at, region_at])
                carbon = float(kg_co2e(1.0, km, service.mode))
                found.append(Lane(self.network.site[site], service, card, transit, carbon))
        return found


def doorstep(region: Region) -> Doorstep:
    """Returns where parcels of a region are delivered."""
    return Doorstep(region.country, region.point.longitude)


def availability_of(brand: Brand) -> Availability:
    """Returns the brand's stock by (site, item, customs), for serving sites.

    Units in bond count as long as an order of the planning date leaves before their bond ends.
    """
    serving = {site.site: site for site in Network.of(brand).serving}
    dawn = datetime.combine(brand.today, time(), UTC)
    found: dict[tuple[str, str, str], int] = {}
    columns = brand.table("stock")[["site", "item", "customs", "on_hand", "bonded_since"]]
    for site, item, customs, units, since in columns.itertuples(index=False):
        if site in serving and may_leave(serving[site], customs, day_of(since), dawn):
            key = (str(site), str(item), str(customs))
            found[key] = found.get(key, 0) + int(units)
    return MappingProxyType(found)


def may_leave(site: Site, customs: str, since: date | None, placed_at: datetime) -> bool:
    """Whether units of a customs state may serve an order that is placed at a moment."""
    return customs != "bonded" or leaves_in_bond(site, since, placed_at)


def day_of(cell: Any) -> date | None:
    """Returns the day in a cell of a table of dates; None for an empty one."""
    return None if pd.isna(cell) else cell.date()


def content_version(brand: Brand) -> str:
    """Returns a name of the content that plans depend on: 16 hexadecimal digits."""
    digest = hashlib.sha256(
        repr((brand.currency, brand.rules_date, brand.today, brand.weights, brand.targets)).encode()
    )
    for name in _TABLES:
        frame = brand.table(name)
        digest.update(name.encode())
        digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:16]
