"""Tables of shipments and of what carriers reported about them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from carriers.shipments import Outlook, Shipment, ShipmentLine
from carriers.tracking import Status, TrackingEvent
from core.money import Money

_STATUSES = ", ".join(f"'{status}'" for status in Status)


class ShipmentRecord(SQLModel, table=True):
    """One leg of a confirmed plan; one row per plan and leg, so that confirming twice adds none."""

    __tablename__ = "shipment"
    __table_args__ = (
        UniqueConstraint("plan", "leg", name="shipment_once_per_leg"),
        UniqueConstraint("carrier", "tracking_code", name="shipment_tracking_code"),
        CheckConstraint(f"status IN ({_STATUSES})", name="shipment_status_known"),
        Index("shipment_watch", "status", "promised_by"),
        Index("shipment_order", "order"),
    )

    id: str = Field(primary_key=True)
    plan: str
    leg: int
    order: str
    site: str
    region: str
    service: str
    carrier: str
    tracking_code: str
    customs_route: str
    lines: list[dict[str, Any]] = Field(sa_type=JSON)
    created_at: datetime
    expected_p50: datetime
    expected_p95: datetime
    promised_by: datetime
    value_minor: int = Field(sa_type=BigInteger)
    currency: str
    status: str
    last_event_at: datetime | None = None
    delivered_at: datetime | None = None
    late_since: datetime | None = None
    compensation_minor: int | None = Field(default=None, sa_type=BigInteger)

    def to_domain(self) -> Shipment:
        """Returns the shipment that the row holds."""
        owed = self.compensation_minor
        return Shipment(
            id=self.id,
            plan=self.plan,
            leg=self.leg,
            order=self.order,
            site=self.site,
            region=self.region,
            service=self.service,
            carrier=self.carrier,
            tracking_code=self.tracking_code,
            customs_route=self.customs_route,
            lines=tuple(ShipmentLine(**line) for line in self.lines),
            created_at=self.created_at,
            outlook=Outlook(self.expected_p50, self.expected_p95),
            promised_by=self.promised_by,
            value=Money(self.value_minor, self.currency),
            status=Status(self.status),
            last_event_at=self.last_event_at,
            delivered_at=self.delivered_at,
            late_since=self.late_since,
            compensation=None if owed is None else Money(owed, self.currency),
        )

    @classmethod
    def from_domain(cls, shipment: Shipment) -> "ShipmentRecord":
        """Returns the row that holds a shipment."""
        return cls(
            id=shipment.id,
            plan=shipment.plan,
            leg=shipment.leg,
            order=shipment.order,
            site=shipment.site,
            region=shipment.region,
            service=shipment.service,
            carrier=shipment.carrier,
            tracking_code=shipment.tracking_code,
            customs_route=shipment.customs_route,
            lines=[
                {"line": line.line, "item": line.item, "quantity": line.quantity}
                for line in shipment.lines
            ],
            created_at=shipment.created_at,
            expected_p50=shipment.outlook.p50,
            expected_p95=shipment.outlook.p95,
            promised_by=shipment.promised_by,
            value_minor=shipment.value.minor,
            currency=shipment.value.currency,
            **moving(shipment),
        )


def moving(shipment: Shipment) -> dict[str, Any]:
    """Returns the columns of a shipment that change after it was made."""
    owed = shipment.compensation
    return {
        "status": str(shipment.status),
        "last_event_at": shipment.last_event_at,
        "delivered_at": shipment.delivered_at,
        "late_since": shipment.late_since,
        "compensation_minor": None if owed is None else owed.minor,
    }


class TrackingEventRecord(SQLModel, table=True):
    """One scan as it was reported; a repeat of it is the same row."""

    __tablename__ = "tracking_event"
    __table_args__ = (
        UniqueConstraint(
            "carrier", "tracking_code", "raw_code", "occurred_at", name="tracking_event_once"
        ),
        CheckConstraint(f"status IN ({_STATUSES})", name="tracking_event_status_known"),
    )

    id: str = Field(primary_key=True)
    carrier: str
    tracking_code: str
    raw_code: str
    status: str
    occurred_at: datetime
    place: str
    text: str
    received_at: datetime

    def to_domain(self) -> TrackingEvent:
        """Returns the event that the row holds."""
        return TrackingEvent(
            carrier=self.carrier,
            tracking_code=self.tracking_code,
            raw_code=self.raw_code,
            status=Status(self.status),
            occurred_at=self.occurred_at,
            place=self.place,
            text=self.text,
        )
