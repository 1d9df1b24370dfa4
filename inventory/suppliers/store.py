"""Saves and loads purchase orders; works in the caller's transaction."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from sqlmodel import Session, col, select

from core.errors import NotFound
from inventory.suppliers.orders import OpenLine, PurchaseOrder
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


def open_lines(
    session: Session, items: Collection[str] | None = None, site: str | None = None
) -> list[OpenLine]:
    """Returns what open orders bring, of some items and to one site where asked; by order."""
    head, line = PurchaseOrderRecord, PurchaseOrderLineRecord
    asked = (
        select(head, line)
        .join(line, col(line.purchase_order) == _id)
        .where(col(head.state) == "open")
        .order_by(_id, col(line.line))
    )
    if items is not None:
        asked = asked.where(col(line.item).in_(items))
    if site is not None:
        asked = asked.where(col(head.site) == site)
    return [
        OpenLine(order.id, order.supplier, order.site, part.item, part.quantity, order.arrives)
        for order, part in session.exec(asked)
    ]


def close_received(
    session: Session, order: str, received: Callable[[], Mapping[tuple[str, str, str], int]]
) -> bool:
    """Ensures that an open order of which everything came in is received; whether it is so now.

    `received` is asked for units by order, site and item once the order is this transaction's.
    """
    asked = select(PurchaseOrderRecord).where(_id == order).with_for_update()
    record = session.exec(asked.execution_options(populate_existing=True)).one_or_none()
    if record is None or record.state != "open":
        return False
    came, ordered = received(), Counter[tuple[str, str, str]]()
    for line in _with_lines(session, [record])[0].lines:
        ordered[order, record.site, line.item] += line.quantity
    if any(came.get(goods, 0) < units for goods, units in ordered.items()):
        return False
    record.state = "received"
    session.flush()
    return True


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
