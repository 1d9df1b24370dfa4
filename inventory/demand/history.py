"""History: past demand as one sparse weekly table of item x region series and daily region sums."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd

from core.brand import Brand
from inventory.demand import noticed, stockouts
from inventory.demand.findings import Finding
from inventory.demand.lines import DAYS, Lines, missing, monday
from inventory.demand.past import Past
from inventory.demand.sparse import Flags, Floats, Keys, Sparse
from inventory.demand.terms import is_plan, planned_terms

DEAD_DAYS = 365
"""An item that nobody asked for over so many days, though it sold before, is dead."""


@dataclass(frozen=True, kw_only=True)
class History(Sparse):
    """Demand up to a planning date, in complete weeks that start on Mondays.

    One-off wholesale days count up to their limit only (`cleaning.without_one_offs`).
    """

    first: date
    start: date
    daily: Floats
    """Units by day from `first` to the planning date and by region, [day, region]."""
    dead: Flags
    """Items that sold once and that nobody anywhere asked for over a year, [item]."""
    closed: Flags
    """Weeks in which the whole brand sold nothing or nearly nothing, [week]."""
    findings: tuple[Finding, ...]

    @property
    def gap(self) -> int:
        """Weeks between the last complete week and the first forecast week: the one under way."""
        return (self.start - self.first).days // DAYS - self.weeks

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

    def items_range(self, begin: int, end: int) -> Self:
        """Returns the history of items `begin` to `end`, all regions of each.

        Series are numbered from 0; `daily` and `closed` stay those of the whole brand.
        """
        chosen = {"", *self.items[begin:end]}
        return replace(
            super().items_range(begin, end),
            dead=self.dead[begin:end],
            findings=tuple(found for found in self.findings if found.item in chosen),
        )

    def counted(self) -> Sparse:
        """Returns the weekly demand alone: all that is needed to forecast items."""
        return Sparse(
            items=self.items,
            regions=self.regions,
            weeks=self.weeks,
            series=self.series,
            week=self.week,
            quantity=self.quantity,
            hidden=self.hidden,
            promotions=self.promotions,
        )

    @classmethod
    def of(cls, brand: Brand) -> "History":
        """Returns the cleaned history that the brand may see: nothing after its planning date.

        Raises `BadInput` naming the demand file when there is none, or no complete week of it.
        """
        lines = Lines.of(brand)
        weeks = (monday(brand.today + timedelta(days=1)) - lines.first).days // DAYS
        if weeks < 1:
            raise missing(brand, f"no complete week of demand before {brand.today}")
        past = Past.of(lines, weeks)
        lines = lines.without_rows()
        return _cleaned(brand, lines, past)

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


def _cleaned(brand: Brand, lines: Lines, past: Past) -> History:
    """Returns the history of lines: one-offs cut, stock-outs hidden, the dead told."""
    weeks = past.weekly.weeks
    closed = stockouts.closed_weeks(past.by_item)
    silent = stockouts.silences(past.by_item, closed)
    stated = stockouts.stated(
        brand.table("stockouts"), lines.items, lines.regions, lines.first, weeks
    )
    unsold = stockouts.unsold(silent, past.weekly, closed, len(lines.regions))
    plan = is_plan(lines, past.terms, past.idle)
    made = History(
        items=lines.items,
        regions=lines.regions,
        first=lines.first,
        start=monday(brand.today + timedelta(days=DAYS)),
        weeks=weeks,
        series=past.weekly.item,
        week=past.weekly.week,
        quantity=past.weekly.units,
        daily=past.daily,
        hidden=np.union1d(stated, unsold),
        dead=np.zeros(len(lines.items), dtype=bool),
        closed=closed,
        promotions=planned_terms(past.terms, lines.planned if plan else None),
        findings=(),
    )
    made = replace(made, dead=made._died(past.last, lines.today))
    findings = (
        *noticed.of_lines(lines, plan),
        *noticed.gaps(lines, closed),
        *past.clips,
        *noticed.stated(lines, stated, weeks),
        *noticed.silences(lines, silent),
        *noticed.deaths(lines, made.dead, past.last),
    )
    return replace(made, findings=findings)
