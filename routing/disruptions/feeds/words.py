"""Words of the feeds in the words of the house: kinds, countries, and the vocabulary of CAP."""

import re
from functools import cache

from babel import Locale
from babel.core import get_global

from core.errors import BadInput
from core.places import countries
from routing.disruptions.signal import CERTAINTIES, SEVERITIES

_KIND_WORDS = (
    ("tsunami", r"tsunami|\btsw\b|\btsa\b"),
    ("earthquake", r"earthquake|seismic|\beqw\b"),
    ("flood", r"flood|inundation|\bff[aw]\b|\bfl[aw]\b"),
    ("cyclone", r"cyclone|hurricane|typhoon|tropical (storm|depression)|\bhu[aw]\b|\btr[aw]\b"),
    ("volcano", r"volcan|ashfall|\bvow\b"),
    ("landslide", r"landslide|debris flow|mudslide|avalanche|\bavw\b"),
    ("wildfire", r"wild ?fire|forest fire|bush ?fire|\bfrw\b|red flag"),
    ("drought", r"drought"),
    ("storm", r"storm|tornado|wind|gale|lightning|\bsv[ar]\b|\bto[ar]\b"),
    ("rain", r"rain"),
    ("snow", r"snow|blizzard|ice|winter"),
    ("heat", r"heat"),
    ("cold", r"cold|freeze|frost"),
    ("explosion", r"explo|blast"),
)
"""First match wins: a tropical storm is a cyclone before it is a storm.

The three-letter codes are those of the Specific Area Message Encoding (47 CFR 11.31)."""

_OTHER_NAMES = {
    "viet nam": "VN",
    "iran, islamic republic of": "IR",
    "russian federation": "RU",
    "korea, republic of": "KR",
    "republic of korea": "KR",
    "syrian arab republic": "SY",
    "lao pdr": "LA",
    "lao people's democratic republic": "LA",
    "turkey": "TR",
    "czech republic": "CZ",
    "burma": "MM",
    "hong kong": "HK",
    "macau": "MO",
    "democratic republic of congo": "CD",
    "united states of america": "US",
    "ivory coast": "CI",
    "tanzania, united republic of": "TZ",
    "bolivia, plurinational state of": "BO",
    "venezuela, bolivarian republic of": "VE",
    "brunei darussalam": "BN",
}
"""Names that feeds write and that are not the usual English ones."""

_CAP_STATUS = {
    "Actual": "active", "Exercise": "test", "System": "test", "Test": "test", "Draft": "test",
}  # fmt: skip


def kind_of(text: str) -> str:
    """Returns the kind that a feed's own words name, `"other"` when they name none.

    >>> kind_of("Flash Flood Watch")
    'flood'
    """
    folded = text.casefold()
    return next((kind for kind, words in _KIND_WORDS if re.search(words, folded)), "other")


def country_of(code_or_name: str) -> str | None:
    """Returns the ISO 3166-1 alpha-2 code of a two- or three-letter code or an English name.

    >>> country_of("THA"), country_of("Viet Nam"), country_of("Atlantis")
    ('TH', 'VN', None)
    """
    text = code_or_name.strip()
    if text.upper() in countries():
        return text.upper()
    aliases = get_global("territory_aliases").get(text.upper()) or [] if len(text) == 3 else []
    if aliases and aliases[0] in countries():
        return str(aliases[0])
    return _names().get(text.casefold())


def countries_of(listed: str) -> tuple[str, ...]:
    """Returns the codes of the countries in a comma-separated list; unknown names are left out."""
    whole = country_of(listed)
    found = [whole] if whole else [country_of(name) for name in listed.split(",")]
    return tuple(sorted({code for code in found if code}))


def severity_of(text: str) -> str:
    """Returns a CAP severity in lower case, `"unknown"` for a word outside its scale."""
    return _scale(text, SEVERITIES)


def certainty_of(text: str) -> str:
    """Returns a CAP certainty in lower case; the `Very Likely` of CAP 1.0 is likely."""
    return _scale(text.removeprefix("Very "), CERTAINTIES)


def status_of(status: str, message: str, response: str = "") -> str:
    """Returns the status of a CAP message; raises `BadInput` for words outside the standard.

    Anything but `Actual` is a test; `Cancel` withdraws; an `AllClear` ends. Source: CAP 1.2.
    """
    if status not in _CAP_STATUS:
        raise BadInput(f"Expected status to be one of {', '.join(_CAP_STATUS)}, got {status!r}.")
    if message in ("Ack", "Error"):
        raise BadInput(f"A message of type {message} says nothing about a hazard.")
    if message not in ("Alert", "Update", "Cancel"):
        raise BadInput(f"Expected a message of type Alert, Update or Cancel, got {message!r}.")
    if message == "Cancel":
        return "cancelled"
    calm = response.casefold() == "allclear" and _CAP_STATUS[status] == "active"
    return "ended" if calm else _CAP_STATUS[status]


def _scale(text: str, scale: tuple[str, ...]) -> str:
    word = text.strip().casefold()
    return word if word in scale else "unknown"


@cache
def _names() -> dict[str, str]:
    """English names, with and without what stands in parentheses, to codes."""
    index = dict(_OTHER_NAMES)
    for code, name in Locale("en").territories.items():
        if code in countries():
            folded = str(name).casefold()
            index[folded] = code
            index[folded.split(" (")[0].replace("&", "and")] = code
    return index
