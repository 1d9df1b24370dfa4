"""The calendar of a market: its public holidays and the days on which the world shops."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import holidays
import pandas as pd

_SUFFIX = re.compile(r"\s*\((?:observed|estimated|in lieu)(?:,\s*(?:observed|estimated))*\)")
_VARYING = re.compile(r"^(?:Day off|Bridge)\b")

Days = Mapping[date, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class RetailEvent:
    """A shopping event of `events.csv`: where it counts, on which day, and how far it reaches."""

    name: str
    countries: frozenset[str]
    rule: str
    days_before: int
    days_after: int

    def counts_in(self, country: str) -> bool:
        """Whether shops of a country take part; no list of countries means everywhere."""
        return not self.countries or country in self.countries


def clean_name(name: str) -> str:
    """Returns the name that a holiday keeps from year to year; "" for days that have none.

    Effects are learned by name: an Eid called "(estimated)" next year would inherit nothing from
    the Eids of the past.

    >>> clean_name("Eid al-Fitr (estimated)")
    'Eid al-Fitr'
    """
    plain = _SUFFIX.sub("", name).strip()
    return "" if _VARYING.match(plain) else plain


def events(country: str, first: date, last: date) -> pd.DataFrame:
    """Returns the named days of a country from `first` to `last`: columns `ds` and `holiday`.

    A day carries one row for each of its names; an event that lasts has a row for each day.
    """
    rows = sorted(
        {
            (day, name)
            for year in range(first.year, last.year + 2)
            for day, name in _year(country, year)
            if first <= day <= last
        }
    )
    return pd.DataFrame(
        {
            "ds": pd.to_datetime(pd.Series([day for day, _ in rows], dtype="datetime64[ns]")),
            "holiday": pd.Series([name for _, name in rows], dtype="str"),
        }
    )


@cache
def retail_events() -> tuple[RetailEvent, ...]:
    """Returns the shopping events that no public calendar lists."""
    text = files("inventory.demand").joinpath("events.csv").read_text(encoding="utf-8")
    return tuple(
        RetailEvent(
            name=row["name"],
            countries=frozenset(row["countries"].replace("*", "").split()),
            rule=row["rule"],
            days_before=int(row["days_before"]),
            days_after=int(row["days_after"]),
        )
        for row in csv.DictReader(text.splitlines())
    )


@cache
def _year(country: str, year: int) -> tuple[tuple[date, str], ...]:
    public = public_holidays(country, year)
    named = [(day, name) for day, names in public.items() for name in names]
    shopping = [
        (day, event.name)
        for event in retail_events()
        if event.counts_in(country)
        for day in _reach(event, year, public)
    ]
    return tuple(named + shopping)


@cache
def public_holidays(country: str, year: int) -> Days:
    """Returns the public holidays of a country in a year under names that last.

    Countries without a known calendar have none.
    """
    if country not in holidays.list_supported_countries():
        return MappingProxyType({})
    # English names where the calendar has them: effects and reports need one language.
    found = holidays.country_holidays(country, years=year, language="en_US")
    return MappingProxyType(
        {
            day: tuple(name for name in map(clean_name, found.get_list(day)) if name)
            for day in sorted(found)
        }
    )


def _reach(event: RetailEvent, year: int, public: Days) -> Iterator[date]:
    """Yields every day of an event in a year; none where its anchor is not a public holiday."""
    verb, _, argument = event.rule.partition(" ")
    anchor = _RULES[verb](year, argument, public)
    if anchor is not None:
        for offset in range(-event.days_before, event.days_after + 1):
            yield anchor + timedelta(days=offset)


def _on(year: int, argument: str, public: Days) -> date | None:
    return date.fromisoformat(f"{year}-{argument}")


def _thanksgiving(year: int, argument: str, public: Days) -> date | None:
    november = date(year, 11, 1)
    first_thursday = november + timedelta(days=(3 - november.weekday()) % 7)
    return first_thursday + timedelta(days=21 + int(argument))


def _before(year: int, argument: str, public: Days) -> date | None:
    """Returns the day before the first holiday of the year that one of the names begins."""
    starts = tuple(argument.split("|"))
    days = [day for day, names in public.items() if any(name.startswith(starts) for name in names)]
    return min(days) - timedelta(days=1) if days else None


_RULES: dict[str, Callable[[int, str, Days], date | None]] = {
    "on": _on,
    "thanksgiving": _thanksgiving,
    "before": _before,
}
