"""Scenarios: a name, a note and an ordered list of overrides on a brand; later ones win."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.brand import Brand
from core.errors import BadInput, Problem
from core.folder.columns import nearest
from core.texts import is_storable
from simulations.changes import changed_brand, recheck
from simulations.overrides import Override, Place, read_override, unkeepable

_MOST_OVERRIDES = 1000
_LONGEST_NAME, _LONGEST_NOTE = 200, 5000


@dataclass(frozen=True, slots=True)
class Scenario:
    """A what-if: base + overrides, never a copy of the base."""

    name: str
    note: str = ""
    overrides: tuple[Override, ...] = field(default=())

    def document(self) -> dict[str, Any]:
        """Returns the scenario as JSON: `{"name", "note", "overrides"}`."""
        overrides = [override.document() for override in self.overrides]
        return {"name": self.name, "note": self.note, "overrides": overrides}


BASE = Scenario("base", "The brand as it is.")


def read_scenario(path: Path) -> Scenario:
    """Returns the scenario of a TOML file; raises `BadInput` with every problem and its line."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise BadInput([Problem(str(path), 0, 0, problem)]) from error
    except UnicodeDecodeError as error:
        raise BadInput([Problem(path.name, 0, 0, "not UTF-8; save the file as UTF-8")]) from error
    return parse_scenario(text, path.name)


def parse_scenario(text: str, file: str = "scenario.toml") -> Scenario:
    """Returns the scenario of a TOML text; raises `BadInput` with every problem and its line."""
    document = _toml(text, file)
    written = document.get("override", [])
    places = _places(text, file, len(written) if isinstance(written, list) else 0)
    return _scenario(document, "override", Place(file), places)


def scenario_of(document: Mapping[str, Any]) -> Scenario:
    """Returns the scenario of a JSON document as `Scenario.document` writes it."""
    written = document.get("overrides", [])
    count = len(written) if isinstance(written, list) else 0
    places = [Place(pointer=f"/overrides/{at}") for at in range(count)]
    return _scenario(document, "overrides", Place(), places)


def apply(brand: Brand, scenario: Scenario) -> Brand:
    """Returns the brand with the overrides of a scenario; the given brand stays as it is.

    Overrides apply in their order, so later ones win. Raises `BadInput` for an override that means
    nothing in this brand, and when the changed tables break a rule of the brand folder.
    """
    changed = changed_brand(brand, scenario.overrides)
    recheck(brand, changed, scenario.overrides)
    return changed


def _scenario(
    document: Mapping[str, Any], key: str, top: Place, places: Sequence[Place]
) -> Scenario:
    problems = [
        top.problem(unknown, f"unknown key {unknown!r}; {nearest(unknown, ('name', 'note', key))}")
        for unknown in document
        if unknown not in ("name", "note", key)
    ]
    name = _text(document, "name", _LONGEST_NAME, top, problems)
    note = _text({"note": "", **document}, "note", _LONGEST_NOTE, top, problems)
    overrides = _overrides(document.get(key, []), key, top, places, problems)
    if problems:
        raise BadInput(problems)
    return Scenario(name, note, tuple(overrides))


def _overrides(
    written: object, key: str, top: Place, places: Sequence[Place], problems: list[Problem]
) -> list[Override]:
    if not isinstance(written, list):
        problems.append(
            top.problem(
                key, unkeepable(written) or f"expected a list of overrides, got {written!r:.60}"
            )
        )
        return []
    if len(written) > _MOST_OVERRIDES:
        problems.append(top.problem(key, f"expected at most {_MOST_OVERRIDES} overrides"))
        return []
    read = [
        read_override(each, place, problems) for each, place in zip(written, places, strict=True)
    ]
    return [override for override in read if override is not None]


def _text(
    document: Mapping[str, Any], key: str, longest: int, top: Place, problems: list[Problem]
) -> str:
    text = document.get(key)
    if not isinstance(text, str) or (key == "name" and not text.strip()):
        problems.append(top.problem(key, f"expected a {key} in quotes"))
        return ""
    if len(text) > longest:
        problems.append(top.problem(key, f"expected a {key} of at most {longest} characters"))
    if not is_storable(text):
        problems.append(top.problem(key, f"expected a {key} without NUL and lone surrogates"))
    return text


def _toml(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line (\d+), column (\d+)", str(error))
        line, column = (int(place[1]), int(place[2])) if place else (text.count("\n") + 1, 0)
        raise BadInput([Problem(file, line, column, f"broken TOML: {error}")]) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; deep lists
        raise BadInput([Problem(file, 0, 0, "a number is too long or a list too deep")]) from error


def _places(text: str, file: str, count: int) -> list[Place]:
    """Returns where each `[[override]]` and its keys stand; line 0 where that cannot be told."""
    lines: list[dict[str, int]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*\[\[\s*\"?override\"?\s*\]\]", line):
            lines.append({"": number})
        elif lines and (key := re.match(r"\s*[\"']?([A-Za-z_0-9]+)[\"']?\s*[.=]", line)):
            lines[-1].setdefault(key[1], number)
    known = lines if len(lines) == count else [{} for _ in range(count)]
    return [Place(file=file, lines=each) for each in known]
