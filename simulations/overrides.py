"""Overrides: one change of a scenario, read strictly; problems say where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from core.errors import BadInput, Problem
from core.folder.cells import TYPES
from core.folder.columns import Findings, RawTable, nearest, typed
from core.folder.schema import SETTINGS as BRAND
from core.folder.schema import Attribute, TableSchema, schemas
from core.texts import is_storable
from simulations.selectors import SELECTORS, SETTINGS, WORDS, Pick

_PLAIN = ("factor", "from", "to", "note")
_NUMBERS = ("float64", "int64")
_DEEPEST, _LARGEST = 8, 2**63


@dataclass(frozen=True, slots=True)
class Place:
    """Where an override stands: a file with the lines of its keys, or a JSON pointer."""

    file: str = ""
    pointer: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)

    def problem(self, key: str, text: str) -> Problem:
        """Returns a problem at a key of the override, or at its head."""
        if not self.file:
            return Problem("", 0, 0, text, f"{self.pointer}/{key}" if key else self.pointer)
        return Problem(self.file, self.lines.get(key, self.lines.get("", 0)), 0, text)


@dataclass(frozen=True, slots=True)
class Override:
    """One change: what it selects, the columns that it sets, the factors that it applies.

    `start` and `until` bound the days for which demand changes or a passage is closed.
    """

    word: str
    pick: Pick
    settings: Mapping[str, Any] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)
    start: date | None = None
    until: date | None = None
    written: Mapping[str, Any] = field(default_factory=dict)
    place: Place = field(default_factory=Place, compare=False)

    def document(self) -> dict[str, Any]:
        """Returns the override as it was written, as JSON."""
        return {key: plain(value) for key, value in self.written.items()}

    @property
    def closes(self) -> bool:
        """Whether the override closes a passage."""
        return self.word == "passage" and self.settings.get("status") == "closed"

    def refuse(self, text: str) -> BadInput:
        """Returns the error for an override that this brand cannot take."""
        return BadInput([self.place.problem(self.word, text)])


def plain(value: Any) -> Any:
    """Returns a TOML value as JSON: dates as text."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value


def read_override(written: object, place: Place, problems: list[Problem]) -> Override | None:
    """Returns an override, or None with the problems that say why not."""
    reading = _Reading(place, [])
    override = reading.override(written)
    problems.extend(reading.problems)
    return None if reading.problems else override


@dataclass(slots=True)
class _Reading:
    """Reads one override and gathers what is wrong with it."""

    place: Place
    problems: list[Problem]

    def bad(self, key: str, text: str) -> None:
        self.problems.append(self.place.problem(key, text))

    def override(self, written: object) -> Override | None:
        if not isinstance(written, Mapping):
            self.bad("", unkeepable(written) or f"expected a table, got {written!r:.60}")
            return None
        for key, value in written.items():
            if fault := unkeepable([key, value]):
                self.bad(key, fault)
        if self.problems:
            return None
        word = next((key for key in written if key in WORDS), None)
        if word is None:
            self.bad("", f"no selector; {_hint_at_selector(written)}")
            return None
        pick = self.pick(word, written[word])
        rest = {key: value for key, value in written.items() if key != word}
        start, until = self.day(word, rest, "from"), self.day(word, rest, "to")
        if start and until and until < start:
            self.bad("to", "expected a day that is not before from")
        factors = self.factors(word, rest.get("factor"))
        settings = {
            key: self.setting(word, key, value) for key, value in rest.items() if key not in _PLAIN
        }
        if not settings and not factors and not self.problems:
            self.bad(word, "changes nothing; expected a column to set or a factor")
        return Override(word, pick, settings, factors, start, until, dict(written), self.place)

    def pick(self, word: str, pick: object) -> Pick:
        if isinstance(pick, str) and pick:
            if word in SETTINGS and f"{SETTINGS[word]}.{pick}" not in schemas()[BRAND].columns:
                self.bad(word, f"unknown {word} {pick!r}; {nearest(pick, _keys(word))}")
            return pick
        if isinstance(pick, Mapping) and pick and word in SELECTORS:
            for table in SELECTORS[word].tables:
                self.columns(word, table, pick)
            return pick
        table = " or a table of columns" if word in SELECTORS else ""
        self.bad(word, f"expected a name{table}, got {pick!r:.60}")
        return ""

    def columns(self, word: str, table: str, pick: Mapping[str, object]) -> None:
        for column, wanted in pick.items():
            if column not in schemas()[table].columns:
                hint = nearest(column, schemas()[table].columns)
                self.bad(word, f"unknown column {column!r} of {table}; {hint}")
            elif isinstance(wanted, Mapping):
                self.inner(word, schemas()[table].attribute(column), wanted)
            elif not _is_choice(wanted):
                self.bad(word, f"expected a name, a number or a list for {column}")

    def inner(self, word: str, attribute: Attribute, pick: Mapping[str, object]) -> None:
        if attribute.refers:
            self.columns(word, attribute.refers.split(".")[0], pick)
        else:
            self.bad(word, f"{attribute.name} names no row of another table")

    def day(self, word: str, rest: Mapping[str, object], key: str) -> date | None:
        if key not in rest:
            return None
        if word not in ("demand", "passage"):
            self.bad(key, f"only demand and passage take {key!r}")
        value = rest[key]
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.bad(key, f"expected a date such as 2026-07-01, got {value!r:.60}")
            return None

    def factors(self, word: str, factor: object) -> dict[str, float]:
        if factor is None:
            return {}
        if isinstance(factor, Mapping):
            checked = {column: self.number(each) for column, each in factor.items()}
            return {c: each for c, each in checked.items() if self.scalable(word, c)}
        scaled = ("value",) if word in SETTINGS else _scaled(word)
        if not scaled:
            self.bad("factor", f"a {word} has no factor; set its columns, or use factor = {{...}}")
        return dict.fromkeys(scaled, self.number(factor))

    def number(self, factor: Any) -> float:
        number = isinstance(factor, int | float) and not isinstance(factor, bool)
        if number and isfinite(factor) and factor >= 0:
            return float(factor)
        self.bad("factor", f"expected a factor of at least 0, got {factor!r:.60}")
        return 1.0

    def scalable(self, word: str, column: str) -> bool:
        known = _number_columns(word)
        if column not in known:
            self.bad("factor", f"unknown number column {column!r}; {nearest(column, known)}")
        return column in known

    def setting(self, word: str, key: str, value: object) -> object:
        if word == "passage":
            return self.passage_setting(key, value)
        known = _settable(word)
        if key not in known:
            self.bad(key, f"unknown column {key!r} of {word}; {nearest(key, tuple(known))}")
            return None
        if word in SETTINGS:
            return value  # its range depends on which target or weight is picked: checked below
        return self.cell(key, known[key], value)

    def passage_setting(self, key: str, value: object) -> object:
        if key != "status":
            self.bad(key, f"unknown key {key!r} of passage; accepted: status, from, to, note")
        elif value not in ("closed", "open"):
            self.bad(key, f"expected one of closed, open, got {value!r:.60}")
        return value

    def cell(self, key: str, attribute: Attribute, value: object) -> object:
        """Returns the value as the cell of a brand folder would be read."""
        if isinstance(value, Mapping):
            self.bad(key, f"expected a value for {key}, got a table")
            return None
        raw = RawTable("", {key: pd.Series([_as_cell(value)], dtype="str")}, np.array([0]))
        one = TableSchema(attribute.table, (replace(attribute, name=key),))
        column = typed(raw, one, found := Findings())[key]
        for problem in found.problems:
            self.bad(key, problem.problem)
        return column.iloc[0]


def unkeepable(value: object, depth: int = 0) -> str:
    """Returns why JSON in a database cannot keep a value, whatever it means; "" when it can."""
    if depth > _DEEPEST:
        return f"expected tables and lists at most {_DEEPEST} deep"
    if isinstance(value, Mapping):
        value = [*value, *value.values()]
    if isinstance(value, list):
        return next(filter(None, (unkeepable(each, depth + 1) for each in value)), "")
    if isinstance(value, str):
        return "" if is_storable(value) else "expected text without NUL and lone surrogates"
    if isinstance(value, int | float):
        return "" if abs(value) <= _LARGEST else "expected a finite number of at most 2^63"
    return "expected a time of day in quotes" if isinstance(value, time) else ""


def _hint_at_selector(written: Mapping[str, object]) -> str:
    unknown = next((str(key) for key in written if key not in _PLAIN), "")
    return nearest(unknown, WORDS)


def _is_choice(wanted: object) -> bool:
    if isinstance(wanted, list):
        return bool(wanted) and all(_is_choice(each) for each in wanted)
    return isinstance(wanted, str | int | float | date)


def _keys(word: str) -> list[str]:
    prefix = f"{SETTINGS[word]}."
    return [
        name.removeprefix(prefix) for name in schemas()[BRAND].columns if name.startswith(prefix)
    ]


def _scaled(word: str) -> tuple[str, ...]:
    return SELECTORS[word].scaled if word in SELECTORS else ()


def _number_columns(word: str) -> tuple[str, ...]:
    if word in SETTINGS:
        return ("value",)
    if word not in SELECTORS:
        return ()
    columns = SELECTORS[word].attributes.values()
    return tuple(column.name for column in columns if TYPES[column.type].dtype in _NUMBERS)


def _settable(word: str) -> dict[str, Attribute]:
    """Returns the columns that an override may set: all but those that name the row."""
    if word in SETTINGS:
        return {"value": schemas()[BRAND].attributes[0]}
    attributes = SELECTORS[word].attributes.values()
    return {a.name: a for a in attributes if not a.key and a.name not in SELECTORS[word].name}


def _as_cell(value: object) -> str:
    """Returns a TOML or JSON value as the cell of a CSV file would have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ";".join(str(each) for each in value)
    return value.isoformat() if isinstance(value, date) else str(value)
