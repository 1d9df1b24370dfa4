"""Tracking: what carriers reported about a parcel, folded into where it stands."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.errors import BadInput


class Status(StrEnum):
    """Where a parcel stands, in words that all carriers share."""

    UNKNOWN = "unknown"
    PRE_TRANSIT = "pre_transit"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    AVAILABLE_FOR_PICKUP = "available_for_pickup"
    FAILURE = "failure"
    ERROR = "error"
    CANCELLED = "cancelled"
    DELIVERED = "delivered"
    RETURN_TO_SENDER = "return_to_sender"


ENDED = frozenset({Status.CANCELLED, Status.DELIVERED, Status.RETURN_TO_SENDER})
"""Statuses that no scan of a moving parcel undoes."""

LOST_TO_CUSTOMER = frozenset({Status.CANCELLED, Status.RETURN_TO_SENDER})
"""Endings after which nothing will arrive."""

_ORDER = {status: rank for rank, status in enumerate(Status)}


@dataclass(frozen=True, slots=True)
class TrackingEvent:
    """One scan as a carrier reported it; `raw_code` and `text` are the carrier's own words."""

    carrier: str
    tracking_code: str
    raw_code: str
    status: Status
    occurred_at: datetime
    place: str = ""
    text: str = ""

    def __post_init__(self) -> None:
        if self.occurred_at.tzinfo is None:
            raise BadInput("Expected occurred_at with an offset to UTC.")
        if not self.tracking_code or not self.raw_code:
            raise BadInput("Expected a tracking code and a code of the carrier.")


def status_of(events: Iterable[TrackingEvent]) -> Status:
    """Returns where a parcel stands after its events, whatever their order and repeats.

    - An ending stands: a late scan of an earlier step does not undo a delivery. Of two endings a
      return to the sender outranks a delivery (the parcel came back), a delivery a cancellation
      (it came nevertheless).
    - Otherwise the latest scan counts; of scans at one moment the one furthest along.
    - Codes that nobody knows count only when there is nothing else.
    - Without events the parcel has not been handed over: `pre_transit`.
    """
    seen = {(event.occurred_at, _ORDER[event.status], event.status) for event in events}
    if not seen:
        return Status.PRE_TRANSIT
    known = {step for step in seen if step[2] is not Status.UNKNOWN}
    endings = {step for step in known if step[2] in ENDED}
    if endings:
        return max(endings, key=lambda step: step[1])[2]
    return max(known or seen)[2]


def delivered_at(events: Iterable[TrackingEvent]) -> datetime | None:
    """Returns the earliest moment at which a carrier reported delivery; None before."""
    moments = [event.occurred_at for event in events if event.status is Status.DELIVERED]
    return min(moments, default=None)


def last_seen(events: Iterable[TrackingEvent]) -> datetime | None:
    """Returns the moment of the latest scan; None before the first."""
    return max((event.occurred_at for event in events), default=None)
