"""Scenes: a lamp made in Ayutthaya, a second supplier in Ningbo, and words about a flood."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from core.brand import Brand
from core.places import Point
from routing.disruptions.geometry import Circle, Geometry, Polygon, point_at
from routing.disruptions.signal import Signal
from tests.builders import brand_of

FEEDS = Path(__file__).parents[2] / "feeds"
EXAMPLES = Path(__file__).parents[3] / "examples" / "signals"

AYUTTHAYA = Point(14.35, 100.57)

PLAIN = Polygon(
    tuple(Point(*pair) for pair in ((14.6, 100.3), (14.6, 100.8), (14.0, 100.8), (14.0, 100.3),
                                    (14.6, 100.3)))
)  # fmt: skip


def at(latitude: float, longitude: float) -> dict[str, float]:
    """The two columns of a place."""
    return {"latitude": latitude, "longitude": longitude}


def lamps_from_ayutthaya(**changed: Sequence[Mapping[str, Any]]) -> Brand:
    """A brand that sells 15 lamps a day and has 300: they last 20 days.

    The maker in Ayutthaya needs 21 to 90 days to recover; Ningbo delivers in 20 days, by the dozen
    from 48 on.
    """
    rows: dict[str, Sequence[Mapping[str, Any]]] = {
        "sites": [
            {"site": "DE-HAM", "tier": "central", "country": "DE", **at(53.55, 9.99)},
            {"site": "TH-BKK", "tier": "forward", "country": "TH", **at(13.69, 100.75)},
            {"site": "TH-AYT", "tier": "supplier", "country": "TH", **at(14.35, 100.57)},
            {"site": "CN-NGB", "tier": "supplier", "country": "CN", **at(29.87, 121.55)},
        ],
        "regions": [
            {"region": "DE", "country": "DE", **at(52.5, 13.4)},
            {"region": "TH", "country": "TH", **at(13.75, 100.5)},
        ],
        "items": [
            {"item": "LAMP", "weight_kg": 1, "value": 20.0},
            {"item": "VASE", "weight_kg": 1, "value": 10.0},
        ],
        "stock": [
            {"site": "DE-HAM", "item": "LAMP", "on_hand": 200},
            {"site": "TH-BKK", "item": "LAMP", "on_hand": 100},
            {"site": "DE-HAM", "item": "VASE", "on_hand": 50},
        ],
        "forecast": [
            {"start": "2011-10-17", "region": "DE", "item": "LAMP", "mean": 70},
            {"start": "2011-10-17", "region": "TH", "item": "LAMP", "mean": 35},
            {"start": "2011-10-17", "region": "DE", "item": "VASE", "mean": 7},
        ],
        "suppliers": [
            {"supplier": "AYUTTHAYA", "site": "TH-AYT", "recover_days_low": 21,
             "recover_days_likely": 45, "recover_days_high": 90},
            {"supplier": "NINGBO", "site": "CN-NGB"},
            {"supplier": "UNTRIED"},
        ],
        "offers": [
            {"supplier": "AYUTTHAYA", "item": "LAMP", "unit_cost": 8.0, "lead_days": 30,
             "share": 1},
            {"supplier": "NINGBO", "item": "LAMP", "unit_cost": 9.0, "lead_days": 20, "moq": 48,
             "multiple": 12},
            {"supplier": "UNTRIED", "item": "LAMP", "unit_cost": 5.0, "lead_days": 5,
             "qualified": False},
            {"supplier": "NINGBO", "item": "VASE", "unit_cost": 4.0, "lead_days": 20, "share": 1},
        ],
    }  # fmt: skip
    filled = {name: given for name, given in {**rows, **changed}.items() if given}
    return replace(brand_of(**filled), today=date(2011, 10, 17))


def flood(**changed: Any) -> Signal:
    """A flood over Ayutthaya, drawn as a polygon that leaves Bangkok dry."""
    said: dict[str, Any] = {
        "source": "cap",
        "source_id": "authority,flood-1",
        "version": "1",
        "kind": "flood",
        "title": "Flood",
        "onset": datetime(2011, 10, 6, tzinfo=UTC),
        "expires": None,
        "status": "active",
        "geometry": Geometry((PLAIN,)),
        "precision": "polygon",
    }
    return Signal(**{**said, **changed})


def centroid_near_bangkok(**changed: Any) -> Signal:
    """The same flood as one point for two countries, 16 km from the Bangkok warehouse."""
    return flood(
        **{
            "geometry": point_at(Point(13.8284, 100.5684)),
            "precision": "centroid",
            "countries": ("MY", "TH"),
            **changed,
        }
    )


def circle(center: Point, radius_km: float) -> Geometry:
    """A circle alone."""
    return Geometry(circles=(Circle(center, radius_km),))
