"""Shadow prices: what one more unit of stock, outbound slot, kilogram or cubic meter is worth."""

import hashlib
import io
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from itertools import compress
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.errors import BadInput
from routing.allocation.problem import Floats, Problem
from routing.allocation.solver.solve import Solution

COLUMNS = ("kind", "bucket", "item", "site", "to_site", "service", "price")

FIRST_COLUMNS = ("kind", "item", "site", "service", "price")
"""Those of files that knew one bucket only."""

KINDS = ("stock", "outbound", "carrier_kg", "lane_m3", "storage_m3")

UNDATED = date(1970, 1, 1)
"""The only bucket of prices that do not say when they hold."""

Lane = tuple[str, str, str]
Name = TypeVar("Name", bound=Hashable)

Codes = NDArray[np.intp]

_LANE = ("site", "to_site", "service")
_NAMES = ("item", "site", "to_site", "service")
_HEAD = b"entrepot"
_DICTIONARY_BYTES = 2**24
"""Room for the names of some 100,000 items in one dictionary of a file."""


@dataclass(frozen=True, eq=False)
class Prices:
    """Prices in settlement currency, never negative; all 0 where capacity is ample.

    `stock` is [item, site, bucket] per unit, `outbound` [site, bucket] per unit packed,
    `carrier_kg` [site, service, bucket] per kilogram handed over, `lane_m3` [lane, bucket] per m3
    moved, `storage_m3` [site, bucket] per m3 kept for a bucket. `lanes` are (from, to, service),
    `buckets` first days, rising. Where a site holds an item both free and in bond, the dearer of
    the two prices stands.
    """

    items: tuple[str, ...]
    sites: tuple[str, ...]
    services: tuple[str, ...]
    lanes: tuple[Lane, ...]
    buckets: tuple[date, ...]
    stock: Floats
    outbound: Floats
    carrier_kg: Floats
    lane_m3: Floats
    storage_m3: Floats

    @cached_property
    def version(self) -> str:
        """A name that changes with the content: `prc_` and 16 hexadecimal digits."""
        priced = np.asarray(np.any(self.stock, axis=(1, 2)))
        items = list(compress(self.items, priced.tolist()))
        days = [day.isoformat() for day in self.buckets]
        names = json.dumps([items, self.sites, self.services, self.lanes, days])
        content = hashlib.sha256(names.encode())
        rest = self.outbound, self.carrier_kg, self.lane_m3, self.storage_m3
        for array in (self.stock[priced], *rest):
            content.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return f"prc_{content.hexdigest()[:16]}"

    @cached_property
    def item_at(self) -> Mapping[str, int]:
        """Position of each item on its axis."""
        return _places(self.items)

    @cached_property
    def site_at(self) -> Mapping[str, int]:
        """Position of each site on its axis."""
        return _places(self.sites)

    @cached_property
    def service_at(self) -> Mapping[str, int]:
        """Position of each service on its axis."""
        return _places(self.services)

    @cached_property
    def lane_at(self) -> Mapping[Lane, int]:
        """Position of each lane on its axis."""
        return _places(self.lanes)

    def bucket_of(self, day: date) -> int:
        """Returns the bucket that holds a day; the first and the last one reach beyond the plan."""
        return int(self.buckets_of(np.array([day], dtype="datetime64[D]"))[0])

    def buckets_of(self, moments: NDArray[np.datetime64]) -> NDArray[np.intp]:
        """Returns the bucket that holds each moment; the first and the last one reach beyond."""
        found = np.searchsorted(self._days, moments.astype("datetime64[D]"), side="right")
        return np.maximum(found - 1, 0)

    def of_stock(self, item: str, site: str, bucket: int = 0) -> float:
        """Returns the price of one unit of an item at a site; 0 where none is known."""
        if item not in self.item_at or site not in self.site_at:
            return 0.0
        return float(self.stock[self.item_at[item], self.site_at[site], bucket])

    def of_outbound(self, site: str, bucket: int = 0) -> float:
        """Returns the price of packing one unit at a site; 0 where none is known."""
        return float(self.outbound[self.site_at[site], bucket]) if site in self.site_at else 0.0

    def of_carrier_kg(self, site: str, service: str, bucket: int = 0) -> float:
        """Returns the price of one kilogram by a service from a site; 0 where none is known."""
        if site not in self.site_at or service not in self.service_at:
            return 0.0
        return float(self.carrier_kg[self.site_at[site], self.service_at[service], bucket])

    def of_lane_m3(self, from_site: str, to_site: str, service: str, bucket: int = 0) -> float:
        """Returns the price of moving one m3 along a lane; 0 where none is known."""
        lane = (from_site, to_site, service)
        return float(self.lane_m3[self.lane_at[lane], bucket]) if lane in self.lane_at else 0.0

    def of_storage_m3(self, site: str, bucket: int = 0) -> float:
        """Returns the price of keeping one m3 at a site for a bucket; 0 where none is known."""
        return float(self.storage_m3[self.site_at[site], bucket]) if site in self.site_at else 0.0

    def frame(self) -> pd.DataFrame:
        """Returns every price above 0 as a row: kind, bucket, the names it is of, and the price."""
        item, site, service = {"item": self.items}, {"site": self.sites}, {"service": self.services}
        lane = {name: [lane[at] for lane in self.lanes] for at, name in enumerate(_LANE)}
        parts = (
            self._rows("stock", self.stock, item, site),
            self._rows("outbound", self.outbound, site),
            self._rows("carrier_kg", self.carrier_kg, site, service),
            self._rows("lane_m3", self.lane_m3, lane),
            self._rows("storage_m3", self.storage_m3, site),
        )
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def _days(self) -> NDArray[np.datetime64]:
        return np.array(self.buckets, dtype="datetime64[us]")

    def _rows(self, kind: str, array: Floats, *axes: Mapping[str, Sequence[str]]) -> pd.DataFrame:
        """Returns the prices above 0 of one kind; each axis is told by one column or by more."""
        *at, bucket = np.nonzero(array)
        named = {
            name: np.array(names, dtype=object)[place]
            for place, columns in zip(at, axes, strict=True)
            for name, names in columns.items()
        }
        columns = {"kind": kind, "bucket": self._days[bucket]} | dict.fromkeys(_NAMES, "") | named
        frame = pd.DataFrame({**columns, "price": array[*at, bucket]}, index=range(len(bucket)))
        return frame.astype(dict.fromkeys(("kind", *_NAMES), "str"))


def prices_of(problem: Problem, solution: Solution) -> Prices:
    """Returns the prices of a solution in every bucket.

    The price of stock is what taking a unit away would cost; where a site holds none of an item,
    it is what a first unit there would save.
    """
    axes, limits, pools = problem.axes, problem.limits, problem.pools
    stock = np.zeros((len(axes.items), len(axes.sites), len(axes.buckets)))
    np.maximum.at(stock, (pools.item, pools.site, pools.bucket), solution.stock_price)
    begins = (0, limits.carrier_begin, limits.lane_begin, limits.storage_begin)
    shapes = (limits.outbound, limits.carrier_kg, limits.lane_m3, limits.storage_m3)
    outbound, carrier_kg, lane_m3, storage_m3 = (
        solution.price[begin : begin + part.size].reshape(part.shape).copy()
        for begin, part in zip(begins, shapes, strict=True)
    )
    return Prices(
        items=axes.items,
        sites=axes.sites,
        services=axes.services,
        lanes=axes.lanes,
        buckets=axes.buckets,
        stock=stock,
        outbound=outbound,
        carrier_kg=carrier_kg,
        lane_m3=lane_m3,
        storage_m3=storage_m3,
    )


def mean_of(futures: Sequence[Prices]) -> Prices:
    """Returns the mean of prices that several futures of one plan have led to.

    Prices of one future jump where a limit just binds; their mean over futures is what one more is
    worth on average. All futures have the same axes: `ValueError` where they do not.
    """
    first = futures[0]
    axes = ("items", "sites", "services", "lanes", "buckets")
    if any(getattr(one, name) != getattr(first, name) for one in futures for name in axes):
        raise ValueError("Expected prices of the same items, sites, services, lanes and buckets.")
    arrays = {kind: np.mean([getattr(one, kind) for one in futures], axis=0) for kind in KINDS}
    return replace(first, **arrays)


def rows_of(prices: Prices, problem: Problem) -> Floats:
    """Returns earlier prices of what the items of a problem share, as `Limits.flat` orders it.

    Names that the prices do not know are at 0. Each bucket gets the prices that held on its first
    day. What is no longer limited costs nothing, and no price exceeds that of giving way.
    """
    axes, limits = problem.axes, problem.limits
    bucket = np.array([prices.bucket_of(day) for day in axes.buckets], dtype=np.intp)
    site, service = _found(prices.site_at, axes.sites), _found(prices.service_at, axes.services)
    lane = _found(prices.lane_at, axes.lanes)
    flat = np.zeros(len(limits.flat))
    for begin, rows in (
        (0, _taken(prices.outbound, site, bucket)),
        (limits.carrier_begin, _taken(prices.carrier_kg, site, service, bucket)),
        (limits.lane_begin, _taken(prices.lane_m3, lane, bucket)),
        (limits.storage_begin, _taken(prices.storage_m3, site, bucket)),
    ):
        flat[begin : begin + rows.size] = rows.ravel()
    return np.where(np.isfinite(limits.flat), np.minimum(flat, limits.soft), 0.0)


def save_prices(prices: Prices, path: Path) -> None:
    """Writes prices as Parquet, in the layout of `Prices.frame`."""
    path.write_bytes(prices_bytes(prices))


def prices_bytes(prices: Prices) -> bytes:
    """Returns prices as the bytes of a Parquet file; its head holds the short axes in whole."""
    head = {
        "sites": prices.sites,
        "services": prices.services,
        "lanes": prices.lanes,
        "buckets": [day.isoformat() for day in prices.buckets],
    }
    table = pa.Table.from_pandas(prices.frame(), preserve_index=False)
    buffer = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata({_HEAD: json.dumps(head)}),
        buffer,
        compression="zstd",
        use_dictionary=["kind", "bucket", *_NAMES],
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
    )
    return buffer.getvalue()


def load_prices(path: Path) -> Prices:
    """Returns the prices of a file that `save_prices` wrote; raises `BadInput` for any other."""
    try:
        return prices_from(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error


def prices_from(content: bytes) -> Prices:
    """Returns the prices in the bytes of a Parquet file; raises `BadInput` for any other.

    Files with the columns of earlier versions hold the prices of one bucket. An item without any
    price is not known afterwards: it costs nothing.
    """
    try:
        table = pq.read_table(io.BytesIO(content), read_dictionary=["kind", *_NAMES])
    except (OSError, ValueError) as error:
        raise BadInput("Expected a Parquet file of prices, as allocate --out writes it.") from error
    if tuple(table.column_names) not in (COLUMNS, FIRST_COLUMNS):
        raise BadInput(f"Expected the columns {', '.join(COLUMNS)} in a file of prices.")
    head = (table.schema.metadata or {}).get(_HEAD)
    return _prices_in(_Rows.of(table), json.loads(head) if head else {})


def _prices_in(rows: "_Rows", head: Mapping[str, Any]) -> Prices:
    """Returns the prices of the rows of a file; short axes come from its head where it has one."""
    items = rows.names("item", ("stock",))
    sites = tuple(head.get("sites") or rows.names("site", [k for k in KINDS if k != "lane_m3"]))
    services = tuple(head.get("services") or rows.names("service", ("carrier_kg",)))
    moved = dict.fromkeys(rows.lanes(rows.of_kind("lane_m3")))
    lanes = tuple((start, end, by) for start, end, by in head.get("lanes") or moved)
    days = tuple(date.fromisoformat(day) for day in head.get("buckets") or rows.days())
    item, site, service = (_places(names) for names in (items, sites, services))
    lane = _places(lanes)
    return Prices(
        items=items,
        sites=sites,
        services=services,
        lanes=lanes,
        buckets=days,
        stock=rows.grid("stock", days, item=item, site=site),
        outbound=rows.grid("outbound", days, site=site),
        carrier_kg=rows.grid("carrier_kg", days, site=site, service=service),
        lane_m3=rows.grid("lane_m3", days, lane=lane),
        storage_m3=rows.grid("storage_m3", days, site=site),
    )


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of a file of prices: codes and names of each column, first days, and prices."""

    codes: Mapping[str, Codes]
    known: Mapping[str, list[str]]
    day: NDArray[np.datetime64]
    price: Floats

    @classmethod
    def of(cls, table: pa.Table) -> "_Rows":
        """Returns the rows of a table; raises `BadInput` for what is no price."""
        columns = {name: _coded(table, name) for name in ("kind", *_NAMES)}
        price, kinds = table.column("price").to_numpy(), set(columns["kind"][1])
        if not (kinds <= {*KINDS, ""} and price.dtype.kind in "fi" and np.isfinite(price).all()):
            raise BadInput(f"Expected finite prices of the kinds {', '.join(KINDS)}.")
        if np.any(price < 0):
            raise BadInput("Expected finite prices >= 0.")
        return cls(
            {name: codes for name, (codes, _) in columns.items()},
            {name: names for name, (_, names) in columns.items()},
            _days_in(table),
            price.astype(np.float64),
        )

    def of_kind(self, kind: str) -> Codes:
        """Returns the rows of one kind."""
        names = self.known["kind"]
        at = names.index(kind) if kind in names else -1
        return np.flatnonzero(self.codes["kind"] == at)

    def names(self, column: str, kinds: Sequence[str]) -> tuple[str, ...]:
        """Returns the names in a column of the rows of some kinds."""
        rows = np.concatenate([self.of_kind(kind) for kind in kinds])
        used = np.bincount(self.codes[column][rows], minlength=len(self.known[column]))
        return tuple(compress(self.known[column], used.tolist()))

    def lanes(self, rows: Codes) -> list[Lane]:
        """Returns the lane of each of some rows."""
        start, end, service = (
            [self.known[name][at] for at in self.codes[name][rows]] for name in _LANE
        )
        return list(zip(start, end, service, strict=True))

    def days(self) -> list[str]:
        """Returns the buckets of all rows, rising; one that has no date where there is no row."""
        return np.unique(self.day).astype(str).tolist() or [UNDATED.isoformat()]

    def grid(self, kind: str, days: Sequence[date], **axes: Mapping[Any, int]) -> Floats:
        """Returns the prices of one kind as an array, [*axes, bucket]; 0 where there is no row."""
        rows = self.of_kind(kind)
        grid = np.zeros((*map(len, axes.values()), len(days)))
        starts = pd.DatetimeIndex(np.array(days, dtype="datetime64[us]"))
        bucket = starts.get_indexer(pd.DatetimeIndex(self.day[rows]))
        places = [*(self._places(name, rows, axis) for name, axis in axes.items()), bucket]
        if any(np.any(at < 0) for at in places):
            raise BadInput("Expected no name and no bucket but those that the file's head lists.")
        grid[tuple(places)] = self.price[rows]
        return grid

    def _places(self, column: str, rows: Codes, axis: Mapping[Any, int]) -> Codes:
        if column == "lane":
            return _found(axis, self.lanes(rows))
        return _found(axis, self.known[column])[self.codes[column][rows]]


def _days_in(table: pa.Table) -> NDArray[np.datetime64]:
    """Returns the bucket of each row; raises `BadInput` where it is no day."""
    if "bucket" not in table.column_names:
        return np.full(table.num_rows, np.datetime64(UNDATED, "D"))
    day = table.column("bucket").to_numpy()
    if day.dtype.kind != "M" or np.isnat(day).any():
        raise BadInput("Expected the first day of a bucket beside every price.")
    return np.asarray(day, dtype="datetime64[D]")


def _coded(table: pa.Table, name: str) -> tuple[Codes, list[str]]:
    """Returns the code of each row and the names behind codes; a missing column is empty."""
    if name not in table.column_names or not table.num_rows:
        return np.zeros(table.num_rows, np.intp), [""]
    column = table.column(name).combine_chunks()
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    return column.indices.to_numpy(), column.dictionary.to_pylist()


def _taken(array: Floats, *places: Codes) -> Floats:
    """Returns the cells at these positions on each axis; 0 where a position is -1."""
    return np.pad(array, [(0, 1)] * array.ndim)[np.ix_(*places)]


def _found(places: Mapping[Name, int], names: Sequence[Name]) -> Codes:
    """Returns the place of each name, -1 where it has none."""
    return np.array([places.get(name, -1) for name in names], dtype=np.intp)


def _places(names: Sequence[Name]) -> Mapping[Name, int]:
    return MappingProxyType({name: at for at, name in enumerate(names)})
