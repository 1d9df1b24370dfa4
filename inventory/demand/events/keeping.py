"""When a country keeps a feast: its own announced days, else the day of the common table."""

from dataclasses import dataclass
from datetime import date
from functools import cache

from inventory.demand.events.event import DAY, Event
from inventory.demand.events.feasts import NAMES, Feast, feasts_in, rows
from inventory.demand.events.public import holidays_named

NEAR_DAYS = 2
"""Countries sight the moon, or count it, up to two days apart."""

COUNTED = "lunar_new_year"
"""A feast that falls on the same day wherever it is kept, save one moon in a dozen years; some
public calendars leave out its first day where that is a Sunday."""

SPELL_DAYS = 10
"""Days around a feast in which holidays of its name belong to it."""

KNOWN_YEARS = (2023, 2025)
"""Years whose public calendars say which countries keep a feast."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A feast as one country keeps it: its day, and the first free day of its name."""

    day: date
    opening: date
    estimated: bool
    public: bool
    """Whether the public calendar lists this one; else the table alone knows it."""


@cache
def kept(country: str, feast: str, year: int) -> tuple[Kept, ...]:
    """Returns when a country keeps a feast in a year; () where it does not.

    A market that keeps it today kept it before its government made it a holiday.
    """
    if not keeps(country, feast):
        return ()
    return tuple(_kept(country, found) for found in feasts_in(feast, year))


@cache
def keeps(country: str, feast: str) -> bool:
    """Whether a country keeps a feast: its public calendar or `keepers.csv` says so."""
    listed = any(True for _ in holidays_named(country, NAMES[feast], KNOWN_YEARS))
    return listed or country in _keepers(feast)


def silent(country: str, year: int) -> list[Event]:
    """Returns the feasts that a country keeps although its public calendar is silent."""
    return [
        Event(country, found.day, name, 0, 0, "table of feasts", found.estimated)
        for feast, name in NAMES.items()
        for found in kept(country, feast, year)
        if not found.public
    ]


@cache
def _keepers(feast: str) -> frozenset[str]:
    return frozenset(
        country
        for row in rows("keepers.csv")
        if row["feast"] == feast
        for country in row["countries"].split()
    )


def _kept(country: str, found: Feast) -> Kept:
    name, near = NAMES[found.feast], (found.date - SPELL_DAYS * DAY, found.date + SPELL_DAYS * DAY)
    years = sorted({day.year for day in near})
    listed = [one for one in holidays_named(country, name, years) if near[0] <= one.date <= near[1]]
    if not listed:
        return Kept(found.date, found.date, found.estimated, public=False)
    days = {one.date for one in listed}
    if found.feast == COUNTED and _nearest(days, found.date) - found.date == DAY:
        return Kept(found.date, found.date, found.estimated, public=False)
    day = _nearest(days, found.date)
    told = found.feast.startswith("eid") and any(one.estimated for one in listed)
    return Kept(day, _opening(days, day), found.estimated or told, public=True)


def _nearest(days: set[date], day: date) -> date:
    nearest = min(days, key=lambda one: (abs(one - day), one))
    return nearest if abs(nearest - day) <= NEAR_DAYS * DAY else min(days)


def _opening(days: set[date], day: date) -> date:
    """Returns the first of the days in a row that end at a day."""
    while day - DAY in days:
        day -= DAY
    return day
