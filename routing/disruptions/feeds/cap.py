"""CAP, the Common Alerting Protocol 1.1 and 1.2 of OASIS: one signal for each info block.

Latitude comes first in its polygons and circles. A signature is no proof and is not looked at;
resources are never fetched.
"""

from datetime import datetime
from xml.etree.ElementTree import Element  # the type; defusedxml parses

from core.clock import rfc3339
from core.errors import BadInput
from core.places import Point
from routing.disruptions.feeds.documents import bounded, xml_root
from routing.disruptions.feeds.words import (
    certainty_of,
    country_of,
    kind_of,
    severity_of,
    status_of,
)
from routing.disruptions.geometry import Circle, Geometry, Polygon, closed_rings, point_of
from routing.disruptions.signal import MAX_TEXT, Reading, Refused, Signal, moment

SOURCE = "cap"

_NAMESPACES = tuple(f"urn:oasis:names:tc:emergency:cap:{version}" for version in ("1.1", "1.2"))
_REQUIRED_OF_ALERT = ("identifier", "sender", "sent", "status", "msgType", "scope")
_REQUIRED_OF_INFO = ("category", "event", "urgency", "severity", "certainty")

_COUNTRY_OF_CODES = {"UGC": "US", "SAME": "US", "FIPS6": "US", "CLC": "CA"}
"""Code systems of areas that only one country uses."""


class _Block:
    """An element with CAP's namespace taken away: texts by plain names."""

    def __init__(self, element: Element, namespace: str) -> None:
        self.element, self.namespace = element, namespace

    def text(self, name: str) -> str:
        """Text of the first child of a name, "" without one."""
        return (self.element.findtext(f"{{{self.namespace}}}{name}") or "").strip()

    def texts(self, name: str) -> list[str]:
        """Texts of all children of a name."""
        found = self.element.findall(f"{{{self.namespace}}}{name}")
        return [(element.text or "").strip() for element in found]

    def all(self, path: str) -> list["_Block"]:
        """Descendants along a path of plain names."""
        steps = "/".join(f"{{{self.namespace}}}{name}" for name in path.split("/"))
        return [_Block(element, self.namespace) for element in self.element.findall(steps)]

    def require(self, names: tuple[str, ...], what: str) -> None:
        """Ensures that children with text exist; raises `BadInput` naming those that do not."""
        missing = [name for name in names if not self.text(name)]
        if missing:
            raise BadInput(f"Expected the required {', '.join(missing)} in the {what}.")


def read(document: bytes, file: str = "") -> Reading:
    """Returns the signals of one CAP message.

    A message that breaks the standard is refused as a whole, an info block or a polygon that does
    is refused alone; the reason says which.
    """
    root = xml_root(document, file)
    namespace = root.tag[1:].partition("}")[0] if root.tag.startswith("{") else ""
    if namespace not in _NAMESPACES or not root.tag.endswith("}alert"):
        raise BadInput(f"Expected a CAP 1.1 or 1.2 alert, got {root.tag!r}.")
    alert = _Block(root, namespace)
    try:
        alert.require(_REQUIRED_OF_ALERT, "alert")
        return _alert(alert, file)
    except BadInput as error:
        name = alert.text("identifier")[:80] or "without identifier"
        return Reading((), (Refused(f"Alert {name}: {error}"),))


def _alert(alert: _Block, file: str) -> Reading:
    status = status_of(alert.text("status"), alert.text("msgType"))
    blocks = bounded(alert.all("info"), "info blocks", file)
    if not blocks and status == "cancelled":
        return Reading((_withdrawal(alert),), ())
    if not blocks:
        raise BadInput("Expected at least one info block.")
    signals: list[Signal] = []
    refused: list[Refused] = []
    for at, info in enumerate(blocks, start=1):
        try:
            signals.append(_signal(alert, info, at - 1, refused))
        except BadInput as error:
            refused.append(Refused(f"Info block {at}: {error}"))
    return Reading(tuple(signals), tuple(refused))


def _signal(alert: _Block, info: _Block, part: int, refused: list[Refused]) -> Signal:
    info.require(_REQUIRED_OF_INFO, "info block")
    geometry = _geometry(info, part + 1, refused)
    codes = [code.text("value") for code in info.all("eventCode")]
    return Signal(
        source=SOURCE,
        source_id=_event(alert),
        version=rfc3339(_sent(alert)),
        kind=kind_of(" ".join([info.text("event"), *codes])),
        title=(info.text("headline") or info.text("event"))[:MAX_TEXT],
        onset=moment(info.text("onset") or info.text("effective")) or _sent(alert),
        expires=moment(info.text("expires")),
        status=status_of(alert.text("status"), alert.text("msgType"), info.text("responseType")),
        geometry=geometry,
        precision=_precision(geometry),
        countries=_countries(info),
        severity=severity_of(info.text("severity")),
        certainty=certainty_of(info.text("certainty")),
        part=part,
    )


def _withdrawal(alert: _Block) -> Signal:
    """A cancellation needs no info block: what it references is withdrawn."""
    return Signal(
        source=SOURCE,
        source_id=_event(alert),
        version=rfc3339(_sent(alert)),
        kind="other",
        title=(alert.text("note") or f"Cancellation of {_event(alert)}")[:MAX_TEXT],
        onset=_sent(alert),
        expires=None,
        status="cancelled",
        geometry=None,
        precision="zone",
    )


def _event(alert: _Block) -> str:
    """The sender and identifier of the first message about the event.

    An update references all earlier messages as `sender,identifier,sent`.
    """
    parts = [reference.rsplit(",", 2) for reference in alert.text("references").split()]
    earlier = [(sent, sender, name) for sender, name, sent in (p for p in parts if len(p) == 3)]
    if alert.text("msgType") != "Alert" and earlier:
        _, sender, name = min(earlier)
        return f"{sender},{name}"[:MAX_TEXT]
    return f"{alert.text('sender')},{alert.text('identifier')}"[:MAX_TEXT]


def _sent(alert: _Block) -> datetime:
    sent = moment(alert.text("sent"))
    if sent is None:
        raise BadInput("Expected the required sent in the alert.")
    return sent


def _geometry(info: _Block, number: int, refused: list[Refused]) -> Geometry | None:
    """The union of all usable areas of an info block; None where it has no shape at all."""
    polygons: list[Polygon] = []
    circles: list[Circle] = []
    for area in info.all("area"):
        for shape in (*area.texts("polygon"), *area.texts("circle")):
            try:
                if " " in shape and "," not in shape.split()[-1]:
                    circles.append(_circle(shape))
                else:
                    polygons += _polygons(shape)
            except BadInput as error:
                place = area.text("areaDesc")[:80] or "unnamed area"
                refused.append(Refused(f"Info block {number}, {place}: {error}"))
    return Geometry(tuple(polygons), tuple(circles)) if polygons or circles else None


def _polygons(text: str) -> list[Polygon]:
    """The polygons of one element: pairs `latitude,longitude` with spaces between.

    Some senders join several closed rings in one element; each is an area of its own.
    """
    return [Polygon(ring) for ring in closed_rings([_pair(pair) for pair in text.split()])]


def _circle(text: str) -> Circle:
    center, radius = text.split()[:2]
    try:
        return Circle(_pair(center), float(radius))
    except ValueError as error:
        raise BadInput(f"Expected a radius in km, got {radius!r}.") from error


def _pair(text: str) -> Point:
    latitude, comma, longitude = text.rstrip(",").partition(",")
    if not comma:
        raise BadInput(f"Expected latitude,longitude, got {text[:40]!r}.")
    return point_of(latitude, longitude)


def _precision(geometry: Geometry | None) -> str:
    if geometry is None:
        return "zone"
    if geometry.polygons:
        return "polygon"
    return "circle" if any(circle.radius_km > 0 for circle in geometry.circles) else "centroid"


def _countries(info: _Block) -> tuple[str, ...]:
    """Countries that the codes of the areas name; CAP itself has no word for the country."""
    found: set[str | None] = set()
    for code in info.all("area/geocode"):
        system, value = code.text("valueName"), code.text("value")
        if system.upper().startswith("ISO3166") or system.upper().startswith("ISO 3166"):
            found.add(country_of(value.split("-")[0]))
        found.add(_COUNTRY_OF_CODES.get(system.rpartition(":")[2]))
    return tuple(sorted(code for code in found if code))
