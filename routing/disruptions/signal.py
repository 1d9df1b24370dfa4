"""Signals: what every hazard feed says, in one form, with how precisely it says where."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from core.clock import rfc3339
from core.errors import BadInput
from core.places import countries
from routing.disruptions.geometry import Geometry

PRECISE = frozenset({"polygon", "circle"})
"""Precisions that say where the hazard is; only these may lead to an order."""

PRECISIONS = ("polygon", "circle", "centroid", "country", "zone")
"""`polygon` and `circle` are the hazard's own shape; `centroid` is one point for a whole event;
`country` and `zone` are names of areas without a shape."""

KINDS = (
    "flood", "cyclone", "earthquake", "tsunami", "volcano", "drought", "wildfire", "storm",
    "rain", "snow", "heat", "cold", "landslide", "explosion", "other",
)  # fmt: skip
"""What happens, in the words of the house."""

STATUSES = ("active", "ended", "cancelled", "test")
"""`cancelled` withdraws what was said; `test` was never meant."""

SEVERITIES = ("unknown", "minor", "moderate", "severe", "extreme")
"""The feed's own scale in the words of CAP 1.2. It is humanitarian: never the severity of an alert.

GDACS green, orange and red are written as minor, severe and extreme.
"""

CERTAINTIES = ("unknown", "unlikely", "possible", "likely", "observed")
"""How sure the feed is, in the words of CAP 1.2."""

MAX_TEXT = 500
"""Characters kept of a title or an id."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing that a feed says about one hazard.

    `source_id` names the event for good, `version` grows with every later word about it, `part`
    counts the blocks of one message. `onset` and `expires` are aware and in UTC. `countries` are
    ISO 3166-1 alpha-2 codes as far as the feed names them.
    """

    source: str
    source_id: str
    version: str
    kind: str
    title: str
    onset: datetime | None
    expires: datetime | None
    status: str
    geometry: Geometry | None
    precision: str
    countries: tuple[str, ...] = ()
    severity: str = "unknown"
    certainty: str = "unknown"
    part: int = 0

    def __post_init__(self) -> None:
        for name, allowed in _ALLOWED.items():
            if getattr(self, name) not in allowed:
                raise BadInput(
                    f"Expected {name} to be one of {', '.join(allowed)}, "
                    f"got {getattr(self, name)!r}."
                )
        for name in ("source", "source_id", "version", "title"):
            if not 0 < len(getattr(self, name)) <= MAX_TEXT:
                raise BadInput(f"Expected {name} to have 1 to {MAX_TEXT} characters.")
        _check_place(self)

    @property
    def precise(self) -> bool:
        """Whether the signal says where the hazard is, not only near or in which country."""
        return self.precision in PRECISE

    @property
    def age(self) -> tuple[int, ...]:
        """The version in comparable form: its numbers one by one. A later word compares greater."""
        return version_key(self.version)

    @property
    def stands(self) -> bool:
        """Whether the signal is meant: neither withdrawn nor a test."""
        return self.status in ("active", "ended")

    def as_json(self) -> dict[str, Any]:
        """Returns the form that crosses every edge."""
        document = {field.name: getattr(self, field.name) for field in fields(self)}
        return document | {
            "onset": None if self.onset is None else rfc3339(self.onset),
            "expires": None if self.expires is None else rfc3339(self.expires),
            "geometry": None if self.geometry is None else self.geometry.as_json(),
            "countries": list(self.countries),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Signal":
        """Returns the signal that `as_json` wrote; raises `BadInput` for anything it did not."""
        geometry = document.get("geometry")
        return cls(
            **{
                **document,
                "onset": moment(document.get("onset")),
                "expires": moment(document.get("expires")),
                "geometry": None if geometry is None else Geometry.from_json(geometry),
                "countries": tuple(document.get("countries", ())),
            }
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """A part of a feed that cannot be used, and why."""

    reason: str

    def as_json(self) -> dict[str, str]:
        """Returns the form that crosses every edge."""
        return {"reason": self.reason}


@dataclass(frozen=True, slots=True)
class Reading:
    """What one feed document holds: usable signals, and what was refused with its reason."""

    signals: tuple[Signal, ...]
    refused: tuple[Refused, ...]

    def as_json(self) -> dict[str, Any]:
        """Returns the form that crosses every edge."""
        return {
            "signals": [signal.as_json() for signal in self.signals],
            "refused": [refused.as_json() for refused in self.refused],
        }


def version_key(version: str) -> tuple[int, ...]:
    """Returns the numbers in a version, which compare like the versions of every feed.

    >>> version_key("4/2025-12-10") > version_key("4") > version_key("3")
    True
    """
    return tuple(int(digits) for digits in re.findall(r"\d+", version))


def moment(text: object, naive_is_utc: bool = False) -> datetime | None:
    """Returns an ISO 8601 moment in UTC, None for an empty one.

    Raises `BadInput` for other text, and for a moment without offset unless `naive_is_utc`.
    """
    if text is None or text == "":
        return None
    try:
        parsed = datetime.fromisoformat(str(text).strip())
        if parsed.tzinfo is None and naive_is_utc:
            parsed = parsed.replace(tzinfo=UTC)
        if parsed.tzinfo is not None:
            return parsed.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"Expected a moment such as 2011-10-06T00:00:00Z, got {text!r}.") from error
    raise BadInput(f"Expected a moment with its offset from UTC, got {text!r}.")


_ALLOWED = {
    "kind": KINDS,
    "status": STATUSES,
    "precision": PRECISIONS,
    "severity": SEVERITIES,
    "certainty": CERTAINTIES,
}


def _check_place(signal: Signal) -> None:
    """Ensures that the precision is no better than what the signal carries."""
    geometry = signal.geometry
    if signal.precision == "polygon" and (geometry is None or not geometry.polygons):
        raise BadInput("Expected a polygon in the geometry of a signal of precision 'polygon'.")
    if signal.precision == "circle" and not any(
        circle.radius_km > 0 for circle in (geometry.circles if geometry else ())
    ):
        raise BadInput("Expected a circle of more than 0 km in a signal of precision 'circle'.")
    if signal.precision == "centroid" and geometry is None:
        raise BadInput("Expected a point in the geometry of a signal of precision 'centroid'.")
    unknown = [code for code in signal.countries if code not in countries()]
    if unknown:
        raise BadInput(f"Expected ISO 3166-1 alpha-2 country codes, got {', '.join(unknown)}.")
