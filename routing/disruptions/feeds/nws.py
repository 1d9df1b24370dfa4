"""Active alerts of the United States National Weather Service: CAP's words in GeoJSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.clock import rfc3339
from core.errors import BadInput
from routing.disruptions.feeds.documents import features
from routing.disruptions.feeds.words import certainty_of, kind_of, severity_of, status_of
from routing.disruptions.geometry import Geometry
from routing.disruptions.signal import MAX_TEXT, Reading, Refused, Signal, moment

SOURCE = "nws"


def read(document: bytes, file: str = "") -> Reading:
    """Returns one signal for each alert; without a polygon its precision is the zones it names."""
    signals, refused = [], []
    for at, feature in enumerate(features(document, file), start=1):
        try:
            signals.append(_signal(feature))
        except BadInput as error:
            refused.append(Refused(f"Feature {at}: {error}"))
    return Reading(tuple(signals), tuple(refused))


def _signal(feature: object) -> Signal:
    if not isinstance(feature, Mapping) or not isinstance(feature.get("properties"), Mapping):
        raise BadInput("Expected a GeoJSON feature with properties.")
    properties: Mapping[str, Any] = feature["properties"]
    shape = feature.get("geometry")
    geometry = None if shape is None else Geometry.from_json(shape)
    sent = _sent(properties)
    return Signal(
        source=SOURCE,
        source_id=_event(properties),
        version=rfc3339(sent),
        kind=kind_of(_said(properties, "event")),
        title=(_said(properties, "headline") or _said(properties, "event"))[:MAX_TEXT],
        onset=moment(properties.get("onset") or properties.get("effective")) or sent,
        expires=moment(properties.get("ends") or properties.get("expires")),
        status=status_of(
            _said(properties, "status"),
            _said(properties, "messageType"),
            _said(properties, "response"),
        ),
        geometry=geometry,
        precision=_precision(geometry),
        countries=("US",),
        severity=severity_of(_said(properties, "severity")),
        certainty=certainty_of(_said(properties, "certainty")),
    )


def _precision(geometry: Geometry | None) -> str:
    if geometry is None:
        return "zone"
    return "polygon" if geometry.polygons else "centroid"


def _sent(properties: Mapping[str, Any]) -> datetime:
    sent = moment(properties.get("sent"))
    if sent is None:
        raise BadInput("Expected an alert with the moment it was sent.")
    return sent


def _event(properties: Mapping[str, Any]) -> str:
    """The identifier of the first message about the event, out of those that are referenced."""
    listed = properties.get("references")
    rows = [row for row in listed if isinstance(row, Mapping)] if isinstance(listed, list) else []
    earlier = [(_said(row, "sent"), _said(row, "identifier")) for row in rows]
    named = min((pair for pair in earlier if all(pair)), default=("", _said(properties, "id")))[1]
    if not named:
        raise BadInput("Expected an alert with an id.")
    return named[:MAX_TEXT]


def _said(properties: Mapping[str, Any], name: str) -> str:
    value = properties.get(name)
    return "" if value is None else str(value).strip()
