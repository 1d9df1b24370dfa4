"""Tables of what-if: scenarios as they were written, and runs with their outcomes."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, LargeBinary
from sqlmodel import Field, SQLModel


class ScenarioRecord(SQLModel, table=True):
    """A scenario: base + overrides; it never changes."""

    __tablename__ = "scenario"

    id: str = Field(primary_key=True)
    name: str
    document: dict[str, Any] = Field(sa_type=JSON)
    created_at: datetime


class RunRecord(SQLModel, table=True):
    """One run of a scenario on one version of the brand; without `scenario`, of the base.

    `base` is the run that it compares with; a base keeps the forecast that its runs share.
    """

    __tablename__ = "scenario_run"
    __table_args__ = (
        Index("scenario_run_scenario", "scenario"),
        Index("scenario_run_base", "brand_version", "seed"),
        Index("scenario_run_promoted", "promoted_at"),
    )

    id: str = Field(primary_key=True)
    scenario: str | None = Field(default=None, foreign_key="scenario.id")
    base: str | None = Field(default=None, foreign_key="scenario_run.id")
    brand_version: str
    seed: int
    job: str
    outcome: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    prices: bytes | None = Field(default=None, sa_type=LargeBinary)
    forecast: bytes | None = Field(default=None, sa_type=LargeBinary)
    created_at: datetime
    finished_at: datetime | None = None
    promoted_at: datetime | None = None
