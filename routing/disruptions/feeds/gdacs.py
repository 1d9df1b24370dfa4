"""GDACS, the Global Disaster Alert and Coordination System: its RSS and its JSON event lists.

Both give one point for a whole event, which may span countries: the centroid of a flood in
Malaysia and Thailand has stood 11 km from Bangkok while the water was 828 km away. So a point is
never more than a centroid. Only the polygons of a geometry answer are precise.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from xml.etree.ElementTree import Element  # the type; defusedxml parses

from core.errors import BadInput
from core.places import Point
from routing.disruptions.feeds.documents import bounded, features, xml_root
from routing.disruptions.feeds.words import countries_of, country_of
from routing.disruptions.geometry import Geometry, point_at, point_of
from routing.disruptions.signal import MAX_TEXT, Reading, Refused, Signal, moment

SOURCE = "gdacs"

_KINDS = {
    "FL": "flood", "TC": "cyclone", "EQ": "earthquake", "VO": "volcano", "DR": "drought",
    "WF": "wildfire", "TS": "tsunami",
}  # fmt: skip

_COLORS = {"green": "minor", "orange": "severe", "red": "extreme"}

_G = "{http://www.gdacs.org}"
_GEO = "{http://www.w3.org/2003/01/geo/wgs84_pos#}"
_GEORSS = "{http://www.georss.org/georss}"


def read(document: bytes, file: str = "") -> Reading:
    """Returns the signals of a GDACS document, RSS of any year or a JSON event list."""
    start = document.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return read_json(document, file) if start == b"{" else read_rss(document, file)


def read_rss(document: bytes, file: str = "") -> Reading:
    """Returns one signal for each item of the RSS; items without identity or point are refused."""
    root = xml_root(document, file)
    if root.tag != "rss":
        raise BadInput(f"Expected a GDACS document whose root is rss, got {root.tag!r}.")
    signals, refused = [], []
    for at, item in enumerate(bounded(root.findall("channel/item"), "items", file), start=1):
        try:
            signals.append(_item(item))
        except BadInput as error:
            refused.append(Refused(f"Item {at} ({_text(item, 'guid') or 'no guid'}): {error}"))
    return Reading(tuple(signals), tuple(refused))


def read_json(document: bytes, file: str = "") -> Reading:
    """Returns one signal for each feature of the list; lines and forecast cones are refused."""
    signals: list[Signal] = []
    refused = []
    parts: dict[str, int] = {}
    for at, feature in enumerate(features(document, file), start=1):
        try:
            signal = _feature(feature, parts)
            parts[signal.source_id] = signal.part + 1
            signals.append(signal)
        except BadInput as error:
            refused.append(Refused(f"Feature {at}: {error}"))
    return Reading(tuple(signals), tuple(refused))


def _item(item: Element) -> Signal:
    kind, source_id = _identity(_text(item, _G + "eventtype"), _text(item, _G + "eventid"))
    listed = _text(item, _G + "iso3"), _text(item, _G + "country")
    return Signal(
        source=SOURCE,
        source_id=source_id,
        version=_version(_text(item, _G + "episodeid"), _text(item, _G + "version")),
        kind=kind,
        title=(_text(item, "title") or source_id)[:MAX_TEXT],
        onset=_mail_date(_text(item, _G + "fromdate")),
        expires=_mail_date(_text(item, _G + "todate")),
        status=_status(_text(item, _G + "iscurrent")),
        geometry=point_at(_item_point(item)),
        precision="centroid",
        countries=tuple(sorted({code for text in listed for code in countries_of(text)})),
        severity=_COLORS.get(_text(item, _G + "alertlevel").casefold(), "unknown"),
    )


def _item_point(item: Element) -> Point:
    """The point of an item: W3C geo where given, else GeoRSS; both write latitude first."""
    pair = [_text(item, f"{_GEO}Point/{_GEO}{axis}") for axis in ("lat", "long")]
    if not all(pair):
        pair = _text(item, _GEORSS + "point").split()
    if len(pair) != 2:
        raise BadInput("Expected a point as geo:Point or georss:point.")
    return point_of(pair[0], pair[1])


def _feature(feature: object, parts: Mapping[str, int]) -> Signal:
    if not isinstance(feature, Mapping) or not isinstance(feature.get("properties"), Mapping):
        raise BadInput("Expected a GeoJSON feature with properties.")
    properties: Mapping[str, Any] = feature["properties"]
    kind, source_id = _identity(_said(properties, "eventtype"), _said(properties, "eventid"))
    geometry, precision = _shape(feature.get("geometry"), _said(properties, "Class"))
    return Signal(
        source=SOURCE,
        source_id=source_id,
        version=_version(_said(properties, "episodeid"), _said(properties, "datemodified")),
        kind=kind,
        title=(_said(properties, "name") or source_id)[:MAX_TEXT],
        onset=moment(properties.get("fromdate"), naive_is_utc=True),
        expires=moment(properties.get("todate"), naive_is_utc=True),
        status=_status(_said(properties, "iscurrent")),
        geometry=geometry,
        precision=precision,
        countries=_affected(properties),
        severity=_COLORS.get(_said(properties, "alertlevel").casefold(), "unknown"),
        part=parts.get(source_id, 0),
    )


def _shape(geometry: object, shape_class: str) -> tuple[Geometry, str]:
    if "cone" in shape_class.casefold():
        raise BadInput("A cone says where a storm may go, not where it is.")
    shape = Geometry.from_json(geometry)
    return shape, "polygon" if shape.polygons else "centroid"


def _affected(properties: Mapping[str, Any]) -> tuple[str, ...]:
    """All affected countries: the flat iso3 of an event list names only the first of them."""
    listed = properties.get("affectedcountries")
    rows = [row for row in listed if isinstance(row, Mapping)] if isinstance(listed, list) else []
    found = {country_of(str(row.get("iso2") or row.get("iso3") or "")) for row in rows}
    found |= {country_of(_said(properties, "iso3"))}
    found |= set(countries_of(_said(properties, "country")))
    return tuple(sorted(code for code in found if code))


def _identity(event_type: str, event_id: str) -> tuple[str, str]:
    """Ids of GDACS are numbered within their type, so both together name the event."""
    if event_type not in _KINDS:
        raise BadInput(f"Expected an eventtype out of {', '.join(_KINDS)}, got {event_type!r}.")
    if not event_id.isascii() or not event_id.isalnum():
        raise BadInput(f"Expected an eventid of letters and digits, got {event_id!r}.")
    return _KINDS[event_type], event_type + event_id[:MAX_TEXT]


def _version(episode: str, revision: str) -> str:
    return "/".join(part for part in (episode or "0", revision) if part)[:MAX_TEXT]


def _status(is_current: str) -> str:
    return "ended" if is_current.casefold() == "false" else "active"


def _mail_date(text: str) -> datetime | None:
    if not text:
        return None
    try:
        parsed = parsedate_to_datetime(text)
    except (TypeError, ValueError) as error:
        raise BadInput(f"Expected a date as in RFC 822, got {text!r}.") from error
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _said(properties: Mapping[str, Any], name: str) -> str:
    value = properties.get(name)
    return "" if value is None else str(value).strip()
