"""Random small brands and orders, and a slow planner that tries everything."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from core.brand import Brand
from routing.fulfillment.order import Availability, Order, OrderLine
from tests.builders import brand_of

Way = tuple[str, str, str]  # site, customs, service
Split = Mapping[Way, Mapping[str, int]]  # units by way and item

PLACES = {"DE": (52.5, 13.4), "TH": (13.7, 100.5), "US": (34.0, -118.2), "FR": (48.8, 2.3)}


def random_brand(seed: int) -> Brand:
    """Three sites, two or three services with price bands, up to four items; EUR."""
    draw = np.random.default_rng(seed)
    region = str(draw.choice(["DE", "TH", "FR"]))
    items = [_item(draw, at) for at in range(int(draw.integers(1, 5)))]
    services = ["EXP", "ECO"]
    sites = ["DE", "TH", "US"]
    return brand_of(
        sites=[_site(draw, country) for country in sites],
        regions=[_place("region", region)],
        items=items,
        services=[
            {"service": "EXP", "mode": "express", "volumetric_divisor": 5000},
            {"service": "ECO", "mode": "economy", "volumetric_divisor": 6000, "hazards": "lithium"},
        ],
        rates=[
            row
            for site in sites
            for service in services
            if draw.random() < 0.9
            for row in _card(draw, service, site, region)
        ],
        duties=[
            {"destination": "EU", "duty_rate": 0.12, "hs_prefix": "69", "valid_from": "2020-01-01"},
            {"destination": "EU", "duty_rate": 0.04, "basis": "fob", "valid_from": "2020-01-01"},
            {"destination": "TH", "duty_rate": 0.30, "valid_from": "2020-01-01"},
        ],
        taxes=[
            {"country": "TH", "rate": 0.07, "recoverable": False, "valid_from": "2020-01-01",
             "de_minimis_duty": float(draw.choice([0, 30]))},
            {"country": "DE", "rate": 0.19, "valid_from": "2020-01-01",
             "de_minimis_duty": float(draw.choice([0, 25]))},
            {"country": "FR", "rate": 0.20, "valid_from": "2020-01-01"},
        ],
    )  # fmt: skip


def random_order(brand: Brand, seed: int) -> tuple[Order, Availability]:
    """An order for every item of the brand, and stock that may or may not do."""
    draw = np.random.default_rng(seed + 1_000_000)
    items = [str(item) for item in brand.table("items")["item"]]
    lines = tuple(
        OrderLine(at, item, int(draw.integers(1, 6)), Decimal(int(draw.integers(1, 60))))
        for at, item in enumerate(items)
    )
    stock = {
        (site, item, str(draw.choice(["free", "bonded"]))): int(draw.integers(0, 8))
        for site in ("DE", "TH", "US")
        for item in items
        if draw.random() < 0.8
    }
    region = str(brand.table("regions")["region"].iloc[0])
    return Order("O", region, datetime(2026, 9, 7, 8, tzinfo=UTC), lines), stock


def _place(kind: str, country: str) -> dict[str, object]:
    latitude, longitude = PLACES[country]
    return {kind: country, "country": country, "latitude": latitude, "longitude": longitude}


def _site(draw: np.random.Generator, country: str) -> dict[str, object]:
    return {**_place("site", country), "tier": "central",
            "handling_cost": round(float(draw.uniform(0, 2)), 2)}  # fmt: skip


def _item(draw: np.random.Generator, at: int) -> dict[str, object]:
    return {
        "item": f"I{at}",
        "weight_kg": round(float(draw.uniform(0.1, 3)), 2),
        "volume_m3": round(float(draw.uniform(0.0005, 0.02)), 4),
        "value": 10.0,
        "hs_code": str(draw.choice(["691110", "420222"])),
        "hazard": str(draw.choice(["none", "none", "none", "lithium"])),
    }


def _card(
    draw: np.random.Generator, service: str, site: str, region: str
) -> Iterator[dict[str, object]]:
    base, per_kg = float(draw.uniform(2, 9)), float(draw.uniform(0.5, 6))
    days = float(draw.uniform(0.5, 6))
    for start, end, step in ((0, 3, 0.0), (3, 10, 1.5), (10, None, 2.5)):
        yield {
            "service": service, "site": site, "region": region,
            "weight_from_kg": start, **({"weight_to_kg": end} if end else {}),
            "base_price": round(base + step, 2), "price_per_kg": round(per_kg * (1 - step / 5), 3),
            "transit_days": days, "transit_days_p95": days * 1.8,
        }  # fmt: skip
