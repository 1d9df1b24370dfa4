"""OR-Library: capacitated warehouse location files as brands (Beasley, 1988, data sets cap41...).

A file holds `m n`, then a capacity and a fixed cost for each of the m warehouses, then for each of
the n customers its demand and what serving all of it costs from each warehouse. Warehouses become
sites to be decided on, customers become regions, and one item is asked for in one week.
"""

import math
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.brand import Brand, Weights
from core.errors import BadInput, Problem
from core.folder.columns import blank
from core.folder.schema import tables
from core.folder.writer import complete

TODAY = date(2026, 9, 7)
"""A Monday; a location problem knows no dates."""

MOST_BYTES = 50_000_000
MOST_CELLS = 5_000_000

OPEN_CAPACITY = "capacity"
"""Stands in some files where each warehouse has one of several published capacities."""

MOST_PLACES = 4
"""Decimal places of capacities and demands, which are planned in such parts of a unit."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Location:
    """Capacity and fixed cost of warehouses, demand of customers, cost [customer, warehouse].

    Capacity and demand are whole: in units, or in decimal parts of them.
    """

    capacity: Floats
    fixed_cost: Floats
    demand: Floats
    cost: Floats


def read_orlib(path: Path, capacity: float | None = None) -> Brand:
    """Returns the brand that a file of OR-Library stands for.

    `capacity` is that of warehouses whose file says `capacity` instead of a number (capa, capb,
    capc).

    Every unit of demand has to be served: leaving one unmet costs more than opening any warehouse
    for it. Raises `BadInput` that names the line of what cannot be read.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadInput(f"Expected a file of at most {MOST_BYTES // 10**6} MB: {path.name}.")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as text.") from error
    return brand_of(parse(text, path.name, capacity), path.stem)


def parse(text: str, name: str, capacity: float | None = None) -> Location:
    """Returns the problem in the text of a file; `name` is told where something is wrong."""
    numbers = _Numbers(text, name)
    sites, regions = numbers.count("warehouses"), numbers.count("customers")
    if sites * regions > MOST_CELLS:
        numbers.fail(f"expected at most {MOST_CELLS:,} costs, got {sites:,} x {regions:,}")
    warehouses = np.array([[numbers.capacity(capacity), numbers.amount("fixed cost")]
                           for _ in range(sites)])  # fmt: skip
    rows = np.array([[numbers.amount("demand"), *(numbers.amount("cost") for _ in range(sites))]
                     for _ in range(regions)])  # fmt: skip
    numbers.end()
    _check_room(warehouses[:, 0], rows[:, 0], name)
    parts = _parts(np.concatenate([warehouses[:, 0], rows[:, 0]]), name)
    return Location(
        np.rint(warehouses[:, 0] * parts),
        warehouses[:, 1],
        np.rint(rows[:, 0] * parts),
        rows[:, 1:],
    )


def _parts(units: Floats, name: str) -> int:
    """Returns into how many parts a unit goes so that all capacities and demands are whole.

    What serving a customer costs is told for all of its demand, so parts change no cost.
    """
    for places in range(MOST_PLACES + 1):
        parts = int(10**places)
        if np.allclose(units * parts, np.rint(units * parts), rtol=1e-12, atol=1e-6):
            return parts
    told = f"expected capacities and demands of at most {MOST_PLACES} decimal places"
    raise BadInput([Problem(name, 0, 0, told)])


def _check_room(capacity: Floats, demand: Floats, name: str) -> None:
    """Ensures that all warehouses together can serve all customers."""
    room, asked = float(capacity.sum()), float(demand.sum())
    if room < asked:
        told = (
            f"expected capacities that add up to {asked:,.0f}, the demand, or more, got "
            f"{room:,.0f}; no choice of warehouses serves every customer"
        )
        raise BadInput([Problem(name, 0, 0, told)])


class _Numbers:
    """The numbers of a text, one after another, each with its place."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._words = [
            (line, column, word)
            for line, content in enumerate(text.splitlines(), start=1)
            for column, word in enumerate(content.split(), start=1)
        ]
        self._at = 0

    def fail(self, problem: str) -> None:
        """Raises `BadInput` at the place of the last number."""
        at = min(self._at, len(self._words)) - 1
        line, column, _ = self._words[at] if self._words else (0, 0, "")
        raise BadInput([Problem(self._name, line, column, problem)])

    def amount(self, what: str) -> float:
        """Returns the next number, finite and not negative."""
        if self._at >= len(self._words):
            self.fail(f"expected a {what}, got the end of the file")
        *_, word = self._words[self._at]
        self._at += 1
        try:
            value = math.nan if "_" in word else float(word)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < 0:
            self.fail(f"expected a {what} >= 0, got {word[:30]!r}")
        return value

    def capacity(self, given: float | None) -> float:
        """Returns the next number, or what was given where the file leaves it open."""
        is_open = self._at < len(self._words) and self._words[self._at][2].lower() == OPEN_CAPACITY
        if not is_open:
            return self.amount("capacity")
        self._at += 1
        if given is None:
            self.fail("this file leaves the capacity of warehouses open; give one (--capacity)")
        return float(given or 0.0)

    def count(self, what: str) -> int:
        """Returns the next number as a count of at least one."""
        value = self.amount(f"number of {what}")
        if value < 1 or value != int(value):
            self.fail(f"expected a whole number of {what} >= 1, got {value:g}")
        if value > MOST_CELLS:
            self.fail(f"expected at most {MOST_CELLS:,} {what}, got {value:g}")
        return int(value)

    def end(self) -> None:
        """Ensures that nothing is left."""
        if self._at < len(self._words):
            *_, word = self._words[self._at]
            self._at += 1
            self.fail(f"expected the end of the file, got {word[:30]!r}")


def brand_of(location: Location, name: str) -> Brand:
    """Returns a location problem as a brand of one item and one week."""
    asked = np.maximum(location.demand, 1e-12)
    unit = np.where(location.demand[:, None] > 0, location.cost / asked[:, None], 0.0)
    penalty = float(location.fixed_cost.max() + unit.max() + 1.0)
    sites = [f"W{at + 1:03d}" for at in range(len(location.capacity))]
    regions = [f"C{at + 1:04d}" for at in range(len(location.demand))]
    frames = {
        "sites": pd.DataFrame(
            {
                "site": sites, "tier": "central", "country": "GB", "latitude": 0.0,
                "longitude": 0.0, "status": "decide", "fixed_cost": location.fixed_cost,
                "outbound_units": location.capacity,
            }
        ),
        "regions": pd.DataFrame(
            {"region": regions, "country": "GB", "latitude": 0.0, "longitude": 0.0}
        ),
        "items": pd.DataFrame(
            {"item": ["GOODS"], "weight_kg": 0.0, "value": penalty, "unmet_penalty": penalty}
        ),
        "stock": pd.DataFrame(
            {"site": sites, "item": "GOODS", "on_hand": np.ceil(location.capacity).astype(int)}
        ),
        "services": pd.DataFrame({"service": ["SERVE"], "mode": "road"}),
        "rates": pd.DataFrame(
            {
                "service": "SERVE",
                "site": np.tile(sites, len(regions)),
                "region": np.repeat(regions, len(sites)),
                "price_per_unit": unit.ravel(),
                "transit_days": 0.0,
            }
        ),
        "forecast": pd.DataFrame(
            {"start": pd.Timestamp(TODAY), "region": regions, "item": "GOODS",
             "mean": location.demand}
        ),
    }  # fmt: skip
    made = {table: complete(table, frame) for table, frame in frames.items()}
    return Brand(
        name=f"OR-Library {name}",
        currency="GBP",
        today=TODAY,
        rules_date=TODAY,
        horizon_weeks=1,
        weights=Weights(),
        tables={table: made.get(table, blank(table)) for table in tables()},
    )
