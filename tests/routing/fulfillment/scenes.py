"""Random small brands with every rule switched on, and orders for them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np

from core.brand import Brand, Weights
from routing.allocation.prices import Prices
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.order import Availability, Order, OrderLine, Wishes
from tests.builders import brand_of

PLACES = {
    "DE": (52.5, 13.4), "FR": (48.8, 2.3), "TH": (13.7, 100.5), "US": (34.0, -118.2),
    "CN": (22.5, 114.0),
}  # fmt: skip
ZONES = {
    "DE": "Europe/Berlin", "FR": "Europe/Paris", "TH": "Asia/Bangkok",
    "US": "America/Los_Angeles", "CN": "Asia/Shanghai",
}  # fmt: skip
RULES_DAYS = (date(2025, 6, 1), date(2026, 6, 1), date(2026, 9, 7), date(2028, 9, 1))
"""Before and after the reliefs of several countries ended."""


WEEKS = 9
"""Weeks that have shadow prices of their own; some orders come later."""


@dataclass(frozen=True)
class Scene:
    """A brand ready to plan, some orders, and the stock that all of them see."""

    brand: Brand
    context: PlanningContext
    orders: tuple[tuple[Order, Wishes], ...]
    stock: Availability


def scene(seed: int, orders: int = 1) -> Scene:
    """Up to five sites, four services and four items; EUR; the same seed gives the same."""
    draw = np.random.default_rng(seed)
    brand = _brand(draw)
    context = PlanningContext.of(brand, _prices(draw, brand) if draw.random() < 0.6 else None)
    stock = _stock(draw, brand)
    asked = tuple((_order(draw, brand, at), _wishes(draw)) for at in range(orders))
    return Scene(brand, context, asked, stock)


def _brand(draw: np.random.Generator) -> Brand:
    sites = [str(name) for name in draw.permutation(list(PLACES))[: draw.integers(1, 6)]]
    regions = [str(name) for name in draw.permutation(["DE", "FR", "TH", "US"])[:2]]
    services = ["EXP", "ECO", "AIR", "VAN"][: draw.integers(1, 5)]
    brand = brand_of(
        sites=[_site(draw, country) for country in sites],
        regions=[{**_place("region", name), "promise_hours": int(draw.choice([24, 72, 200]))}
                 for name in regions],
        items=[_item(draw, at) for at in range(draw.integers(1, 5))],
        services=[_service(draw, name) for name in services],
        rates=[
            row for site in sites for service in services for region in regions
            if draw.random() < 0.85 for row in _card(draw, service, site, region)
        ],
        duties=[
            {"destination": "EU", "duty_rate": 0.12, "hs_prefix": "69", "valid_from": "2020-01-01"},
            {"destination": "EU", "duty_rate": 0.04, "basis": "fob", "valid_from": "2020-01-01"},
            {"destination": "TH", "duty_rate": 0.30, "valid_from": "2020-01-01"},
            {"destination": "TH", "duty_rate": 0.05, "hs_prefix": "42", "valid_from": "2020-01-01"},
            {"destination": "US", "duty_rate": 0.17, "hs_prefix": "69", "basis": "fob",
             "valid_from": "2020-01-01"},
        ],
        taxes=[_tax(draw, country) for country in ("DE", "FR", "TH", "US")],
    )  # fmt: skip
    weights = Weights(
        carbon_price_per_tonne=float(draw.choice([0, 80, 900])),
        lateness_cost_per_day=float(draw.choice([0, 1, 5])),
        split_cost=float(draw.choice([0, 0.3, 1.5, 4])),
        unmet_share_of_value=1.0,
    )
    on = RULES_DAYS[int(draw.integers(len(RULES_DAYS)))]
    return replace(brand, rules_date=on, weights=weights)


def _place(kind: str, country: str) -> dict[str, object]:
    latitude, longitude = PLACES[country]
    return {kind: country, "country": country, "latitude": latitude, "longitude": longitude}


def _site(draw: np.random.Generator, country: str) -> dict[str, object]:
    return {
        **_place("site", country), "tier": "central", "time_zone": ZONES[country],
        "handling_cost": round(float(draw.uniform(0, 2)), 2),
    }  # fmt: skip


def _item(draw: np.random.Generator, at: int) -> dict[str, object]:
    return {
        "item": f"I{at}",
        "weight_kg": round(float(draw.uniform(0.05, 4)), 2),
        "volume_m3": round(float(draw.uniform(0.0005, 0.02)), 4),
        "length_cm": float(draw.choice([20, 20, 20, 150])),
        "value": round(float(draw.uniform(1, 90)), 2),
        "hs_code": str(draw.choice(["691110", "420222", "610910"])),
        "hazard": str(draw.choice(["none", "none", "none", "lithium"])),
    }


def _service(draw: np.random.Generator, name: str) -> dict[str, object]:
    limits: dict[str, object] = {}
    if draw.random() < 0.3:
        limits["max_weight_kg"] = float(draw.choice([3.5, 6, 12]))
    if draw.random() < 0.3:
        limits["max_length_cm"] = 100.0
    mode = {"EXP": "express", "ECO": "economy", "AIR": "air", "VAN": "road"}[name]
    return {
        "service": name, "mode": mode,
        "volumetric_divisor": float(draw.choice([4000, 5000, 6000])),
        "hazards": str(draw.choice(["", "lithium"])),
        "pickup_days": float(draw.choice([0, 1, 1.5])),
        "fuel_surcharge": float(draw.choice([0, 0.15])), **limits,
    }  # fmt: skip


def _card(
    draw: np.random.Generator, service: str, site: str, region: str
) -> list[dict[str, object]]:
    """Up to three bands; prices may jump up or down, and weights between two may be missing."""
    days = round(float(draw.uniform(0.5, 6)), 1)
    edges = [float(draw.choice([0, 0, 0.5])), float(draw.uniform(1, 4)), float(draw.uniform(5, 9))]
    end = float(draw.choice([12, 40]))
    rows = []
    for at in range(int(draw.integers(1, 4))):
        start = edges[at] + (0.4 if at and draw.random() < 0.2 else 0.0)
        rows.append({
            "service": service, "site": site, "region": region,
            "weight_from_kg": start, "weight_to_kg": edges[at + 1] if at < 2 else end,
            "base_price": round(float(draw.uniform(0, 9)), 2),
            "price_per_kg": round(float(draw.uniform(0, 5)), 3),
            "price_per_unit": float(draw.choice([0, 0, 0.4])),
            "transit_days": days, "transit_days_p95": round(days * float(draw.choice([1, 1.8])), 2),
        })  # fmt: skip
    return rows


def _tax(draw: np.random.Generator, country: str) -> dict[str, object]:
    row: dict[str, object] = {
        "country": country, "rate": float(draw.choice([0.07, 0.2])), "valid_from": "2020-01-01",
        "recoverable": bool(draw.random() < 0.5),
    }  # fmt: skip
    if draw.random() < 0.5:
        row["de_minimis_duty"] = float(draw.choice([20, 45, 120]))
    if draw.random() < 0.3:
        row["de_minimis_tax"] = float(draw.choice([15, 60]))
    return row


def _names(brand: Brand, table: str, column: str) -> tuple[str, ...]:
    return tuple(str(name) for name in brand.table(table)[column])


def _prices(draw: np.random.Generator, brand: Brand) -> Prices:
    items, sites = _names(brand, "items", "item"), _names(brand, "sites", "site")
    services = _names(brand, "services", "service")
    return Prices(
        items=items,
        sites=sites,
        services=services,
        lanes=(),
        buckets=tuple(date(2026, 9, 7) + timedelta(weeks=week) for week in range(WEEKS)),
        stock=draw.uniform(0, 6, (len(items), len(sites), WEEKS)),
        outbound=draw.uniform(0, 2, (len(sites), WEEKS)),
        carrier_kg=draw.uniform(0, 2, (len(sites), len(services), WEEKS)),
        lane_m3=np.zeros((0, WEEKS)),
        storage_m3=np.zeros((len(sites), WEEKS)),
    )


def _stock(draw: np.random.Generator, brand: Brand) -> Mapping[tuple[str, str, str], int]:
    stock = {}
    for site in _names(brand, "sites", "site"):
        for item in _names(brand, "items", "item"):
            for customs in ("free", "bonded"):
                if draw.random() < (0.7 if customs == "free" else 0.25):
                    stock[site, item, customs] = int(draw.integers(-1, 4))
    return stock


def _order(draw: np.random.Generator, brand: Brand, at: int) -> Order:
    """One to three units of some items, five in all at most; some items on two lines."""
    lines: list[OrderLine] = []
    left = 5
    for item in _names(brand, "items", "item"):
        units = min(left, int(draw.integers(0 if lines else 1, 4)))
        left -= units
        price = Decimal(int(draw.integers(0, 6000))) / 100 if draw.random() < 0.6 else None
        if units:
            lines.append(OrderLine(len(lines) + 1, item, units, price))
    if draw.random() < 0.2 and lines[0].quantity > 1:
        first = lines[0]
        lines[0] = replace(first, quantity=first.quantity - 1)
        lines.append(OrderLine(len(lines) + 1, first.item, 1, Decimal("9.99")))
    placed = datetime(2026, 9, 7, 8, tzinfo=UTC) + timedelta(hours=int(draw.integers(0, 24 * 90)))
    by = placed + timedelta(hours=int(draw.integers(5, 300))) if draw.random() < 0.3 else None
    region = str(draw.choice(_names(brand, "regions", "region")))
    return Order(f"O{at}", region, placed, tuple(lines), by)


def _wishes(draw: np.random.Generator) -> Wishes:
    own = float(draw.choice([0, 2000])) if draw.random() < 0.2 else None
    return Wishes(allow_split=bool(draw.random() < 0.8), carbon_price_per_tonne=own)
