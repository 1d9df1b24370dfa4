"""The forecast of a brand: regions by their best methods, items by smoothing, made coherent."""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.brand import Brand
from core.errors import BadInput
from inventory.demand import coherence, newcomers
from inventory.demand.history import History
from inventory.demand.quantiles import COLUMNS, LEVELS, count_quantiles, widened
from inventory.demand.regions import Markets, Regional, Report, forecast_regions
from inventory.demand.smoothing import INTERMITTENT, expected, smooth

Floats = NDArray[np.float64]

MOST_WEEKS = 104
CHUNK = 50_000
"""Series smoothed together: large enough for vectors to pay, small enough for memory."""

TAIL_UNITS = 1.0
"""P95 of a series of which nothing is known: its mean is 0, yet somebody may ask."""

REGION_SHARE = 0.8
"""Share of the time that regions take in the progress bar."""

METHODS = ("smoothing", "smoothing_imapa", "category", "no_evidence", "never_sold")


@dataclass(frozen=True)
class Forecast:
    """What a brand can expect to be asked for.

    `frame` has the layout of `forecast.parquet`, one row per week, region and item; `regions` is
    the same per week and region, with the methods behind its mean. `models` counts the series that
    each method forecast; region methods carry the prefix `region_`, and count one per admission.
    """

    frame: pd.DataFrame
    regions: pd.DataFrame
    models: dict[str, int]
    seconds: float
    series: int

    def summary(self) -> dict[str, Any]:
        """Returns the figures that every door shows."""
        return {
            "series": self.series,
            "seconds": round(self.seconds, 3),
            "series_per_minute": round(self.series / max(self.seconds, 1e-9) * 60),
            "models": self.models,
        }


@dataclass(frozen=True, slots=True)
class ItemLevels:
    """One week ahead for every item and region, before coherence; arrays are [item, region]."""

    mean: Floats
    variance: Floats
    alpha: Floats
    method: NDArray[np.int8]
    """Position in `METHODS`."""


def forecast(brand: Brand, weeks: int, seed: int = 0, report: Report | None = None) -> Forecast:
    """Returns the demand of the `weeks` weeks after the planning date, with quantiles.

    Demand after the planning date is never looked at. The same brand and seed give the same
    forecast. Raises `BadInput` without past demand or for a horizon outside 1 to 104 weeks.
    """
    if not 1 <= weeks <= MOST_WEEKS:
        raise BadInput(f"Expected a horizon from 1 to {MOST_WEEKS} weeks, got {weeks}.")
    began = time.perf_counter()
    tell = report or _silent
    history = History.of(brand)
    markets = Markets(tuple(str(code) for code in brand.table("regions")["country"]), seed)
    regional = forecast_regions(
        history, markets, weeks, lambda done, doing: tell(REGION_SHARE * done, doing)
    )
    tell(REGION_SHARE, "Smoothing items")
    levels = item_levels(history, brand.table("items")["category"])
    mean, tails = _scaled(levels, regional, history, weeks)
    return Forecast(
        frame=_frame(history, weeks, mean, tails),
        regions=_region_frame(history, weeks, regional),
        models=_models(levels, regional),
        seconds=time.perf_counter() - began,
        series=history.count,
    )


def item_levels(history: History, category: "pd.Series[str]") -> ItemLevels:
    """Returns the expected week of every series; those without a past follow their category."""
    shape = (len(history.items), len(history.regions))
    chunks = [
        _smoothed(history, begin, min(begin + CHUNK, history.count))
        for begin in range(0, history.count, CHUNK)
    ]
    mean, variance, alpha, weeks, zeros = (
        np.concatenate(parts).reshape(shape) for parts in zip(*chunks, strict=True)
    )
    codes = pd.factorize(category)[0].astype(np.int32)
    filled = newcomers.fill(mean, variance, weeks, codes)
    own = np.where(zeros > INTERMITTENT, 1, 0)
    method = np.where(filled.source == 0, own, filled.source + 1)
    return ItemLevels(filled.mean, filled.variance, alpha, method.astype(np.int8))


def _smoothed(history: History, begin: int, end: int) -> tuple[Floats, ...]:
    demand = history.matrix(begin, end)
    state = smooth(demand)
    return expected(demand, state), state.variance, state.alpha, state.weeks, state.zeros


def _scaled(
    levels: ItemLevels, regional: Regional, history: History, weeks: int
) -> tuple[Floats, Floats]:
    """Returns mean [week, region, item] and quantiles [week, region, item, level], coherent.

    Quantiles are taken once per series, one week ahead; each week then scales them with the mean
    and widens them, which keeps their order.
    """
    ratio = coherence.ratios(regional.mean, levels.mean)
    one_ahead = count_quantiles(levels.mean, levels.variance)
    mean = levels.mean.T * ratio.T[:, :, None]
    scaled = one_ahead.transpose(1, 0, 2) * ratio.T[:, :, None, None]
    ahead = (np.arange(weeks) + history.gap)[:, None, None]
    tails = widened(mean, scaled, np.sqrt(1.0 + ahead * levels.alpha.T**2))
    unknown = np.isin(levels.method.T, METHODS.index("no_evidence"))
    tails[:, unknown, -1] = TAIL_UNITS
    return mean, tails


def _frame(history: History, weeks: int, mean: Floats, tails: Floats) -> pd.DataFrame:
    regions, items = len(history.regions), len(history.items)
    columns: dict[str, object] = {
        "start": np.repeat(history.starts(weeks).to_numpy(), regions * items),
        "region": _names(np.tile(np.repeat(np.arange(regions), items), weeks), history.regions),
        "item": _names(np.tile(np.arange(items), weeks * regions), history.items),
        "mean": mean.ravel(),
    }
    flat = tails.reshape(-1, len(LEVELS))
    return pd.DataFrame(columns | {name: flat[:, at] for at, name in enumerate(COLUMNS)})


def _names(codes: NDArray[np.intp], names: tuple[str, ...]) -> "pd.Series[str]":
    return pd.Series(pd.array(names, dtype="str").take(codes))


def _region_frame(history: History, weeks: int, regional: Regional) -> pd.DataFrame:
    count = len(history.regions)
    methods = tuple("+".join(names) for names in regional.admitted)
    columns: dict[str, object] = {
        "start": np.repeat(history.starts(weeks).to_numpy(), count),
        "region": _names(np.tile(np.arange(count), weeks), history.regions),
        "method": _names(np.tile(np.arange(count), weeks), methods),
        "mean": regional.mean.T.ravel(),
    }
    flat = regional.quantiles.transpose(1, 0, 2).reshape(-1, len(LEVELS))
    return pd.DataFrame(columns | {name: flat[:, at] for at, name in enumerate(COLUMNS)})


def _models(levels: ItemLevels, regional: Regional) -> dict[str, int]:
    counts = np.bincount(levels.method.ravel(), minlength=len(METHODS))
    items = {name: int(count) for name, count in zip(METHODS, counts, strict=True) if count}
    members = Counter(name for names in regional.admitted for name in names)
    return items | {f"region_{name}": members[name] for name in sorted(members)}


def _silent(share: float, doing: str) -> None:
    pass
