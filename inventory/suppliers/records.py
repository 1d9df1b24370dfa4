"""Tables of purchase orders; a supplier's score needs none, it follows from the brand's records."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field, SQLModel

from core.money import Money
from inventory.suppliers.orders import PurchaseLine, PurchaseOrder


class PurchaseOrderRecord(SQLModel, table=True):
    """The head of a purchase order; money in minor units of its currency."""

    __tablename__ = "purchase_order"
    __table_args__ = (
        CheckConstraint(
            "state IN ('open', 'received', 'cancelled')", name="purchase_order_state_known"
        ),
        CheckConstraint("arrives >= order_by", name="purchase_order_arrives_after_ordering"),
        Index("purchase_order_open", "state", "site"),
        Index("purchase_order_supplier", "supplier"),
        Index("purchase_order_reference", "reference"),
    )

    id: str = Field(primary_key=True)
    supplier: str
    site: str
    state: str
    order_by: date
    arrives: date
    reference: str
    actor: str
    created_at: datetime
    currency: str

    def to_domain(self, lines: tuple[PurchaseLine, ...]) -> PurchaseOrder:
        """Returns the order that the row heads."""
        return PurchaseOrder(
            id=self.id,
            supplier=self.supplier,
            site=self.site,
            order_by=self.order_by,
            arrives=self.arrives,
            reference=self.reference,
            actor=self.actor,
            created_at=self.created_at,
            lines=lines,
            state=self.state,
        )

    @classmethod
    def from_domain(cls, order: PurchaseOrder) -> "PurchaseOrderRecord":
        """Returns the row that heads an order."""
        return cls(
            id=order.id,
            supplier=order.supplier,
            site=order.site,
            state=order.state,
            order_by=order.order_by,
            arrives=order.arrives,
            reference=order.reference,
            actor=order.actor,
            created_at=order.created_at,
            currency=order.total.currency,
        )


class PurchaseOrderLineRecord(SQLModel, table=True):
    """Units of one item in a purchase order."""

    __tablename__ = "purchase_order_line"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="purchase_order_line_orders_units"),
        CheckConstraint("unit_cost_minor >= 0", name="purchase_order_line_cost_not_negative"),
    )

    purchase_order: str = Field(primary_key=True, foreign_key="purchase_order.id")
    line: int = Field(primary_key=True)
    item: str
    quantity: int = Field(sa_type=BigInteger)
    unit_cost_minor: int = Field(sa_type=BigInteger)

    def to_domain(self, currency: str) -> PurchaseLine:
        """Returns the line that the row holds."""
        return PurchaseLine(self.item, self.quantity, Money(self.unit_cost_minor, currency))
