"""Shadow prices: what one more unit of stock, outbound slot or kilogram of a carrier is worth."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from core.errors import BadInput
from routing.allocation.problem import Floats, Problem
from routing.allocation.solve import Solution

COLUMNS = ("kind", "item", "site", "service", "price")
_KINDS = ("stock", "outbound", "carrier_kg")


@dataclass(frozen=True, eq=False)
class Prices:
    """Prices in settlement currency, never negative; all 0 where capacity is ample.

    `stock` is shaped [item, site] per unit, `outbound` [site] per unit packed, `carrier_kg`
    [site, service] per kilogram handed over. Where a site holds an item both free and in bond, the
    dearer of the two prices stands.
    """

    items: tuple[str, ...]
    sites: tuple[str, ...]
    services: tuple[str, ...]
    stock: Floats
    outbound: Floats
    carrier_kg: Floats

    @cached_property
    def version(self) -> str:
        """A name that changes with the content: `prc_` and 16 hexadecimal digits."""
        text = "\x1f".join(("", *self.items, "", *self.sites, "", *self.services))
        content = hashlib.sha256(text.encode())
        for array in (self.stock, self.outbound, self.carrier_kg):
            content.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return f"prc_{content.hexdigest()[:16]}"

    @cached_property
    def item_at(self) -> Mapping[str, int]:
        """Position of each item on its axis."""
        return MappingProxyType({item: at for at, item in enumerate(self.items)})

    @cached_property
    def site_at(self) -> Mapping[str, int]:
        """Position of each site on its axis."""
        return MappingProxyType({site: at for at, site in enumerate(self.sites)})

    @cached_property
    def service_at(self) -> Mapping[str, int]:
        """Position of each service on its axis."""
        return MappingProxyType({service: at for at, service in enumerate(self.services)})

    def of_stock(self, item: str, site: str) -> float:
        """Returns the price of one unit of an item at a site; 0 where none is known."""
        if item not in self.item_at or site not in self.site_at:
            return 0.0
        return float(self.stock[self.item_at[item], self.site_at[site]])

    def of_outbound(self, site: str) -> float:
        """Returns the price of packing one unit at a site; 0 where none is known."""
        return float(self.outbound[self.site_at[site]]) if site in self.site_at else 0.0

    def of_carrier_kg(self, site: str, service: str) -> float:
        """Returns the price of one kilogram by a service from a site; 0 where none is known."""
        if site not in self.site_at or service not in self.service_at:
            return 0.0
        return float(self.carrier_kg[self.site_at[site], self.service_at[service]])

    def frame(self) -> pd.DataFrame:
        """Returns every price as a row: kind (`stock` `outbound` `carrier_kg`) and ids it is of."""
        items, sites = np.array(self.items), np.array(self.sites)
        of_stock = np.repeat(items, len(sites)), np.tile(sites, len(items)), ""
        of_carriers = "", np.repeat(sites, len(self.services)), np.tile(self.services, len(sites))
        parts = (
            _rows("stock", *of_stock, self.stock),
            _rows("outbound", "", sites, "", self.outbound),
            _rows("carrier_kg", *of_carriers, self.carrier_kg),
        )
        return pd.concat(parts, ignore_index=True)


def prices_of(problem: Problem, solution: Solution) -> Prices:
    """Returns the prices of a solution, those of its first bucket: what a unit is worth now.

    The price of stock is what taking a unit away would cost; where a site holds none of an item,
    it is what a first unit there would save.
    """
    axes, limits = problem.axes, problem.limits
    stock = np.zeros((len(axes.items), len(axes.sites)))
    now = np.flatnonzero(problem.pools.bucket == 0)
    held = problem.pools.item[now], problem.pools.site[now]
    np.maximum.at(stock, held, solution.stock_price[now])
    outbound = solution.price[: limits.carrier_begin].reshape(limits.outbound.shape)
    carrier = solution.price[limits.carrier_begin : limits.lane_begin]
    return Prices(
        items=axes.items,
        sites=axes.sites,
        services=axes.services,
        stock=stock,
        outbound=outbound[:, 0].copy(),
        carrier_kg=carrier.reshape(limits.carrier_kg.shape)[:, :, 0].copy(),
    )


def save_prices(prices: Prices, path: Path) -> None:
    """Writes prices as Parquet, in the layout of `Prices.frame`."""
    path.write_bytes(prices_bytes(prices))


def prices_bytes(prices: Prices) -> bytes:
    """Returns prices as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    prices.frame().to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()


def load_prices(path: Path) -> Prices:
    """Returns the prices of a file that `save_prices` wrote; raises `BadInput` for any other."""
    try:
        return prices_from(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error


def prices_from(content: bytes) -> Prices:
    """Returns the prices in the bytes of a Parquet file; raises `BadInput` for any other."""
    try:
        frame = pd.read_parquet(io.BytesIO(content))
    except (OSError, ValueError) as error:
        raise BadInput("Expected a Parquet file of prices, as allocate --out writes it.") from error
    if tuple(frame.columns) != COLUMNS or not set(frame["kind"]) <= set(_KINDS):
        raise BadInput(f"Expected the columns {', '.join(COLUMNS)} in a file of prices.")
    stock, outbound, carrier = (frame[frame["kind"] == kind] for kind in _KINDS)
    items, sites = _ids(stock["item"]), _ids(outbound["site"])
    services = _ids(carrier["service"])
    shapes = (len(items), len(sites)), (len(sites),), (len(sites), len(services))
    grids = [
        _grid(rows, shape) for rows, shape in zip((stock, outbound, carrier), shapes, strict=True)
    ]
    return Prices(items, sites, services, *grids)


def _rows(kind: str, item: object, site: object, service: object, price: Floats) -> pd.DataFrame:
    ids = {"kind": kind, "item": item, "site": site, "service": service}
    frame = pd.DataFrame({**ids, "price": price.ravel()})
    return frame.astype(dict.fromkeys(ids, "str"))


def _ids(column: "pd.Series[str]") -> tuple[str, ...]:
    return tuple(str(name) for name in column.drop_duplicates())


def _grid(rows: pd.DataFrame, shape: tuple[int, ...]) -> Floats:
    prices = rows["price"].to_numpy(dtype=float)
    if prices.size != np.prod(shape) or not np.all(np.isfinite(prices)) or np.any(prices < 0):
        raise BadInput("Expected one finite price >= 0 for every item, site and service.")
    return prices.reshape(shape)
