"""The horizon: the buckets of a plan, from the one that holds today to the last one."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.brand import Brand

BUCKET_DAYS = {"week": 7, "day": 1}


@dataclass(frozen=True, eq=False)
class Horizon:
    """The buckets of a plan: first days, and days of each."""

    starts: tuple[date, ...]
    days: int

    @classmethod
    def of(cls, brand: Brand, forecast: pd.DataFrame) -> "Horizon":
        """Returns the buckets from the one that holds the planning date to the horizon's end.

        They begin on the weekday on which those of the forecast do, and are as long: a forecast by
        week is planned by week. Where it begins only after the bucket that holds today, that bucket
        comes on top.
        """
        days, today = _days_of(brand, forecast), brand.today
        known = forecast["start"].min()
        away = 0 if pd.isna(known) else (known - pd.Timestamp(today)).days
        first = today - timedelta(days=-away % days)
        later = 0 < away < days or (away == days and first == today)
        count = max(1, brand.horizon_weeks * 7 // days) + later
        return cls(tuple(first + timedelta(days=days * at) for at in range(count)), days)

    @property
    def end(self) -> date:
        """The day after the last bucket."""
        return self.starts[-1] + timedelta(days=self.days)

    @property
    def weeks(self) -> float:
        """Weeks of one bucket."""
        return self.days / 7.0

    def holding(self, day: date) -> int:
        """Returns the bucket of one day, which may be past the last one."""
        return max((day - self.starts[0]).days // self.days, 0)

    def at(self, days: "pd.Series[pd.Timestamp]") -> NDArray[np.int64]:
        """Returns the bucket of each day; days before the first count in it, others may be past."""
        since = (days - pd.Timestamp(self.starts[0])).dt.days.to_numpy()
        return np.maximum(since // self.days, 0).astype(np.int64)


def _days_of(brand: Brand, forecast: pd.DataFrame) -> int:
    """Returns the days of a bucket: a week where the starts of the forecast are weeks apart."""
    starts = np.sort(forecast["start"].unique())
    apart = np.diff(starts).min() // np.timedelta64(1, "D") if len(starts) > 1 else 0
    weekly = int(apart) % BUCKET_DAYS["week"] == 0 and apart > 0
    return BUCKET_DAYS["week"] if weekly else BUCKET_DAYS[brand.bucket]
