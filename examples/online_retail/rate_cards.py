"""Rate cards: synthetic prices in GBP by distance, in the form that carriers use.

No carrier publishes a card that a program may read, so these are invented: a base price for a
parcel, a price for each billed kilogram that falls from band to band, days by distance. A parcel
never gets cheaper by growing heavier: the base of a band takes up what the lower price of a
kilogram would give away.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from core.brand import Row
from core.places import Point, customs_territory
from routing.lanes import SEA_KM_PER_DAY, sea_leg
from warehouses.geography import lane_km

BORDER_DAYS = 1.0
"""Days that clearance at a customs border takes."""

REMOTE = {"AU": 2.5, "BR-SOUTH-AMERICA": 4.0, "ZA-AFRICA": 4.0}
"""Surcharge of a parcel by region."""

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Zone:
    """Prices and days up to a distance."""

    up_to_km: float
    base: float
    per_kg: float
    days: float


@dataclass(frozen=True, slots=True)
class Card:
    """One service: its zones by distance, and its bands as (from kg, share of the kg price)."""

    zones: tuple[Zone, ...]
    bands: tuple[tuple[float, float], ...]
    spread: float


FAR = 30_000.0
CARDS = {
    "EXPRESS": Card(
        (Zone(1500, 6.5, 1.1, 1), Zone(4000, 9.0, 2.2, 2), Zone(8000, 13.0, 4.2, 3),
         Zone(FAR, 16.0, 6.0, 4)),
        ((0, 1.0), (2, 0.85), (10, 0.72), (30, 0.62)), 1.5,
    ),
    "ECONOMY": Card(
        (Zone(1500, 3.5, 0.75, 3), Zone(4000, 4.5, 1.5, 5), Zone(8000, 5.5, 2.6, 8),
         Zone(FAR, 6.5, 3.4, 11)),
        ((0, 1.0), (5, 0.9), (15, 0.8)), 1.6,
    ),
    "LAST-MILE": Card((Zone(600, 3.2, 0.28, 1),), ((0, 1.0), (10, 0.8)), 1.4),
}  # fmt: skip

ROAD_LIMIT_KM = 3200.0
SEA_FROM_KM = 3000.0


def rates(sites: pd.DataFrame, regions: pd.DataFrame, progress: Progress) -> pd.DataFrame:
    """Returns the rates of every serving site to every region; `progress` hears shares done."""
    hubs = sites[sites["tier"].isin(["central", "forward", "bonded"])].to_dict("records")
    markets = regions.to_dict("records")
    rows: list[dict[str, object]] = []
    for at, hub in enumerate(hubs):
        for market in markets:
            rows += _rates(hub, market)
        progress((at + 1) / len(hubs))
    return pd.DataFrame(rows)


def _rates(hub: Row, market: Row) -> list[dict[str, object]]:
    """Returns every rate of one site to one region."""
    here, there = _point(hub), _point(market)
    km = lane_km(here, there)
    border = customs_territory(str(hub["country"])) != customs_territory(str(market["country"]))
    common = {"site": hub["site"], "region": market["region"]}
    surcharge = REMOTE.get(str(market["region"]), 0.0)
    wait = BORDER_DAYS if border else 0.0
    rows = [
        {**common, "service": name, **band, "remote_surcharge": surcharge}
        for name, card in CARDS.items()
        if name != "LAST-MILE" or not border
        for band in _bands(card, km, wait)
    ]
    if _by_land(hub, market, km):
        rows.append({**common, "service": "ROAD", **_road(km, wait)})
    if km >= SEA_FROM_KM:
        rows += [{**common, "service": "SEA-LCL", **sea} for sea in _sea(here, there, wait)]
    return rows


def _point(row: Row) -> Point:
    return Point(float(str(row["latitude"])), float(str(row["longitude"])))


def _bands(card: Card, km: float, wait: float) -> list[dict[str, object]]:
    """Returns the weight bands of the zone that a distance falls into; none beyond the last."""
    zone = next((zone for zone in card.zones if km <= zone.up_to_km), None)
    if zone is None:
        return []
    tops = [top for top, _ in card.bands[1:]]
    rows: list[dict[str, object]] = []
    base = zone.base
    for at, (start, share) in enumerate(card.bands):
        if at:
            base += zone.per_kg * (card.bands[at - 1][1] - share) * start
        rows.append(
            {
                "weight_from_kg": start,
                "weight_to_kg": tops[at] if at < len(tops) else None,
                "base_price": round(base, 2),
                "price_per_kg": round(zone.per_kg * share, 3),
                **_days(zone.days + wait, card.spread),
            }
        )
    return rows


def _days(days: float, spread: float) -> dict[str, object]:
    return {"transit_days": round(days, 1), "transit_days_p95": round(days * spread + 0.5, 1)}


def _by_land(hub: Row, market: Row, km: float) -> bool:
    """Whether a truck gets there: from Hamburg in Europe, from Los Angeles in North America."""
    if km > ROAD_LIMIT_KM:
        return False
    if hub["site"] == "US-LAX":
        return str(market["country"]) == "US"
    return str(hub["site"]) == "DE-HAM"


def _road(km: float, wait: float) -> dict[str, object]:
    return {
        "base_price": 9.0,
        "price_per_kg": round(0.26 + 0.00018 * km, 3),
        **_days(1 + km / 600 + wait, 1.4),
    }


def _sea(here: Point, there: Point, wait: float) -> list[dict[str, object]]:
    """Consolidated boxes by sea, then a courier; empty where ships do not get."""
    leg = sea_leg(here, there)
    if leg is None:
        return []
    days = 9 + leg.km / SEA_KM_PER_DAY + leg.drayage_km / 400 + wait
    row = {"base_price": 12.0, "price_per_kg": round(0.40 + 0.000014 * leg.km, 3)}
    return [{**row, **_days(days, 1.25)}]
