"""Prophet for one market's daily demand, tamed: silent, repeatable, bounded, never negative."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inventory.demand.calendar import events

for _name in ("cmdstanpy", "prophet", "prophet.plot", "prophet.models"):
    # The loggers speak on import and on each fit (two lines a series), about optional plotting.
    logging.getLogger(_name).disabled = True

from prophet import Prophet  # noqa: E402  # after its loggers are silenced

Model = Prophet
"""A fitted model; it is used and dropped, never stored."""

Floats = NDArray[np.float64]

YEARLY_DAYS = 730
"""Below two years a yearly term learns noise: it raised errors by half on real orders."""

FEWEST_DAYS = 56
"""Below eight weeks there is neither a trend nor a weekday pattern to learn."""

FEWEST_BUSY_WEEKS = 0.5
"""Share of weeks with demand at or below which a market is too thin for a daily model."""

SAMPLES = 300
TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class DailySeries:
    """Daily demand of one market from `first` on; `country` says whose events count."""

    country: str
    first: date
    units: Floats

    @property
    def usable(self) -> bool:
        """Whether Prophet can learn from it: enough days, more than one value, few empty weeks.

        Its errors are normal and its means may be negative; where most weeks are empty neither
        holds, and clamped noise would pass for demand.
        """
        if len(self.units) < FEWEST_DAYS or np.ptp(self.units) == 0:
            return False
        weeks = self.units[len(self.units) % 7 :].reshape(-1, 7).sum(axis=1)
        return float((weeks > 0).mean()) > FEWEST_BUSY_WEEKS


def fit(series: DailySeries, last: date, seed: int, samples: int = SAMPLES) -> Model | None:
    """Returns Prophet fitted to a series; None where it cannot be fitted in time.

    `last` is the last day that will be forecast, up to which events must be named. The fit runs in
    a child process of its own, which is ended when it takes too long.
    """
    if not series.usable:
        return None
    model = Prophet(
        seasonality_mode="multiplicative",
        yearly_seasonality=len(series.units) >= YEARLY_DAYS,
        weekly_seasonality=True,
        daily_seasonality=False,
        holidays=_known_events(series, last),
        uncertainty_samples=samples,
    )
    days = pd.date_range(series.first, periods=len(series.units), freq="D")
    try:
        model.fit(
            pd.DataFrame({"ds": days, "y": series.units}), seed=seed + 1, timeout=TIMEOUT_SECONDS
        )
    except (RuntimeError, TimeoutError):
        return None
    return model


def weekly_samples(model: Model, start: date, weeks: int, seed: int) -> Floats:
    """Returns sampled units of each week from `start` on, [week, sample], never negative.

    Call it from one thread at a time: Prophet draws from numpy's global generator.
    """
    with _seeded(seed):
        daily = model.predictive_samples(_days(start, weeks))["yhat"]
    return _weeks(np.maximum(daily, 0.0), weeks)


def weekly_mean(model: Model, start: date, weeks: int) -> Floats:
    """Returns expected units of each week from `start` on, never negative."""
    daily = model.predict(_days(start, weeks))["yhat"].to_numpy(dtype=np.float64)
    return _weeks(np.maximum(daily, 0.0)[:, None], weeks)[:, 0]


@contextmanager
def quiet() -> Iterator[None]:
    """Hides Prophet's warnings about its own use of pandas."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _known_events(series: DailySeries, last: date) -> pd.DataFrame | None:
    """Returns the events that the history has seen: an effect never seen cannot be learned."""
    named = events(series.country, series.first, last)
    end = series.first + timedelta(days=len(series.units))
    seen = set(named.loc[named["ds"] < pd.Timestamp(end), "holiday"])
    known = named[named["holiday"].isin(list(seen))]
    return None if known.empty else known


def _days(start: date, weeks: int) -> pd.DataFrame:
    return pd.DataFrame({"ds": pd.date_range(start, periods=7 * weeks, freq="D")})


def _weeks(daily: Floats, weeks: int) -> Floats:
    return np.asarray(daily.reshape(weeks, 7, -1).sum(axis=1), dtype=np.float64)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Ensures that Prophet's draws repeat and that nobody else's draws change."""
    before = np.random.get_state()  # noqa: NPY002  # Prophet knows only the global generator
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
