"""The shipments page: what is on its way, and what will probably miss its promise."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from carriers import store
from carriers.delays import eta, late_probability
from carriers.shipments import Shipment

ROWS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class ShipmentRow:
    """One shipment as the page lists it."""

    id: str
    status: str
    late: bool
    order: str
    plan: str
    site: str
    region: str
    carrier: str
    eta: datetime | None
    promise: datetime
    late_probability: float


def shipment_rows(session: Session, now: datetime) -> list[ShipmentRow]:
    """Returns the newest shipments, late ones first."""
    rows = [_row(shipment, now) for shipment in store.shipments(session, ROWS_SHOWN)]
    return sorted(rows, key=lambda row: not row.late)


def counts(rows: Sequence[ShipmentRow]) -> list[tuple[str, int]]:
    """Returns how many shipments are late, and how many are in each status."""
    found = Counter(row.status for row in rows)
    late = sum(row.late for row in rows)
    return [*([("late", late)] if late else []), *found.most_common()]


def _row(shipment: Shipment, now: datetime) -> ShipmentRow:
    return ShipmentRow(
        id=shipment.id,
        status=str(shipment.status),
        late=shipment.late_since is not None,
        order=shipment.order,
        plan=shipment.plan,
        site=shipment.site,
        region=shipment.region,
        carrier=shipment.carrier,
        eta=eta(shipment, now),
        promise=shipment.promised_by,
        late_probability=late_probability(shipment, now),
    )
