"""Prophet for daily demand, many series at a time: silent, repeatable, bounded, never negative."""

import logging
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from multiprocessing import get_context

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inventory.demand.quantiles import LEVELS

for _name in ("cmdstanpy", "prophet", "prophet.plot", "prophet.models"):
    # The loggers speak on import and on each fit (two lines a series), about optional plotting.
    logging.getLogger(_name).disabled = True

from prophet import Prophet  # noqa: E402  # after its loggers are silenced
from prophet.models import IStanBackend  # noqa: E402

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Events = tuple[tuple[date, str], ...]
"""Named days; a day may carry several names, and one name is one effect."""

Report = Callable[[float], None]
"""Tells the share of the tasks that is done; what it raises ends the work."""

DAYS = 7
DAY = timedelta(days=1)

YEARLY_DAYS = 730
"""Below two years a yearly term learns noise: it raised errors by half on real orders."""

FEWEST_DAYS = 56
"""Below eight weeks there is neither a trend nor a weekday pattern to learn."""

FEWEST_BUSY_WEEKS = 0.5
"""Share of weeks with demand at or below which a market is too thin for a daily model."""

LEAD_IN_DAYS = 28
"""Weeks that must stand before an event. A shop whose history began in December took its Christmas
for its level: on real orders the next December was forecast at 2.6 times what came, 1.7 without."""

SAMPLES = 300
TIMEOUT_SECONDS = 20.0

POOL_TASKS = 24
"""Below this many series processes cost more to start (2 s each) than they save."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "STAN_NUM_THREADS"), "1")

METHODS = ("LBFGS", "Newton")
"""Optimizers in the order in which they are tried; a short series goes to the second at once."""

SHORT_DAYS = 100
"""Prophet's own limit: L-BFGS gains nothing below it."""

_generator = threading.Lock()
"""Held while numpy's global generator is borrowed."""


@dataclass(frozen=True, slots=True)
class DailySeries:
    """Daily demand of one market from `first` on, with what is known ahead.

    `events` name days of the past and of the weeks to be forecast. `regressors` is [day, column]
    over the same days, the past from `first` on and every day to be forecast; None where nothing
    but the calendar is known. Raises `ValueError` for regressors or units that are not finite.
    """

    units: Floats
    first: date
    events: Events = ()
    regressors: Floats | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.units).all():
            raise ValueError("Expected finite units.")
        if self.regressors is not None and not np.isfinite(self.regressors).all():
            raise ValueError("Expected finite regressors.")

    @property
    def usable(self) -> bool:
        """Whether Prophet can learn from it: enough days, more than one value, few empty weeks.

        Its errors are normal and its means may be negative; where most weeks are empty neither
        holds, and clamped noise would pass for demand.
        """
        if len(self.units) < FEWEST_DAYS or np.ptp(self.units) == 0:
            return False
        weeks = self.units[len(self.units) % DAYS :].reshape(-1, DAYS).sum(axis=1)
        return float((weeks > 0).mean()) > FEWEST_BUSY_WEEKS

    @property
    def known_events(self) -> Events:
        """The events that the past teaches: those that began at least once after its lead-in.

        An effect never seen cannot be learned, and one seen only in the first weeks cannot be told
        from the level at which the series begins.
        """
        named = frozenset(self.events)
        taught = self.first + LEAD_IN_DAYS * DAY
        end = self.first + len(self.units) * DAY
        seen = {
            name for day, name in named if taught <= day < end and (day - DAY, name) not in named
        }
        return tuple(sorted(pair for pair in named if pair[1] in seen))


@dataclass(frozen=True, slots=True)
class Task:
    """One series to be forecast for `weeks` weeks from `start`, a Monday, on.

    No `samples` means no quantiles. `timeout` is the wall time, in seconds, that the solver's
    process may take. Raises `ValueError` where the regressors do not reach the last day.
    """

    key: str
    series: DailySeries
    start: date
    weeks: int
    seed: int
    samples: int = SAMPLES
    timeout: float = TIMEOUT_SECONDS

    def __post_init__(self) -> None:
        known = self.series.regressors
        if known is not None and len(known) < self.ahead + DAYS * self.weeks:
            days = self.ahead + DAYS * self.weeks
            raise ValueError(
                f"Expected {days} days of regressors for {self.key}, got {len(known)}."
            )

    @property
    def ahead(self) -> int:
        """Days from the first day of the series to the first day of the forecast."""
        return (self.start - self.series.first).days


@dataclass(frozen=True, slots=True)
class Drawn:
    """The forecast of one series.

    `daily` holds expected units of each day and `mean` their sums, [week]; `quantiles` is
    [week, level] at `quantiles.LEVELS` and NaN where no samples were asked for. `fallback` says
    that L-BFGS failed and Newton's method found the fit.
    """

    mean: Floats
    quantiles: Floats
    daily: Floats
    fallback: bool


def forecast_markets(
    tasks: Sequence[Task], workers: int = 1, report: Report = lambda done: None
) -> list[Drawn | None]:
    """Returns the forecast of each task, in order; None where it is unusable or not fitted in time.

    The numbers depend on the tasks alone, not on `workers`. Processes are started where there are
    enough tasks to pay for them; arrays go in and out of them, models never. What `report` raises
    ends the work: waiting tasks are dropped, those under way are finished, no process stays behind.
    """
    made: dict[int, Drawn | None] = {}
    usable = [at for at, task in enumerate(tasks) if task.series.usable]
    if workers > 1 and len(usable) >= POOL_TASKS:
        made = _pooled(tasks, usable, workers, report)
    for at in usable:
        if at not in made:
            made[at] = forecast_market(tasks[at])
            report(len(made) / len(usable))
    _log(made)
    return [made.get(at) for at in range(len(tasks))]


def forecast_market(task: Task) -> Drawn | None:
    """Returns the forecast of one task; None where it is unusable or not fitted in time."""
    if not task.series.usable:
        return None
    with quiet():
        fitted = _fitted(task)
        if fitted is None:
            return None
        model, fallback = fitted
        try:
            return _drawn(model, task, fallback)
        finally:
            _backend(model).cleanup()


@contextmanager
def quiet() -> Iterator[None]:
    """Hides Prophet's warnings about its own use of pandas."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _pooled(
    tasks: Sequence[Task], usable: Sequence[int], workers: int, report: Report
) -> dict[int, Drawn | None]:
    """Returns what processes made; where one of them died, without the tasks that were lost."""
    made: dict[int, Drawn | None] = {}
    with _one_thread():
        pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_deaf)
        waiting = {pool.submit(forecast_market, tasks[at]): at for at in usable}
        try:
            for done in as_completed(waiting):
                made[waiting[done]] = done.result()
                report(len(made) / len(usable))
        except BrokenProcessPool:
            log.warning("A process of the forecast died; its work is done here instead.")
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return made


def _deaf() -> None:
    """Ensures that Ctrl-C ends the parent alone, which then ends its processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Ensures that processes started inside compute with one thread each."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _log(made: dict[int, Drawn | None]) -> None:
    fallbacks = sum(drawn is not None and drawn.fallback for drawn in made.values())
    late = sum(drawn is None for drawn in made.values())
    if fallbacks or late:
        log.debug(
            "Of %d series, %d fell back to Newton's method and %d were not fitted in time.",
            len(made), fallbacks, late,
        )  # fmt: skip


def _fitted(task: Task) -> tuple[Prophet, bool] | None:
    """Returns the fitted model and whether it needed Newton's method.

    The fit is a process of its own, which is ended when it takes too long.
    """
    until = time.monotonic() + task.timeout
    methods = METHODS if len(task.series.units) >= SHORT_DAYS else METHODS[1:]
    for method in methods:
        left = until - time.monotonic()
        model = _model(task)
        _backend(model).set_options(newton_fallback=False)  # tried here, within the limit
        with suppress(RuntimeError, TimeoutError):
            if left > 0:
                model.fit(_past(task.series), seed=task.seed + 1, timeout=left, algorithm=method)
                return model, method != methods[0]
    return None


def _model(task: Task) -> Prophet:
    series = task.series
    model = Prophet(
        seasonality_mode="multiplicative",
        yearly_seasonality=len(series.units) >= YEARLY_DAYS,
        weekly_seasonality=True,
        daily_seasonality=False,
        holidays=_holidays(series.known_events),
        uncertainty_samples=task.samples,
    )
    for name in _columns(series):
        model.add_regressor(name)
    return model


def _backend(model: Prophet) -> IStanBackend:
    if model.stan_backend is None:
        raise RuntimeError("Prophet came without its solver.")
    return model.stan_backend


def _holidays(events: Events) -> pd.DataFrame | None:
    if not events:
        return None
    days, names = zip(*events, strict=True)
    return pd.DataFrame({"ds": pd.to_datetime(list(days)), "holiday": list(names)})


def _columns(series: DailySeries) -> list[str]:
    width = 0 if series.regressors is None else series.regressors.shape[1]
    return [f"regressor_{at}" for at in range(width)]


def _past(series: DailySeries) -> pd.DataFrame:
    return _days(series, 0, len(series.units)).assign(y=series.units)


def _days(series: DailySeries, begin: int, end: int) -> pd.DataFrame:
    """Returns the days of a series with what is known of them, counted from its first."""
    start = pd.Timestamp(series.first) + pd.Timedelta(days=begin)
    days = pd.DataFrame({"ds": pd.date_range(start, periods=end - begin, freq="D")})
    if series.regressors is not None:
        days[_columns(series)] = series.regressors[begin:end]
    return days


def _drawn(model: Prophet, task: Task, fallback: bool) -> Drawn:
    days = _days(task.series, task.ahead, task.ahead + DAYS * task.weeks)
    daily = np.maximum(_expected(model, days), 0.0)
    return Drawn(
        mean=daily.reshape(task.weeks, DAYS).sum(axis=1),
        quantiles=_quantiles(model, days, task),
        daily=daily,
        fallback=fallback,
    )


def _expected(model: Prophet, days: pd.DataFrame) -> Floats:
    """Returns expected units of each day; no samples are drawn for it."""
    samples, model.uncertainty_samples = model.uncertainty_samples, 0
    expected = model.predict(days)["yhat"].to_numpy(dtype=np.float64)
    model.uncertainty_samples = samples
    return np.asarray(expected, dtype=np.float64)


def _quantiles(model: Prophet, days: pd.DataFrame, task: Task) -> Floats:
    if not task.samples:
        return np.full((task.weeks, len(LEVELS)), np.nan)
    with _seeded(task.seed):
        sampled = model.predictive_samples(days)["yhat"]
    weekly = np.maximum(sampled, 0.0).reshape(task.weeks, DAYS, -1).sum(axis=1)
    return np.asarray(np.quantile(weekly, LEVELS, axis=1).T, dtype=np.float64)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Ensures that Prophet's draws repeat and that nobody else's draws change."""
    with _generator:
        before = np.random.get_state()  # noqa: NPY002  # Prophet knows only the global generator
        np.random.seed(seed)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002
