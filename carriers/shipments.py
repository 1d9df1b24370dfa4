"""Shipments: one leg of a plan on its way, what was promised, and what a broken promise costs."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from carriers.tracking import ENDED, Status, TrackingEvent, delivered_at, last_seen, status_of
from core.errors import BadInput
from core.money import Money

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class ShipmentLine:
    """Units of one order line that travel in a shipment."""

    line: int
    item: str
    quantity: int

    def __post_init__(self) -> None:
        if self.quantity < 1:
            raise BadInput(f"Expected quantity >= 1, got {self.quantity} for item {self.item}.")


@dataclass(frozen=True, slots=True)
class Outlook:
    """When a shipment was expected as it was planned: half arrive by `p50`, 95 % by `p95`."""

    p50: datetime
    p95: datetime

    def __post_init__(self) -> None:
        if self.p95 < self.p50:
            raise BadInput("Expected delivery p95 not before p50.")


@dataclass(frozen=True, slots=True)
class Shipment:
    """What left, or will leave, one site for one customer with one service.

    `promised_by` is the moment sold to the customer, and is never moved afterwards. `value` is the
    value of the goods inside; compensation is a share of it.
    """

    id: str
    plan: str
    leg: int
    order: str
    site: str
    region: str
    service: str
    carrier: str
    tracking_code: str
    customs_route: str
    lines: tuple[ShipmentLine, ...]
    created_at: datetime
    outlook: Outlook
    promised_by: datetime
    value: Money
    status: Status = Status.PRE_TRANSIT
    last_event_at: datetime | None = None
    delivered_at: datetime | None = None
    late_since: datetime | None = None
    """The moment at which it was first marked late; None while it is not."""
    compensation: Money | None = None

    @property
    def ended(self) -> bool:
        """Whether no further scan is awaited."""
        return self.status in ENDED

    def past_promise(self, now: datetime) -> bool:
        """Whether the promise is broken: delivered after it, or not delivered and it is over."""
        return (self.delivered_at or now) > self.promised_by


@dataclass(frozen=True, slots=True)
class CompensationPolicy:
    """What a customer is owed for a broken promise, as shares of the value of the goods.

    `first` from the moment of the promise on, `each_day` more for each full day after it, never
    more than `most`. A cancelled shipment is refunded elsewhere and earns nothing here.
    """

    first: float = 0.10
    each_day: float = 0.05
    most: float = 0.25

    def owed(self, shipment: Shipment, now: datetime) -> Money | None:
        """Returns what is owed at a moment; None while nothing is."""
        if shipment.status is Status.CANCELLED or not shipment.past_promise(now):
            return None
        overdue = (shipment.delivered_at or now) - shipment.promised_by
        full_days = int(overdue.total_seconds() // DAY_SECONDS)
        share = min(self.most, self.first + self.each_day * full_days)
        amount = shipment.value.amount * Decimal(str(round(share, 6)))
        return Money.of(amount, shipment.value.currency)


def tracked(shipment: Shipment, events: Iterable[TrackingEvent]) -> Shipment:
    """Returns the shipment as all its events put it; order and repeats do not matter."""
    known = tuple(events)
    return replace(
        shipment,
        status=status_of(known),
        last_event_at=last_seen(known),
        delivered_at=delivered_at(known),
    )
