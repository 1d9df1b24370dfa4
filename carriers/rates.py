"""Rate cards: the price of a parcel by service, origin, destination and billed weight."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from carriers.services import services_of
from core.brand import Brand, serving_sites
from core.fx import rate_for
from core.units import CM3_PER_M3

Floats = NDArray[np.float64]

_LANE = ["service", "site", "region"]


def billed_weight_kg(weight_kg: ArrayLike, volume_m3: ArrayLike, divisor: ArrayLike) -> Floats:
    """Returns the larger of actual and volumetric weight; `divisor` in cm3 per kg.

    >>> float(billed_weight_kg(1.0, 0.02, 5000.0))
    4.0
    """
    volumetric = np.asarray(volume_m3, dtype=float) * CM3_PER_M3 / np.asarray(divisor, dtype=float)
    billed: Floats = np.maximum(np.asarray(weight_kg, dtype=float), volumetric)
    return billed


@dataclass(frozen=True)
class RateBook:
    """Every rate that holds on one date, in settlement currency, ready for arrays.

    The band arrays are shaped [service, site, region, band], bands by rising weight; `starts` is
    infinite where a lane has fewer bands. `transit_days` and `transit_days_p95` are shaped
    [service, site, region], counted from pickup to delivery, and NaN where there is no rate; where
    bands of one lane differ, the slowest counts.
    """

    services: tuple[str, ...]
    sites: tuple[str, ...]
    regions: tuple[str, ...]
    transit_days: Floats
    transit_days_p95: Floats
    starts: Floats
    ends: Floats
    base: Floats
    per_kg: Floats
    per_unit: Floats

    @classmethod
    def of(cls, brand: Brand, on: date) -> "RateBook":
        """Returns the rates of a brand valid on a date.

        Axes: all services, the serving sites and all regions, each in folder order. A row for a
        region beats a row for its zone. Fuel surcharge is in base and kilogram prices. Raises
        `BadInput` where a currency has no rate of exchange.
        """
        services = tuple(str(service.service) for service in services_of(brand))
        axes = (services, serving_sites(brand), _ids(brand, "regions", "region"))
        cards = _in_settlement(_by_region(brand, _valid(brand.table("rates"), on)), brand, on)
        return _book(axes, _positioned(cards, axes))

    @cached_property
    def heaviest_kg(self) -> Floats:
        """The billed weight at which the last band of a lane ends, shaped as `transit_days`."""
        ends: Floats = np.where(np.isfinite(self.starts), self.ends, -np.inf).max(axis=-1)
        return np.where(np.isfinite(self.transit_days), ends, np.nan)

    def price(
        self,
        service: ArrayLike,
        site: ArrayLike,
        region: ArrayLike,
        billed_kg: ArrayLike,
        units: ArrayLike = 1,
    ) -> Floats:
        """Returns the price of a parcel in settlement currency; NaN where no rate applies.

        Positions on the three axes, billed weight in kilograms and units in the parcel are
        broadcast against each other. A band holds from its first weight up to, not including, the
        weight where it ends.
        """
        lane = (np.asarray(service), np.asarray(site), np.asarray(region))
        weight = np.asarray(billed_kg, dtype=float)
        band = self._band(lane, weight)
        cell = (*lane, np.maximum(band, 0))
        rated = (band >= 0) & (weight < self.ends[cell])
        price = self.base[cell] + self.per_kg[cell] * weight
        price = price + self.per_unit[cell] * np.asarray(units)
        return np.where(rated, price, np.nan)

    def _band(self, lane: tuple[NDArray[np.intp], ...], weight: Floats) -> NDArray[np.intp]:
        """The last band that starts at or below each weight; -1 where none does."""
        shape = np.broadcast_shapes(*(axis.shape for axis in lane), weight.shape)
        band = np.full(shape, -1, dtype=np.intp)
        for at in range(self.starts.shape[-1]):
            band += self.starts[(*lane, at)] <= weight
        return band


def _ids(brand: Brand, table: str, column: str) -> tuple[str, ...]:
    return tuple(str(cell) for cell in brand.table(table)[column])


def _valid(rates: pd.DataFrame, on: date) -> pd.DataFrame:
    """Rows that hold on the date; empty dates are open ends."""
    day = pd.Timestamp(on)
    begun = rates["valid_from"].isna() | (rates["valid_from"] <= day)
    lasts = rates["valid_to"].isna() | (rates["valid_to"] >= day)
    return rates[begun & lasts]


def _by_region(brand: Brand, rates: pd.DataFrame) -> pd.DataFrame:
    """One row for each region served: zone rows are spread, and give way to rows by region."""
    direct = rates[rates["region"] != ""]
    zoned = rates[(rates["region"] == "") & (rates["zone"] != "")].drop(columns="region")
    spread = zoned.merge(brand.table("zones"), on=["service", "site", "zone"])
    named = pd.MultiIndex.from_frame(direct[_LANE])
    spread = spread[~pd.MultiIndex.from_frame(spread[_LANE]).isin(named)]
    return pd.concat([direct, spread[direct.columns]], ignore_index=True)


def _in_settlement(cards: pd.DataFrame, brand: Brand, on: date) -> pd.DataFrame:
    """The cards with prices in settlement currency, fuel and remote surcharge added."""
    exchange = {
        code: rate_for(brand, str(code), on, "rates") for code in cards["currency"].unique()
    }
    fuel = {service.service: 1 + service.fuel_surcharge for service in services_of(brand)}
    rate = cards["currency"].map(exchange).astype(float)
    fueled = rate * cards["service"].map(fuel).astype(float)
    return cards.assign(
        base_price=cards["base_price"] * fueled + cards["remote_surcharge"] * rate,
        price_per_kg=cards["price_per_kg"] * fueled,
        price_per_unit=cards["price_per_unit"] * rate,
        transit_days_p95=cards["transit_days_p95"].fillna(cards["transit_days"]),
        weight_to_kg=cards["weight_to_kg"].fillna(np.inf),
    )


def _positioned(cards: pd.DataFrame, axes: Sequence[tuple[str, ...]]) -> pd.DataFrame:
    """The cards of known lanes with their place on the axes and the number of their band."""
    placed = cards.assign(
        **{
            f"{name}_at": pd.Index(ids).get_indexer(pd.Index(cards[name]))
            for name, ids in zip(_LANE, axes, strict=True)
        }
    )
    places = [f"{name}_at" for name in _LANE]
    placed = placed[(placed[places] >= 0).all(axis=1)]
    placed = placed.sort_values([*places, "weight_from_kg"], kind="stable")
    return placed.assign(band=placed.groupby(places).cumcount())


def _book(axes: tuple[tuple[str, ...], ...], cards: pd.DataFrame) -> RateBook:
    services, sites, regions = axes
    bands = int(cards["band"].max()) + 1 if len(cards) else 1
    lane = tuple(cards[f"{name}_at"].to_numpy() for name in _LANE)
    cell = (*lane, cards["band"].to_numpy())
    shape = (len(services), len(sites), len(regions), bands)

    def laid_out(column: str, empty: float) -> Floats:
        grid = np.full(shape, empty)
        grid[cell] = cards[column].to_numpy(dtype=float)
        return grid

    return RateBook(
        services=services,
        sites=sites,
        regions=regions,
        transit_days=_slowest(shape[:3], lane, cards["transit_days"]),
        transit_days_p95=_slowest(shape[:3], lane, cards["transit_days_p95"]),
        starts=laid_out("weight_from_kg", np.inf),
        ends=laid_out("weight_to_kg", np.inf),
        base=laid_out("base_price", 0.0),
        per_kg=laid_out("price_per_kg", 0.0),
        per_unit=laid_out("price_per_unit", 0.0),
    )


def _slowest(
    shape: tuple[int, ...], lane: tuple[NDArray[np.intp], ...], days: "pd.Series[float]"
) -> Floats:
    """The longest of the bands' days for each lane; NaN where there is none."""
    slowest = np.full(shape, -np.inf)
    np.maximum.at(slowest, lane, days.to_numpy(dtype=float))
    return np.where(np.isfinite(slowest), slowest, np.nan)
