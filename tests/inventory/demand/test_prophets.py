import logging
import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from prophet import Prophet

from core.brand import Brand
from inventory.demand.calendar import Calendar
from inventory.demand.prophets import (
    POOL_TASKS,
    DailySeries,
    Drawn,
    Floats,
    Task,
    forecast_market,
    forecast_markets,
)
from inventory.demand.quantiles import LEVELS
from tests.builders import brand_of

DAY = timedelta(days=1)
NOISE = 0.1


def selling_in(country: str, *events: dict[str, object]) -> Brand:
    """A brand with one region, named like its country."""
    own = {"events": events} if events else {}
    made = brand_of(
        regions=[{"region": country, "country": country, "latitude": 0, "longitude": 0}], **own
    )
    return replace(made, today=date(2026, 12, 1))


def doubled_on(brand: Brand, name: str, start: date, weeks: int = 8, years: int = 5) -> Task:
    """Noisy demand of 100 a day, a fifth more on weekends, twice that on the days of one event."""
    (region,) = (region for region, _ in Calendar.of(brand).regions)
    first = start - 365 * years * DAY
    events = tuple(Calendar.of(brand).days(region, first, start + 7 * weeks * DAY))
    days = [first + at * DAY for at in range((start - first).days)]
    lifted = {day for day, found in events if found == name}
    plain = np.array([120.0 if day.weekday() > 4 else 100.0 for day in days])
    lift = np.array([2.0 if day in lifted else 1.0 for day in days])
    noise = np.random.default_rng(7).normal(1.0, NOISE, len(days))
    return Task(region, DailySeries(plain * lift * noise, first, events), start, weeks, 3)


def uplift(task: Task, name: str) -> Floats:
    """The forecast of an event's days as a share of plain days of the same weekday, less one."""
    drawn = made(task)
    days = [task.start + at * DAY for at in range(len(drawn.daily))]
    on = {day for day, found in task.series.events if found == name}
    named = {day for day, _ in task.series.known_events}
    plain = {
        weekday: np.mean([
            units for day, units in zip(days, drawn.daily, strict=True)
            if day.weekday() == weekday and day not in named
        ])
        for weekday in range(7)
    }  # fmt: skip
    return np.array([
        units / plain[day.weekday()] - 1.0
        for day, units in zip(days, drawn.daily, strict=True) if day in on
    ])  # fmt: skip


def made(task: Task) -> Drawn:
    drawn = forecast_market(task)
    assert drawn is not None
    return drawn


def short(seed: int, days: int = 120, **changes: Any) -> Task:
    """A quick task: four months of Poisson demand, three weeks ahead."""
    units = np.random.default_rng(seed).poisson(20.0, days).astype(np.float64)
    task = Task(f"M{seed}", DailySeries(units, date(2026, 1, 5)), date(2026, 6, 1), 3, seed, 50)
    return replace(task, **changes)


@pytest.mark.parametrize(
    ("country", "name", "start"),
    [
        ("AE", "Eid al-Fitr", date(2027, 2, 15)),
        ("SA", "Eid al-Fitr", date(2027, 2, 15)),
        ("ID", "Eid al-Fitr", date(2027, 2, 15)),
        ("AE", "Eid al-Adha", date(2027, 4, 19)),
        ("SG", "Lunar New Year", date(2027, 1, 18)),
        ("SG", "Before Lunar New Year", date(2027, 1, 11)),
    ],
)
def test_an_effect_of_past_feasts_appears_on_the_next_one(
    country: str, name: str, start: date
) -> None:
    """Demand doubled on each feast of five years; the next Eid is an estimate in the table."""
    found = uplift(doubled_on(selling_in(country), name, start), name)
    assert len(found) >= 1
    assert found == pytest.approx(np.ones(len(found)), abs=0.25)


def test_an_effect_of_the_brands_own_sale_appears_on_the_next_one() -> None:
    sales: list[dict[str, object]] = [
        {
            "event": "Founders' sale",
            "start": f"{year}-02-{day:02}",
            "end": f"{year}-02-{day + 4:02}",
        }
        for year, day in ((2023, 6), (2024, 13), (2025, 20), (2026, 10), (2027, 17))
    ]
    task = doubled_on(selling_in("DE", *sales), "Founders' sale", date(2027, 1, 25))
    found = uplift(task, "Founders' sale")
    assert len(found) == 5
    assert found == pytest.approx(np.ones(5), abs=0.25)


def test_an_event_without_a_past_is_left_out() -> None:
    """A name never seen would widen every quantile and move no mean."""
    task = short(1)
    unseen = replace(task, series=replace(task.series, events=((date(2026, 6, 10), "Moon"),)))
    assert unseen.series.known_events == ()
    assert np.array_equal(made(task).quantiles, made(unseen).quantiles)


def test_an_event_is_known_once_it_happened() -> None:
    seen = ((date(2026, 2, 3), "Moon"), (date(2026, 6, 10), "Moon"), (date(2026, 6, 10), "Mars"))
    series = replace(short(1).series, events=(*seen, seen[0]))
    assert series.known_events == seen[:2]


def test_an_event_in_the_first_weeks_teaches_nothing() -> None:
    """A shop that opened before Christmas: its sale cannot be told from its level."""
    opening = tuple((date(2026, 1, 20) + at * DAY, "Opening") for at in range(20))
    later = tuple((date(2026, 3, 2) + at * DAY, "Opening") for at in range(3))
    first = short(1).series
    assert replace(first, events=opening).known_events == ()
    assert replace(first, events=(*opening, *later)).known_events == (*opening, *later)


def test_a_planned_regressor_moves_the_days_it_is_planned_for() -> None:
    """Demand doubles wherever the share of promoted items is one; the plan names two days."""
    random = np.random.default_rng(3)
    share = (random.random((365 + 28, 1)) < 0.1).astype(np.float64)
    share[365:] = 0.0
    share[[370, 380]] = 1.0
    units = 100.0 * (1.0 + share[:365, 0]) * random.normal(1.0, NOISE, 365)
    first = date(2026, 1, 5)
    series = DailySeries(units, first, regressors=share)
    daily = made(Task("DE", series, first + 365 * DAY, 4, 0)).daily
    promoted = daily[[5, 15]].mean() / np.delete(daily, [5, 15]).mean()
    assert promoted == pytest.approx(2.0, abs=0.25)


def test_what_is_drawn_fits_together() -> None:
    drawn = made(short(5))
    assert drawn.mean == pytest.approx(drawn.daily.reshape(3, 7).sum(axis=1))
    assert drawn.quantiles.shape == (3, len(LEVELS))
    assert (np.diff(drawn.quantiles, axis=1) >= 0).all()
    assert (drawn.quantiles[:, 0] < drawn.mean).all()
    assert (drawn.mean < drawn.quantiles[:, -1]).all()
    assert not drawn.fallback


def test_a_falling_market_never_goes_below_zero() -> None:
    units = np.maximum(np.linspace(40.0, 1.0, 200), 0.0)
    drawn = made(Task("DE", DailySeries(units, date(2026, 1, 5)), date(2026, 7, 27), 12, 0))
    assert drawn.daily.min() == 0.0
    assert drawn.quantiles.min() == 0.0


def test_without_samples_there_are_means_and_no_quantiles() -> None:
    drawn = made(short(5, samples=0))
    assert np.isnan(drawn.quantiles).all()
    assert np.array_equal(drawn.mean, made(short(5)).mean)


def test_a_gap_between_the_past_and_the_forecast_is_skipped() -> None:
    """The forecast of week 2 is the same whether or not week 1 is asked for."""
    whole = made(short(5, start=date(2026, 6, 1), weeks=3, samples=0))
    later = made(short(5, start=date(2026, 6, 8), weeks=2, samples=0))
    assert later.daily == pytest.approx(whole.daily[7:])


def test_thin_series_are_left_to_others() -> None:
    weekly = np.zeros(200)
    weekly[::21] = 5.0
    for units in (np.full(200, 3.0), np.zeros(200), np.arange(40.0), weekly):
        task = Task("DE", DailySeries(units, date(2026, 1, 5)), date(2026, 8, 3), 2, 0)
        assert forecast_markets([task]) == [None]


def test_what_cannot_be_true_is_refused() -> None:
    first = date(2026, 1, 5)
    with pytest.raises(ValueError, match="finite units"):
        DailySeries(np.array([1.0, np.nan]), first)
    with pytest.raises(ValueError, match="finite regressors"):
        DailySeries(np.ones(2), first, regressors=np.array([[np.inf]]))
    few = DailySeries(np.ones(7), first, regressors=np.ones((7, 1)))
    with pytest.raises(ValueError, match="Expected 14 days of regressors for DE, got 7"):
        Task("DE", few, first + 7 * DAY, 1, 0)


def test_a_fit_that_takes_too_long_is_given_up() -> None:
    """Fifteen years of noise: its process is killed, the task beside it is not touched."""
    random = np.random.default_rng(1)
    first_day, days = date(2010, 1, 4), 365 * 15
    series = DailySeries(
        random.poisson(20.0, days).astype(np.float64),
        first_day,
        regressors=random.random((days + 7, 150)),
    )
    late = Task("LATE", series, first_day + days * DAY, 1, 0, timeout=0.3)
    first, second = forecast_markets([late, short(2)])
    assert first is None
    assert second is not None


def test_a_failed_optimizer_is_followed_by_newtons(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """L-BFGS fails on one series in thousands; here it is told to."""
    fit: Callable[..., Prophet] = Prophet.fit

    def failing(model: Prophet, *given: Any, algorithm: str, **named: Any) -> Prophet:
        if algorithm == "LBFGS":
            raise RuntimeError("Line search failed.")
        return fit(model, *given, algorithm=algorithm, **named)

    plain = made(short(1))
    monkeypatch.setattr(Prophet, "fit", failing)
    with caplog.at_level(logging.DEBUG, logger="inventory.demand.prophets"):
        (drawn,) = forecast_markets([short(1)])
    assert drawn is not None
    assert drawn.fallback
    assert drawn.mean == pytest.approx(plain.mean, rel=0.05)
    assert "1 fell back" in caplog.text


def test_a_fit_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    made(short(1))
    assert capfd.readouterr() == ("", "")


def test_nobody_elses_draws_change() -> None:
    np.random.seed(5)  # noqa: NPY002  # the generator that Prophet uses
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    made(short(1))
    assert np.random.random() == expected  # noqa: NPY002


def test_processes_change_no_number_even_when_one_dies() -> None:
    """The first report kills a process of the pool; its work is done again here."""
    tasks = [short(seed) for seed in range(POOL_TASKS)]
    killed: list[int] = []

    def kill_one(done: float) -> None:
        if not killed:
            killed.append(multiprocessing.active_children()[0].pid or 0)
            os.kill(killed[0], signal.SIGKILL)

    alone = forecast_markets(tasks)
    for report in (lambda done: None, kill_one):
        spread = forecast_markets(tasks, workers=2, report=report)
        for one, other in zip(alone, spread, strict=True):
            assert one is not None
            assert other is not None
            assert one.quantiles.tobytes() == other.quantiles.tobytes()
            assert one.daily.tobytes() == other.daily.tobytes()
    assert killed
    assert multiprocessing.active_children() == []


def test_a_cancelled_forecast_leaves_no_process_behind() -> None:
    class Cancelled(Exception):
        pass

    def cancel(done: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        forecast_markets([short(seed) for seed in range(POOL_TASKS)], workers=2, report=cancel)
    assert multiprocessing.active_children() == []


def test_progress_reaches_the_end() -> None:
    told: list[float] = []
    forecast_markets([short(1), short(2, days=30), short(3)], report=told.append)
    assert told == [0.5, 1.0]
