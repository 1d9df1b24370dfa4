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


class ForecastPartRecord(SQLModel, table=True):
    """Rows of a forecast as Parquet: those of all its items, or of the items `first` to `last`.

    They count once the forecast has finished. Parts follow each other by the names of their items.
    """

    __tablename__ = "forecast_part"

    forecast: str = Field(primary_key=True, foreign_key="forecast.id")
    number: int = Field(primary_key=True)
    first_item: str = ""
    last_item: str = ""
    content: bytes = Field(sa_type=LargeBinary)


WAITING, WORKED, DONE = "waiting", "worked", "done"


class ForecastPartitionRecord(SQLModel, table=True):
    """One step of one partition of a large forecast: arrays in, arrays out, worked by any worker.

    `asked` is a digest of everything that the result depends on, so that a run which is resumed
    knows what still holds. `claims` counts who began (the last of them may write), `computed` how
    often a result was written. Arrays are deleted when the run ends.
    """

    __tablename__ = "forecast_partition"
    __table_args__ = (
        CheckConstraint(
            "state IN ('waiting', 'worked', 'done')", name="forecast_partition_state_known"
        ),
        Index("forecast_partition_state", "forecast", "state"),
    )

    forecast: str = Field(primary_key=True, foreign_key="forecast.id")
    step: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    asked: str
    state: str = WAITING
    worker: str = ""
    lease_until: datetime | None = None
    claims: int = 0
    computed: int = 0
    input: bytes | None = Field(default=None, sa_type=LargeBinary)
    result: bytes | None = Field(default=None, sa_type=LargeBinary)


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
