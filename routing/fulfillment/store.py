"""Saves and loads order plans; works inside the caller's transaction and never commits."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, col, select

from core.errors import NotFound
from routing.fulfillment.records import FulfillmentOrderRecord, PlanRecord


def add_plans(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Ensures that plans are kept, in one statement; a row has the columns of `PlanRecord`."""
    if rows:
        session.connection().execute(insert(PlanRecord), rows)


def plan_of(session: Session, plan: str, for_update: bool = False) -> PlanRecord:
    """Returns a plan, locked until the transaction ends where asked; raises `NotFound`."""
    asked = select(PlanRecord).where(col(PlanRecord.id) == plan)
    found = session.exec(asked.with_for_update() if for_update else asked).one_or_none()
    if found is None:
        raise NotFound("fulfillment plan", plan)
    return found


def plans_of_order(session: Session, order: str) -> list[PlanRecord]:
    """Returns every plan of an order by id, read anew and locked until the transaction ends."""
    asked = select(PlanRecord).where(col(PlanRecord.order) == order).order_by(col(PlanRecord.id))
    fresh = asked.with_for_update().execution_options(populate_existing=True)
    return list(session.exec(fresh))


def add_fulfillment_order(session: Session, record: FulfillmentOrderRecord) -> None:
    """Ensures that the fulfillment order of a confirmed plan is kept."""
    session.add(record)
    session.flush()


def fulfillment_order_of(
    session: Session, plan: str, for_update: bool = False
) -> FulfillmentOrderRecord | None:
    """Returns what a plan became, locked where asked; None before it is confirmed."""
    asked = select(FulfillmentOrderRecord).where(col(FulfillmentOrderRecord.plan) == plan)
    if for_update:
        asked = asked.with_for_update().execution_options(populate_existing=True)
    return session.exec(asked).one_or_none()
