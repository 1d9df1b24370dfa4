"""Forecasts and their accuracy as values, made by hand: what doors show needs no models."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from core.brand import Brand
from inventory.demand.accuracy import Accuracy, Scores
from inventory.demand.findings import Finding
from inventory.demand.forecast import Decisions, Forecast
from inventory.demand.overrides import apply, categories_of, of_brand
from inventory.demand.quantiles import COLUMNS

FIRST = date(2026, 9, 14)
"""The first Monday ahead of 2026-09-07, the planning date of brands in tests."""

SPREAD = (2.0, 7.0, 10.0, 13.0, 16.0, 18.0)
"""Quantiles around a mean of 10."""


def forecast_made(brand: Brand, weeks: int = 3, **changes: Any) -> Forecast:
    """Every item asks for 10 units a week more than the one before it, in every region."""
    items = [str(item) for item in brand.table("items")["item"]]
    regions = [str(region) for region in brand.table("regions")["region"]]
    starts = [pd.Timestamp(FIRST + timedelta(days=7 * week)) for week in range(weeks)]
    frame = pd.DataFrame(
        [
            {"start": start, "region": region, "item": item, "mean": 10.0 * (at + 1)}
            | {name: (at + 1) * units for name, units in zip(COLUMNS, SPREAD, strict=True)}
            for start in starts
            for region in regions
            for at, item in enumerate(items)
        ]
    )
    frame, overridden = apply(frame, of_brand(brand), categories_of(brand))
    series = frame[["region", "item"]].drop_duplicates().reset_index(drop=True)
    values: dict[str, Any] = {
        "frame": frame,
        "regions": _summed(frame, ["start", "region"]).assign(method="smoothing+last_year"),
        "categories": _summed(
            frame.assign(category=frame["item"].map(categories_of(brand)).astype("str")),
            ["start", "region", "category"],
        ).drop(columns=list(COLUMNS)),
        "daily": pd.DataFrame({"date": starts, "region": regions[0], "mean": 1.0}),
        "series_methods": series.assign(
            method="smoothing",
            alpha=0.1,
            value_added=[np.nan, -0.2, *[0.1] * (len(series) - 2)],
        ),
        "overridden": overridden,
        "shifts": Decisions.of(brand, ()).shifts(overridden),
        "returns": frame[["start", "region", "item", "mean"]].iloc[:0],
        "findings": (
            Finding("clipped", items[0], regions[0], date(2026, 8, 3), "900 units kept as 40."),
            Finding("dead", items[0], "", None, "Nothing asked for since January."),
        ),
        "events": pd.DataFrame(
            {"region": [regions[0]], "event": ["Harvest fair"], "start": [starts[0]],
             "end": [starts[0]]}
        ),
        "models": {"smoothing": len(series), "region_smoothing": len(regions)},
        "calendar": "2026-11",
        "seconds": 0.5,
        "series": len(series),
        "seed": 7,
    }  # fmt: skip
    return Forecast(**{**values, **changes})


def accuracy_made(brand: Brand, **changes: Any) -> Accuracy:
    """Ours errs by half of what naive errs by; one region has a bias."""
    regions = [str(region) for region in brand.table("regions")["region"]]
    scores = {
        "ours": Scores(0.4, 0.02, 0.4, 0.3, 0.2, 0.9, 0.6),
        "naive": Scores(0.8, 0.1, 0.8, 0.5, 0.3, 0.8, 1.0),
        "seasonal_naive": Scores(0.7, -0.1, 0.7, 0.4, 0.3, 0.85, 0.5),
    }
    levels = [(level, date(2026, 7, 5)) for level in ("item_region", "region")]
    values: dict[str, Any] = {
        "item_region": scores,
        "region": scores,
        "by_origin": pd.DataFrame(
            [
                {"origin": origin, "level": level, "wape": 0.4, "bias": 0.02,
                 "pinball_p90": 0.3, "p90_hit": 0.9}
                for level, origin in levels
            ]
        ),
        "by_series": pd.DataFrame(
            {"region": regions[0], "item": ["MUG"], "demand": 1.0, "loss_ours": 0.1,
             "loss_naive": 0.2, "bias": 0.0, "p90_hit": 0.9}
        ),
        "by_region": pd.DataFrame(
            {"region": regions, "wape": 0.4, "bias": 0.02, "pinball_p90": 0.3, "p90_hit": 0.9,
             "wape_naive": [0.8, *[np.nan] * (len(regions) - 1)]}
        ),
        "overrides": pd.DataFrame(
            {"override": ["FAIR"], "weeks": [2], "error_without": [10.0], "error_with": [12.5],
             "value_added": [-0.25]}
        ),
        "alarms": (Finding("bias", "", regions[0], None, "A quarter too high."),),
        "origins": (date(2026, 7, 5),),
        "weeks": 4,
    }  # fmt: skip
    return Accuracy(**{**values, **changes})


def _summed(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return frame.groupby(keys, as_index=False, sort=False)[["mean", *COLUMNS]].sum()
