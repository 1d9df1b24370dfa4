"""A generated brand of any size, from a seed: sites on four continents, bands, duties, limits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import pandas as pd

from core.brand import Brand, Targets, Weights
from core.folder.columns import blank
from core.folder.schema import tables
from core.folder.writer import complete
from routing.fulfillment.order import Availability, Order, OrderLine

Row = dict[str, object]

_TODAY = date(2026, 9, 7)
_SITES = (
    ("DE-HAM", "DE", 53.6, 10.0, "Europe/Berlin", "free"),
    ("PL-WRO", "PL", 51.1, 17.0, "Europe/Warsaw", "free"),
    ("US-CMH", "US", 40.0, -83.0, "America/New_York", "free"),
    ("GB-BHX", "GB", 52.5, -1.9, "Europe/London", "free"),
    ("TH-BKK", "TH", 13.8, 100.5, "Asia/Bangkok", "bonded"),
    ("CN-SZX", "CN", 22.5, 114.1, "Asia/Shanghai", "bonded"),
)
_REGIONS = (
    ("DE", 52.5, 13.4),
    ("FR", 48.9, 2.3),
    ("IT", 41.9, 12.5),
    ("GB", 51.5, -0.1),
    ("US", 34.1, -118.2),
    ("TH", 13.8, 100.5),
)
_SERVICES = (
    ("EXPRESS", "express", 5000, 1.9, 700.0, ""),
    ("AIR", "air", 6000, 1.2, 450.0, ""),
    ("PARCEL", "road", 5000, 0.9, 250.0, "lithium"),
    ("ECONOMY", "economy", 8000, 0.6, 120.0, "lithium"),
)
"""Name, mode, volumetric divisor, price level, kilometers a day, hazards."""

_BANDS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_CODES = ("691110", "420222", "610910", "851830", "330499")


@dataclass(frozen=True, slots=True)
class Business:
    """A brand, the stock of its serving sites, and how to draw its orders."""

    brand: Brand
    stock: Availability
    items: tuple[str, ...]


def business(seed: int, items: int = 400, holding: float = 0.85) -> Business:
    """Returns a brand of six sites, four services and six regions; each site holds its share."""
    draw = np.random.default_rng(seed)
    names = tuple(f"SKU-{at:04d}" for at in range(items))
    brand = _brand(
        sites=[
            {"site": site, "country": country, "latitude": north, "longitude": east,
             "time_zone": zone, "tier": "central" if customs == "free" else "bonded",
             "customs": customs, "handling_cost": round(float(draw.uniform(0.4, 1.5)), 2)}
            for site, country, north, east, zone, customs in _SITES
        ],
        regions=[
            {"region": name, "country": name, "latitude": north, "longitude": east,
             "promise_hours": 96}
            for name, north, east in _REGIONS
        ],
        items=[_item(draw, name) for name in names],
        services=[
            {"service": name, "mode": mode, "volumetric_divisor": divisor, "hazards": hazards,
             "max_weight_kg": 30, "fuel_surcharge": 0.12}
            for name, mode, divisor, _, _, hazards in _SERVICES
        ],
        rates=list(_rates(draw)),
        duties=[
            {"destination": place, "duty_rate": rate, "hs_prefix": prefix,
             "valid_from": "2020-01-01"}
            for place, prefix, rate in (
                ("EU", "69", 0.12), ("EU", "42", 0.03), ("EU", "61", 0.12), ("EU", "", 0.025),
                ("GB", "69", 0.10), ("GB", "", 0.02), ("US", "61", 0.165), ("US", "", 0.06),
                ("TH", "", 0.2),
            )
        ],
        taxes=[
            {"country": name, "rate": rate, "recoverable": name != "US",
             "valid_from": "2020-01-01"}
            for name, rate in (("DE", 0.19), ("FR", 0.2), ("IT", 0.22), ("GB", 0.2), ("TH", 0.07))
        ],
    )  # fmt: skip
    stock = {
        (site, name, customs): int(draw.integers(1, 40))
        for site, _, _, _, _, customs in _SITES
        for name in names
        if draw.random() < holding
    }
    return Business(brand, MappingProxyType(stock), names)


def orders(draw: np.random.Generator, of: Business, count: int, lines: int) -> list[Order]:
    """Returns orders of some lines, mostly of one unit each, placed over two weeks."""
    return [_order(draw, of, at, lines) for at in range(count)]


def _order(draw: np.random.Generator, of: Business, at: int, lines: int) -> Order:
    items = draw.choice(len(of.items), lines, replace=False).tolist()
    region = _REGIONS[int(draw.integers(len(_REGIONS)))][0]
    placed = datetime(2026, 9, 7, tzinfo=UTC) + timedelta(minutes=int(draw.integers(14 * 24 * 60)))
    wanted = (
        OrderLine(line, of.items[item], 1 + int(draw.random() < 0.15),
                  Decimal(int(draw.integers(500, 9000))) / 100)
        for line, item in enumerate(items, start=1)
    )  # fmt: skip
    return Order(f"ORD-{at}", region, placed, tuple(wanted))


def _item(draw: np.random.Generator, name: str) -> Row:
    weight = round(float(min(draw.lognormal(-0.6, 0.7), 8.0)), 3)
    return {
        "item": name,
        "weight_kg": weight,
        "volume_m3": round(weight * float(draw.uniform(0.002, 0.012)), 5),
        "value": round(float(draw.lognormal(3.2, 0.6)), 2),
        "hs_code": str(draw.choice(_CODES)),
        "origin": "CN",
        "hazard": "lithium" if draw.random() < 0.05 else "none",
    }


def _rates(draw: np.random.Generator) -> Iterator[Row]:
    for site, _, north, east, _, _ in _SITES:
        for region, there_north, there_east in _REGIONS:
            km = 111.0 * float(np.hypot(north - there_north, (east - there_east) * 0.7))
            for service, _, _, level, speed, _ in _SERVICES:
                days = round(0.8 + km / (speed * 8), 1)
                base = (3.0 + km / 900) * level * float(draw.uniform(0.9, 1.1))
                for at, (start, end) in enumerate(pairwise(_BANDS)):
                    yield {
                        "service": service, "site": site, "region": region,
                        "weight_from_kg": start, "weight_to_kg": end,
                        "base_price": round(base * (1 + 0.35 * at), 2),
                        "price_per_kg": round(level * (0.5 + km / 2500), 3),
                        "transit_days": days, "transit_days_p95": round(days * 1.7, 1),
                    }  # fmt: skip


def _brand(**rows: Sequence[Mapping[str, object]]) -> Brand:
    frames = {name: blank(name) for name in tables()}
    for name, given in rows.items():
        frames[name] = complete(name, pd.DataFrame(list(given)))
    return Brand(
        name="Generated brand",
        currency="EUR",
        today=_TODAY,
        rules_date=_TODAY,
        horizon_weeks=4,
        targets=Targets(),
        weights=Weights(
            carbon_price_per_tonne=80, lateness_cost_per_day=1.5, split_cost=1.0,
            unmet_share_of_value=1.0,
        ),
        tables=MappingProxyType(frames),
    )  # fmt: skip
