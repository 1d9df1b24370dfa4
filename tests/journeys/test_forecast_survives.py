"""A large forecast on real workers: whoever is killed, no finished partition is worked again."""

import os
import signal
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import Engine
from sqlmodel import col, select

from api.database import SessionFactory
from api.queue import store as queue
from api.queue.records import JobRecord
from api.services import forecasts
from api.services.brands import load_brand
from api.settings import Settings
from core.brand import Brand
from core.clock import SystemClock
from core.ids import Entropy
from inventory.demand import store
from inventory.demand.records import ForecastPartitionRecord
from tests.inventory.demand.worlds import world
from tests.journeys.crowd import Workers, crowd
from tests.journeys.parts_worker import PARTITION_SERIES
from tests.journeys.test_worker_survives import holder, read, until

CLOCK = SystemClock()
ITEMS = tuple(f"I{at:04d}" for at in range(1000))
REGIONS = ("DE", "TH")
PARTS = len(ITEMS) * len(REGIONS) // PARTITION_SERIES
WEEKS = 2


def catalog() -> Brand:
    """2,000 series with a unit now and then over 20 weeks."""
    units = np.random.default_rng(1).poisson(0.3, (20, len(REGIONS), len(ITEMS)))
    return world(units.astype(np.float64), date(2026, 4, 26), REGIONS, ITEMS, step=7)


def workers(engine: Engine, home: Path, count: int) -> Workers:
    return crowd(engine, home, count, "parts_worker")


def ask(sessions: SessionFactory, entropy: Entropy) -> JobRecord:
    with sessions.begin() as session:
        load_brand(session, catalog(), CLOCK, entropy)
        return forecasts.request_forecast(session, WEEKS, 0, 0, CLOCK, entropy).job


def partitions(sessions: SessionFactory, step: str) -> Sequence[ForecastPartitionRecord]:
    with sessions.begin() as session:
        number = col(ForecastPartitionRecord.number)
        asked = select(ForecastPartitionRecord).order_by(number)
        return session.exec(asked.where(col(ForecastPartitionRecord.step) == step)).all()


def done(sessions: SessionFactory) -> int:
    return sum(one.state == "done" for one in partitions(sessions, "levels"))


def helpers(sessions: SessionFactory) -> Sequence[JobRecord]:
    with sessions.begin() as session:
        return queue.jobs(session, 100, kind="forecast.partition")


def test_a_killed_workers_forecast_goes_on_where_it_stood(
    engine: Engine, sessions: SessionFactory, entropy: Entropy, tmp_path: Path
) -> None:
    """Both workers share the partitions; the one that is killed holds one of them."""
    home = Settings(home=tmp_path / "home").folder
    job = ask(sessions, entropy).id
    with workers(engine, home, 2):
        until(lambda: 2 <= done(sessions) < PARTS - 2)
        killed = holder(sessions, job)
        os.kill(killed, signal.SIGKILL)
        before = {one.number: one.claims for one in partitions(sessions, "levels") if one.computed}
        until(lambda: read(sessions, job).state == "succeeded")
    ended = read(sessions, job)
    assert (ended.attempts, holder(sessions, job) != killed) == (2, True)
    for step in ("levels", "cells"):
        assert [one.computed for one in partitions(sessions, step)] == [1] * PARTS
    after = {one.number: one.claims for one in partitions(sessions, "levels")}
    assert {number: after[number] for number in before} == before
    assert sum(after.values()) <= PARTS + 2  # no more than what two workers had in hand
    assert [one.computed for one in partitions(sessions, "top")] == [1]
    assert all(one.input is None and one.result is None for one in partitions(sessions, "levels"))
    _can_be_read(sessions, ended.subject)


def _can_be_read(sessions: SessionFactory, forecast: str) -> None:
    """Pages of 501 rows run through all series in order, across the parts."""
    rows: list[forecasts.Row] = []
    with sessions.begin() as session:
        assert len(store.parts_of(session, forecast)) == PARTS
        while page := forecasts.series_rows(
            session, forecast, "item", None, None,
            forecasts.series_key("item", rows[-1]) if rows else None, 501,
        ):  # fmt: skip
            rows += page
        frame = forecasts.item_frame(session, forecast, "TH", ["I0007", "I0950"])
    keys = [forecasts.series_key("item", row) for row in rows]
    assert keys == sorted(keys)
    assert len(keys) == len(ITEMS) * len(REGIONS) * WEEKS
    assert list(frame["item"]) == ["I0007"] * WEEKS + ["I0950"] * WEEKS
    assert pd.notna(frame["alpha"]).all()


def test_a_cancelled_forecast_stops_whoever_helps(
    engine: Engine, sessions: SessionFactory, entropy: Entropy, tmp_path: Path
) -> None:
    home = Settings(home=tmp_path / "home").folder
    job = ask(sessions, entropy).id
    with workers(engine, home, 2):
        until(lambda: any(one.state == "running" for one in helpers(sessions)))
        with sessions.begin() as session:
            queue.cancel(session, job, CLOCK)
        until(lambda: read(sessions, job).state == "cancelled")
        until(lambda: all(one.state == "succeeded" for one in helpers(sessions)))
    assert partitions(sessions, "levels") == []
    with sessions.begin() as session:
        assert store.parts_of(session, read(sessions, job).subject) == []
