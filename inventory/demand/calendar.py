"""The calendar of a brand: what moves its regions' demand and when its suppliers stand still."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from functools import cache

import pandas as pd

from core.brand import Brand, Row
from core.errors import BadInput, Problem
from core.texts import like
from inventory.demand.events.event import DAY, Event
from inventory.demand.events.table import events_of, shutdowns_of, version

FILE = "events.csv"
YOURS = FILE
"""Source of the events that a brand brings itself."""

WEEK = 7

Marks = Mapping[tuple[date, str], Event]
"""The event behind each named day."""


@dataclass(frozen=True, slots=True)
class Span:
    """Days in a row that carry one name, first and last included."""

    name: str
    start: date
    end: date
    source: str
    estimated: bool
    """The days may still move: nobody has announced them."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Days in a row on which a site neither makes nor ships, first and last included."""

    site: str
    name: str
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class UserEvent:
    """A row of the brand's `events.csv`; `region` and `site` are ids or globs."""

    name: str
    start: date
    end: date
    region: str
    kind: str
    site: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """Events by region: the built-in table of each region's country with the brand's own rows.

    Everything is computed from the tables when asked, for any dates; feasts that follow the moon
    are known from 2000 to 2040.
    """

    regions: tuple[tuple[str, str], ...]
    """Id and country of each region."""

    sites: tuple[tuple[str, str], ...]
    """Id and country of each site, suppliers' sites included."""

    rows: tuple[UserEvent, ...]
    today: date
    shift: int = 0
    """Days by which estimated dates after `today` are moved."""

    @classmethod
    def of(cls, brand: Brand) -> "Calendar":
        """Returns the calendar of a brand.

        Raises `BadInput` at the rows of events.csv that end before they start, or that touch no
        region, no site, or (kind none) no built-in event.
        """
        made = cls(
            regions=_places(brand, "regions", "region"),
            sites=_places(brand, "sites", "site"),
            rows=tuple(_row(row) for row in brand.table("events").to_dict("records")),
            today=brand.today,
        )
        problems = [
            Problem(FILE, line, 0, problem)
            for line, row in enumerate(made.rows, start=2)
            if (problem := made._problem(row))
        ]
        if problems:
            raise BadInput(problems)
        return made

    @property
    def version(self) -> str:
        """Version and digest of the built-in tables, the brand's rows and the shift."""
        own = hashlib.sha256(repr((self.rows, self.shift)).encode()).hexdigest()[:8]
        return f"{version()}+own-{own}" if self.rows or self.shift else version()

    def shifted(self, days: int) -> "Calendar":
        """Returns the calendar with every estimated date after `today` moved by some days.

        Eid is announced when the moon is seen: a scenario asks what a day sooner or later means.
        """
        return replace(self, shift=self.shift + days)

    def days(self, region: str, first: date, last: date) -> list[tuple[date, str]]:
        """Returns the named days of a region from `first` to `last`, sorted; no pair twice.

        Raises `KeyError` for an unknown region.
        """
        return sorted(pair for pair in self._marks(region, first, last) if first <= pair[0] <= last)

    def frame(self, region: str, first: date, last: date) -> pd.DataFrame:
        """Returns the named days as Prophet takes them: columns `ds` and `holiday`."""
        days = self.days(region, first, last)
        return pd.DataFrame(
            {
                "ds": pd.to_datetime(pd.Series([day for day, _ in days], dtype="datetime64[ns]")),
                "holiday": pd.Series([name for _, name in days], dtype="str"),
            }
        )

    def spans(self, region: str, first: date, last: date) -> list[Span]:
        """Returns the events that touch `first` to `last`, whole, sorted by start and name."""
        marks = self._marks(region, first, last)
        runs = _runs(marks)
        return [
            Span(
                name, start, end, marks[start, name].source, _any_estimated(marks, name, start, end)
            )
            for name, start, end in runs
            if start <= last and end >= first
        ]

    def weeks_with(self, region: str, first_monday: date, weeks: int) -> list[frozenset[str]]:
        """Returns the names of the events in each of the weeks from a Monday on."""
        names: list[set[str]] = [set() for _ in range(weeks)]
        for day, name in self.days(region, first_monday, first_monday + (WEEK * weeks - 1) * DAY):
            names[(day - first_monday).days // WEEK].add(name)
        return [frozenset(week) for week in names]

    def shutdowns(self, first: date, last: date) -> list[Shutdown]:
        """Returns the stops of sites that touch some days, whole, sorted by start and site."""
        found = [
            Shutdown(site, name, start, end)
            for site, country in self.sites
            for name, start, end in _runs(self._stops(site, country, first, last))
            if start <= last and end >= first
        ]
        return sorted(found, key=lambda stop: (stop.start, stop.site, stop.name))

    def _marks(self, region: str, first: date, last: date) -> Marks:
        """Returns the named days of every event that may touch the dates, and some around."""
        country = dict(self.regions)[region]
        years = range(first.year - 1, last.year + 2)
        built_in = (event for year in years for event in events_of(country, year))
        own = [row for row in self.rows if _meets(region, row.region)]
        return self._merged(built_in, own, "demand")

    def _stops(self, site: str, country: str, first: date, last: date) -> Marks:
        years = range(first.year - 1, last.year + 2)
        built_in = (event for year in years for event in shutdowns_of(country, year))
        own = [row for row in self.rows if _meets(site, row.site)]
        return self._merged(built_in, own, "shutdown")

    def _merged(self, built_in: Iterable[Event], own: list[UserEvent], kind: str) -> Marks:
        marks = {
            (day, event.name): event
            for event in map(self._moved, built_in)
            for day in event.days()
            if not any(_takes(row, day, event.name) for row in own)
        }
        for row in own:
            if row.kind == kind:
                marks |= {(day, row.name): _as_event(row) for day in _as_event(row).days()}
        return marks

    def _moved(self, event: Event) -> Event:
        waits = self.shift and event.estimated and event.day > self.today
        return event.moved(self.shift) if waits else event

    def _problem(self, row: UserEvent) -> str:
        if row.end < row.start:
            return f"expected an end on or after {row.start}, got {row.end}"
        if row.kind != "shutdown" and not any(_meets(r, row.region) for r, _ in self.regions):
            return f"expected a region or a glob that matches one, got {row.region!r}"
        if row.kind == "shutdown" and not any(_meets(s, row.site) for s, _ in self.sites):
            return f"expected a site or a glob that matches one, got {row.site!r}"
        return self._nothing_taken(row) if row.kind == "none" else ""

    def _nothing_taken(self, row: UserEvent) -> str:
        """Returns what is wrong with a row that takes no built-in event away, "" if it does."""
        known = list(self._built_in(row))
        if any(_takes(row, day, name) for day, name in known):
            return ""
        near = get_close_matches(row.name, sorted({name for _, name in known}), 1, 0.0)
        hint = f", such as {near[0]!r}" if near else ""
        return f"expected a built-in event of these dates{hint}, got {row.name!r}"

    def _built_in(self, row: UserEvent) -> Iterator[tuple[date, str]]:
        """Yields the built-in named days that a row could take away."""
        for country in sorted({code for name, code in self.regions if _meets(name, row.region)}):
            yield from named_days(country, row.start, row.end)
        plain = replace(self, rows=())
        for site, country in self.sites:
            if _meets(site, row.site):
                yield from plain._stops(site, country, row.start, row.end)


def named_days(country: str, first: date, last: date) -> list[tuple[date, str]]:
    """Returns the built-in named days of a country, sorted by day and name."""
    return _country(country).days(country, first, last)


@cache
def _country(country: str) -> Calendar:
    return Calendar(regions=((country, country),), sites=(), rows=(), today=date.max)


def _places(brand: Brand, table: str, column: str) -> tuple[tuple[str, str], ...]:
    frame = brand.table(table)
    return tuple(zip(frame[column].astype(str), frame["country"].astype(str), strict=True))


def _row(row: Row) -> UserEvent:
    start, end = pd.Timestamp(row["start"]), pd.Timestamp(row["end"])
    return UserEvent(
        name=str(row["event"]),
        start=start.date(),
        end=start.date() if pd.isna(end) else end.date(),
        region=str(row["region"]),
        kind=str(row["kind"]),
        site=str(row["site"]),
    )


def _meets(name: str, glob: str) -> bool:
    return bool(like((name,), glob)[0])


def _takes(row: UserEvent, day: date, name: str) -> bool:
    same = row.name.casefold() == name.casefold()
    return row.kind == "none" and same and row.start <= day <= row.end


@cache
def _as_event(row: UserEvent) -> Event:
    length = (row.end - row.start).days
    return Event("", row.start, row.name, 0, length, YOURS, estimated=False, kind=row.kind)


def _runs(marks: Marks) -> list[tuple[str, date, date]]:
    """Returns name, first and last day of each run of days with one name, sorted by start."""
    runs: list[tuple[str, date, date]] = []
    for day, name in sorted(marks, key=lambda pair: (pair[1], pair[0])):
        if runs and runs[-1][0] == name and day - runs[-1][2] <= DAY:
            runs[-1] = (name, runs[-1][1], day)
        else:
            runs.append((name, day, day))
    return sorted(runs, key=lambda run: (run[1], run[0]))


def _any_estimated(marks: Marks, name: str, start: date, end: date) -> bool:
    days = (start + at * DAY for at in range((end - start).days + 1))
    return any(marks[day, name].estimated for day in days)
