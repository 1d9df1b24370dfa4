"""Stock: what a site holds, who wrote it down, and what is promised to whom."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from core.errors import BadInput
from core.ids import Entropy
from inventory.supply import Claim, SupplyKey


class MovementKind(StrEnum):
    """Why the ledger has a line."""

    RECEIPT = "receipt"
    ADJUSTMENT = "adjustment"
    RETURN = "return"
    RESERVE = "reserve"
    RELEASE = "release"
    EXPIRE = "expire"
    SHIP = "ship"
    TRANSFER_OUT = "transfer_out"
    TRANSFER_IN = "transfer_in"
    BOND_RELEASE = "bond_release"


INCOMING = frozenset({MovementKind.RECEIPT, MovementKind.RETURN})
"""Kinds that only ever add units."""


class ReservationState(StrEnum):
    """Where a reservation stands; only an active one expires, only a confirmed one ships."""

    ACTIVE = "active"
    CONFIRMED = "confirmed"
    RELEASED = "released"
    EXPIRED = "expired"


class StockKey(NamedTuple):
    """What stock is counted by: the site, the item, and `free` or `bonded`."""

    site: str
    item: str
    customs: str = "free"


@dataclass(frozen=True, slots=True)
class Lot:
    """Some units of one stock row: to receive, to hold, or to ship.

    `bonded_since` matters on receipt of bonded units only; the day of the entry when not given.
    """

    site: str
    item: str
    quantity: int
    customs: str = "free"
    bonded_since: date | None = None

    def __post_init__(self) -> None:
        if self.quantity < 1:
            raise BadInput(f"Expected a quantity >= 1, got {self.quantity} of item {self.item}.")

    @property
    def key(self) -> StockKey:
        """The stock row that the units belong to."""
        return StockKey(self.site, self.item, self.customs)


def summed(lots: Iterable[Lot]) -> dict[StockKey, int]:
    """Returns the units of lots by stock row, sorted by the key of the row."""
    total: Counter[StockKey] = Counter()
    for lot in lots:
        total[lot.key] += lot.quantity
    return dict(sorted(total.items()))


@dataclass(frozen=True, slots=True)
class Entry:
    """Who writes into the ledger, when and for what; `entropy` mints the ids of its lines."""

    at: datetime
    actor: str
    entropy: Entropy
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Units to hold until a moment, all of them or none; `entry.reference` says what for.

    `claims` are units that are still on their way.
    """

    lots: tuple[Lot, ...]
    entry: Entry
    expires_at: datetime
    claims: tuple[Claim, ...] = ()

    @property
    def units(self) -> dict[StockKey, int]:
        """Units by stock row, sorted: two lots of one row must not each see all of it."""
        return summed(self.lots)

    @property
    def claimed(self) -> dict[SupplyKey, int]:
        """Units by lot on its way, sorted."""
        total: Counter[SupplyKey] = Counter()
        for claim in self.claims:
            total[claim.lot.key] += claim.quantity
        return dict(sorted(total.items()))


@dataclass(frozen=True, slots=True)
class StockLevel:
    """One stock row; `available` is what a new reservation can still take."""

    site: str
    item: str
    customs: str
    on_hand: int
    reserved: int
    safety: int
    available: int
    bonded_since: date | None


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of the ledger: how on-hand and reserved units changed, and why."""

    id: str
    at: datetime
    site: str
    item: str
    customs: str
    kind: str
    quantity: int
    reserved: int
    reference: str
    actor: str


@dataclass(frozen=True, slots=True)
class ReservationLine:
    """Units held of one stock row, and how many of them have left."""

    site: str
    item: str
    customs: str
    quantity: int
    shipped: int = 0

    @property
    def key(self) -> StockKey:
        """The stock row that the units are held of."""
        return StockKey(self.site, self.item, self.customs)

    @property
    def remaining(self) -> int:
        """Units still held."""
        return self.quantity - self.shipped


@dataclass(frozen=True, slots=True)
class Reservation:
    """Units held for one purpose until they are confirmed, released or expired."""

    id: str
    state: ReservationState
    reference: str
    actor: str
    created_at: datetime
    expires_at: datetime
    lines: tuple[ReservationLine, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """A stock row that differs from the ledger, or from what reservations hold of it."""

    site: str
    item: str
    customs: str
    on_hand: int
    ledger_on_hand: int
    reserved: int
    ledger_reserved: int
    held: int


@dataclass(frozen=True, slots=True)
class ClaimDrift:
    """A lot on its way whose claimed units are not what open reservations wait for."""

    site: str
    item: str
    customs: str
    due: date
    reference: str
    claimed: int
    held: int

    @property
    def key(self) -> SupplyKey:
        """The lot."""
        return SupplyKey(self.site, self.item, self.customs, self.due, self.reference)
