"""Demand histories made by a known rule, so that tests know what a forecast should find."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from core.brand import Brand
from tests.builders import brand_of

Units = Callable[[date, str, str], float]
"""Units of a day, region and item."""


def brand_with(
    units: Units,
    first: date,
    today: date,
    items: Sequence[str] = ("MUG", "CUP"),
    regions: Sequence[str] = ("DE", "TH"),
) -> Brand:
    """A brand whose items share a category; a region's id is its country, demand follows a rule."""
    days = [first + timedelta(days=at) for at in range((today - first).days + 1)]
    rows = [
        {"date": pd.Timestamp(day), "region": region, "item": item, "quantity": quantity}
        for day in days
        for region in regions
        for item in items
        if (quantity := units(day, region, item)) > 0
    ]
    made = brand_of(
        sites=[
            {"site": "HUB", "tier": "central", "country": "DE", "latitude": 0, "longitude": 0},
        ],
        items=[{"item": item, "category": "kitchen", "weight_kg": 1, "value": 1} for item in items],
        regions=[
            {"region": region, "country": region, "latitude": 0, "longitude": 0}
            for region in regions
        ],
        demand=rows,
    )
    return replace(made, today=today)


def steady(day: date, region: str, item: str) -> float:
    """Two mugs and one cup a day in Germany, half of that in Thailand."""
    return {"MUG": 2.0, "CUP": 1.0}.get(item, 0.0) * (1.0 if region == "DE" else 0.5)


def noisy(seed: int, mean: float = 3.0) -> Units:
    """Poisson demand that is the same in every run."""
    random = np.random.default_rng(seed)
    return lambda day, region, item: float(random.poisson(mean))
