"""Feasts of the moon and the sun whose dates no rule of the civil calendar gives: a dated table."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

NAMES: Mapping[str, str] = {
    "eid_al_fitr": "Eid al-Fitr",
    "eid_al_adha": "Eid al-Adha",
    "lunar_new_year": "Lunar New Year",
    "diwali": "Diwali",
}
"""The name under which public calendars list a feast that follows the moon."""


@dataclass(frozen=True, slots=True)
class Feast:
    """One feast in one year; estimated until somebody announces it."""

    feast: str
    date: date
    estimated: bool
    source: str


def data(name: str) -> str:
    """Returns the text of a table beside this module."""
    return files("inventory.demand.events").joinpath(name).read_text(encoding="utf-8")


@cache
def rows(name: str) -> tuple[Mapping[str, str], ...]:
    """Returns the rows of a table beside this module, by column."""
    return tuple(csv.DictReader(data(name).splitlines()))


@cache
def feasts(feast: str) -> tuple[Feast, ...]:
    """Returns every date of a feast from 2000 to 2040, in order; () for an unknown one."""
    return tuple(
        Feast(feast, date.fromisoformat(row["date"]), row["estimated"] == "yes", row["source"])
        for row in rows("feasts.csv")
        if row["feast"] == feast
    )


@cache
def feasts_in(feast: str, year: int) -> tuple[Feast, ...]:
    """Returns the dates of a feast in a year: none, one, or two where the moon year is short."""
    return tuple(found for found in feasts(feast) if found.date.year == year)
