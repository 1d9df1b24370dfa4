"""Lines: what was asked for by item, region and day, as arrays, before anything is cleaned."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.brand import Brand
from core.errors import BadInput, Problem
from inventory.demand.zones import local_days, zone_of

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
Keys = NDArray[np.int64]

DAYS = 7
MOST_WEEKS = 260
"""A forecast looks back at most five years."""

PART_ROWS = 500_000
"""Rows that are looked at together, more only where one item has more."""

MOST_SERIES = 2**31 - 1
"""Series are numbered in 32 bits."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of equal length: series, day, units, promotion and price.

    A series is the code of the item times the number of regions, plus that of the region. Days
    count from the `first` of the lines. Promotion and price are NaN where unknown.
    """

    series: Codes
    day: Codes
    quantity: Floats
    promotion: Floats
    price: Floats

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Rows":
        """Returns the chosen rows, in the order of their choice."""
        return Rows(
            self.series[chosen],
            self.day[chosen],
            self.quantity[chosen],
            self.promotion[chosen],
            self.price[chosen],
        )


@dataclass(frozen=True, slots=True)
class Lines:
    """Demand by item, region and day; day 0 is `first`, a Monday, and `today` the planning date.

    `rows` are those of the table as it has them: `parts` puts the past in order. `planned` holds
    the promotions and prices of days after the planning date. What was asked for on those days is
    left out; `trial` says that something was, so that the planning date is one of the past.
    `older` counts the rows that lie too far back to matter.
    """

    items: tuple[str, ...]
    regions: tuple[str, ...]
    first: date
    today: int
    rows: Rows
    planned: Rows
    trial: bool
    older: int

    @property
    def past(self) -> Rows:
        """Past demand, one row per item, region and day, in that order."""
        return _merged(self.rows.only(self._seen()))

    def parts(self) -> Iterator[Rows]:
        """Yields what `past` is made of in its order, whole items at a time.

        So a history of many rows is never put in order all at once.
        """
        seen, series = self._seen(), self.rows.series
        for begin, end in self._spans():
            inside = seen & (series >= begin) & (series < end)
            yield _merged(self.rows.only(np.flatnonzero(inside)))

    def without_rows(self) -> "Lines":
        """Returns what is known beside the rows, which take memory as long as they are held."""
        return replace(self, rows=self.rows.only(np.array([], dtype=np.intp)))

    def _seen(self) -> NDArray[np.bool_]:
        return (self.rows.day >= 0) & (self.rows.day <= self.today)

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Yields ranges of the series of whole items that have about `PART_ROWS` rows each."""
        count = np.bincount(self.rows.series, minlength=len(self.items) * len(self.regions))
        until = np.cumsum(count.reshape(len(self.items), len(self.regions)).sum(axis=1))
        full = np.searchsorted(until, np.arange(PART_ROWS, until[-1], PART_ROWS)) + 1
        edges = np.unique([0, *full.tolist(), len(self.items)]) * len(self.regions)
        yield from pairwise(edges.tolist())

    @classmethod
    def of(cls, brand: Brand) -> "Lines":
        """Returns the lines that the brand may see on its planning date.

        They come from the demand table; without one from orders, each on the day that the clocks
        of its region showed. Rows of one item, region and day are added up. Raises `BadInput`
        naming the file when there is no past demand, or when it names an unknown id.
        """
        items = tuple(str(item) for item in brand.table("items")["item"])
        regions = tuple(str(region) for region in brand.table("regions")["region"])
        table = source(brand)
        frame, file = brand.table(table), brand.file(table)
        if frame.empty:
            raise missing(brand, "file is missing or empty; a forecast needs past demand")
        day = _days(brand, frame, table)
        today, oldest = _ordinal(brand.today), _ordinal(_oldest(brand.today))
        seen = (day <= today) & (day >= oldest)
        if not seen.any():
            raise missing(brand, _unseen(brand.today, day))
        first = int(day[seen].min())
        first -= (first + 3) % DAYS  # 1970-01-01 was a Thursday
        rows = Rows(
            series=_series(items, regions, frame, file),
            day=day - np.int32(first),
            quantity=frame["quantity"].to_numpy(dtype=np.float64),
            promotion=_numbers(frame, "promotion"),
            price=_numbers(frame, "price"),
        )
        later = rows.only(np.flatnonzero(day > today))
        told = ~(np.isnan(later.promotion) & np.isnan(later.price))
        return cls(
            items=items,
            regions=regions,
            first=date(1970, 1, 1) + timedelta(days=first),
            today=today - first,
            rows=rows,
            planned=_plan(later.only(told & (table == DEMAND))),
            trial=bool((later.quantity[told] > 0).any()),
            older=int((day < oldest).sum()),
        )


DEMAND, ORDERS = "demand", "orders"


def source(brand: Brand) -> str:
    """Returns the table that demand is taken from: orders where there is no demand."""
    return DEMAND if len(brand.table(DEMAND)) or brand.table(ORDERS).empty else ORDERS


def missing(brand: Brand, problem: str) -> BadInput:
    """Returns the error of a forecast that has too little to learn from."""
    table = source(brand)
    return BadInput([Problem(brand.file(table), 0, 0, problem)])


def _unseen(today: date, day: Codes) -> str:
    """Says why no row counts: all are after the planning date, or too old."""
    past = day[day <= _ordinal(today)]
    if not len(past):
        return f"no demand on or before {today}, the planning date"
    last = date(1970, 1, 1) + timedelta(days=int(past.max()))
    return (
        f"no demand from {_oldest(today)} to {today}, the {MOST_WEEKS} weeks that count; the last "
        f"before is of {last}: expected newer demand, or an earlier today in brand.toml"
    )


def monday(day: date) -> date:
    """Returns the Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def coded(names: tuple[str, ...], column: "pd.Series[str]") -> Codes:
    """Returns the position of each cell among the names; -1 for a name that is not there."""
    found = pc.index_in(
        pa.array(column, type=pa.large_string()), pa.array(names, type=pa.large_string())
    )
    return np.asarray(pc.fill_null(found, -1), dtype=np.int32)


def _oldest(today: date) -> date:
    """Returns the first Monday that a forecast may look back to."""
    return monday(today + timedelta(days=1)) - timedelta(weeks=MOST_WEEKS)


def _ordinal(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _days(brand: Brand, frame: pd.DataFrame, table: str) -> Codes:
    """Returns the day of each row, counted from 1970-01-01."""
    if table == DEMAND:
        return frame["date"].to_numpy().astype("datetime64[D]").astype(np.int32)
    days = np.zeros(len(frame), dtype=np.int32)
    for zone, regions in _zones(brand).items():
        there = frame["region"].isin(regions).to_numpy(bool)
        days[there] = local_days(frame["placed_at"][there], zone).astype(np.int32)
    return days


def _zones(brand: Brand) -> dict[str, list[str]]:
    """Returns the regions of each time zone that the brand sells in."""
    found: dict[str, list[str]] = {}
    for row in brand.table("regions").to_dict("records"):
        zone = zone_of(str(row["country"]), float(row["latitude"]), float(row["longitude"]))
        found.setdefault(zone, []).append(str(row["region"]))
    return found


def _numbers(frame: pd.DataFrame, column: str) -> Floats:
    if column not in frame:
        return np.broadcast_to(np.nan, len(frame))
    return frame[column].to_numpy(dtype=np.float64)


def _series(
    items: tuple[str, ...], regions: tuple[str, ...], frame: pd.DataFrame, file: str
) -> Codes:
    """Returns the series of each row."""
    if len(items) * len(regions) > MOST_SERIES:
        most = f"expected at most {MOST_SERIES:,} items times regions"
        raise BadInput([Problem("items.csv", 0, 0, most)])
    series = _codes(items, frame["item"], "items", file) * np.int32(len(regions))
    series += _codes(regions, frame["region"], "regions", file)
    pa.default_memory_pool().release_unused()  # looking names up took more than it found
    return series


def _codes(names: tuple[str, ...], column: "pd.Series[str]", kind: str, file: str) -> Codes:
    codes = coded(names, column)
    unknown = np.flatnonzero(codes < 0)
    if unknown.size:
        name = column.iloc[int(unknown[0])]
        told = f"expected an id that {kind}.csv lists, got {name!r}"
        raise BadInput([Problem(file, 0, 0, told)])
    return codes


def _key(rows: Rows) -> Keys:
    """Returns a number that grows with series and day."""
    return rows.series.astype(np.int64) * (int(rows.day.max(initial=0)) + 1) + rows.day


def _plan(rows: Rows) -> Rows:
    """Returns rows in order, without what was asked for."""
    ordered = rows.only(np.argsort(_key(rows), kind="stable"))
    return replace(ordered, quantity=np.zeros(len(ordered.day)))


def _merged(rows: Rows) -> Rows:
    """Returns one row per series and day, in order: units added up, prices weighted."""
    key = _key(rows)
    if (np.diff(key) <= 0).any():
        order = np.argsort(key, kind="stable")
        rows, key = rows.only(order), key[order]
    new = np.diff(key, prepend=-1) > 0
    if new.all():
        return rows
    begin = np.flatnonzero(new)
    weight = np.maximum(rows.quantity, 1e-9)
    return Rows(
        rows.series[begin],
        rows.day[begin],
        np.add.reduceat(rows.quantity, begin),
        mean_of(rows.promotion, weight, begin),
        mean_of(rows.price, weight, begin),
    )


def mean_of(values: Floats, weight: Floats, begin: NDArray[np.intp]) -> Floats:
    """Returns the weighted mean of each stretch of known values; NaN where none is known.

    `begin` holds the first position of each stretch, in order.
    """
    known = ~np.isnan(values)
    share = np.add.reduceat(np.where(known, weight, 0.0), begin)
    total = np.add.reduceat(np.where(known, weight * values, 0.0), begin)
    return np.where(share > 0, total / np.where(share > 0, share, 1.0), np.nan)
