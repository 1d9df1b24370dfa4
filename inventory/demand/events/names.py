"""Names that last: one festival has one English name in every year and every market."""

import re
from dataclasses import dataclass

SUBSTITUTE = "Substitute holiday"
"""Name of a day off for a holiday that is kept on another day: a free day, not the feast."""

_NOTE = re.compile(r"\s*\((?P<note>[^()]*)\)")
_MOVED = re.compile(r"observed|in lieu|additional|substitute", re.IGNORECASE)
_FREE = re.compile(
    r"^(?:Day off|Bridge\b|Substitute |Alternative holiday|Special In-Lieu"
    r"|Additional (?:day|holiday))",
    re.IGNORECASE,
)
_ORDER = r"(?:(?:The )?(?:second|third|fourth|fifth|sixth) day of |29 of |The day preceding )?"

_FESTIVALS = (
    (r"(?:Day after (?:the )?)?Eid[- ](?:al|ul)[- ]Fitr(?: Holiday| Second Day)?", "Eid al-Fitr"),
    (r"(?:Day after (?:the )?)?Eid[- ](?:al|ul)[- ]Adha(?: Holiday| Second Day)?", "Eid al-Adha"),
    (
        rf"{_ORDER}(?:Chinese|Lunar|Korean) New Year(?:'s Day|'s Eve| Extended Holiday)?"
        r"|Chinese Spring Festival",
        "Lunar New Year",
    ),
    (rf"{_ORDER}Chuseok", "Chuseok"),
    (r"(?:The (?:Second )?Day following )?Mid-Autumn Festival", "Mid-Autumn Festival"),
    (r"(?:Diwali|Deepavali|Divali)(?: Day| Holiday)?", "Diwali"),
    (
        r"(?:Second Day of )?Christmas(?: Day| Holiday| Second Day)?"
        r"|Day (?:After|following) Christmas|The first weekday after Christmas Day",
        "Christmas Day",
    ),
    (r"Easter(?: Sunday)?", "Easter Sunday"),
    (r"Easter Saturday|Black Saturday|The day following Good Friday", "Holy Saturday"),
    (r"Prophet Muhammad's Birthday", "Prophet's Birthday"),
    (r"First Day of Ramadan", "First Day of Ramadan"),
)  # fmt: skip
_PATTERNS = tuple((re.compile(told, re.IGNORECASE), name) for told, name in _FESTIVALS)


@dataclass(frozen=True, slots=True)
class Named:
    """A holiday of a public calendar: its lasting name and what its notes said of the day."""

    name: str
    moved: bool
    """The day is free in exchange for the real one."""

    estimated: bool
    """The day waits for an announcement, usually for the moon to be seen."""


def named(told: str) -> Named:
    """Returns what a public calendar's name says, notes such as "(observed)" taken apart.

    Effects are learned by name: an Eid called "(estimated)" next year would inherit nothing from
    the Eids of the past, a "Day off (substituted from 01/04/2026)" has a name of its own each year.
    """
    notes = " ".join(match["note"] for match in _NOTE.finditer(told))
    plain = " ".join(_NOTE.sub("", told).split())
    free = bool(_FREE.match(plain))
    return Named(
        name=SUBSTITUTE if free else _festival(plain),
        moved=free or bool(_MOVED.search(notes)),
        estimated="estimated" in notes,
    )


def clean_name(told: str) -> str:
    """Returns the name that a holiday keeps from year to year.

    >>> clean_name("Eid al-Fitr Second Day (observed, estimated)")
    'Eid al-Fitr'
    """
    return named(told).name


def _festival(plain: str) -> str:
    for pattern, name in _PATTERNS:
        if pattern.fullmatch(plain):
            return name
    return plain
