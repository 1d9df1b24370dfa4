"""The network: hubs, services and the lanes between sites, with capacities that can bind."""

import numpy as np
import pandas as pd

from core.places import Point
from examples.online_retail.outlook import Outlook
from examples.online_retail.reading import table
from routing.lanes import SEA_KM_PER_DAY, sea_leg
from warehouses.geography import lane_km

STORAGE_SLACK = 1.3
"""Storage volume over the volume of the stock planned for a site."""

CONTAINER_M3 = 28.0
"""What fits into a 20-foot container, loaded by hand."""

PORT_DAYS = 7.0
ROAD_KM_PER_DAY = 600.0
DRAYAGE_KM_PER_DAY = 400.0
AIR_KM_PER_DAY = 4000.0
AIR_HANDLING_DAYS = 2.0

SERVICE_KG_SHARE = {"ECONOMY": 0.30, "ROAD": 0.25, "LAST-MILE": 0.05, "SEA-LCL": 0.35}
"""Kilograms a week that a service takes at one site, as a share of all expected kilograms."""

HUBS = ("DE-HAM", "US-LAX", "TH-BKK", "AE-DXB")
BONDED = ("CN-SZX", "CN-CAN")
SEA = tuple(
    [(origin, hub) for origin in (*BONDED, "CN-NGB", "IN-BOM") for hub in HUBS]
    + [("TH-LCH", hub) for hub in ("DE-HAM", "US-LAX", "AE-DXB")]
    + [("AE-DXB", "DE-HAM"), ("DE-HAM", "US-LAX")]
)
AIR = tuple(
    [(origin, hub) for origin in BONDED for hub in HUBS]
    + [("TH-BKK", "DE-HAM"), ("TH-BKK", "AE-DXB"), ("AE-DXB", "DE-HAM"), ("DE-HAM", "US-LAX")]
    + [("DE-HAM", "AE-DXB"), ("IN-BOM", "DE-HAM")]
)
ROAD = (
    ("TH-AYT", "TH-BKK"), ("TH-AYT", "TH-LCH"), ("TH-BKK", "TH-LCH"), ("CN-SZX", "CN-CAN"),
    ("CN-CAN", "CN-SZX"), ("CN-NGB", "CN-SZX"), ("CN-NGB", "CN-CAN"), ("DE-HAM", "GB-COV"),
    ("GB-COV", "DE-HAM"), ("US-SDF", "US-LAX"),
)  # fmt: skip


def sites(outlook: Outlook, volume_m3: pd.Series) -> pd.DataFrame:
    """Returns the sites; hubs ship and store a fixed share of what is expected."""
    frame = table("sites")
    weekly = outlook.units_per_week
    stocked_m3 = outlook.per_week(volume_m3) * outlook.weeks
    frame["outbound_units"] = np.ceil(frame["outbound_share"] * weekly / 10) * 10
    frame["storage_m3"] = np.ceil(frame["stock_share"] * stocked_m3 * STORAGE_SLACK)
    return frame.drop(columns=["outbound_share", "stock_share"])


def services(outlook: Outlook, weight_kg: pd.Series) -> pd.DataFrame:
    """Returns the carrier services; those of `SERVICE_KG_SHARE` take limited kilograms."""
    frame = table("services")
    limit = frame["service"].map(SERVICE_KG_SHARE) * outlook.per_week(weight_kg)
    return frame.assign(kg_per_week=np.ceil(limit / 10) * 10)


def points_of(frame: pd.DataFrame, key: str) -> dict[str, Point]:
    """Returns where each site or region stands."""
    return {
        str(row[key]): Point(float(row["latitude"]), float(row["longitude"]))
        for row in frame.to_dict("records")
    }


def lanes(points: dict[str, Point], weekly_m3: float) -> pd.DataFrame:
    """Returns the lanes between sites; prices in GBP are synthetic, by distance."""
    rows = [_sea(a, b, points, weekly_m3) for a, b in SEA]
    rows += [_air(a, b, lane_km(points[a], points[b])) for a, b in AIR]
    rows += [_road(a, b, lane_km(points[a], points[b])) for a, b in ROAD]
    return pd.DataFrame(rows)


def _lane(a: str, b: str, service: str, days: float, spread: float) -> dict[str, object]:
    return {
        "from_site": a,
        "to_site": b,
        "service": service,
        "transit_days": round(days, 1),
        "transit_days_p95": round(days * spread + 1, 1),
    }


def _sea(a: str, b: str, points: dict[str, Point], weekly_m3: float) -> dict[str, object]:
    """Full containers: days in port, at sea and on land; a container costs by kilometer."""
    leg = sea_leg(points[a], points[b])
    if leg is None:
        raise ValueError(f"Expected a way by sea from {a} to {b}, found none.")
    days = PORT_DAYS + leg.km / SEA_KM_PER_DAY + leg.drayage_km / DRAYAGE_KM_PER_DAY
    return {
        **_lane(a, b, "SEA-FCL", days, 1.25),
        "cost_per_m3": 8.0,
        "fixed_cost": 90.0,
        "container_m3": CONTAINER_M3,
        "container_cost": round(450 + 0.055 * leg.km + 1.1 * leg.drayage_km),
        "capacity_m3": max(CONTAINER_M3, round(0.4 * weekly_m3)),
        "passages": ";".join(leg.passages),
    }


def _air(a: str, b: str, km: float) -> dict[str, object]:
    days = AIR_HANDLING_DAYS + km / AIR_KM_PER_DAY
    return {
        **_lane(a, b, "AIR-FREIGHT", days, 1.4),
        "cost_per_kg": round(0.90 + 0.00018 * km, 2),
        "fixed_cost": 60.0,
    }


def _road(a: str, b: str, km: float) -> dict[str, object]:
    days = 0.5 + km / ROAD_KM_PER_DAY
    return {
        **_lane(a, b, "ROAD", days, 1.5),
        "cost_per_m3": round(6 + 0.06 * km, 2),
        "fixed_cost": 40.0,
    }
