"""Selectors: the words by which a scenario names rows of a brand, and how they find them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.brand import Brand
from core.folder.schema import Attribute, schemas
from core.texts import like

Pick = str | Mapping[str, object]
"""What stands behind a selector: a name or glob, or a table of columns."""

_PRICES = ("base_price", "price_per_kg", "price_per_unit", "remote_surcharge")
_LANE_PRICES = ("cost_per_kg", "cost_per_m3", "cost_per_unit", "fixed_cost", "container_cost")
_UNITS = ("quantity", "mean", "p05", "p25", "p50", "p75", "p90", "p95")


@dataclass(frozen=True, slots=True)
class Selector:
    """One selector word.

    `tables` are the tables that it changes, `name` the columns whose values, joined by `/`, are
    the name of a row, `scaled` the columns that a plain `factor` multiplies.
    """

    word: str
    tables: tuple[str, ...]
    name: tuple[str, ...]
    scaled: tuple[str, ...]

    @property
    def attributes(self) -> Mapping[str, Attribute]:
        """Every column of the tables by name."""
        return {made.name: made for table in self.tables for made in schemas()[table].attributes}


SELECTORS = {
    made.word: made
    for made in (
        Selector("site", ("sites",), ("site",), ("outbound_units", "storage_m3")),
        Selector("lane", ("lanes",), ("from_site", "to_site", "service"), _LANE_PRICES),
        Selector("service", ("services",), ("service",), ("kg_per_week",)),
        Selector("rate", ("rates",), ("service", "site", "region"), _PRICES),
        Selector("item", ("items",), ("item",), ("value",)),
        Selector("stock", ("stock",), ("site", "item"), ("on_hand",)),
        Selector("demand", ("demand", "forecast"), ("region", "item"), _UNITS),
        Selector("supplier", ("suppliers",), ("supplier",), ()),
        Selector("offer", ("offers",), ("supplier", "item"), ("unit_cost",)),
        Selector("duty", ("duties",), ("destination", "origin", "hs_prefix"), ("duty_rate",)),
        Selector("tax", ("taxes",), ("country", "scheme"), ("rate",)),
        Selector("fx", ("fx",), ("currency",), ("rate",)),
    )
}
"""Selectors of rows; `passage`, `target` and `weight` select what is not a row."""

SETTINGS = {"target": "targets", "weight": "weights"}
WORDS = (*SELECTORS, "passage", *SETTINGS)


def matching(brand: Brand, selector: Selector, table: str, pick: Pick) -> NDArray[np.bool_]:
    """Returns a flag for each row of a table: whether the pick means it.

    A name means the rows whose name columns match part by part; parts left out mean any value.
    A table of columns means the rows that match in all of them.
    """
    frame = brand.table(table)
    if isinstance(pick, str):
        return _by_name(frame, selector.name, pick)
    return _by_columns(brand, table, frame, pick)


def _by_name(frame: pd.DataFrame, columns: tuple[str, ...], name: str) -> NDArray[np.bool_]:
    parts = name.split("/", maxsplit=len(columns) - 1)
    found = np.ones(len(frame), dtype=bool)
    for column, part in zip(columns, parts, strict=False):
        found &= _like(frame[column], part)
    return found


def _by_columns(
    brand: Brand, table: str, frame: pd.DataFrame, pick: Mapping[str, object]
) -> NDArray[np.bool_]:
    found = np.ones(len(frame), dtype=bool)
    for column, wanted in pick.items():
        if isinstance(wanted, Mapping):
            found &= _through(brand, table, column, wanted)
        else:
            found &= _any_of(frame[column], wanted)
    return found


def _through(
    brand: Brand, table: str, column: str, pick: Mapping[str, object]
) -> NDArray[np.bool_]:
    """Flags rows whose id names a row that the inner pick means: `item = {category = "toys"}`."""
    target, key = schemas()[table].attribute(column).refers.split(".")
    there = brand.table(target)
    named = there[key][_by_columns(brand, target, there, pick)]
    flags: NDArray[np.bool_] = brand.table(table)[column].isin(named).to_numpy(bool)
    return flags


def _any_of(cells: pd.Series, wanted: object) -> NDArray[np.bool_]:
    choices: list[object] = wanted if isinstance(wanted, list) else [wanted]
    found = np.zeros(len(cells), dtype=bool)
    for choice in choices:
        found |= _equal(cells, choice)
    return found


def _equal(cells: pd.Series, wanted: object) -> NDArray[np.bool_]:
    if pd.api.types.is_datetime64_any_dtype(cells):
        return np.asarray(cells.dt.strftime("%Y-%m-%d") == str(wanted), dtype=bool)
    if pd.api.types.is_bool_dtype(cells) or not isinstance(wanted, str):
        return np.asarray(cells == wanted, dtype=bool)
    return _like(cells.astype("str"), wanted)


def _like(cells: pd.Series, glob: str) -> NDArray[np.bool_]:
    """Returns a flag for each cell that matches a glob; each different value is tried once."""
    values = cells.unique()
    meant = values[like([str(value) for value in values], glob)]
    return cells.isin(meant).to_numpy(bool)


def within(frame: pd.DataFrame, start: date | None, until: date | None) -> NDArray[np.bool_]:
    """Returns a flag for each row of demand or forecast: whether its day lies in the window."""
    days = frame["date" if "date" in frame.columns else "start"]
    found = np.ones(len(frame), dtype=bool)
    if start is not None:
        found &= (days >= pd.Timestamp(start)).to_numpy(bool)
    if until is not None:
        found &= (days <= pd.Timestamp(until)).to_numpy(bool)
    return found


def names(brand: Brand, selector: Selector) -> Iterator[str]:
    """Yields the names of the first thousand different rows, for a hint at a misspelt one."""
    for table in selector.tables:
        rows = brand.table(table)[list(selector.name)].drop_duplicates().head(1000)
        yield from ("/".join(map(str, row)) for row in rows.to_numpy())
