"""Parts: the forecast of a brand too large for one frame, some items at a time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.brand import Brand
from core.errors import BadInput
from inventory.demand import overrides
from inventory.demand.book import Book, Cells
from inventory.demand.calendar import Calendar
from inventory.demand.engine import Engine, Here
from inventory.demand.forecast import (
    MOST_WEEKS,
    Back,
    Decisions,
    Forecast,
    Learn,
    Learned,
    Sums,
    assembled,
    learned,
    starts,
)
from inventory.demand.history import History
from inventory.demand.levels import METHODS
from inventory.demand.overrides import Override
from inventory.demand.quantiles import COLUMNS
from inventory.demand.regions import Asked, Report

Codes = NDArray[np.intp]

LARGE_SERIES = 50_000
"""Brands with more series are forecast in parts."""

JUDGED_SERIES = 20_000
"""Series on which the forecast of a large brand is judged."""

ITEM_TABLES = ("demand", "orders", "returns", "stockouts")
"""Tables with a row per item that a forecast reads."""

TELLING_SHARE = 0.9
"""Share of the progress that is gone when all numbers are there and rows are made of them."""


@dataclass(frozen=True, slots=True)
class ForecastPart:
    """The forecast of the items from `first` to `last` by name, the part `number` of a brand.

    `frame` has the columns of `forecast.parquet`, and `method`, `alpha` and `value_added` of the
    series; rows stand by region, item and week. Names are categories, numbers single precision.
    """

    number: int
    first: str
    last: str
    regions: int
    frame: pd.DataFrame

    def plain(self) -> pd.DataFrame:
        """Returns the frame with names as text."""
        return self.frame.astype(dict.fromkeys(("region", "item", "method"), "str"))


Keep = Callable[[ForecastPart], None]


def large(brand: Brand) -> bool:
    """Whether a brand is forecast in parts."""
    return len(brand.table("items")) * len(brand.table("regions")) > LARGE_SERIES


def by_name(brand: Brand) -> Brand:
    """Returns a brand whose items and regions stand in the order of their names."""
    tables = {
        name: brand.table(name).sort_values(key, ignore_index=True)
        for name, key in (("items", "item"), ("regions", "region"))
    }
    return brand.with_table("items", tables["items"]).with_table("regions", tables["regions"])


def sample(brand: Brand) -> Brand:
    """Returns a brand with so few items that it can be judged: all of a small one.

    The items are spread evenly over the catalog, each with all its regions.
    """
    if not large(brand):
        return brand
    items = brand.table("items")
    count = max(1, JUDGED_SERIES // len(brand.table("regions")))
    rows = np.unique(np.linspace(0, len(items) - 1, count).astype(np.intp))
    chosen = brand.with_table("items", items.iloc[rows].reset_index(drop=True))
    names = set(chosen.table("items")["item"])
    for name in ITEM_TABLES:
        table = brand.table(name)
        kept = table[table["item"].isin(names)].reset_index(drop=True)
        chosen = chosen.with_table(name, kept)
    return chosen


def forecast_parts(
    brand: Brand,
    asked: Asked,
    keep: Keep,
    engine: Engine,
    report: Report,
    more: tuple[Override, ...] = (),
    learn: Learn = learned,
) -> Forecast:
    """Returns the forecast of a large brand without its item rows, which go to `keep` by parts.

    The numbers are those of `forecast`, items taken in the order of their names; `frame` and
    `overridden` are empty. Parts are kept in order, each once. `learn` is that of `forecast`.
    Raises `BadInput` as it does.
    """
    if not 1 <= asked.weeks <= MOST_WEEKS:
        raise BadInput(f"Expected a horizon from 1 to {MOST_WEEKS} weeks, got {asked.weeks}.")
    began = time.perf_counter()
    ordered = by_name(brand)
    history, calendar = History.of(ordered), Calendar.of(ordered)
    found = learn(ordered, history, calendar, asked, report, engine)
    decisions = Decisions.of(ordered, more)
    back = Back.of(ordered, history, found.book)
    added, shifts, returns = Sums.none(found.book), [], []
    tallies = _tallies(found, decisions)
    for part, cells in enumerate(found.cells(engine)):
        shop = found.shops[part]
        frame, overridden = decisions.apply(_frame(shop.book, cells), tallies)
        mean = _means(frame, shop.book)
        added.add(shop.book, _single(cells.mean).astype(np.float64), mean)
        shifts.append(decisions.shifts(overridden))
        returns.append(back.frame(shop.begin, shop.end, mean))
        keep(_part(part, shop.book, frame, found))
        share = (part + 1) / len(found.shops)
        report(TELLING_SHARE + (1.0 - TELLING_SHARE) * share, "Writing the forecast")
    return replace(
        assembled(history, calendar, found, decisions, added, False),
        shifts=_all(shifts).groupby(_SHIFTED, as_index=False).sum(),
        returns=_all(returns),
        seconds=time.perf_counter() - began,
        seed=asked.seed,
    )


_SHIFTED = ["override", "start", "region", "category"]


def _tallies(found: Learned, decisions: Decisions) -> pd.DataFrame | None:
    """Returns what overrides in units share out, over the whole brand; None where none does."""
    if all(one.units is None for one in decisions.known):
        return None
    return _all(
        [
            overrides.tally(_frame(shop.book, cells), decisions.known, decisions.category_of)
            for shop, cells in zip(found.shops, found.cells(Here()), strict=True)
        ]
    )


def _all(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Returns frames one under the other; those without rows only where all are."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]


def _frame(book: Book, cells: Cells) -> pd.DataFrame:
    """Returns the rows of a part by region, item and week."""
    items, regions, weeks = len(book.items), len(book.regions), book.horizon
    columns: dict[str, object] = {
        "start": np.tile(starts(book).to_numpy(), items * regions),
        "region": _named(np.repeat(np.arange(regions), items * weeks), book.regions),
        "item": _named(np.tile(np.repeat(np.arange(items), weeks), regions), book.items),
        "mean": _turned(_single(cells.mean), book),
    }
    quantiles = _single(cells.quantiles)
    for at, name in enumerate(COLUMNS):
        columns[name] = _turned(quantiles[..., at], book)
    return pd.DataFrame(columns, copy=False)


def _single(values: NDArray[np.floating]) -> NDArray[np.float32]:
    return values.astype(np.float32)


def _turned(values: NDArray[np.float32], book: Book) -> NDArray[np.float32]:
    """Returns [series, week] by region, item and week."""
    shape = (len(book.items), len(book.regions), book.horizon)
    return values.reshape(shape).transpose(1, 0, 2).ravel()


def _named(codes: Codes, names: tuple[str, ...]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=pd.Index(names, dtype="str"))


def _means(frame: pd.DataFrame, book: Book) -> NDArray[np.float64]:
    """Returns the means of a part as they are kept, [item, region, week]."""
    shape = (len(book.regions), len(book.items), book.horizon)
    kept = _single(frame["mean"].to_numpy()).astype(np.float64)
    return kept.reshape(shape).transpose(1, 0, 2)


def _part(number: int, book: Book, frame: pd.DataFrame, found: Learned) -> ForecastPart:
    """Returns a part with what is known of its series beside each row."""
    told = frame.astype(dict.fromkeys(("mean", *COLUMNS), np.float32))
    for name, values in _series(number, book, found).items():
        told[name] = values
    return ForecastPart(number, book.items[0], book.items[-1], len(book.regions), told)


def _series(number: int, book: Book, found: Learned) -> dict[str, Any]:
    begin = found.shops[number].begin * len(book.regions)
    known = found.levels.rows(begin, begin + book.series)
    shape = (len(book.items), len(book.regions))

    def rows(values: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.repeat(values.reshape(shape).T.ravel(), book.horizon)

    return {
        "method": _named(rows(known.method).astype(np.intp), METHODS),
        "alpha": _single(np.asarray(rows(known.alpha), dtype=np.float64)),
        "value_added": _single(np.asarray(rows(known.value_added), dtype=np.float64)),
    }
