"""Worlds: brands whose demand follows a known rule, so that a test knows the truth to be found.

Units are arrays of [time, region, item]; the planning date is the last day that they cover.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.brand import Brand
from tests.builders import Rows, brand_of

Floats = NDArray[np.float64]

ITEMS = ("MUG", "CUP")
WEEK = 7


def world(
    units: Floats,
    first: date,
    regions: Sequence[str] = ("DE",),
    items: Sequence[str] = ITEMS,
    step: int = 1,
    promotion: Floats | None = None,
    events: Rows = (),
) -> Brand:
    """Returns a brand that sold these units every `step` days from `first` on.

    A region's id is its country. `promotion` has the axes of units and may reach further: what it
    says of later times is the plan. Times without units and without a plan have no row.
    """
    frame = _demand(units, first, regions, items, step, promotion)
    made = brand_of(
        sites=[{"site": "HUB", "tier": "central", "country": "DE", "latitude": 0, "longitude": 0}],
        items=[{"item": item, "category": "kitchen", "weight_kg": 1, "value": 1} for item in items],
        regions=[
            {"region": region, "country": region, "latitude": 0, "longitude": 0}
            for region in regions
        ],
        demand=[
            {str(name): cell for name, cell in row.items()} for row in frame.to_dict("records")
        ],
        **({"events": events} if events else {}),
    )
    return replace(made, today=first + timedelta(days=step * len(units) - 1))


def _demand(
    units: Floats,
    first: date,
    regions: Sequence[str],
    items: Sequence[str],
    step: int,
    promotion: Floats | None,
) -> pd.DataFrame:
    times = len(units) if promotion is None else len(promotion)
    sold = np.zeros((times, *units.shape[1:]))
    sold[: len(units)] = units
    told = np.zeros_like(sold) if promotion is None else promotion
    kept = np.nonzero((sold > 0) | (told > 0))
    days = pd.date_range(first, periods=times, freq=f"{step}D")
    return pd.DataFrame(
        {
            "date": days[kept[0]],
            "region": np.array(regions)[kept[1]],
            "item": np.array(items)[kept[2]],
            "quantity": sold[kept],
            **({} if promotion is None else {"promotion": told[kept]}),
        }
    )


def counts(mean: Floats, regions: int = 1, items: int = 2, seed: int = 0) -> Floats:
    """Returns Poisson counts around a mean of [time] or [time, region] for every region and item.

    Each item asks for half as many as the one before it.
    """
    by_region = np.broadcast_to(mean.reshape(len(mean), -1), (len(mean), regions))
    weight = 0.5 ** np.arange(items)
    drawn = np.random.default_rng(seed).poisson(by_region[:, :, None] * weight)
    return drawn.astype(np.float64)


def around(
    first: date, days: int, anchors: Sequence[date], begin: int, end: int, factor: float
) -> Floats:
    """Returns 1 per day, and `factor` from `begin` to before `end` days after each anchor."""
    made = np.ones(days)
    for anchor in anchors:
        at = (anchor - first).days
        made[max(at + begin, 0) : max(at + end, 0)] = factor
    return made


def yearly(first: date, days: int, amplitude: float) -> Floats:
    """Returns a season with its peak in mid-November, 1 on average, per day."""
    at = np.array([(first + timedelta(days=day)).timetuple().tm_yday for day in range(days)])
    return np.asarray(1.0 + amplitude * np.cos(2.0 * np.pi * (at - 319) / 365.25))


def weekly(daily: Floats) -> Floats:
    """Returns sums of seven days, [week, ...]."""
    return np.asarray(daily.reshape(-1, WEEK, *daily.shape[1:]).sum(axis=1))
