"""Memory: a state with what was learned about markets, so that a forecast fits nothing anew."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.brand import Brand
from core.errors import BadInput, Problem
from core.packing import pack
from inventory.demand import promotions
from inventory.demand.book import DAYS, Book, Guide
from inventory.demand.calendar import Calendar
from inventory.demand.engine import Engine
from inventory.demand.forecast import Learned, book_of, learned
from inventory.demand.history import History
from inventory.demand.levels import METHODS
from inventory.demand.lines import Lines, Rows
from inventory.demand.markets import Top
from inventory.demand.packing import unpack
from inventory.demand.partition import PARTITION_SERIES, Partition, partitions, ranges
from inventory.demand.promotions import Effects
from inventory.demand.quantiles import COLUMNS
from inventory.demand.regions import Asked, Outlook, Report
from inventory.demand.season import Season
from inventory.demand.state import NewLines, State, fold, levels_of

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

NUMBERS = ("level", "alpha", "spread", "weeks", "partial", "value_added")
SHAPES = tuple(f"shape_{name}" for name in COLUMNS)
"""Columns of the file of a state."""

FRESH = timedelta(weeks=4)
"""A state is folded on for so long after its fit; then everything is fitted anew."""

AHEAD = 5
"""Weeks beyond the horizon that are learned, so that a later forecast still knows its weeks."""

KEY = b"entrepot.state"
"""Where the file of a state keeps what is known about the whole brand."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A state, and the fit of the day `fitted` behind it.

    `top` and `ratios` look `book.horizon` weeks ahead of that day.
    """

    state: State
    fitted: date
    book: Book
    top: Top
    ratios: Floats
    effects: Effects | None

    @classmethod
    def of(cls, found: Learned, history: History, today: date) -> "Remembered":
        """Returns what to remember of all that was just learned from complete weeks."""
        sunday = history.first + timedelta(days=DAYS * history.weeks - 1)
        state = State.of(found.levels, sunday)
        return cls(state, today, found.book, found.top, found.ratios, found.effects)

    def serves(self, book: Book, today: date) -> bool:
        """Whether the same brand can be forecast from this: neither older nor much later."""
        same = all(
            getattr(self.book, name) == getattr(book, name)
            for name in ("items", "regions", "categories")
        ) and np.array_equal(self.book.category, book.category)
        young = self.state.day <= today < self.fitted + FRESH
        return same and young and self._shift(book) + book.horizon <= self.book.horizon

    def learned(self, shops: tuple[Partition, ...], book: Book) -> Learned:
        """Returns what is known for a later book: levels moved on, markets as they were seen."""
        begin = self._shift(book)
        end = begin + book.horizon
        season = self.top.guide.season
        ahead = season.ahead[:, begin + self.book.gap - book.gap : self.book.gap + end]
        top = Top(
            _cut(self.top.markets, begin, end),
            self.top.categories and _cut(self.top.categories, begin, end),
            Guide(Season(season.past, ahead), self.top.guide.calibration),
        )
        ratios = self.ratios[..., begin:end]
        return Learned(book, shops, top, levels_of(self.state), ratios, self.effects)

    def followed(self, brand: Brand, history: History, shops: Sequence[Partition]) -> NewLines:
        """Returns the lines after the state's day that the brand may see, in plain units."""
        rows = _rows_after(brand, self.state.day)
        end = self.book.first + timedelta(days=DAYS * self.book.weeks)
        since = (self.state.under_way - end).days
        regions = len(self.book.regions)
        if rows is None:
            none = np.array([], dtype=np.int64)
            return NewLines(brand.today, none, none, none.astype(float), self._hidden(history))
        begun, past = rows
        day = past.day.astype(np.int64) + (begun - self.state.under_way).days
        week = (day + since) // DAYS
        series = past.series.astype(np.int64)
        usual = self.top.guide.season.ahead[self.book.category[series // regions], week]
        if self.effects is not None:
            usual = usual * self._lift(history, shops)[series, week]
        plain = past.quantity / np.maximum(usual, 1e-9)
        return NewLines(brand.today, series, day, plain, self._hidden(history))

    def _hidden(self, history: History) -> Flags:
        """Returns the complete weeks since in which nothing could be sold, [series, week]."""
        begin = (self.state.under_way - history.first).days // DAYS
        step = max(1, PARTITION_SERIES)
        return np.concatenate(
            [
                history.hidden_matrix(at, min(at + step, history.count))[:, begin:]
                for at in range(0, history.count, step)
            ]
        )

    def _lift(self, history: History, shops: Sequence[Partition]) -> Floats:
        """Returns what promotions and prices multiply the weeks after the fit by."""
        begin = (self.book.first - history.first).days // DAYS + self.book.weeks
        made = []
        for shop in shops:
            effects = self.effects and self.effects.of(shop.begin, shop.end)
            if effects is not None:
                both = promotions.multipliers(shop.plan(), effects)
                made.append(np.concatenate([both.past, both.future], axis=1)[:, begin:])
        return np.concatenate(made)

    def _shift(self, book: Book) -> int:
        return (book.start - self.book.start).days // DAYS


class Memory:
    """Stands in for `learned`: folds new lines into what it remembers, or fits and remembers.

    `remembered` is what it knows after a forecast; `folded` counts the lines that were new, None
    where everything was fitted.
    """

    def __init__(self, remembered: Remembered | None = None) -> None:
        self.remembered = remembered
        self.folded: int | None = None

    def __call__(
        self,
        brand: Brand,
        history: History,
        calendar: Calendar,
        asked: Asked,
        report: Report,
        engine: Engine,
    ) -> Learned:
        """Returns what is known about the coming weeks of a brand."""
        book, known = book_of(brand, history, asked.weeks), self.remembered
        spans = ranges(len(book.items), len(book.regions))
        shops = tuple(partitions(history.counted(), book, spans))
        fits = known is None or not known.serves(book, brand.today)
        if known is None or fits:
            longer = replace(asked, weeks=asked.weeks + AHEAD)
            found = learned(brand, history, calendar, longer, report, engine)
            known = Remembered.of(found, history, brand.today)
        lines = known.followed(brand, history, shops)
        self.folded = None if fits else len(lines.units)
        self.remembered = replace(known, state=fold(known.state, lines))
        return self.remembered.learned(shops, book)


def write_memory(remembered: Remembered, path: Path) -> None:
    """Writes what is remembered as Parquet: a row for each series, the brand in its metadata."""
    state, book = remembered.state, remembered.book
    items, regions = len(book.items), len(book.regions)
    columns: dict[str, pa.Array] = {
        "item": _named(np.repeat(np.arange(items), regions), book.items),
        "region": _named(np.tile(np.arange(regions), items), book.regions),
        "method": _named(state.method.astype(np.int64), METHODS),
    }
    columns |= {name: pa.array(getattr(state, name)) for name in NUMBERS}
    columns |= {name: pa.array(state.shape[:, at]) for at, name in enumerate(SHAPES)}
    brand = (
        state.day, remembered.fitted, book, remembered.top, remembered.ratios, remembered.effects,
    )  # fmt: skip
    table = pa.table(columns).replace_schema_metadata({KEY: pack(brand)})
    pq.write_table(table, path, compression="zstd")


def read_memory(path: Path) -> Remembered:
    """Returns what is remembered in a file; raises `BadInput` for one that holds something else."""
    try:
        table = pq.read_table(path)
        day, fitted, book, top, ratios, effects = unpack(table.schema.metadata[KEY], Top, Outlook)
        method = table["method"].combine_chunks().cast(pa.string())
        state = State(
            day=day,
            method=np.asarray(pc.index_in(method, pa.array(METHODS)), dtype=np.int8),
            shape=np.stack([table[name].to_numpy() for name in SHAPES], axis=1),
            **{name: table[name].to_numpy() for name in NUMBERS},
        )
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        told = Problem(path.name, 0, 0, "not the state of a forecast; name a new file to begin one")
        raise BadInput([told]) from error
    return Remembered(state, fitted, book, top, ratios, effects)


def _named(codes: NDArray[np.int64], names: tuple[str, ...]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(names))


def _rows_after(brand: Brand, day: date) -> tuple[date, Rows] | None:
    """Returns the rows after a day up to the planning date, and the day from which they count."""
    name, column = ("demand", "date")
    if brand.table(name).empty:
        name, column = ("orders", "placed_at")
    table = brand.table(name)
    # Clocks differ by a day: the lines of orders tell on which day each was placed.
    since = pd.Timestamp(day, tz=table[column].dt.tz)
    recent = table[table[column] >= since]
    if recent.empty:
        return None
    try:
        lines = Lines.of(brand.with_table(name, recent.reset_index(drop=True)))
    except BadInput:  # the history was read from the same table: all that can lack are rows
        return None
    past = lines.past
    return lines.first, past.only(past.day > (day - lines.first).days)


def _cut(outlook: Outlook, begin: int, end: int) -> Outlook:
    """Returns some weeks of an outlook."""
    return replace(
        outlook, mean=outlook.mean[:, begin:end], quantiles=outlook.quantiles[:, begin:end]
    )
