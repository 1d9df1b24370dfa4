"""Small brands for tests, built in memory and varied with `with_table`."""

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType

import pandas as pd

from core.brand import Brand, Targets, Weights
from core.folder.columns import blank
from core.folder.schema import tables
from core.folder.writer import complete

Rows = Sequence[Mapping[str, object]]


def brand_of(**rows: Rows) -> Brand:
    """A brand in EUR that plans on 2026-09-07, with the given rows by table."""
    frames = {name: blank(name) for name in tables()}
    for name, given in rows.items():
        frames[name] = complete(name, pd.DataFrame(list(given)))
    return Brand(
        name="Test brand",
        currency="EUR",
        today=date(2026, 9, 7),
        rules_date=date(2026, 9, 7),
        horizon_weeks=4,
        targets=Targets(),
        weights=Weights(lateness_cost_per_day=1.0, split_cost=2.0, unmet_share_of_value=1.0),
        tables=MappingProxyType(frames),
    )


def two_sites_one_item() -> Brand:
    """Hamburg and Bangkok hold one item that Germany and Thailand ask for; express and economy."""
    return brand_of(
        sites=[
            {"site": "DE-HAM", "tier": "central", "country": "DE", "latitude": 53.55,
             "longitude": 9.99, "time_zone": "Europe/Berlin", "handling_cost": 1.0,
             "outbound_units": 100},
            {"site": "TH-BKK", "tier": "forward", "country": "TH", "latitude": 13.75,
             "longitude": 100.5, "time_zone": "Asia/Bangkok", "handling_cost": 0.5},
        ],
        regions=[
            {"region": "DE", "country": "DE", "latitude": 52.5, "longitude": 13.4},
            {"region": "TH", "country": "TH", "latitude": 13.75, "longitude": 100.5},
        ],
        items=[
            {"item": "MUG", "name": "Mug", "category": "kitchen", "weight_kg": 0.4,
             "length_cm": 10, "width_cm": 10, "height_cm": 10, "value": 12.0, "hs_code": "691110",
             "origin": "CN"},
        ],
        stock=[
            {"site": "DE-HAM", "item": "MUG", "on_hand": 50},
            {"site": "TH-BKK", "item": "MUG", "on_hand": 30},
        ],
        services=[
            {"service": "EXPRESS", "carrier": "Fleet", "mode": "express"},
            {"service": "ECONOMY", "carrier": "Post", "mode": "economy"},
        ],
        rates=[
            _rate("EXPRESS", "DE-HAM", "DE", 6.0, 2.0, 1.0),
            _rate("EXPRESS", "DE-HAM", "TH", 18.0, 8.0, 3.0),
            _rate("EXPRESS", "TH-BKK", "TH", 4.0, 1.5, 1.0),
            _rate("EXPRESS", "TH-BKK", "DE", 17.0, 8.0, 3.0),
            _rate("ECONOMY", "DE-HAM", "DE", 3.0, 1.0, 3.0),
            _rate("ECONOMY", "TH-BKK", "TH", 2.0, 0.8, 2.0),
        ],
        duties=[
            {"destination": "EU", "origin": "CN", "hs_prefix": "6911", "duty_rate": 0.12,
             "valid_from": "2020-01-01"},
            {"destination": "TH", "hs_prefix": "", "duty_rate": 0.30, "valid_from": "2020-01-01"},
        ],
        taxes=[
            {"country": "DE", "rate": 0.19, "valid_from": "2020-01-01"},
            {"country": "TH", "rate": 0.07, "valid_from": "2020-01-01"},
        ],
        forecast=[
            {"start": "2026-09-07", "region": "DE", "item": "MUG", "mean": 30},
            {"start": "2026-09-07", "region": "TH", "item": "MUG", "mean": 20},
        ],
    )  # fmt: skip


def _rate(
    service: str, site: str, region: str, base: float, per_kg: float, days: float
) -> Mapping[str, object]:
    return {
        "service": service,
        "site": site,
        "region": region,
        "base_price": base,
        "price_per_kg": per_kg,
        "transit_days": days,
        "transit_days_p95": days * 2,
    }
