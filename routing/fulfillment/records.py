"""Tables of order plans: the plan as it was answered, and the fulfillment order made of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Index
from sqlmodel import Field, SQLModel


class PlanRecord(SQLModel, table=True):
    """One order plan; the document never changes, only the status and what came of it do.

    Neither name nor street of a customer is in it: the region stands for the address.
    """

    __tablename__ = "fulfillment_plan"
    __table_args__ = (
        CheckConstraint(
            "status IN ('planned', 'reserved', 'confirmed', 'cancelled')",
            name="fulfillment_plan_status_known",
        ),
        Index("fulfillment_plan_order", "order"),
    )

    id: str = Field(primary_key=True)
    order: str
    region: str
    status: str
    reservation: str | None = None
    expires_at: datetime | None = None
    document: dict[str, Any] = Field(sa_type=JSON)
    data_version: str
    prices_version: str | None = None
    created_at: datetime


class FulfillmentOrderRecord(SQLModel, table=True):
    """The order to the warehouses that a confirmed plan became; one for each plan."""

    __tablename__ = "fulfillment_order"
    __table_args__ = (
        CheckConstraint(
            "status IN ('open', 'in_progress', 'on_hold', 'closed', 'cancelled')",
            name="fulfillment_order_status_known",
        ),
    )

    id: str = Field(primary_key=True)
    plan: str = Field(foreign_key="fulfillment_plan.id", unique=True)
    order: str = Field(index=True)
    status: str
    shipments: list[str] = Field(sa_type=JSON)
    created_at: datetime
