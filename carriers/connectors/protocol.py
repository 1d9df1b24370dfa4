"""What a connector is: it reads a carrier's report, and nothing else."""

from typing import Protocol

from carriers.tracking import TrackingEvent


class Connector(Protocol):
    """Maps the payload of one carrier to tracking events; a pure function of the bytes."""

    def events(self, carrier: str, body: bytes) -> tuple[TrackingEvent, ...]:
        """Returns the events of a report; raises `BadInput` with every problem of a bad one."""
        ...
