"""Public holidays of a country under names that last."""

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache

import holidays

from inventory.demand.events.event import DAY
from inventory.demand.events.names import SUBSTITUTE, named

SOURCE = "public holiday"


@dataclass(frozen=True, slots=True)
class Holiday:
    """One free day and the lasting name of the reason."""

    date: date
    name: str
    estimated: bool


@cache
def public_holidays(country: str, year: int) -> tuple[Holiday, ...]:
    """Returns the public holidays of a country in a year, in order.

    A day that is free for a holiday of another day keeps the holiday's name only where it touches
    it; alone it is a substitute holiday, because nobody feasts on it. Countries without a known
    calendar have none.
    """
    told = _told(country, year)
    plain = {found for found, moved in told if not moved}
    around = {
        found for beside in (year - 1, year + 1) for found, moved in _told(country, beside)
        if not moved
    }  # fmt: skip
    names = {found.name for found in plain}
    moved = [found for found, moved in told if moved]
    feast = _grown(plain | around | {found for found in moved if found.name not in names}, moved)
    free = {Holiday(found.date, SUBSTITUTE, found.estimated) for found in {*moved} - feast}
    kept = (feast - around) | plain | free
    return tuple(sorted(kept, key=lambda found: (found.date, found.name, found.estimated)))


def _grown(feast: set[Holiday], moved: Iterable[Holiday]) -> set[Holiday]:
    """Returns the days of feasts with the moved days that touch them, one after another."""
    touching = {
        found for found in moved if found not in feast and any(_touch(found, one) for one in feast)
    }
    return _grown(feast | touching, moved) if touching else feast


def _touch(one: Holiday, other: Holiday) -> bool:
    return one.name == other.name and abs(one.date - other.date) <= DAY


@cache
def _told(country: str, year: int) -> tuple[tuple[Holiday, bool], ...]:
    """Returns each holiday and whether it was moved from its own day."""
    if country not in holidays.list_supported_countries():
        return ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some calendars know only a stretch of years
        found = holidays.country_holidays(country, years=year, language="en_US")
    return tuple(_read(day, told) for day in sorted(found) for told in found.get_list(day))


def _read(day: date, told: str) -> tuple[Holiday, bool]:
    read = named(told)
    return Holiday(day, read.name, read.estimated), read.moved


def holidays_named(country: str, name: str, years: Iterable[int]) -> Iterator[Holiday]:
    """Yields the days of a holiday in some years."""
    for year in years:
        for found in public_holidays(country, year):
            if found.name == name:
                yield found
