"""History: past demand as one sparse weekly table of item x region series and daily region sums."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.brand import Brand
from inventory.demand import noticed, stockouts
from inventory.demand.cleaning import without_one_offs
from inventory.demand.findings import Finding
from inventory.demand.lines import DAYS, Codes, Floats, Keys, Lines, missing, monday
from inventory.demand.stockouts import Weekly
from inventory.demand.terms import PlannedTerms

Flags = NDArray[np.bool_]

DEAD_DAYS = 365
"""An item that nobody asked for over so many days, though it sold before, is dead."""


@dataclass(frozen=True)
class History:
    """Demand up to a planning date, in complete weeks that start on Mondays.

    A series is one item in one region; series `i * len(regions) + r` is item `i` in region `r`, so
    the regions of an item stand together. Weeks without demand are not stored: `series`, `week`
    and `quantity` hold one entry per series and week that had any, sorted by series, and one-off
    wholesale days count up to their limit only (`cleaning.without_one_offs`).
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
    hidden: Keys
    """Weeks in which a series could not be sold: sorted keys, series times `weeks` plus week."""
    dead: Flags
    """Items that sold once and that nobody anywhere asked for over a year, [item]."""
    closed: Flags
    """Weeks in which the whole brand sold nothing or nearly nothing, [week]."""
    promotions: PlannedTerms | None
    """Promotions and prices, past and planned; None where the brand has none that say anything."""
    findings: tuple[Finding, ...]

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

    def hidden_matrix(self, begin: int, end: int) -> Flags:
        """Returns the weeks whose demand is unknown, of series `begin` to `end`, [series, week]."""
        low, high = np.searchsorted(self.hidden, (begin * self.weeks, end * self.weeks))
        dense = np.zeros((end - begin) * self.weeks, dtype=bool)
        dense[self.hidden[low:high] - begin * self.weeks] = True
        return dense.reshape(end - begin, self.weeks)

    def promotion_matrix(
        self, begin: int, end: int, ahead: int | None = None
    ) -> tuple[Floats, Floats]:
        """Returns the promotion strength of series `begin` to `end`, past and future.

        Both are [series, week], 0 where none is known: the complete weeks, and the weeks after
        them (`gap` of which lie before the first forecast week) up to the last planned one, or
        `ahead` of them.
        """
        return self._terms("promotion", begin, end, ahead, 0.0)

    def price_matrix(self, begin: int, end: int, ahead: int | None = None) -> tuple[Floats, Floats]:
        """Returns the mean price like `promotion_matrix`; NaN where none is known."""
        return self._terms("price", begin, end, ahead, np.nan)

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

    def weekday_profile(self, weeks: int = 8) -> Floats:
        """Returns the share of each weekday in a region's last weeks, [region, Monday to Sunday].

        Each region has its own, as weekends differ; even shares where it sold nothing.
        """
        last = self.daily[DAYS * max(self.weeks - weeks, 0) : DAYS * self.weeks]
        sold = last.reshape(-1, DAYS, len(self.regions)).sum(axis=0).T
        total = sold.sum(axis=1, keepdims=True)
        return np.where(total > 0, sold / np.where(total > 0, total, 1.0), 1.0 / DAYS)

    def starts(self, weeks: int) -> pd.DatetimeIndex:
        """Returns the Mondays of the first `weeks` weeks after the planning date."""
        return pd.date_range(self.start, periods=weeks, freq=f"{DAYS}D")

    def before(self, week: int) -> "History":
        """Returns the history as it stood on the Sunday before a week.

        What is cleaned stays as it is: the days after that Sunday helped to clean those before it.
        """
        seen = self.week < week
        known = self.hidden % self.weeks < week
        cut = replace(
            self,
            start=self.first + timedelta(days=DAYS * week),
            weeks=week,
            series=self.series[seen],
            week=self.week[seen],
            quantity=self.quantity[seen],
            daily=self.daily[: DAYS * week],
            hidden=(self.hidden // self.weeks * week + self.hidden % self.weeks)[known],
            closed=self.closed[:week],
        )
        return replace(cut, dead=cut._died(cut._sold_until(), DAYS * week - 1))

    def items_range(self, begin: int, end: int) -> "History":
        """Returns the history of items `begin` to `end`, all regions of each: a partition.

        Series are numbered from 0; `daily` and `closed` stay those of the whole brand.
        """
        low, high = begin * len(self.regions), end * len(self.regions)
        rows = slice(*np.searchsorted(self.series, (low, high)))
        keys = slice(*np.searchsorted(self.hidden, (low * self.weeks, high * self.weeks)))
        names = self.items[begin:end]
        chosen = {"", *names}
        return replace(
            self,
            items=names,
            series=(self.series[rows] - low).astype(np.int32),
            week=self.week[rows],
            quantity=self.quantity[rows],
            hidden=self.hidden[keys] - low * self.weeks,
            dead=self.dead[begin:end],
            promotions=self.promotions and self.promotions.series_range(low, high),
            findings=tuple(found for found in self.findings if found.item in chosen),
        )

    @classmethod
    def of(cls, brand: Brand) -> "History":
        """Returns the cleaned history that the brand may see: nothing after its planning date.

        Raises `BadInput` naming the demand file when there is none, or no complete week of it.
        """
        lines = Lines.of(brand)
        weeks = (monday(brand.today + timedelta(days=1)) - lines.first).days // DAYS
        if weeks < 1:
            raise missing(f"no complete week of demand before {brand.today}")
        return _cleaned(brand, lines, weeks)

    def _terms(
        self, name: str, begin: int, end: int, ahead: int | None, empty: float
    ) -> tuple[Floats, Floats]:
        if self.promotions is None:
            sizes = (self.weeks, ahead or 0)
            past, future = (np.full((end - begin, size), empty) for size in sizes)
            return past, future
        after = max(self.promotions.weeks - self.weeks, 0) if ahead is None else ahead
        values = getattr(self.promotions, name)
        dense = self.promotions.matrix(values, begin, end, self.weeks + after, empty)
        return dense[:, : self.weeks], dense[:, self.weeks :]

    def _sold_until(self) -> Keys:
        """Returns the Sunday of each item's last week with demand, in days from `first`; or -1."""
        last = np.full(len(self.items), -1, dtype=np.int64)
        np.maximum.at(last, self.series // len(self.regions), self.week * DAYS + DAYS - 1)
        return last

    def _died(self, last: Keys, today: int) -> Flags:
        """Flags items without demand for a year after day `last`, unless they were out of stock."""
        out = np.full(len(self.items), -1, dtype=np.int64)
        item, week = np.divmod(self.hidden, self.weeks)
        np.maximum.at(out, item // len(self.regions), week)
        died: Flags = (last >= 0) & (today - last >= DEAD_DAYS) & (out <= last // DAYS)
        return died


def _cleaned(brand: Brand, lines: Lines, weeks: int) -> History:
    """Returns the history of lines: one-offs cut, stock-outs hidden, the dead told."""
    past, series = lines.past, lines.series
    kept = without_one_offs(series, past.day, past.quantity, past.promotion > 0, len(lines.regions))
    complete = past.day < weeks * DAYS
    key = series[complete] * weeks + past.day[complete] // DAYS
    weekly = Weekly.of(*np.divmod(key, weeks), kept[complete], weeks)
    by_item = Weekly.of(weekly.item // len(lines.regions), weekly.week, weekly.units, weeks)
    closed = stockouts.closed_weeks(by_item)
    silent = stockouts.silences(by_item, closed)
    stated = stockouts.stated(
        brand.table("stockouts"), lines.items, lines.regions, lines.first, weeks
    )
    today = (brand.today - lines.first).days
    made = History(
        items=lines.items,
        regions=lines.regions,
        first=lines.first,
        start=monday(brand.today + timedelta(days=DAYS)),
        weeks=weeks,
        series=weekly.item.astype(np.int32),
        week=weekly.week.astype(np.int32),
        quantity=weekly.units,
        daily=_daily(lines, kept, today + 1),
        hidden=np.union1d(stated, stockouts.unsold(silent, weekly, closed, len(lines.regions))),
        dead=np.zeros(len(lines.items), dtype=bool),
        closed=closed,
        promotions=PlannedTerms.of(lines),
        findings=(),
    )
    last = np.full(len(lines.items), -1, dtype=np.int64)
    np.maximum.at(last, past.item, np.where(past.quantity > 0, past.day, -1))
    made = replace(made, dead=made._died(last, today))
    findings = (
        *noticed.of_lines(lines),
        *noticed.gaps(lines, closed),
        *noticed.clips(lines, kept),
        *noticed.stated(lines, stated, weeks),
        *noticed.silences(lines, silent),
        *noticed.deaths(lines, made.dead, last),
    )
    return replace(made, findings=findings)


def _daily(lines: Lines, kept: Floats, days: int) -> Floats:
    regions = len(lines.regions)
    flat = np.bincount(
        lines.past.day.astype(np.int64) * regions + lines.past.region,
        weights=kept,
        minlength=days * regions,
    )
    return flat.reshape(days, regions).astype(np.float64)
