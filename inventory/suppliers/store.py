"""Saves and loads purchase orders; works in the caller's transaction."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from core.errors import NotFound
from inventory.suppliers.orders import PurchaseOrder
from inventory.suppliers.records import PurchaseOrderLineRecord, PurchaseOrderRecord

_id = col(PurchaseOrderRecord.id)


def add_purchase_orders(session: Session, orders: Sequence[PurchaseOrder]) -> None:
    """Writes new purchase orders with their lines."""
    session.add_all([PurchaseOrderRecord.from_domain(order) for order in orders])
    session.flush()
    session.add_all(
        PurchaseOrderLineRecord(
            purchase_order=order.id,
            line=at,
            item=line.item,
            quantity=line.quantity,
            unit_cost_minor=line.unit_cost.minor,
        )
        for order in orders
        for at, line in enumerate(order.lines, start=1)
    )
    session.flush()


def purchase_order(session: Session, order: str) -> PurchaseOrder:
    """Returns a purchase order by id; raises `NotFound`."""
    record = session.get(PurchaseOrderRecord, order)
    if record is None:
        raise NotFound("purchase order", order)
    return _with_lines(session, [record])[0]


def purchase_orders(
    session: Session,
    limit: int | None = None,
    after: str | None = None,
    supplier: str | None = None,
    state: str | None = None,
    reference: str | None = None,
) -> list[PurchaseOrder]:
    """Returns purchase orders, newest first, that match every given value."""
    asked = select(PurchaseOrderRecord).order_by(_id.desc()).limit(limit)
    if after is not None:
        asked = asked.where(_id < after)
    wanted = ((PurchaseOrderRecord.supplier, supplier), (PurchaseOrderRecord.state, state),
              (PurchaseOrderRecord.reference, reference))  # fmt: skip
    for column, value in wanted:
        if value is not None:
            asked = asked.where(col(column) == value)
    return _with_lines(session, session.exec(asked).all())


def _with_lines(session: Session, heads: Sequence[PurchaseOrderRecord]) -> list[PurchaseOrder]:
    order, line = col(PurchaseOrderLineRecord.purchase_order), col(PurchaseOrderLineRecord.line)
    asked = select(PurchaseOrderLineRecord).where(order.in_([head.id for head in heads]))
    lines: dict[str, list[PurchaseOrderLineRecord]] = {head.id: [] for head in heads}
    for record in session.exec(asked.order_by(order, line)):
        lines[record.purchase_order].append(record)
    return [
        head.to_domain(tuple(record.to_domain(head.currency) for record in lines[head.id]))
        for head in heads
    ]
