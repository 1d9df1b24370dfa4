"""Supply: units that are on their way to a site, and those of them that are promised."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from core.errors import BadInput


class SupplyKind(StrEnum):
    """Where goods on their way are written down: in the brand's inbound, or as an open order."""

    INBOUND = "inbound"
    PLANNED = "planned"


class SupplyKey(NamedTuple):
    """What goods on their way are counted by; `reference` is the purchase order, "" for none."""

    site: str
    item: str
    customs: str
    due: date
    reference: str


@dataclass(frozen=True, slots=True)
class SupplyLot:
    """All units of one lot on its way, as they are expected now."""

    key: SupplyKey
    units: int
    kind: SupplyKind = SupplyKind.INBOUND


@dataclass(frozen=True, slots=True)
class Claim:
    """Units of a lot to hold for somebody until they come in."""

    lot: SupplyLot
    quantity: int

    def __post_init__(self) -> None:
        if self.quantity < 1:
            item = self.lot.key.item
            raise BadInput(f"Expected a quantity >= 1, got {self.quantity} of item {item}.")


@dataclass(frozen=True, slots=True)
class Claimed:
    """Units of a lot that a reservation holds, and how many of them came in and are stock now."""

    key: SupplyKey
    quantity: int
    received: int = 0
