"""Tables of disruptions: signals as they came, alerts, their drafted orders, and who did what."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from core.money import Money
from routing.disruptions.alerts import STATES, Alert
from routing.disruptions.impact import SEVERITIES
from routing.disruptions.response import Draft


def _one_of(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


class SignalRecord(SQLModel, table=True):
    """One part of one version of what a source said; it is written once."""

    __tablename__ = "signal"
    __table_args__ = (
        UniqueConstraint("source", "source_id", "version", "part", name="signal_said_once"),
    )

    id: str = Field(primary_key=True)
    source: str
    source_id: str
    version: str
    part: int
    document: dict[str, Any] = Field(sa_type=JSON)
    received_at: datetime


class AlertRecord(SQLModel, table=True):
    """One alert for each incident; `key` names the event and scope."""

    __tablename__ = "alert"
    __table_args__ = (
        UniqueConstraint("key", name="alert_once_per_incident"),
        CheckConstraint(_one_of("state", STATES), name="alert_state_known"),
        CheckConstraint(_one_of("severity", SEVERITIES), name="alert_severity_known"),
        Index("alert_event", "source", "source_id"),
        Index("alert_state", "state"),
    )

    id: str = Field(primary_key=True)
    key: str
    source: str
    source_id: str
    scope: str
    version: str
    severity: str
    title: str
    state: str
    document: dict[str, Any] = Field(sa_type=JSON)
    created_at: datetime
    updated_at: datetime
    assignee: str = ""
    snoozed_until: datetime | None = None
    note: str = ""

    def to_domain(self) -> Alert:
        """Returns the alert that the row holds."""
        return Alert(**self.model_dump())

    @classmethod
    def from_domain(cls, alert: Alert) -> "AlertRecord":
        """Returns the row of an alert."""
        values = {name: getattr(alert, name) for name in Alert.__slots__}
        return cls(**{**values, "document": dict(alert.document)})


class DraftRecord(SQLModel, table=True):
    """One drafted purchase order line; `purchase_order` names the order once it is applied."""

    __tablename__ = "alert_draft"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="alert_draft_orders_units"),
        Index("alert_draft_purchase_order", "purchase_order"),
    )

    alert: str = Field(primary_key=True, foreign_key="alert.id")
    line: int = Field(primary_key=True)
    supplier: str
    item: str
    site: str
    quantity: int = Field(sa_type=BigInteger)
    unit_cost_minor: int = Field(sa_type=BigInteger)
    unit_cost_currency: str
    order_by: date
    arrives: date
    loss_avoided_minor: int = Field(sa_type=BigInteger)
    loss_avoided_currency: str
    reason: str
    purchase_order: str | None = Field(default=None, foreign_key="purchase_order.id")

    def to_domain(self) -> Draft:
        """Returns the draft that the row holds."""
        return Draft(
            supplier=self.supplier,
            item=self.item,
            site=self.site,
            quantity=self.quantity,
            unit_cost=Money(self.unit_cost_minor, self.unit_cost_currency),
            order_by=self.order_by,
            arrives=self.arrives,
            loss_avoided=Money(self.loss_avoided_minor, self.loss_avoided_currency),
            reason=self.reason,
        )

    @classmethod
    def from_domain(cls, alert: str, line: int, draft: Draft) -> "DraftRecord":
        """Returns the row of a draft."""
        return cls(
            alert=alert,
            line=line,
            supplier=draft.supplier,
            item=draft.item,
            site=draft.site,
            quantity=draft.quantity,
            unit_cost_minor=draft.unit_cost.minor,
            unit_cost_currency=draft.unit_cost.currency,
            order_by=draft.order_by,
            arrives=draft.arrives,
            loss_avoided_minor=draft.loss_avoided.minor,
            loss_avoided_currency=draft.loss_avoided.currency,
            reason=draft.reason,
        )


class AlertChangeRecord(SQLModel, table=True):
    """One change of an alert: who did what, when; never changed, never deleted."""

    __tablename__ = "alert_change"
    __table_args__ = (Index("alert_change_alert", "alert"), {"sqlite_autoincrement": True})

    sequence: int | None = Field(default=None, primary_key=True)
    alert: str = Field(foreign_key="alert.id")
    at: datetime
    actor: str
    step: str
    state: str
    note: str = ""
