"""Charts as geometry: numbers become the coordinates that a template draws, with texts for all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import floor, log10

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WEEK = timedelta(days=7)
TICKS = 4
"""Most lines across a chart."""

LABEL_UNITS = 6.2
"""Width of a letter of an axis label, in units of the drawing."""


@dataclass(frozen=True, slots=True)
class Band:
    """Weeks ahead of one series: its mean, and quantiles where they are known."""

    mean: Floats
    low: Floats
    quarter: Floats
    three_quarters: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Weeks:
    """The weeks of a picture: those behind end before `today`, those ahead begin at `start`."""

    behind: tuple[date, ...]
    ahead: tuple[date, ...]

    @property
    def first(self) -> date:
        """The first day shown."""
        return min(self.behind + self.ahead)

    @property
    def end(self) -> date:
        """The day after the last one shown."""
        return max(self.behind + self.ahead) + WEEK


@dataclass(frozen=True, slots=True)
class Mark:
    """A place with a text: an event on the axis, a dot, a tick, or an area that tells its week."""

    x: float
    y: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Fan:
    """History and the fan of a forecast, ready to draw; `label` says in words what is seen."""

    width: int
    height: int
    left: float
    bottom: float
    now: float
    history: str
    outer: str
    inner: str
    middle: str
    x_ticks: Sequence[Mark]
    y_ticks: Sequence[Mark]
    events: Sequence[Mark]
    dots: Sequence[Mark]
    tips: Sequence[Mark]
    label: str


@dataclass(frozen=True, slots=True)
class Frame:
    """Where days and units stand in a drawing."""

    weeks: Weeks
    top_units: float
    left: float
    right: float
    top: float
    bottom: float

    def x(self, day: date) -> float:
        """Returns how far right a day stands."""
        whole = (self.weeks.end - self.weeks.first).days
        share = (day - self.weeks.first).days / whole
        return round(self.left + (self.right - self.left) * share, 1)

    def middle_of(self, monday: date) -> float:
        """Returns how far right the middle of a week stands."""
        return round((self.x(monday) + self.x(monday + WEEK)) / 2, 1)

    def y(self, units: float) -> float:
        """Returns how far down an amount stands."""
        share = min(max(units, 0.0) / self.top_units, 1.0)
        return round(self.bottom - (self.bottom - self.top) * share, 1)

    def line(self, mondays: Iterable[date], units: Iterable[float]) -> str:
        """Returns the path through the middle of weeks; a week without a number breaks it."""
        path, pen = [], "M"
        for monday, amount in zip(mondays, units, strict=True):
            if np.isnan(amount):
                pen = "M"
                continue
            path.append(f"{pen}{self.middle_of(monday):g} {self.y(amount):g}")
            pen = "L"
        return "".join(path)

    def area(self, mondays: Sequence[date], low: Sequence[float], high: Sequence[float]) -> str:
        """Returns the path around what lies between two lines; "" where one is unknown."""
        if np.isnan(low).any() or np.isnan(high).any() or not mondays:
            return ""
        there = self.line(mondays, high)
        back = self.line(mondays[::-1], low[::-1])
        return f"{there}L{back[1:]}Z"


def fan(
    weeks: Weeks,
    history: Sequence[float],
    band: Band,
    name: str,
    events: Sequence[tuple[date, date, str]] = (),
    statistical: Floats | None = None,
    size: tuple[int, int] = (520, 220),
) -> Fan:
    """Returns the drawing of one series; `history` and the band are units a week.

    `statistical` holds what statistics said where somebody overrode it, NaN elsewhere.
    """
    width, height = size
    most = max([1e-9, *_known(history), *_known(band.high), *_known(band.mean)])
    ticks = nice_ticks(most)
    left = 8 + LABEL_UNITS * max(len(compact(tick)) for tick in ticks)
    frame = Frame(weeks, max(most, ticks[-1]) * 1.04, left, width - 8, 10, height - 34)
    dots = () if statistical is None else _dots(frame, weeks, statistical, band)
    return Fan(
        width=width,
        height=height,
        left=left,
        bottom=frame.bottom,
        now=frame.x(weeks.ahead[0]),
        history=frame.line(weeks.behind, history),
        outer=frame.area(weeks.ahead, list(band.low), list(band.high)),
        inner=frame.area(weeks.ahead, list(band.quarter), list(band.three_quarters)),
        middle=frame.line(weeks.ahead, band.mean),
        x_ticks=_months(frame, width),
        y_ticks=[Mark(left, frame.y(tick), 0, compact(tick)) for tick in ticks],
        events=_events(frame, events),
        dots=dots,
        tips=_tips(frame, weeks, history, band),
        label=_told(name, weeks, history, band, len(dots)),
    )


def spark(
    weeks: Weeks, history: Sequence[float], mean: Floats, low: Floats, high: Floats
) -> tuple[str, str, str]:
    """Returns the paths of a small picture, 150 x 30: history, what may come, the mean ahead."""
    most = max([1e-9, *_known(history), *_known(high), *_known(mean)])
    frame = Frame(weeks, most, 1, 149, 2, 28)
    return (
        frame.line(weeks.behind, history),
        frame.area(weeks.ahead, list(low), list(high)),
        frame.line(weeks.ahead, mean),
    )


def nice_ticks(most: float) -> list[float]:
    """Returns round amounts from 0 to about the largest.

    >>> nice_ticks(870.0)
    [0.0, 200.0, 400.0, 600.0, 800.0]
    """
    raw = most / TICKS
    unit = 10.0 ** floor(log10(raw))
    step = next(unit * size for size in (1, 2, 2.5, 5, 10) if unit * size >= raw * 0.9)
    return [step * at for at in range(int(most / step + 1e-9) + 1)] if most > 0 else [0.0]


def compact(units: float) -> str:
    """Returns an amount as short as an axis needs it.

    >>> compact(1500.0), compact(2_000_000.0), compact(0.5)
    ('1.5k', '2M', '0.5')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(units) >= size:
            return f"{units / size:.3g}{letter}"
    return f"{units:.3g}"


def _known(values: Iterable[float]) -> list[float]:
    return [float(value) for value in values if not np.isnan(value)]


def _months(frame: Frame, width: int) -> list[Mark]:
    """Returns the months to write under a chart: as many as fit."""
    firsts = [
        date(year, month, 1)
        for year in range(frame.weeks.first.year, frame.weeks.end.year + 1)
        for month in range(1, 13)
        if frame.weeks.first <= date(year, month, 1) < frame.weeks.end
    ]
    step = max(1, -(-len(firsts) * 46 // width))
    return [Mark(frame.x(day), 0, 0, _month(day)) for day in firsts[::step]]


def _month(day: date) -> str:
    return f"{day:%b %Y}" if day.month == 1 else f"{day:%b}"


def _events(frame: Frame, events: Sequence[tuple[date, date, str]]) -> list[Mark]:
    shown = [
        (max(first, frame.weeks.first), min(last + timedelta(days=1), frame.weeks.end), name)
        for first, last, name in events
        if last >= frame.weeks.first and first < frame.weeks.end
    ]
    return [
        Mark(frame.x(first), 0, max(2.0, round(frame.x(end) - frame.x(first), 1)), name)
        for first, end, name in shown
    ]


def _dots(frame: Frame, weeks: Weeks, statistical: Floats, band: Band) -> list[Mark]:
    return [
        Mark(
            frame.middle_of(monday),
            frame.y(units),
            0,
            f"Week of {monday}: statistics said {units:,.0f}, overridden to {decided:,.0f}",
        )
        for monday, units, decided in zip(weeks.ahead, statistical, band.mean, strict=True)
        if not np.isnan(units)
    ]


def _tips(frame: Frame, weeks: Weeks, history: Sequence[float], band: Band) -> list[Mark]:
    width = round(frame.x(weeks.ahead[0] + WEEK) - frame.x(weeks.ahead[0]), 1)
    behind = [
        Mark(frame.x(monday), 0, width, f"Week of {monday}: {units:,.0f} units")
        for monday, units in zip(weeks.behind, history, strict=True)
        if not np.isnan(units)
    ]
    ahead = [
        Mark(frame.x(monday), 0, width, f"Week of {monday}: {_range(band, at)}")
        for at, monday in enumerate(weeks.ahead)
    ]
    return behind + ahead


def _range(band: Band, at: int) -> str:
    if np.isnan(band.low[at]) or np.isnan(band.high[at]):
        return f"mean {band.mean[at]:,.0f}"
    return f"mean {band.mean[at]:,.0f}, P05 {band.low[at]:,.0f}, P95 {band.high[at]:,.0f}"


def _told(name: str, weeks: Weeks, history: Sequence[float], band: Band, dots: int) -> str:
    """Returns what a chart shows, for people who do not see it."""
    past = _known(history)
    before = (
        f"{np.mean(past):,.0f} units a week over the last {len(past)}" if past else "no history"
    )
    more = f" {dots} weeks are overridden." if dots else ""
    return (
        f"{name}: {before}; {np.mean(band.mean):,.0f} expected over the next {len(weeks.ahead)}, "
        f"the first week {_range(band, 0)}.{more}"
    )
