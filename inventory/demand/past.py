"""Past: what was asked for, cleaned and added up by week, some whole items at a time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from inventory.demand import noticed
from inventory.demand.cleaning import without_one_offs
from inventory.demand.findings import Finding
from inventory.demand.lines import DAYS, Floats, Keys, Lines, Rows
from inventory.demand.sparse import Terms
from inventory.demand.stockouts import Weekly
from inventory.demand.terms import terms_of


@dataclass(frozen=True, slots=True)
class Past:
    """The past of all series: by week, by day, and what was noticed on the way.

    `idle` says that some row tells of a day without demand. `last` is the day of each item's last
    demand, or -1.
    """

    weekly: Weekly
    by_item: Weekly
    daily: Floats
    """Units by day and region, [day, region]."""
    last: Keys
    terms: Terms
    idle: bool
    clips: tuple[Finding, ...]

    @classmethod
    def of(cls, lines: Lines, weeks: int) -> "Past":
        """Returns the past of lines in their first `weeks` weeks; `daily` holds later days, too."""
        sums = _Sums(lines, weeks)
        for rows in lines.parts():
            sums.add(rows)
        return cls(
            weekly=_weekly(sums.weekly, weeks),
            by_item=_weekly(sums.by_item, weeks),
            daily=sums.daily,
            last=sums.last,
            terms=Terms(*sums.terms.filled()),
            idle=sums.idle,
            clips=tuple(sums.clips),
        )


class _Columns:
    """Columns of equal length that are filled part by part.

    They have room for all rows from the start, as memory is taken only where something is written;
    parts put together at the end would all be held twice.
    """

    def __init__(self, rows: int, *types: DTypeLike) -> None:
        self._cells: list[NDArray[Any]] = [np.empty(rows, dtype=of) for of in types]
        self._filled = 0

    def add(self, *parts: NDArray[Any]) -> None:
        end = self._filled + len(parts[0])
        for cells, part in zip(self._cells, parts, strict=True):
            cells[self._filled : end] = part
        self._filled = end

    def filled(self) -> list[NDArray[Any]]:
        return [cells[: self._filled] for cells in self._cells]


def _weekly(columns: _Columns, weeks: int) -> Weekly:
    item, week, units = columns.filled()
    return Weekly(item, week, units, weeks)


class _Sums:
    """What the parts of the past add up to."""

    def __init__(self, lines: Lines, weeks: int) -> None:
        rows, regions = len(lines.rows.day), len(lines.regions)
        self.lines, self.weeks = lines, weeks
        self.weekly = _Columns(rows, np.int32, np.int32, np.float64)
        self.by_item = _Columns(rows, np.int32, np.int32, np.float64)
        self.terms = _Columns(rows, np.int32, np.int32, np.float64, np.float64)
        self.daily = np.zeros((lines.today + 1, regions))
        self.last = np.full(len(lines.items), -1, dtype=np.int64)
        self.idle = False
        self.clips: list[Finding] = []

    def add(self, rows: Rows) -> None:
        """Adds the rows of some whole items, whose one-off days are cut."""
        regions = len(self.lines.regions)
        promoted = rows.promotion > 0
        kept = without_one_offs(rows.series, rows.day, rows.quantity, promoted, regions)
        self._add_weeks(rows, kept)
        self._add_days(rows, kept)
        terms = terms_of(rows)
        self.terms.add(terms.series, terms.week, terms.promotion, terms.price)
        self.idle = self.idle or bool((rows.quantity == 0).any())
        self.clips += noticed.clips(self.lines, rows, kept)

    def _add_weeks(self, rows: Rows, kept: Floats) -> None:
        regions, complete = len(self.lines.regions), rows.day < self.weeks * DAYS
        series, week = rows.series[complete], rows.day[complete] // DAYS
        weekly = Weekly.of(series, week, kept[complete], self.weeks)
        by_item = Weekly.of(weekly.item // regions, weekly.week, weekly.units, self.weeks)
        self.weekly.add(weekly.item, weekly.week, weekly.units)
        self.by_item.add(by_item.item, by_item.week, by_item.units)

    def _add_days(self, rows: Rows, kept: Floats) -> None:
        item, region = np.divmod(rows.series, len(self.lines.regions))
        np.add.at(self.daily, (rows.day, region), kept)
        np.maximum.at(self.last, item, np.where(rows.quantity > 0, rows.day, -1))
