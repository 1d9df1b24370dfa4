"""The brand: everything that a planner brings, as one frozen value."""

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Any

import pandas as pd

Row = Mapping[Hashable, Any]
"""One row of a table: `frame.to_dict("records")` gives a list of them."""


PARQUET_TABLES = ("demand", "returns", "forecast", "orders")
"""Long tables, which are Parquet files unless somebody brings them otherwise."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What the brand wants to reach."""

    service_level: float = 0.98
    logistics_cost_share: float = 0.08
    promise_hours: float = 72.0
    inventory_turns: float = 30.0


@dataclass(frozen=True, slots=True)
class Weights:
    """What the brand weighs against money, in settlement currency."""

    carbon_price_per_tonne: float = 0.0
    lateness_cost_per_day: float = 0.0
    split_cost: float = 0.0
    unmet_share_of_value: float = 1.0


@dataclass(frozen=True, slots=True)
class Brand:
    """One brand: its settings and the tables of its folder.

    `tables[name]` is a DataFrame with every column of the attribute table in its order, defaults
    filled in. Text is `str` ("" when empty), numbers are float64 (NaN when empty), required or
    defaulted whole numbers int64, dates naive datetime64 (NaT when empty), moments datetime64 in
    UTC, flags bool. Tables that the folder lacks are there, empty. Never change a table in place:
    use `with_table`. `files` names the file of each table that was read.
    """

    name: str
    currency: str
    today: date
    rules_date: date
    horizon_weeks: int = 13
    bucket: str = "week"
    targets: Targets = field(default_factory=Targets)
    weights: Weights = field(default_factory=Weights)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=lambda: MappingProxyType({}))
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), compare=False)

    def table(self, name: str) -> pd.DataFrame:
        """Returns one table of the folder by name, such as `"sites"`."""
        return self.tables[name]

    def file(self, name: str) -> str:
        """Returns the file that holds a table, or that would."""
        usual = f"{name}.parquet" if name in PARQUET_TABLES else f"{name}.csv"
        return self.files.get(name, usual)

    def line(self, name: str, row: int) -> int:
        """Returns the line of a row of a table in its file, as far as no line is empty."""
        return row + (1 if self.file(name).endswith(".parquet") else 2)

    def with_table(self, name: str, frame: pd.DataFrame) -> "Brand":
        """Returns the same brand with one table exchanged."""
        return replace(self, tables=MappingProxyType({**self.tables, name: frame}))


def number(cell: object, empty: float = 0.0) -> float:
    """Returns a cell of a table as a number, and `empty` for a cell that holds none."""
    value = float(str(cell))
    return empty if math.isnan(value) else value


SERVING_TIERS = frozenset({"central", "forward", "bonded"})
"""Tiers of sites that ship orders to customers."""


def serving_sites(brand: Brand) -> tuple[str, ...]:
    """Returns the ids of sites from which customers' orders may leave, in folder order."""
    sites = brand.table("sites")
    serves = sites["tier"].isin(SERVING_TIERS) & (sites["status"] != "closed")
    return tuple(str(site) for site in sites["site"][serves])
