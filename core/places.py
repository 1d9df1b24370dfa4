"""Places: countries by ISO 3166-1 alpha-2 code and points on the globe."""

from dataclasses import dataclass
from functools import cache

from babel import Locale

from core.errors import BadInput

_NOT_COUNTRIES = frozenset({"EU", "EZ", "UN", "QO", "ZZ", "XA", "XB"})


@cache
def countries() -> frozenset[str]:
    """Returns every ISO 3166-1 alpha-2 code that the system accepts."""
    codes = {str(code) for code in Locale("en").territories}
    return frozenset(code for code in codes if len(code) == 2 and code.isalpha()) - _NOT_COUNTRIES


EU_MEMBERS = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()  # noqa: SIM905  # reads better
)
"""Members of the European Union's customs union."""


def customs_territory(country: str) -> str:
    """Returns the territory in which goods move without customs: `"EU"` or the country."""
    return "EU" if country in EU_MEMBERS else country


@dataclass(frozen=True, slots=True)
class Point:
    """A point on the globe in degrees (WGS 84)."""

    latitude: float
    longitude: float

    def __post_init__(self) -> None:
        if not -90 <= self.latitude <= 90:
            raise BadInput(f"Expected a latitude from -90 to 90, got {self.latitude}.")
        if not -180 <= self.longitude <= 180:
            raise BadInput(f"Expected a longitude from -180 to 180, got {self.longitude}.")
