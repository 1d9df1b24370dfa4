"""Grids: what a planning context knows about lanes and items, laid out for many orders at once."""

from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from carriers.emissions import kg_co2e
from carriers.rates import RateBook
from carriers.services import Service
from core.places import customs_territory
from core.units import CM3_PER_M3
from inventory.items import Catalog
from routing.fulfillment.parcels import ROUNDING_KG
from routing.landed_cost.cost import tariff_category
from warehouses.network import Network

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_Z95 = NormalDist().inv_cdf(0.95)


@dataclass(frozen=True, eq=False)
class Grids:
    """Arrays by site, region and service (bands last), by site, by service and by item.

    Cards are those of `LaneCard`, transit times those of `Transit`; a lane without a rate does not
    exist. `accepts` is shaped [item, service] and leaves the weight bands of lanes aside.
    `category` numbers the tariff category of each item.
    """

    exists: NDArray[np.bool_]
    starts: Floats
    ends: Floats
    base: Floats
    per_kg: Floats
    per_unit: Floats
    end_kg: Floats
    p50_days: Floats
    sigma: Floats
    carbon_kg_per_kg: Floats
    crosses: NDArray[np.bool_]
    handling: Floats
    divisor: Floats
    max_weight_kg: Floats
    accepts: NDArray[np.bool_]
    weight_kg: Floats
    volume_m3: Floats
    category: Places

    @classmethod
    def of(
        cls,
        network: Network,
        catalog: Catalog,
        services: tuple[Service, ...],
        book: RateBook,
        distance_km: Floats,
    ) -> "Grids":
        """Returns the grids of a context's parts; sites are those of the rate book."""
        starts = _by_site(book.starts)
        sites = [network.site[name] for name in book.sites]
        carbon = [kg_co2e(1.0, distance_km, service.mode) for service in services]
        exists = np.isfinite(starts[..., 0])
        starts[..., 0][~exists] = 0.0  # numbers stay finite where there is no lane
        p50, p95 = (
            np.where(exists, _by_site(days), 0.0)
            for days in (book.transit_days, book.transit_days_p95)
        )
        return cls(
            exists=exists,
            starts=starts,
            ends=_by_site(book.ends),
            base=_by_site(book.base),
            per_kg=_by_site(book.per_kg),
            per_unit=_by_site(book.per_unit),
            end_kg=_by_site(book.heaviest_kg),
            p50_days=p50,
            sigma=_sigma(p50, p95),
            carbon_kg_per_kg=np.stack(carbon, axis=-1),
            crosses=np.array(
                [
                    [customs_territory(site.country) != customs_territory(region.country)
                     for region in network.regions]
                    for site in sites
                ]
            ),
            handling=np.array([site.handling_cost for site in sites]),
            divisor=np.array([service.volumetric_divisor for service in services]),
            max_weight_kg=np.array([service.max_weight_kg for service in services]),
            accepts=np.stack([_accepts(service, catalog) for service in services], axis=-1),
            weight_kg=catalog.weight_kg,
            volume_m3=catalog.volume_m3,
            category=np.unique(
                [tariff_category(item) for item in catalog.items], return_inverse=True
            )[1],
        )  # fmt: skip

    @cached_property
    def reached(self) -> NDArray[np.bool_]:
        """Whether any service leads from a site to a region, [site, region]."""
        return np.asarray(self.exists.any(axis=2))

    def refuses(self, site: Places, region: Places, items: Places) -> NDArray[np.bool_]:
        """Returns which items no parcel of a lane may hold, shaped [row, service, want].

        Equal to a reason from `options.refusal`, or no lane at all; `items` is [row, want].
        """
        starts, end = self.starts[site, region][..., 0], self.end_kg[site, region]
        weight = self.weight_kg[items][:, np.newaxis]
        volume = self.volume_m3[items][:, np.newaxis] * CM3_PER_M3 / self.divisor[:, np.newaxis]
        billed = np.maximum(np.maximum(weight, volume), starts[..., np.newaxis])
        fits = (billed < end[..., np.newaxis]) & self.exists[site, region][..., np.newaxis]
        return ~(fits & self.accepts[items].transpose(0, 2, 1))

    def parcels(
        self, site: Places, region: Places, weight: Floats, volume: Floats, units: Floats
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Returns the price of a bundle in one parcel and whether it fits in one.

        `weight`, `volume` and `units` are shaped [row, bundle], the answers [row, service, bundle].
        """
        starts, ends = self.starts[site, region], self.ends[site, region]
        cards = [card[site, region] for card in (self.base, self.per_kg, self.per_unit)]
        weight, units = weight[:, np.newaxis], units[:, np.newaxis]
        billed = np.maximum(weight, volume[:, np.newaxis] * CM3_PER_M3 / self.divisor[:, None])
        billed = np.maximum(billed, starts[..., :1])
        bands = starts.shape[-1]
        for band in range(bands - 1):
            end, following = ends[..., band, None], starts[..., band + 1, None]
            if (end < following).any():
                gap = (billed >= end) & (billed < following) & np.isfinite(following)
                billed = np.where(gap, following, billed)
        base, per_kg, per_unit = (card[..., :1] for card in cards)
        price = base + per_kg * billed + per_unit * units
        for band in range(1, bands):
            base, per_kg, per_unit = (card[..., band, None] for card in cards)
            beyond = billed >= starts[..., band, None]
            price = np.where(beyond, base + per_kg * billed + per_unit * units, price)
        limit = (self.max_weight_kg + ROUNDING_KG)[:, np.newaxis]
        return price, (weight <= limit) & (billed < self.end_kg[site, region][..., np.newaxis])

    def late_days(self, site: Places, region: Places, days: Floats) -> Floats:
        """Returns expected days beyond limits, [row, service]: `Transit.expected_late_days`."""
        p50, sigma = self.p50_days[site, region], self.sigma[site, region]
        mean = p50 * np.exp(sigma**2 / 2)
        certain = (days <= 0) | (sigma == 0)
        spread = np.where(certain, 1.0, sigma)
        ratio = np.log(np.where(certain, 1.0, p50) / np.where(certain, 1.0, days)) / spread
        late = mean * ndtr(ratio + spread) - days * ndtr(ratio)
        return np.maximum(np.where(certain, mean - days, late), 0.0)


def _by_site(lanes: Floats) -> Floats:
    """An array by service, site and region, as its own one by site, region and service."""
    return np.moveaxis(lanes, 0, 2).copy()


def _sigma(p50: Floats, p95: Floats) -> Floats:
    spread = (p50 > 0) & (p95 > p50)
    ratio = np.where(spread, p95, 1.0) / np.where(spread, p50, 1.0)
    return np.asarray(np.log(ratio) / _Z95)


def _accepts(service: Service, catalog: Catalog) -> NDArray[np.bool_]:
    taken = np.array([service.accepts(item.hazard) for item in catalog.items], dtype=bool)
    short = catalog.longest_cm <= service.max_length_cm
    return np.asarray(taken & short & (catalog.weight_kg <= service.max_weight_kg))
