"""A small brand on six hubs: enough to draw a map and to plan within a second."""

from core.brand import Brand
from tests.builders import brand_of

_SITES = (
    ("US-LAX", "Los Angeles", "central", "US", 34.05, -118.24, "America/Los_Angeles"),
    ("DE-HAM", "Hamburg", "central", "DE", 53.55, 9.99, "Europe/Berlin"),
    ("TH-BKK", "Bangkok", "forward", "TH", 13.75, 100.50, "Asia/Bangkok"),
    ("AE-DXB", "Dubai", "forward", "AE", 25.20, 55.27, "Asia/Dubai"),
    ("CN-SZX", "Shenzhen", "bonded", "CN", 22.54, 114.06, "Asia/Shanghai"),
    ("CN-CAN", "Guangzhou", "bonded", "CN", 23.13, 113.26, "Asia/Shanghai"),
    ("CZ-PRG", "Prague returns", "return", "CZ", 50.08, 14.44, "Europe/Prague"),
)

_REGIONS = (
    ("DE", "Germany", "DE", 51.16, 10.45),
    ("FR", "France", "FR", 46.60, 2.21),
    ("US-W", "United States, west", "US", 37.77, -122.42),
    ("TH", "Thailand", "TH", 15.87, 100.99),
    ("AE", "Emirates", "AE", 24.45, 54.38),
)

_LANES = (
    ("CN-SZX", "US-LAX", "SEA", 18, ""),
    ("CN-SZX", "DE-HAM", "SEA", 32, "malacca;babalmandab;suez;gibraltar"),
    ("CN-CAN", "AE-DXB", "SEA", 17, "malacca"),
    ("CN-CAN", "TH-BKK", "SEA", 6, ""),
    ("CN-SZX", "DE-HAM", "AIR", 3, ""),
    ("DE-HAM", "AE-DXB", "AIR", 2, ""),
    ("DE-HAM", "CZ-PRG", "ROAD", 1, ""),
)


def six_hubs() -> Brand:
    """Six hubs, five markets, two items, with services that reach every market from every hub."""
    hubs = [site[0] for site in _SITES if site[2] != "return"]
    return brand_of(
        sites=[
            {"site": site, "name": name, "tier": tier, "country": country, "latitude": latitude,
             "longitude": longitude, "time_zone": zone, "handling_cost": 0.8,
             "customs": "bonded" if tier == "bonded" else "free"}
            for site, name, tier, country, latitude, longitude, zone in _SITES
        ],
        regions=[
            {"region": region, "name": name, "country": country, "latitude": latitude,
             "longitude": longitude}
            for region, name, country, latitude, longitude in _REGIONS
        ],
        items=[
            {"item": "MUG", "name": "Harbor mug", "category": "kitchen", "weight_kg": 0.4,
             "length_cm": 10, "width_cm": 10, "height_cm": 10, "value": 12.0, "hs_code": "691110",
             "origin": "CN"},
            {"item": "LAMP", "name": "Storm lamp", "category": "lighting", "weight_kg": 1.2,
             "length_cm": 30, "width_cm": 15, "height_cm": 15, "value": 39.0, "hs_code": "940520",
             "origin": "CN"},
        ],
        stock=[
            {"site": hub, "item": item, "on_hand": 40 + 25 * at,
             "customs": "bonded" if hub.startswith("CN") else "free"}
            for at, hub in enumerate(hubs)
            for item in ("MUG", "LAMP")
        ],
        services=[
            {"service": "EXPRESS", "carrier": "Fleet", "mode": "express"},
            {"service": "SEA", "carrier": "Ocean", "mode": "sea_fcl"},
            {"service": "AIR", "carrier": "Wing", "mode": "air"},
            {"service": "ROAD", "carrier": "Axle", "mode": "road"},
        ],
        rates=[
            {"service": "EXPRESS", "site": hub, "region": region[0],
             "base_price": 4.0 + 3.0 * abs(at - other), "price_per_kg": 2.0,
             "transit_days": 1 + abs(at - other), "transit_days_p95": 3 + abs(at - other)}
            for at, hub in enumerate(hubs)
            for other, region in enumerate(_REGIONS)
        ],
        lanes=[
            {"from_site": start, "to_site": end, "service": service, "transit_days": days,
             "cost_per_kg": 0.5, "passages": passages}
            for start, end, service, days, passages in _LANES
        ],
        forecast=[
            {"start": start, "region": region[0], "item": item, "mean": 20.0 + 4 * at,
             "p05": 8.0, "p25": 15.0, "p50": 20.0 + 4 * at, "p75": 26.0 + 4 * at,
             "p90": 34.0 + 4 * at, "p95": 40.0 + 4 * at}
            for start in ("2026-09-07", "2026-09-14", "2026-09-21", "2026-09-28")
            for at, region in enumerate(_REGIONS)
            for item in ("MUG", "LAMP")
        ],
        suppliers=[
            {"supplier": "KILN", "name": "Kiln and Sons"},
            {"supplier": "WICK", "name": "Wick Works"},
        ],
        offers=[
            {"supplier": "KILN", "item": "MUG", "unit_cost": 3.1, "lead_days": 30},
            {"supplier": "WICK", "item": "LAMP", "unit_cost": 11.0, "lead_days": 40},
        ],
        deliveries=[
            {"supplier": supplier, "item": item, "committed": f"2026-0{month}-01",
             "received": f"2026-0{month}-0{day}", "ordered_quantity": 100,
             "received_quantity": received, "defective_quantity": bad, "price_index": 1.0,
             "answer_hours": 12}
            for supplier, item, day, received, bad in (
                ("KILN", "MUG", 1, 100, 0), ("WICK", "LAMP", 9, 82, 7),
            )
            for month in (3, 4, 5, 6, 7)
        ],
    )  # fmt: skip
