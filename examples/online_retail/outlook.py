"""Outlook: the units that the builder expects, from the past only, to size stock and capacity."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

GROWTH_LIMITS = (0.7, 1.4)


@dataclass(frozen=True)
class Outlook:
    """Units expected over the horizon by item, in the order of the catalog."""

    units: "pd.Series[float]"
    weeks: int

    @property
    def units_per_week(self) -> float:
        """All items together."""
        return float(self.units.sum()) / self.weeks

    def per_week(self, measure: pd.Series) -> float:
        """Returns kg or m3 a week, given the kg or m3 of a unit by item."""
        return float((self.units * measure.reindex(self.units.index)).sum()) / self.weeks


def outlook(demand: pd.DataFrame, items: pd.Series, today: date, weeks: int) -> Outlook:
    """Returns the mean of two simple views of each item.

    Last year: units of the same weeks a year ago, times the growth of all items over the last
    `weeks` (kept within 0.7 and 1.4). This year: units of the last `weeks`, times last year's
    season. An item that was not sold a year ago follows this year alone.
    """
    day = pd.Timestamp(today)
    span, year = pd.Timedelta(weeks=weeks), pd.Timedelta(weeks=52)
    now, ago = (_units(demand, items, end - span, end) for end in (day, day - year))
    ahead = _units(demand, items, day - year, day - year + span)
    growth = float(np.clip(now.sum() / max(ago.sum(), 1.0), *GROWTH_LIMITS))
    season = float(ahead.sum() / max(ago.sum(), 1.0))
    last_year, this_year = ahead * growth, now * season
    expected = this_year.where(ahead <= 0, (last_year + this_year) / 2)
    return Outlook(expected.clip(lower=1.0), weeks)


def _units(
    demand: pd.DataFrame, items: pd.Series, begin: pd.Timestamp, end: pd.Timestamp
) -> "pd.Series[float]":
    within = demand[(demand["date"] >= begin) & (demand["date"] < end)]
    return within.groupby("item")["quantity"].sum().reindex(items, fill_value=0).astype(float)
