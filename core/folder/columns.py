"""Columns: raw cells of one table to typed columns, and a problem for every bad cell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from core.errors import Problem
from core.folder.cells import TYPES, Flags, accepts, in_calendar
from core.folder.schema import Attribute, TableSchema, schemas

Say = Callable[[int], str]

LISTED = 1000
"""How many problems of one kind in one column are listed one by one; the others are counted."""


@dataclass(slots=True)
class Findings:
    """All that is wrong with a folder so far."""

    problems: list[Problem] = field(default_factory=list)
    unlisted: int = 0
    unreadable: set[str] = field(default_factory=set)  # tables whose file is there, but no use

    def add(self, problem: Problem) -> None:
        """Lists one problem."""
        self.problems.append(problem)

    def add_rows(self, raw: "RawTable", column: str, rows: Flags, say: "Say") -> None:
        """Lists a problem for each flagged row of one column, at its line; `say` gets the row."""
        flagged = np.flatnonzero(rows)
        place = raw.column_number(column)
        for row in flagged[:LISTED].tolist():
            self.add(Problem(raw.file, int(raw.lines[row]), place, say(row)))
        self.unlisted += max(0, len(flagged) - LISTED)

    @property
    def total(self) -> int:
        """How many problems there are, listed or not."""
        return len(self.problems) + self.unlisted


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table as its file has it: cells by column, and the line on which each row stands.

    Cells are text, or already numbers or dates where the file format knows them.
    """

    file: str
    columns: Mapping[str, pd.Series]
    lines: np.ndarray

    def column_number(self, name: str) -> int:
        """Returns the position of a column counted from 1; 0 for one that the file lacks."""
        names = list(self.columns)
        return names.index(name) + 1 if name in names else 0


def nearest(name: str, known: Sequence[str]) -> str:
    """Returns a hint that names the nearest known word, or all words where none is near."""
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"accepted: {', '.join(known)}"


def typed(raw: RawTable, schema: TableSchema, findings: Findings) -> pd.DataFrame:
    """Returns the table with every column of the schema, typed, with defaults filled in.

    Bad cells are reported and hold the default or an empty value, so that later checks can go on.
    """
    for name in raw.columns:
        if name not in schema.columns:
            hint = nearest(name, schema.columns)
            place = raw.column_number(name)
            findings.add(Problem(raw.file, 1, place, f"unknown column {name!r}; {hint}"))
    made = {
        attribute.name: _column(raw, attribute, findings, present=attribute.name in raw.columns)
        for attribute in schema.attributes
    }
    return pd.DataFrame(made, columns=list(schema.columns))


def _column(raw: RawTable, attribute: Attribute, findings: Findings, present: bool) -> pd.Series:
    if not present:
        if attribute.required:
            findings.add(
                Problem(raw.file, 1, 0, f"column {attribute.name!r} is missing; it is required")
            )
        return _empty(attribute, len(raw.lines))
    cells = raw.columns[attribute.name]
    values, good, missing = _parsed(cells, attribute)
    say = f"expected {accepts(attribute)}, got "
    findings.add_rows(raw, attribute.name, ~good, lambda row: say + repr(_shown(cells, row)))
    if attribute.required:
        empty = f"{attribute.name} is required; it is empty or not a number"
        findings.add_rows(raw, attribute.name, good & missing, lambda _: empty)
    if TYPES[attribute.type].dtype in ("float64", "int64"):
        _check_range(raw, values, good & ~missing, attribute, findings)
    return _filled(values, ~good | missing, attribute)


def _parsed(cells: pd.Series, attribute: Attribute) -> tuple[pd.Series, Flags, Flags]:
    kind = TYPES[attribute.type]
    if pd.api.types.is_numeric_dtype(cells) and not pd.api.types.is_bool_dtype(cells):
        if kind.dtype in ("float64", "int64"):
            return _numbers(cells, kind.dtype)
    elif pd.api.types.is_datetime64_any_dtype(cells) and kind.dtype.startswith("datetime64"):
        return _moments(cells, kind.dtype)
    elif pd.api.types.is_bool_dtype(cells) and kind.dtype == "bool":
        return cells, np.ones(len(cells), bool), np.zeros(len(cells), bool)
    texts = cells.where(cells.notna(), "").astype("str").str.strip()
    missing = (texts == "").to_numpy(bool)
    values, good = kind.parse(texts, attribute)
    return values, good | missing, missing


def _numbers(cells: pd.Series, dtype: Any) -> tuple[pd.Series, Flags, Flags]:
    missing = cells.isna().to_numpy(bool)
    numbers = cells.astype("float64")
    good = ~np.isinf(numbers.to_numpy())
    if dtype == "int64":
        good &= missing | (numbers == numbers.round()).to_numpy(bool)
    return numbers, good, missing


def _moments(cells: pd.Series, dtype: Any) -> tuple[pd.Series, Flags, Flags]:
    missing = cells.isna().to_numpy(bool)
    if dtype.endswith("UTC]"):
        utc = cells.dt.tz_convert("UTC") if cells.dt.tz is not None else cells.dt.tz_localize("UTC")
        return utc.astype(dtype), in_calendar(utc) | missing, missing
    naive = cells.dt.tz_localize(None) if cells.dt.tz is not None else cells
    midnight = (naive == naive.dt.normalize()).to_numpy(bool)
    return naive.astype(dtype), (midnight & in_calendar(naive)) | missing, missing


def _check_range(
    raw: RawTable, values: pd.Series, present: Flags, attribute: Attribute, findings: Findings
) -> None:
    numbers, name = values.to_numpy(), attribute.name
    cells = raw.columns[name]
    if attribute.minimum is not None:
        low = f"expected at least {attribute.minimum:g}, got "
        below = present & (numbers < attribute.minimum)
        findings.add_rows(raw, name, below, lambda row: low + _shown(cells, row))
    if attribute.maximum is not None:
        high = f"expected at most {attribute.maximum:g}, got "
        above = present & (numbers > attribute.maximum)
        findings.add_rows(raw, name, above, lambda row: high + _shown(cells, row))


def _shown(cells: pd.Series, row: int) -> str:
    return str(cells.iloc[row])[:60]


def _filled(values: pd.Series, holes: Flags, attribute: Attribute) -> pd.Series:
    filled: pd.Series = values.where(~holes, _empty(attribute, len(values)))
    return filled.astype(TYPES[attribute.type].dtype)


def _empty(attribute: Attribute, rows: int) -> pd.Series:
    dtype = TYPES[attribute.type].dtype
    if attribute.default:
        value, _ = TYPES[attribute.type].parse(pd.Series([attribute.default]), attribute)
        return pd.Series(np.repeat(value.to_numpy(), rows)).astype(dtype)
    empty: object = {"str": "", "float64": np.nan, "int64": 0, "bool": False}.get(dtype)
    return pd.Series([empty] * rows).astype(dtype)


def blank(name: str) -> pd.DataFrame:
    """Returns a table of the brand folder with all its columns and no row."""
    attributes = schemas()[name].attributes
    return pd.DataFrame({attribute.name: _empty(attribute, 0) for attribute in attributes})
