"""Overrides: what people decide about coming demand, kept beside what statistics say."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from itertools import pairwise
from math import isfinite

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import poisson

from core.brand import Brand
from core.errors import BadInput, Problem
from core.texts import like
from inventory.demand.findings import Finding
from inventory.demand.quantiles import COLUMNS, LEVELS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.intp]

ALL = "*"
DAYS = 7
COMPARED = 2_000
"""Names that a misspelt one is compared with: enough for a hint, fast in a large catalog."""


@dataclass(frozen=True, slots=True)
class Override:
    """One decision about the weeks from `start` to `end`, both included.

    `region`, `category` and `item` are names or `*` globs that all have to match. Either `factor`
    multiplies the forecast, or `units` a week replace the sum of all that is selected.
    """

    id: str
    region: str
    category: str
    item: str
    start: date
    end: date
    factor: float | None
    units: float | None
    who: str
    made: date
    why: str

    def __post_init__(self) -> None:
        if (self.factor is None) == (self.units is None):
            raise ValueError(f"Expected either a factor or units for override {self.id}.")
        if not (isfinite(self.amount) and self.amount >= 0):
            raise ValueError(f"Expected 0 or more for override {self.id}, got {self.amount}.")
        if self.end < self.start:
            raise ValueError(f"Expected an end on or after the start of override {self.id}.")

    @property
    def amount(self) -> float:
        """The factor, or the units a week."""
        return float(self.factor if self.factor is not None else self.units or 0.0)

    def covers(self, first: date, last: date) -> bool:
        """Whether every day from `first` to `last` is meant."""
        return self.start <= first and last <= self.end

    def reaches(self, monday: date) -> bool:
        """Whether any day of a week is meant."""
        return self.start < monday + timedelta(days=DAYS) and monday <= self.end


def in_order(overrides: Iterable[Override]) -> tuple[Override, ...]:
    """Returns overrides so that each wins over those before it: by day made, then by id."""
    return tuple(sorted(overrides, key=lambda one: (one.made, one.id)))


def of_brand(brand: Brand) -> tuple[Override, ...]:
    """Returns the overrides of a brand in their order; raises `BadInput` for rows without sense."""
    made: list[Override] = []
    problems: list[Problem] = []
    for at, row in enumerate(brand.table("overrides").to_dict("records")):
        try:
            made.append(_of_row({str(name): cell for name, cell in row.items()}))
        except ValueError as error:
            problems.append(Problem("overrides.csv", at + 2, 0, str(error)))
    if problems:
        raise BadInput(problems)
    return in_order(made)


def categories_of(brand: Brand) -> Mapping[str, str]:
    """Returns the category of each item of a brand."""
    items = brand.table("items")
    return dict(zip(items["item"].astype(str), items["category"].astype(str), strict=True))


def apply(
    frame: pd.DataFrame,
    overrides: Sequence[Override],
    category_of: Mapping[str, str],
    tallies: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns a forecast after overrides, and the cells that they changed beside what they were.

    `frame` has a row per week (`start`, a Monday), `region` and `item` with `mean` and quantiles.
    On each day the latest override that means a cell decides; weeks that it covers in part weigh
    by days. Quantiles scale with the mean; where statistics expect nothing that could be scaled,
    they become those of a Poisson distribution. The second frame holds `start`, `region`, `item`,
    `statistical`, `mean`, and the id of the latest `override`.

    A part of a forecast needs the `tallies` of the whole: units are shared over all of it.
    """
    known = in_order(overrides)
    cells = _Cells.of(frame, category_of)
    sums = _sums(tally(frame, known, category_of) if tallies is None else tallies)
    decided, winner = _decided(cells, known, sums)
    rows = np.flatnonzero(decided != cells.mean)
    changed = frame.iloc[rows]
    overridden = pd.DataFrame(
        {
            "start": changed["start"].to_numpy(),
            "region": changed["region"].array,
            "item": changed["item"].array,
            "statistical": cells.mean[rows],
            "mean": decided[rows],
            "override": pd.array([known[at].id for at in winner[rows]], dtype="str"),
        }
    )
    return (_rescaled(frame, cells.mean, decided, rows) if rows.size else frame), overridden


def tally(
    frame: pd.DataFrame, overrides: Sequence[Override], category_of: Mapping[str, str]
) -> pd.DataFrame:
    """Returns what overrides with units select: `override`, `start`, `mean` (summed), `cells`.

    Tallies of the parts of a forecast add up to that of the whole.
    """
    cells = _Cells.of(frame, category_of)
    asked = [one for one in overrides if one.units is not None]
    found = [
        (one.id, cells.starts[at], float(cells.mean[rows][meant].sum()), int(meant.sum()))
        for at, rows in cells.weeks()
        for one in asked
        if one.reaches(cells.starts[at])
        for meant in (cells.meant(one, rows),)
    ]
    return pd.DataFrame(found, columns=["override", "start", "mean", "cells"])


def value_added(
    frame: pd.DataFrame,
    came: Floats,
    overrides: Sequence[Override],
    category_of: Mapping[str, str],
    origin: date,
) -> pd.DataFrame:
    """Returns what overrides made by a past planning date were worth on the weeks they changed.

    `frame` is what statistics said at `origin`, `came` the units that came, row by row. An override
    is judged as it was made, on the weekly sum of the cells that it decided: `override`, `start`,
    `error_without`, `error_with`, in units. Rows of several origins are summed by `judged`.
    """
    known = [one for one in overrides if one.made <= origin]
    _, changed = apply(frame, known, category_of)
    cells = frame[["start", "region", "item"]].assign(came=came)
    both = changed.merge(cells, on=["start", "region", "item"], how="left")
    sums = both.groupby(["override", "start"], as_index=False)[["statistical", "mean", "came"]]
    week = sums.sum()
    return pd.DataFrame(
        {
            "override": week["override"],
            "start": week["start"],
            "error_without": (week["statistical"] - week["came"]).abs(),
            "error_with": (week["mean"] - week["came"]).abs(),
        }
    )


def judged(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Returns the worth of each override over all origins.

    Columns `override`, `weeks` (judged), `error_without`, `error_with` (units), and `value_added`:
    the share of the error that it took away, below 0 where it did harm, NaN without any error.
    """
    columns = ["override", "weeks", "error_without", "error_with"]
    rows = [part for part in parts if len(part)]
    if not rows:
        empty = {name: pd.Series(dtype="float64") for name in [*columns[1:], "value_added"]}
        return pd.DataFrame({"override": pd.Series(dtype="str"), **empty})
    grouped = pd.concat(rows).groupby("override", as_index=False)
    summed = grouped.agg(
        weeks=("start", "size"),
        error_without=("error_without", "sum"),
        error_with=("error_with", "sum"),
    )
    without = summed["error_without"].where(summed["error_without"] > 0)
    return summed.assign(value_added=1.0 - summed["error_with"] / without)


def misfits(
    override: Override, regions: Sequence[str], category_of: Mapping[str, str]
) -> dict[str, str]:
    """Returns for each selector that means nothing here a sentence that names what is nearest."""
    known = {
        "region": list(regions),
        "category": sorted(set(category_of.values())),
        "item": list(category_of),
    }
    found = {
        field: _nothing(field, glob, names)
        for field, names in known.items()
        if not like(names, glob := str(getattr(override, field))).any()
    }
    if not found and not _items_meant(override, category_of).any():
        found["item"] = (
            f"No item that matches {override.item!r} is in a category that matches "
            f"{override.category!r}."
        )
    return found


def idle(
    overrides: Sequence[Override], regions: Sequence[str], category_of: Mapping[str, str]
) -> tuple[Finding, ...]:
    """Returns a finding for each override that selects nothing of this brand."""
    return tuple(
        Finding("override", "", "", one.start, f"{one.id} changes nothing: {' '.join(told)}")
        for one in overrides
        if (told := list(misfits(one, regions, category_of).values()))
    )


@dataclass(frozen=True)
class _Cells:
    """A forecast as codes: row -> week, region and item."""

    starts: tuple[date, ...]
    regions: tuple[str, ...]
    category_of: Mapping[str, str]
    week: Codes
    region: Codes
    item: Codes
    mean: Floats

    @classmethod
    def of(cls, frame: pd.DataFrame, category_of: Mapping[str, str]) -> "_Cells":
        week, starts = pd.factorize(frame["start"], sort=True)
        region, regions = pd.factorize(frame["region"])
        item, items = pd.factorize(frame["item"])
        return cls(
            starts=tuple(start.date() for start in pd.DatetimeIndex(starts)),
            regions=tuple(map(str, regions)),
            category_of={str(name): category_of.get(str(name), "") for name in items},
            week=week,
            region=region,
            item=item,
            mean=frame["mean"].to_numpy(dtype=np.float64, copy=True),
        )

    def weeks(self) -> Iterator[tuple[int, Codes]]:
        """Yields each week with its rows."""
        order = np.argsort(self.week, kind="stable")
        bounds = np.searchsorted(self.week[order], np.arange(len(self.starts) + 1))
        for at in range(len(self.starts)):
            yield at, order[bounds[at] : bounds[at + 1]]

    def meant(self, override: Override, rows: Codes) -> Flags:
        """Returns a flag for each of the rows that an override selects, whatever their week."""
        regions = like(self.regions, override.region)
        items = _items_meant(override, self.category_of)
        flags: Flags = regions[self.region[rows]] & items[self.item[rows]]
        return flags


def _items_meant(override: Override, category_of: Mapping[str, str]) -> Flags:
    named: Flags = like(list(category_of), override.item)
    if override.category == ALL:
        return named
    kinds = sorted(set(category_of.values()))
    meant = {kind for kind, flag in zip(kinds, like(kinds, override.category), strict=True) if flag}
    named &= np.fromiter((kind in meant for kind in category_of.values()), bool, len(named))
    return named


_Sums = Mapping[tuple[str, date], tuple[float, float]]
"""(override, week) -> (sum of the means selected, cells selected)."""


def _sums(tallies: pd.DataFrame) -> _Sums:
    totals = tallies.groupby(["override", "start"])[["mean", "cells"]].sum()
    return {
        (str(key[0]), key[1]): (float(mean), float(cells))
        for key, mean, cells in zip(totals.index, totals["mean"], totals["cells"], strict=True)
    }


def _decided(cells: _Cells, known: Sequence[Override], sums: _Sums) -> tuple[Floats, Codes]:
    """Returns the mean of each cell after overrides, and the position of the latest or -1."""
    decided, winner = cells.mean.copy(), np.full(len(cells.mean), -1, dtype=np.intp)
    for at, rows in cells.weeks():
        monday = cells.starts[at]
        reaching = [(rank, one) for rank, one in enumerate(known) if one.reaches(monday)]
        if reaching:
            decided[rows], winner[rows] = _week(cells, rows, monday, reaching, sums)
    return decided, winner


def _week(
    cells: _Cells,
    rows: Codes,
    monday: date,
    reaching: Sequence[tuple[int, Override]],
    sums: _Sums,
) -> tuple[Floats, Codes]:
    said = cells.mean[rows]
    total, winner = np.zeros(len(rows)), np.full(len(rows), -1, dtype=np.intp)
    meant = [cells.meant(one, rows) for _, one in reaching]
    for first, last in _stretches(monday, [one for _, one in reaching]):
        value = said.copy()
        for (rank, one), flags in zip(reaching, meant, strict=True):
            if one.covers(first, last):
                value[flags] = _wanted(one, said[flags], sums.get((one.id, monday)))
                winner[flags] = np.maximum(winner[flags], rank)
        total += value * (((last - first).days + 1) / DAYS)
    # A cell that nobody touched keeps its very bytes: sevenths need not add up to one.
    return np.where(winner < 0, said, total), winner


def _stretches(monday: date, overrides: Sequence[Override]) -> list[tuple[date, date]]:
    """Returns the stretches of days of a week on which the same overrides hold."""
    after = monday + timedelta(days=DAYS)
    edges = {one.start for one in overrides} | {one.end + timedelta(days=1) for one in overrides}
    cuts = sorted({monday, after} | {edge for edge in edges if monday < edge < after})
    return [(low, high - timedelta(days=1)) for low, high in pairwise(cuts)]


def _wanted(one: Override, said: Floats, sums: tuple[float, float] | None) -> Floats:
    """Returns the week's units of the selected cells: scaled, or their share of the units."""
    if one.factor is not None:
        return said * one.factor
    whole, count = sums or (0.0, 1.0)
    return said * (one.amount / whole) if whole > 0 else np.full(len(said), one.amount / count)


def _rescaled(frame: pd.DataFrame, said: Floats, decided: Floats, rows: Codes) -> pd.DataFrame:
    before, after = said[rows], decided[rows]
    ratio = np.divide(after, before, out=np.zeros(len(rows)), where=before > 0)
    thin = _thin(frame, rows, before, after)
    columns: dict[str, Floats] = {"mean": decided}
    for name, level in zip(COLUMNS, LEVELS, strict=True):
        column = frame[name].to_numpy(dtype=np.float64, copy=True)
        scaled = column[rows] * ratio
        scaled[thin] = np.where(np.isnan(scaled[thin]), np.nan, poisson.ppf(level, after[thin]))
        column[rows] = scaled
        columns[name] = column
    return frame.assign(**columns)


def _thin(frame: pd.DataFrame, rows: Codes, before: Floats, after: Floats) -> Flags:
    """Flags cells with nothing to scale: a median of 0 stays 0 however large the decision is."""
    silent = (frame["p50"].to_numpy(dtype=np.float64)[rows] == 0) & (before < 1) & (after >= 1)
    flags: Flags = (before <= 0) | silent
    return flags


def _of_row(row: Mapping[str, object]) -> Override:
    """Returns the override of a row of `overrides.csv`."""
    return Override(
        id=str(row["override"]),
        region=str(row["region"]),
        category=str(row["category"]),
        item=str(row["item"]),
        start=_day(row["start"]),
        end=_day(row["end"]),
        factor=_number(row["factor"]),
        units=_number(row["units"]),
        who=str(row["who"]),
        made=_day(row["made"]),
        why=str(row["why"]),
    )


def _day(cell: object) -> date:
    return pd.Timestamp(str(cell)).date()


def _number(cell: object) -> float | None:
    number = float("nan") if cell is None else float(str(cell))
    return None if np.isnan(number) else number


def _nothing(field: str, glob: str, names: Sequence[str]) -> str:
    """Returns the sentence for a selector without a match."""
    alike = [name for name in names if name[:1].casefold() == glob[:1].casefold()] or list(names)
    close = get_close_matches(glob, alike[:COMPARED], n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return f"No {field} matches {glob!r}{hint}"
