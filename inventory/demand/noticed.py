"""Noticed: what cleaning did to the past, in sentences that a planner can check."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from inventory.demand.findings import Finding
from inventory.demand.lines import MOST_WEEKS, Floats, Keys, Lines, Rows
from inventory.demand.stockouts import Silences

Flags = NDArray[np.bool_]


def of_lines(lines: Lines, plan: bool) -> Iterator[Finding]:
    """Yields what was left aside while reading; `plan` says that planned rows are a plan."""
    if lines.older:
        years = MOST_WEEKS // 52
        text = f"{lines.older:,} rows are older than {years} years; a forecast looks no further"
        yield Finding("history", "", "", lines.first, text)
    if lines.planned.day.size and not plan:
        text = (
            "promotions and prices after today stand only where something was sold; "
            "as a plan they would tell the sales, so they are not used"
        )
        yield Finding("promotion", "", "", None, text)


def gaps(lines: Lines, closed: Flags) -> Iterator[Finding]:
    """Yields the stretches of weeks in which the whole brand sold nothing or nearly nothing."""
    for begin, end in stretches(np.flatnonzero(closed)):
        text = f"the whole brand sold nothing or nearly nothing for {_weeks(end - begin)}"
        yield Finding("gap", "", "", lines.first + timedelta(weeks=begin), text)


def clips(lines: Lines, rows: Rows, kept: Floats) -> Iterator[Finding]:
    """Yields the one-off days of some rows that count less than what was asked for."""
    for row in np.flatnonzero(kept < rows.quantity).tolist():
        item, region = divmod(int(rows.series[row]), len(lines.regions))
        asked, left = _units(float(rows.quantity[row])), _units(float(kept[row]))
        yield Finding(
            "clipped",
            lines.items[item],
            lines.regions[region],
            lines.first + timedelta(days=int(rows.day[row])),
            f"{asked} units asked on one day, {left} kept",
        )


def silences(lines: Lines, silent: Silences) -> Iterator[Finding]:
    """Yields the stock-outs that silence told."""
    for item, begin, end in zip(
        silent.item.tolist(), silent.begin.tolist(), silent.end.tolist(), strict=True
    ):
        text = f"no demand anywhere for {_weeks(end - begin)}, too long for chance; not counted"
        day = lines.first + timedelta(weeks=begin)
        yield Finding("stockout", lines.items[item], "", day, text)


def stated(lines: Lines, hidden: Keys, weeks: int) -> Iterator[Finding]:
    """Yields the stock-outs of `stockouts.csv` by series, as stretches of weeks that they hide.

    One finding for an item whose regions all miss the same weeks.
    """
    regions = len(lines.regions)
    spans = np.array(list(stretches(hidden, weeks)), dtype=np.int64).reshape(-1, 2)
    series, begin = np.divmod(spans[:, 0], weeks)
    item, length = series // regions, spans[:, 1] - spans[:, 0]
    same = np.stack([item, begin, length], axis=1)
    alike, at, count = np.unique(same, axis=0, return_inverse=True, return_counts=True)
    everywhere = count[at] == regions
    for one, start, size in alike[count == regions].tolist():
        yield _stated(lines, one, "", start, size)
    for row in np.flatnonzero(~everywhere).tolist():
        region = lines.regions[int(series[row]) % regions]
        yield _stated(lines, int(item[row]), region, int(begin[row]), int(length[row]))


def deaths(lines: Lines, dead: Flags, last: Keys) -> Iterator[Finding]:
    """Yields the items that nobody asks for any more, with the day of their last demand."""
    for item in np.flatnonzero(dead).tolist():
        day = lines.first + timedelta(days=int(last[item]))
        yield Finding("dead", lines.items[item], "", day, "no demand anywhere since that day")


def stretches(keys: Keys | NDArray[np.intp], weeks: int = 0) -> Iterator[tuple[int, int]]:
    """Yields the first of each run of consecutive sorted keys, and the key after its last.

    With `weeks`, a run ends where a multiple of it begins: with the weeks of another series.
    """
    new = np.diff(keys, prepend=-2) > 1
    if weeks:
        new |= keys % weeks == 0
    begin = np.flatnonzero(new)
    for low, high in zip(begin.tolist(), [*begin[1:].tolist(), len(keys)], strict=False):
        yield int(keys[low]), int(keys[high - 1]) + 1


def _stated(lines: Lines, item: int, region: str, begin: int, weeks: int) -> Finding:
    day = lines.first + timedelta(weeks=begin)
    text = f"out of stock for {_weeks(weeks)} by stockouts.csv; not counted"
    return Finding("stockout", lines.items[item], region, day, text)


def _weeks(count: int) -> str:
    return "a week" if count == 1 else f"{count} weeks"


def _units(count: float) -> str:
    """Returns units as people count them: tenths below 10, whole ones from there on."""
    return f"{count:,.1f}".removesuffix(".0") if count < 10 else f"{count:,.0f}"
