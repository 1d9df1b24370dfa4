"""Tables of the stock ledger: movements that are only added, what they sum up to, who holds it."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index
from sqlmodel import Field, SQLModel


class StockRecord(SQLModel, table=True):
    """The sum of all movements of one item at one site in one customs state."""

    __tablename__ = "stock"
    __table_args__ = (
        CheckConstraint("reserved >= 0", name="stock_reserved_not_negative"),
        CheckConstraint("on_hand >= reserved", name="stock_covers_reserved"),
        CheckConstraint("safety >= 0", name="stock_safety_not_negative"),
        CheckConstraint("customs IN ('free', 'bonded')", name="stock_customs_known"),
        Index("stock_item", "item"),
    )

    site: str = Field(primary_key=True)
    item: str = Field(primary_key=True)
    customs: str = Field(primary_key=True)
    on_hand: int = Field(default=0, sa_type=BigInteger)
    reserved: int = Field(default=0, sa_type=BigInteger)
    safety: int = Field(default=0, sa_type=BigInteger)
    bonded_since: date | None = None


class MovementRecord(SQLModel, table=True):
    """One line of the ledger; never changed, never deleted."""

    __tablename__ = "movement"
    __table_args__ = (
        CheckConstraint("quantity <> 0 OR reserved <> 0", name="movement_moves_something"),
        Index("movement_stock", "site", "item", "customs"),
        Index("movement_reference", "reference"),
    )

    id: str = Field(primary_key=True)
    at: datetime
    site: str
    item: str
    customs: str
    kind: str
    quantity: int = Field(sa_type=BigInteger)
    reserved: int = Field(sa_type=BigInteger)
    reference: str
    actor: str


class ReservationRecord(SQLModel, table=True):
    """Units held for one purpose until they are confirmed, released or expired."""

    __tablename__ = "reservation"
    __table_args__ = (
        CheckConstraint(
            "state IN ('active', 'confirmed', 'released', 'expired')",
            name="reservation_state_known",
        ),
        Index("reservation_expiry", "state", "expires_at"),
        Index("reservation_reference", "reference"),
    )

    id: str = Field(primary_key=True)
    state: str
    reference: str
    actor: str
    created_at: datetime
    expires_at: datetime


class ReservationLineRecord(SQLModel, table=True):
    """Units that a reservation holds of one stock row, and how many of them have left."""

    __tablename__ = "reservation_line"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="reservation_line_holds_units"),
        CheckConstraint(
            "shipped >= 0 AND shipped <= quantity", name="reservation_line_ships_what_it_holds"
        ),
        Index("reservation_line_stock", "site", "item", "customs"),
    )

    reservation: str = Field(primary_key=True, foreign_key="reservation.id")
    site: str = Field(primary_key=True)
    item: str = Field(primary_key=True)
    customs: str = Field(primary_key=True)
    quantity: int = Field(sa_type=BigInteger)
    shipped: int = Field(default=0, sa_type=BigInteger)


class SupplyRecord(SQLModel, table=True):
    """Units of one lot on its way: `claimed` are promised, `received` have come in.

    A row exists once somebody claimed or received units of the lot.
    """

    __tablename__ = "supply"
    __table_args__ = (
        CheckConstraint("claimed >= 0", name="supply_claimed_not_negative"),
        CheckConstraint("received >= 0", name="supply_received_not_negative"),
        CheckConstraint("claimed + received <= quantity", name="supply_covers_claimed"),
        CheckConstraint("kind IN ('inbound', 'planned')", name="supply_kind_known"),
        Index("supply_item", "item"),
    )

    site: str = Field(primary_key=True)
    item: str = Field(primary_key=True)
    customs: str = Field(primary_key=True)
    due: date = Field(primary_key=True)
    reference: str = Field(primary_key=True)
    kind: str
    quantity: int = Field(sa_type=BigInteger)
    claimed: int = Field(default=0, sa_type=BigInteger)
    received: int = Field(default=0, sa_type=BigInteger)


class SupplyClaimRecord(SQLModel, table=True):
    """Units that a reservation holds of one lot on its way; those received it holds as stock."""

    __tablename__ = "supply_claim"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="supply_claim_holds_units"),
        CheckConstraint(
            "received >= 0 AND received <= quantity", name="supply_claim_receives_what_it_holds"
        ),
        ForeignKeyConstraint(
            ["site", "item", "customs", "due", "reference"],
            ["supply.site", "supply.item", "supply.customs", "supply.due", "supply.reference"],
            name="supply_claim_of_a_lot",
        ),
        Index("supply_claim_lot", "site", "item", "customs", "due", "reference"),
    )

    reservation: str = Field(primary_key=True, foreign_key="reservation.id")
    site: str = Field(primary_key=True)
    item: str = Field(primary_key=True)
    customs: str = Field(primary_key=True)
    due: date = Field(primary_key=True)
    reference: str = Field(primary_key=True)
    quantity: int = Field(sa_type=BigInteger)
    received: int = Field(default=0, sa_type=BigInteger)
