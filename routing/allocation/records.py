"""Table of allocations: what was asked, what came out, and its tables as Parquet."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, LargeBinary
from sqlmodel import Field, SQLModel


class AllocationRecord(SQLModel, table=True):
    """One allocation of one version of the brand; without a result until its job has ended.

    `scenario` is the what-if that it answers; null for the brand as it is. `stock` is what the
    plan saw on hand, `forecast` the one that it met; null where the brand has its own.
    """

    __tablename__ = "allocation"
    __table_args__ = (Index("allocation_brand_version", "brand_version", "finished_at"),)

    id: str = Field(primary_key=True)
    brand_version: str
    currency: str
    scenario: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    is_base: bool = True
    gap: float
    seed: int
    job: str
    created_at: datetime
    finished_at: datetime | None = None
    result: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    flows: bytes | None = Field(default=None, sa_type=LargeBinary)
    moves: bytes | None = Field(default=None, sa_type=LargeBinary)
    purchases: bytes | None = Field(default=None, sa_type=LargeBinary)
    unmet: bytes | None = Field(default=None, sa_type=LargeBinary)
    prices: bytes | None = Field(default=None, sa_type=LargeBinary)
    stock: bytes | None = Field(default=None, sa_type=LargeBinary)
    forecast: str | None = None
