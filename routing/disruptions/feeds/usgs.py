"""USGS earthquake summaries in GeoJSON: epicenters, with a radius of damage from the magnitude."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from core.clock import rfc3339
from core.errors import BadInput
from core.places import Point
from routing.disruptions.feeds.documents import features
from routing.disruptions.feeds.words import kind_of
from routing.disruptions.geometry import Circle, Geometry, point_of
from routing.disruptions.signal import MAX_TEXT, Reading, Refused, Signal

SOURCE = "usgs"

MAX_DAMAGE_KM = 300.0
"""No earthquake stops a plant farther away than this."""

_PAGER = {"green": "minor", "yellow": "moderate", "orange": "severe", "red": "extreme"}
"""Colors of PAGER, the loss estimate of the USGS."""


def read(document: bytes, file: str = "") -> Reading:
    """Returns one signal for each earthquake; features without id, time or place are refused."""
    signals, refused = [], []
    for at, feature in enumerate(features(document, file), start=1):
        try:
            signals.append(_signal(feature))
        except BadInput as error:
            refused.append(Refused(f"Feature {at}: {error}"))
    return Reading(tuple(signals), tuple(refused))


def damage_km(magnitude: float, depth_km: float) -> float:
    """Returns the radius at the surface within which plants may stop, in km.

    Damage reaches `10 ** (0.5 M - 1.3)` km from the focus (50 km at magnitude 6, 158 km at 7, a
    rule of thumb of ours until shake maps are read), so a deep focus reaches less far at the
    surface, or not at all.
    """
    reach = min(MAX_DAMAGE_KM, 10 ** (0.5 * magnitude - 1.3))
    return math.sqrt(max(0.0, reach**2 - depth_km**2))


def _signal(feature: object) -> Signal:
    if not isinstance(feature, Mapping) or not isinstance(feature.get("properties"), Mapping):
        raise BadInput("Expected a GeoJSON feature with properties.")
    properties: Mapping[str, Any] = feature["properties"]
    center, depth_km = _focus(feature.get("geometry"))
    radius = _radius(properties.get("mag"), depth_km)
    began = _instant(properties.get("time"))
    updated = _instant(properties.get("updated")) or began
    if updated is None:
        raise BadInput("Expected a feature with a time.")
    return Signal(
        source=SOURCE,
        source_id=_identity(feature.get("id")),
        version=rfc3339(updated),
        kind=_kind(str(properties.get("type") or "earthquake")),
        title=str(properties.get("title") or properties.get("place") or "Earthquake")[:MAX_TEXT],
        onset=began,
        expires=None,
        status="cancelled" if properties.get("status") == "deleted" else "active",
        geometry=Geometry(circles=(Circle(center, radius),)),
        precision="circle" if radius > 0 else "centroid",
        severity=_PAGER.get(str(properties.get("alert")), "unknown"),
        certainty="observed" if properties.get("status") == "reviewed" else "likely",
    )


def _identity(value: object) -> str:
    if not isinstance(value, str | int) or not str(value):
        raise BadInput("Expected a feature with an id.")
    return str(value)[:MAX_TEXT]


def _kind(word: str) -> str:
    """Most of this feed are earthquakes, whatever else they are called; blasts are not."""
    kind = kind_of(word)
    return "earthquake" if kind == "other" else kind


def _focus(geometry: object) -> tuple[Point, float]:
    position = geometry.get("coordinates") if isinstance(geometry, Mapping) else None
    if not isinstance(position, list) or len(position) < 2:
        raise BadInput("Expected a point as [longitude, latitude, depth].")
    depth = position[2] if len(position) > 2 and position[2] is not None else 0.0
    if not isinstance(depth, int | float) or not -10 <= depth <= 1000:
        raise BadInput(f"Expected a depth in km, got {depth!r}.")
    return point_of(position[1], position[0]), float(depth)


def _radius(magnitude: object, depth_km: float) -> float:
    if magnitude is None:
        return 0.0
    if not isinstance(magnitude, int | float) or not -3 <= magnitude <= 10:
        raise BadInput(f"Expected a magnitude from -3 to 10, got {magnitude!r}.")
    return damage_km(float(magnitude), depth_km)


def _instant(milliseconds: object) -> datetime | None:
    if milliseconds is None:
        return None
    if not isinstance(milliseconds, int | float):
        raise BadInput(f"Expected milliseconds since 1970, got {milliseconds!r}.")
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise BadInput(f"Expected milliseconds since 1970, got {milliseconds!r}.") from error
