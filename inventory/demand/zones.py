"""Zones: the clock that a region lives by, so that an order falls on the right day of it."""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_PLACE = re.compile(r"([+-])(\d{2})(\d{2})(\d{2})?([+-])(\d{3})(\d{2})(\d{2})?")
"""ISO 6709 as zone.tab writes it: degrees, minutes and perhaps seconds of both coordinates."""


@dataclass(frozen=True, slots=True)
class Zones:
    """The time zones of the IANA database with the country and the main place of each."""

    names: NDArray[np.str_]
    countries: NDArray[np.str_]
    latitude: Floats
    longitude: Floats


@cache
def zones() -> Zones:
    """Returns the zone table of the `tzdata` package; nothing is asked of the network."""
    text = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line and line[0] != "#"]
    places = [_degrees(row[1]) for row in rows]
    return Zones(
        names=np.array([row[2] for row in rows]),
        countries=np.array([row[0] for row in rows]),
        latitude=np.array([latitude for latitude, _ in places]),
        longitude=np.array([longitude for _, longitude in places]),
    )


def zone_of(country: str, latitude: float, longitude: float) -> str:
    """Returns the country's zone whose main place is nearest, such as `"Europe/Berlin"`.

    Where the table does not know the country, the nearest zone of all.
    """
    table = zones()
    away = _apart(table, latitude, longitude)
    own = table.countries == country
    return str(table.names[np.argmin(np.where(own, away, np.inf) if own.any() else away)])


def local_days(moments: "pd.Series[pd.Timestamp]", zone: str) -> NDArray[np.datetime64]:
    """Returns the calendar day of each moment (UTC) on the clock of a zone, datetime64[D]."""
    local = moments.dt.tz_convert(zone).dt.tz_localize(None)
    return local.to_numpy().astype("datetime64[D]")


def _degrees(place: str) -> tuple[float, float]:
    match = _PLACE.fullmatch(place)
    if match is None:
        raise ValueError(f"Expected a place in ISO 6709, got {place!r}.")
    parts = match.groups(default="0")
    return _angle(*parts[:4]), _angle(*parts[4:])


def _angle(sign: str, degrees: str, minutes: str, seconds: str) -> float:
    size = float(degrees) + float(minutes) / 60 + float(seconds) / 3600
    return -size if sign == "-" else size


def _apart(table: Zones, latitude: float, longitude: float) -> Floats:
    """Returns a measure that grows with the distance on the globe (haversine, no radius)."""
    here, there = np.radians(latitude), np.radians(table.latitude)
    turn = np.radians(table.longitude - longitude)
    squared = np.sin((there - here) / 2) ** 2
    return np.asarray(squared + np.cos(here) * np.cos(there) * np.sin(turn / 2) ** 2)
