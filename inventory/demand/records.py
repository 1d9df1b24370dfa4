"""Table of forecasts: what was asked, what came out, and the whole frame as Parquet."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Index, LargeBinary
from sqlmodel import Field, SQLModel


class ForecastRecord(SQLModel, table=True):
    """One forecast of one version of the brand; without a result until its job has ended."""

    __tablename__ = "forecast"
    __table_args__ = (
        CheckConstraint("weeks >= 1", name="forecast_looks_ahead"),
        Index("forecast_brand_version", "brand_version", "finished_at"),
    )

    id: str = Field(primary_key=True)
    brand_version: str
    weeks: int
    seed: int
    origins: int
    job: str
    created_at: datetime
    finished_at: datetime | None = None
    result: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    accuracy: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    frame: bytes | None = Field(default=None, sa_type=LargeBinary)
