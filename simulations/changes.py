"""Changes: what each override of a scenario does to a brand, and what the result must keep."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd

from core.brand import PARQUET_TABLES, Brand
from core.errors import BadInput, Problem
from core.folder.checks import check_across, check_table
from core.folder.columns import Findings, RawTable, nearest, typed
from core.folder.schema import SETTINGS as BRAND
from core.folder.schema import TableSchema, schemas, tables
from core.texts import like
from routing.lanes import close_passages, passages_of
from simulations.overrides import Override, Place, plain
from simulations.selectors import SELECTORS, SETTINGS, Selector, matching, names, within


def changed_brand(brand: Brand, overrides: Sequence[Override]) -> Brand:
    """Returns the brand after overrides in their order.

    Passages that stay closed at the end are closed together, at the place of the last override
    that closes one: ways around them depend on all of them.
    """
    closed = closed_passages(brand, overrides)
    last = max((at for at, each in enumerate(overrides) if each.closes), default=-1)
    for at, override in enumerate(overrides):
        if override.word != "passage":
            brand = change(brand, override)
        elif at == last:
            brand = close_passages(brand, closed)
    return brand


def closed_passages(brand: Brand, overrides: Sequence[Override]) -> frozenset[str]:
    """Returns the passages that overrides leave closed; raises `BadInput` for an unknown one."""
    named = [override for override in overrides if override.word == "passage"]
    known = sorted(passages_of(brand)) if named else []
    closed: frozenset[str] = frozenset()
    for override in named:
        meant = _meant(known, override)
        if override.closes:
            _check_window(brand, override)
        closed = closed | meant if override.closes else closed - meant
    return closed


def _meant(known: Sequence[str], override: Override) -> frozenset[str]:
    glob = str(override.pick)
    meant = frozenset(name for name, flag in zip(known, like(known, glob), strict=True) if flag)
    if not meant:
        hint = nearest(glob, known) if known else "no lane or rate of the brand uses one"
        raise override.refuse(f"passage {glob!r} matches nothing; {hint}")
    return meant


def change(brand: Brand, override: Override) -> Brand:
    """Returns the brand after one override of rows or settings; one without effect is refused."""
    if override.word in SETTINGS:
        return _change_setting(brand, override)
    return _change_rows(brand, override, SELECTORS[override.word])


def _change_rows(brand: Brand, override: Override, selector: Selector) -> Brand:
    touched = 0
    changed = brand
    for table in selector.tables:
        rows = matching(brand, selector, table, override.pick)
        if selector.word == "demand":
            rows &= within(brand.table(table), override.start, override.until)
        touched += int(rows.sum())
        if rows.any():
            changed = changed.with_table(table, _changed(brand.table(table), rows, override))
    if not touched:
        raise override.refuse(_matches_nothing(brand, override, selector))
    return changed


def _changed(frame: pd.DataFrame, rows: np.ndarray, override: Override) -> pd.DataFrame:
    made = frame.copy()
    for column, value in override.settings.items():
        if column in made.columns:
            made.loc[rows, column] = value
    for column, factor in override.factors.items():
        if column in made.columns:
            made.loc[rows, column] = _scaled_cells(made.loc[rows, column], factor)
    return made


def _scaled_cells(cells: pd.Series, factor: float) -> pd.Series:
    scaled = cells * factor
    return scaled.round().astype("int64") if cells.dtype == "int64" else scaled


def _matches_nothing(brand: Brand, override: Override, selector: Selector) -> str:
    if isinstance(override.pick, str):
        known = list(dict.fromkeys(names(brand, selector)))
        hint = nearest(override.pick, known) if known else f"the brand has no {selector.word}"
        return f"{selector.word} {override.pick!r} matches nothing; {hint:.200}"
    return f"{selector.word} {plain(override.pick)} matches nothing"


def _change_setting(brand: Brand, override: Override) -> Brand:
    section = SETTINGS[override.word]
    name = str(override.pick)
    now = getattr(getattr(brand, section), name)
    value = override.settings.get("value", now)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput([override.place.problem("value", f"expected a number, got {value!r:.60}")])
    value = float(value) * override.factors.get("value", 1.0)
    attribute = schemas()[BRAND].attribute(f"{section}.{name}")
    raw = RawTable("", {attribute.name: pd.Series([value])}, np.array([0]))
    typed(raw, TableSchema(BRAND, (attribute,)), found := Findings())
    if found.problems:
        raise BadInput([override.place.problem("value", found.problems[0].problem)])
    return replace(brand, **{section: replace(getattr(brand, section), **{name: value})})


def _check_window(brand: Brand, override: Override) -> None:
    end = brand.today + timedelta(weeks=brand.horizon_weeks)
    if (override.until and override.until < brand.today) or (
        override.start and override.start > end
    ):
        window = f"{brand.today.isoformat()} to {end.isoformat()}"
        raise override.refuse(f"the closure lies outside the planning horizon, {window}")


def recheck(brand: Brand, changed: Brand, overrides: Sequence[Override]) -> None:
    """Ensures that the tables which differ still keep every rule of the brand folder."""
    differing = [name for name in tables() if changed.table(name) is not brand.table(name)]
    kept = [name for name in tables() if len(changed.table(name)) and name not in PARQUET_TABLES]
    raws = {name: _raw(name, changed.table(name)) for name in (*kept, *differing)}
    found = Findings()
    for name in differing:
        typed(raws[name], schemas()[name], found)
        check_table(raws[name], schemas()[name], changed.table(name), found)
    check_across(raws, changed.tables, found)
    if found.problems:
        place = overrides[-1].place if overrides else Place()
        raise BadInput([place.problem("", _say(each)) for each in found.problems])


def _raw(name: str, frame: pd.DataFrame) -> RawTable:
    columns = {column: frame[column].reset_index(drop=True) for column in frame.columns}
    return RawTable(name, columns, np.arange(1, len(frame) + 1))


def _say(problem: Problem) -> str:
    return f"after the overrides, row {problem.line} of {problem.file}: {problem.problem}"
