"""Unit costs: what serving one unit of an item costs on every lane, term by term."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from carriers.emissions import kg_co2e
from carriers.rates import RateBook, billed_weight_kg
from carriers.services import Service, services_of
from core.brand import Brand
from core.places import customs_territory
from core.units import HOURS_PER_DAY, KG_PER_TONNE
from inventory.items import Catalog
from routing.landed_cost.tariffs import Tariffs
from routing.parcels import TypicalParcels, typical_parcels
from warehouses.geography import coordinates, distances_km
from warehouses.network import Network, Region, Site

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Cell = TypeVar("Cell", bound=np.generic)

LANES_AT_ONCE = 1_000_000
"""Lanes of items that are priced at once: 8 MB for each cost."""

_LIGHTEST_KG = 0.001
"""An item without weight takes the share of one gram in a parcel."""


@dataclass(frozen=True, eq=False)
class UnitCosts:
    """Costs of one unit in settlement currency, each broadcastable to all four axes.

    The axes are [item, site, region, service].
    `allowed` says which lanes are lawful and possible; costs are finite everywhere and mean
    something only there. `duty` and `tax` fall on free stock, `bonded_duty` and `bonded_tax` on
    stock in bond. `tax` is only the part that nobody recovers. `late_days` are days beyond the
    promise of the region, `carbon_kg` kilograms of CO2 equivalent.
    """

    items: tuple[str, ...]
    sites: tuple[str, ...]
    regions: tuple[str, ...]
    services: tuple[str, ...]
    shipping: Floats
    handling: Floats
    duty: Floats
    tax: Floats
    bonded_duty: Floats
    bonded_tax: Floats
    lateness: Floats
    carbon: Floats
    allowed: Bools
    late_days: Floats
    carbon_kg: Floats

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Numbers of items, sites, regions and services."""
        return len(self.items), len(self.sites), len(self.regions), len(self.services)

    @property
    def total(self) -> Floats:
        """The cost of one unit of free stock, shaped [item, site, region, service]."""
        return self._total(self.duty, self.tax)

    @property
    def bonded_total(self) -> Floats:
        """The cost of one unit of stock in bond, shaped [item, site, region, service]."""
        return self._total(self.bonded_duty, self.bonded_tax)

    def _total(self, duty: Floats, tax: Floats) -> Floats:
        terms = self.shipping + self.handling + duty + tax + self.lateness + self.carbon
        return np.broadcast_to(terms, self.shape)


def picked(array: NDArray[Cell], *lane: NDArray[np.int32]) -> NDArray[Cell]:
    """Returns one cell of a broadcastable array for each lane given by positions on its axes."""
    axes = zip(lane, array.shape, strict=True)
    return array[tuple(np.zeros_like(at) if length == 1 else at for at, length in axes)]


@dataclass(frozen=True, eq=False)
class CostBook:
    """All that unit costs depend on, ready to be asked about some items at a time.

    A catalog on every lane would not fit into memory: 100,000 items at 6 sites for 20 regions by 3
    services are 36 million lanes, with eleven costs each.
    """

    brand: Brand
    catalog: Catalog
    rates: RateBook
    tariffs: Tariffs
    network: Network
    parcels: TypicalParcels

    @classmethod
    def of(cls, brand: Brand, rates: RateBook, tariffs: Tariffs) -> "CostBook":
        """Returns the book of a brand; lanes are those of its rates."""
        catalog = Catalog.of(brand)
        parcels = typical_parcels(brand, catalog, services_of(brand))
        return cls(brand, catalog, rates, tariffs, Network.of(brand), parcels)

    def parts(self) -> Iterator[slice]:
        """Yields the items in parts that are priced at once."""
        lanes = len(self.rates.sites) * len(self.rates.regions) * len(self.rates.services)
        count = max(1, LANES_AT_ONCE // max(lanes, 1))
        for begin in range(0, len(self.catalog.items), count):
            yield slice(begin, begin + count)

    def at(self, items: slice) -> UnitCosts:
        """Returns the unit costs of some items on every lane of the rate book.

        Shipping is the price of a typical parcel of the region shared by billed weight, or of a
        parcel with one unit where the region has no orders yet. Duty and tax follow the law of
        `brand.rules_date` and the planned value of the goods; they are estimates.
        """
        brand, rates, network = self.brand, self.rates, self.network
        catalog, services = Catalog(self.catalog.items[items]), services_of(brand)
        sites = tuple(network.site[site] for site in rates.sites)
        price = _shipping(catalog, services, rates, self.parcels)
        shipping = np.where(np.isnan(price), 0.0, price)
        duties = _Customs.of(brand, catalog, sites, network.regions, self.tariffs, self.parcels)
        late_days = _late_days(services, network.regions, rates)
        carbon_kg = _carbon_kg(catalog, sites, network.regions, services)
        return UnitCosts(
            items=tuple(catalog.index),
            sites=rates.sites,
            regions=rates.regions,
            services=rates.services,
            shipping=shipping,
            handling=np.array([site.handling_cost for site in sites]).reshape(1, -1, 1, 1),
            duty=duties.duty(shipping, bonded=False),
            tax=duties.tax(shipping, bonded=False),
            bonded_duty=duties.duty(shipping, bonded=True),
            bonded_tax=duties.tax(shipping, bonded=True),
            lateness=late_days * brand.weights.lateness_cost_per_day,
            carbon=carbon_kg * brand.weights.carbon_price_per_tonne / KG_PER_TONNE,
            allowed=np.isfinite(price) & _accepted(catalog, services),
            late_days=late_days,
            carbon_kg=carbon_kg,
        )


def _shipping(
    catalog: Catalog, services: tuple[Service, ...], rates: RateBook, parcels: TypicalParcels
) -> Floats:
    """Shipping of one unit, shaped [item, site, region, service]; NaN where there is no rate."""
    own = _billed_kg(catalog, services)[:, np.newaxis, np.newaxis, :]
    most = np.array([service.max_weight_kg for service in services])
    rated = np.moveaxis(rates.heaviest_kg, 0, -1)
    limit = np.nextafter(np.fmin(rated, most), 0.0)
    usual = np.minimum(parcels.billed_kg[np.newaxis, :, :], limit)
    parcel = np.fmax(own, usual)
    share = np.maximum(own, _LIGHTEST_KG) / np.maximum(parcel, _LIGHTEST_KG)
    axes = np.ix_(*(range(length) for length in rates.transit_days.shape))
    service, site, region = (np.moveaxis(axis, 0, -1) for axis in axes)
    price: Floats = rates.price(service, site, region, parcel, units=1 / share) * share
    return price


def _billed_kg(catalog: Catalog, services: tuple[Service, ...]) -> Floats:
    """Billed weight of one unit alone, shaped [item, service]."""
    divisors = np.array([service.volumetric_divisor for service in services])
    return billed_weight_kg(
        catalog.weight_kg[:, np.newaxis], catalog.volume_m3[:, np.newaxis], divisors
    )


def _accepted(catalog: Catalog, services: tuple[Service, ...]) -> Bools:
    """Whether a service takes one unit of an item, shaped [item, 1, 1, service]."""
    hazards = [[service.accepts(item.hazard) for service in services] for item in catalog.items]
    heaviest = np.array([service.max_weight_kg for service in services])
    longest = np.array([service.max_length_cm for service in services])
    fits = (catalog.weight_kg[:, np.newaxis] <= heaviest) & (
        catalog.longest_cm[:, np.newaxis] <= longest
    )
    taken = np.array(hazards, dtype=bool).reshape(len(catalog.items), len(services)) & fits
    return taken[:, np.newaxis, np.newaxis, :]


def _late_days(
    services: tuple[Service, ...], regions: tuple[Region, ...], rates: RateBook
) -> Floats:
    """Days from packing to delivery beyond the promise, shaped [1, site, region, service]."""
    promise = np.array([region.promise_hours for region in regions]) / HOURS_PER_DAY
    pickup = np.array([service.pickup_days for service in services])
    days = np.moveaxis(rates.transit_days, 0, -1) + pickup
    late: Floats = np.fmax(days - promise[np.newaxis, :, np.newaxis], 0.0)
    return late[np.newaxis]


def _carbon_kg(
    catalog: Catalog,
    sites: tuple[Site, ...],
    regions: tuple[Region, ...],
    services: tuple[Service, ...],
) -> Floats:
    """Emissions of moving one unit, shaped [item, site, region, service]."""
    km = distances_km(
        coordinates(tuple(site.point for site in sites)),
        coordinates(tuple(region.point for region in regions)),
    )
    per_kg = np.empty((*km.shape, len(services)))
    for at, service in enumerate(services):
        per_kg[..., at] = kg_co2e(1.0, km, service.mode)
    emitted: Floats = catalog.weight_kg.reshape(-1, 1, 1, 1) * per_kg
    return emitted


@dataclass(frozen=True, eq=False)
class _Customs:
    """What customs take on lanes; item and region arrays shaped [item, 1, region, 1]."""

    value: Floats
    share: Floats
    on_freight: Bools
    duty_relief: Bools
    tax_rate: Floats
    tax_relief: Bools
    crosses: Bools

    @classmethod
    def of(
        cls,
        brand: Brand,
        catalog: Catalog,
        sites: tuple[Site, ...],
        regions: tuple[Region, ...],
        tariffs: Tariffs,
        parcels: TypicalParcels,
    ) -> "_Customs":
        """Returns the rules of every region's country on the brand's rules date.

        Relief looks at the value of a consignment: the region's median order, or the unit if that
        is worth more.
        """
        on = brand.rules_date
        rules = [tariffs.tax_rule(region.country, on) for region in regions]
        shares = [tariffs.duty_share(catalog, region.country, on) for region in regions]
        bases = [tariffs.basis(catalog, region.country, on) == "cif" for region in regions]
        consignment = np.fmax(catalog.value[:, np.newaxis], parcels.value)
        due = [0.0 if rule.recoverable else rule.rate for rule in rules]
        return cls(
            value=catalog.value.reshape(-1, 1, 1, 1),
            share=_lanes(np.array(shares, dtype=float).T),
            on_freight=_lanes(np.array(bases, dtype=bool).T),
            duty_relief=_lanes(consignment <= [rule.de_minimis_duty for rule in rules]),
            tax_rate=_lanes(np.array([due])),
            tax_relief=_lanes(consignment <= [rule.de_minimis_tax for rule in rules]),
            crosses=_crosses(sites, regions),
        )

    def duty(self, shipping: Floats, bonded: bool) -> Floats:
        """Duty on one unit: on crossing into a customs territory, or on leaving bond within it."""
        base = self.value + np.where(self.on_freight, shipping, 0.0)
        return np.where(self._falls_due(self.duty_relief, bonded), self.share * base, 0.0)

    def tax(self, shipping: Floats, bonded: bool) -> Floats:
        """Tax on one unit that nobody recovers, on goods, freight and duty."""
        base = self.value + shipping + self.duty(shipping, bonded)
        return np.where(self._falls_due(self.tax_relief, bonded), self.tax_rate * base, 0.0)

    def _falls_due(self, relief: Bools, bonded: bool) -> Bools:
        """Relief is for consignments that cross a border, not for goods released from bond."""
        released = ~self.crosses & bonded
        return (self.crosses & ~relief) | released


def _lanes(array: NDArray[Cell]) -> NDArray[Cell]:
    """An array shaped [item, region] with the axes of sites and services put in."""
    return array[:, np.newaxis, :, np.newaxis]


def _crosses(sites: tuple[Site, ...], regions: tuple[Region, ...]) -> Bools:
    """Whether a lane enters another customs territory, shaped [1, site, region, 1]."""
    here = np.array([customs_territory(site.country) for site in sites], dtype=object)
    there = np.array([customs_territory(region.country) for region in regions], dtype=object)
    crosses: Bools = (here[:, np.newaxis] != there).astype(bool)
    return crosses[np.newaxis, :, :, np.newaxis]
