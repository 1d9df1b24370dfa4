"""brand.toml: the settings of a brand, checked key by key against the attribute table."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from core.brand import Brand, Targets, Weights
from core.errors import Problem
from core.folder.columns import Findings, RawTable, nearest, typed
from core.folder.schema import SETTINGS, schemas

SETTINGS_FILE = "brand.toml"
_SECTIONS = ("targets", "weights")


@dataclass(frozen=True, slots=True)
class BrandSettings:
    """The keys of brand.toml, defaults filled in, by dotted name."""

    values: Mapping[str, Any]

    def brand(
        self, tables: Mapping[str, pd.DataFrame], files: Mapping[str, str] | None = None
    ) -> Brand:
        """Returns the brand that has these settings and tables, read from these files."""
        values = self.values
        return Brand(
            name=values["name"],
            currency=values["currency"],
            today=values["today"],
            rules_date=values["rules_date"] or values["today"],
            horizon_weeks=values["horizon_weeks"],
            bucket=values["bucket"],
            targets=Targets(**_section(values, "targets")),
            weights=Weights(**_section(values, "weights")),
            tables=tables,
            files=MappingProxyType(dict(files or {})),
        )


def _section(values: Mapping[str, Any], section: str) -> dict[str, float]:
    prefix = f"{section}."
    return {key.removeprefix(prefix): v for key, v in values.items() if key.startswith(prefix)}


def read_settings(text: str | None, findings: Findings) -> BrandSettings | None:
    """Returns the settings, or None with the findings that say why not."""
    if text is None:
        findings.add(Problem(SETTINGS_FILE, 0, 0, "file is missing; it is required"))
        return None
    before = findings.total
    flat = _flat(text, findings)
    if flat is None:
        return None
    known = schemas()[SETTINGS].columns
    for key in flat:
        if key not in known:
            line = _line(text, key)
            hint = nearest(key, known)
            findings.add(Problem(SETTINGS_FILE, line, 1, f"unknown key {key!r}; {hint}"))
    values = {key: _value(key, flat, text, findings) for key in known}
    return None if findings.total > before else BrandSettings(values)


def _flat(text: str, findings: Findings) -> dict[str, object] | None:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line (\d+), column (\d+)", str(error))
        line, column = (int(place[1]), int(place[2])) if place else (text.count("\n") + 1, 0)
        findings.add(Problem(SETTINGS_FILE, line, column, f"broken TOML: {error}"))
        return None
    except RecursionError:
        line = _first_line(text, r"[\[{][\[{\s]{50,}")
        findings.add(Problem(SETTINGS_FILE, line, 0, "broken TOML: brackets nest too deeply"))
        return None
    except ValueError:  # the only other one: Python refuses to read a number of that many digits
        line = _first_line(text, r"[0-9_]{4000,}")
        findings.add(Problem(SETTINGS_FILE, line, 0, "broken TOML: a number has too many digits"))
        return None
    flat: dict[str, object] = {}
    for key, value in document.items():
        if key in _SECTIONS and isinstance(value, dict):
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            flat[key] = value
    return flat


def _value(key: str, flat: Mapping[str, object], text: str, findings: Findings) -> Any:
    """Returns one setting, read by the same cell types as a column of one row."""
    attribute = schemas()[SETTINGS].attribute(key)
    if key not in flat and attribute.required:
        missing = f"key {key!r} is missing; it is required"
        findings.add(Problem(SETTINGS_FILE, 0, 0, missing))
        return None
    cell = _written(flat.get(key, ""))
    raw = RawTable(SETTINGS_FILE, {key: pd.Series([cell])}, np.array([_line(text, key)]))
    one = type(schemas()[SETTINGS])(SETTINGS, (attribute,))
    value = typed(raw, one, findings)[key].iloc[0]
    if attribute.type == "date":
        return None if pd.isna(value) else value.date()
    return value.item() if isinstance(value, np.generic) else value


def _written(value: object) -> str:
    """Returns a TOML value as the cell of a CSV file would have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date | datetime):
        return value.isoformat()
    try:
        return str(value)
    except ValueError:  # a hexadecimal number of thousands of digits
        return "a number with too many digits"


def _first_line(text: str, pattern: str) -> int:
    place = re.search(pattern, text)
    return text.count("\n", 0, place.start()) + 1 if place else 0


def _line(text: str, key: str) -> int:
    name = re.escape(key.rpartition(".")[2])
    place = re.search(rf"^\s*\"?{name}\"?\s*=", text, flags=re.MULTILINE)
    return text.count("\n", 0, place.end()) + 1 if place else 0
