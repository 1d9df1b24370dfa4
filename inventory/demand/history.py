"""History: past demand as one sparse weekly table of item x region series and daily region sums."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.brand import Brand
from core.errors import BadInput, Problem

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]

DAYS = 7


@dataclass(frozen=True)
class History:
    """Demand up to a planning date, in complete weeks that start on Mondays.

    A series is one item in one region; series `i * len(regions) + r` is item `i` in region `r`, so
    the regions of an item stand together. Weeks without demand are not stored: `series`, `week`
    and `quantity` hold one entry per series and week that had any, sorted by series.
    """

    items: tuple[str, ...]
    regions: tuple[str, ...]
    first: date
    start: date
    weeks: int
    series: Codes
    week: Codes
    quantity: Floats
    daily: Floats
    """Units by day from `first` to the planning date and by region, [day, region]."""

    @property
    def count(self) -> int:
        """Number of series, those without any demand included."""
        return len(self.items) * len(self.regions)

    @property
    def gap(self) -> int:
        """Weeks between the last complete week and the first forecast week: the one under way."""
        return (self.start - self.first).days // DAYS - self.weeks

    def matrix(self, begin: int, end: int) -> Floats:
        """Returns the weekly demand of series `begin` to `end`, [series, week], zeros filled in."""
        low, high = np.searchsorted(self.series, (begin, end))
        dense = np.zeros((end - begin, self.weeks))
        dense[self.series[low:high] - begin, self.week[low:high]] = self.quantity[low:high]
        return dense

    @cached_property
    def by_region(self) -> Floats:
        """Weekly demand of each region, [region, week]."""
        region = self.series % len(self.regions)
        flat = np.bincount(
            region * self.weeks + self.week,
            weights=self.quantity,
            minlength=len(self.regions) * self.weeks,
        )
        return flat.reshape(len(self.regions), self.weeks).astype(np.float64)

    def starts(self, weeks: int) -> pd.DatetimeIndex:
        """Returns the Mondays of the first `weeks` weeks after the planning date."""
        return pd.date_range(self.start, periods=weeks, freq=f"{DAYS}D")

    @classmethod
    def of(cls, brand: Brand) -> "History":
        """Returns the history that the brand may see: nothing after its planning date.

        Raises `BadInput` naming the demand file when there is none, or no complete week of it.
        """
        items = tuple(str(item) for item in brand.table("items")["item"])
        regions = tuple(str(region) for region in brand.table("regions")["region"])
        demand = _visible(brand)
        first = _monday(demand["date"].min().date())
        end = _monday(brand.today + timedelta(days=1))
        weeks = (end - first).days // DAYS
        if weeks < 1:
            raise _missing(f"no complete week of demand before {brand.today}")
        item = _codes(items, demand["item"], "items")
        region = _codes(regions, demand["region"], "regions")
        day = (demand["date"] - pd.Timestamp(first)).dt.days.to_numpy().astype(np.int64)
        quantity = demand["quantity"].to_numpy(dtype=np.float64)
        series, week, units = _weekly(
            item.astype(np.int64) * len(regions) + region, day // DAYS, quantity, weeks
        )
        return cls(
            items=items,
            regions=regions,
            first=first,
            start=_monday(brand.today + timedelta(days=DAYS)),
            weeks=weeks,
            series=series,
            week=week,
            quantity=units,
            daily=_daily(day, region, quantity, (brand.today - first).days + 1, len(regions)),
        )


def _visible(brand: Brand) -> pd.DataFrame:
    demand = brand.table("demand")
    if demand.empty:
        raise _missing("file is missing or empty; a forecast needs past demand")
    demand = demand[demand["date"] <= pd.Timestamp(brand.today)]
    if demand.empty:
        raise _missing(f"no demand on or before {brand.today}, the planning date")
    return demand


def _missing(problem: str) -> BadInput:
    return BadInput([Problem("demand.parquet", 0, 0, problem)])


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _codes(names: tuple[str, ...], column: "pd.Series[str]", kind: str) -> Codes:
    codes = pd.Index(names).get_indexer(pd.Index(column)).astype(np.int32)
    unknown = np.flatnonzero(codes < 0)
    if unknown.size:
        name = column.iloc[int(unknown[0])]
        raise _missing(f"expected an id that {kind}.csv lists, got {name!r}")
    return codes


def _weekly(
    series: NDArray[np.int64], week: NDArray[np.int64], quantity: Floats, weeks: int
) -> tuple[Codes, Codes, Floats]:
    """Returns demand summed per series and complete week, sorted by series then week."""
    complete = week < weeks
    key, position = np.unique(series[complete] * weeks + week[complete], return_inverse=True)
    units = np.bincount(position, weights=quantity[complete], minlength=len(key))
    return (key // weeks).astype(np.int32), (key % weeks).astype(np.int32), units.astype(np.float64)


def _daily(
    day: NDArray[np.int64], region: Codes, quantity: Floats, days: int, regions: int
) -> Floats:
    flat = np.bincount(day * regions + region, weights=quantity, minlength=days * regions)
    return flat.reshape(days, regions).astype(np.float64)
