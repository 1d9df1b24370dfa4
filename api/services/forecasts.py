"""Forecasts as jobs: asked for, made from the current brand, kept for whoever plans next."""

import io
from dataclasses import dataclass

import pandas as pd
from sqlmodel import Session

from api.queue.records import JobRecord
from api.queue.store import enqueue, job_of
from api.services.brands import brand_version, current_brand
from core.clock import Clock
from core.folder.columns import blank
from core.ids import Entropy, mint
from inventory.demand import store
from inventory.demand.records import ForecastRecord

KIND = "forecast.run"


@dataclass(frozen=True, slots=True)
class ForecastView:
    """A forecast and the job that makes it."""

    forecast: ForecastRecord
    job: JobRecord


def request_forecast(
    session: Session, weeks: int | None, seed: int, origins: int, clock: Clock, entropy: Entropy
) -> ForecastView:
    """Returns a forecast of the current brand that a job will make.

    Without `weeks` the horizon is the brand's own. `origins` past planning dates judge it; 0 means
    that nothing is judged. Raises `NotFound` before a brand is loaded.
    """
    brand = current_brand(session)
    forecast = mint("fct", clock.now(), entropy)
    job = enqueue(session, KIND, forecast, {}, clock, entropy)
    record = ForecastRecord(
        id=forecast,
        brand_version=brand_version(session),
        weeks=weeks or brand.horizon_weeks,
        seed=seed,
        origins=origins,
        job=job.id,
        created_at=clock.now(),
    )
    store.add(session, record)
    return ForecastView(record, job)


def forecast_view(session: Session, forecast: str) -> ForecastView:
    """Returns a forecast with its job; raises `NotFound`."""
    record = store.forecast_of(session, forecast)
    return ForecastView(record, job_of(session, record.job))


def latest_forecast(session: Session, version: str) -> pd.DataFrame | None:
    """Returns the newest finished forecast of a brand version in the layout of `forecast.parquet`.

    None where no forecast of that version has finished.
    """
    content = store.latest_frame(session, version)
    if content is None:
        return None
    return pd.read_parquet(io.BytesIO(content)).astype(blank("forecast").dtypes.to_dict())


def as_parquet(frame: pd.DataFrame) -> bytes:
    """Returns a frame as compressed Parquet."""
    return bytes(frame.to_parquet(None, index=False, compression="zstd") or b"")
