"""The table of events: every row of one country and year, from public calendars and from rules."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import metadata

from inventory.demand.events.anchors import Anchor, anchors
from inventory.demand.events.event import DAY, Event
from inventory.demand.events.feasts import NAMES, data, rows
from inventory.demand.events.keeping import SPELL_DAYS, Kept, kept, silent
from inventory.demand.events.public import SOURCE, Holiday, public_holidays

VERSION = "2026.11"
"""Version of the tables beside this module."""

TABLES = ("feasts.csv", "keepers.csv", "dated.csv", "trading.csv", "shutdowns.csv")
EVERYWHERE = "*"

_CALCULATED = frozenset({"Lunar New Year", "Diwali", "Easter Sunday"})
"""Feasts that calendars compute long ahead: nobody waits for the moon to be seen."""

_SIGHTED = {name: feast for feast, name in NAMES.items() if feast.startswith("eid")}


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of `trading.csv` or `shutdowns.csv`: where an event counts, when, and how far."""

    name: str
    countries: frozenset[str]
    beside: frozenset[str]
    anchor: str
    before: int
    after: int
    since: int
    source: str
    kind: str

    def counts_in(self, country: str) -> bool:
        """Whether a country takes part."""
        listed = EVERYWHERE in self.countries or country in self.countries
        return listed and country not in self.beside

    def of(self, country: str, year: int) -> list[Event]:
        """Returns the events that the rule makes in a country and a year."""
        if year < self.since or not self.counts_in(country):
            return []
        return [self._event(country, found) for found in anchors(self.anchor, country, year)]

    def _event(self, country: str, found: Anchor) -> Event:
        after = self.after + max(0, found.length - 1)
        return Event(
            country, found.day, self.name, self.before, after, self.source, found.estimated,
            self.kind,
        )  # fmt: skip


@cache
def events_of(country: str, year: int) -> tuple[Event, ...]:
    """Returns the events of a country that belong to a year, sorted by day and name.

    Windows may reach into the years beside. Names are English and the same in every year.
    """
    traded = [event for rule in rules("trading.csv", "demand") for event in rule.of(country, year)]
    return _sorted([*_public(country, year), *silent(country, year), *traded])


@cache
def shutdowns_of(country: str, year: int) -> tuple[Event, ...]:
    """Returns when factories and warehouses of a country stand still, sorted by day and name."""
    made = rules("shutdowns.csv", "shutdown")
    return _sorted([event for rule in made for event in rule.of(country, year)])


@cache
def rules(table: str, kind: str) -> tuple[Rule, ...]:
    """Returns the rules of a table."""
    return tuple(
        Rule(
            name=row["name"],
            countries=frozenset(row["countries"].split()),
            beside=frozenset(row.get("except", "").split()),
            anchor=row["rule"],
            before=int(row["days_before"]),
            after=int(row["days_after"]),
            since=int(row.get("since", "0")),
            source=row["source"],
            kind=kind,
        )
        for row in rows(table)
    )


@cache
def version() -> str:
    """Returns the version of the tables and of the public calendars, with a digest of both."""
    package = metadata.version("holidays")
    digest = hashlib.sha256(package.encode())
    for name in TABLES:
        digest.update(data(name).encode())
    return f"{VERSION}-{digest.hexdigest()[:8]}+holidays-{package}"


def _public(country: str, year: int) -> list[Event]:
    return [
        Event(country, found.date, found.name, 0, 0, SOURCE, _estimated(country, found))
        for found in public_holidays(country, year)
    ]


def _estimated(country: str, found: Holiday) -> bool:
    """Whether a public holiday may still move: one that follows the moon moves with its feast."""
    if found.name not in _SIGHTED:
        return found.estimated and found.name not in _CALCULATED
    feast = _SIGHTED[found.name]
    near = (one for one in kept(country, feast, found.date.year) if _one_spell(one, found))
    return found.estimated or any(one.estimated for one in near)


def _one_spell(feast: Kept, found: Holiday) -> bool:
    return abs(feast.day - found.date) <= SPELL_DAYS * DAY


def _sorted(events: list[Event]) -> tuple[Event, ...]:
    return tuple(sorted(events, key=lambda event: (event.day, event.name)))
