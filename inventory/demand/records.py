"""Tables of demand: forecasts with their frames, and the overrides that people decided."""

from datetime import date, datetime
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


class ForecastOverrideRecord(SQLModel, table=True):
    """One decision about coming demand; withdrawn ones stay, so that they can be judged."""

    __tablename__ = "forecast_override"
    __table_args__ = (
        CheckConstraint("(factor IS NULL) <> (units IS NULL)", name="forecast_override_one_amount"),
        CheckConstraint("last_day >= first_day", name="forecast_override_days_in_order"),
        CheckConstraint(
            "(withdrawn_at IS NULL) = (withdrawn_by IS NULL)", name="forecast_override_withdrawal"
        ),
    )

    id: str = Field(primary_key=True)
    region: str
    category: str
    item: str
    first_day: date
    last_day: date
    factor: float | None = None
    units: float | None = None
    who: str
    made_at: datetime
    why: str
    withdrawn_at: datetime | None = None
    withdrawn_by: str | None = None
