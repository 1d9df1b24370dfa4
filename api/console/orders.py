"""The order pages: plans as a list, and the decision record of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from api.services.fulfillment import show_plan
from core.money import Money
from routing.fulfillment.records import PlanRecord

ROWS_SHOWN = 100

OPEN = ("planned", "reserved")
"""States of plans that wait for an answer of the order service."""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One plan as the list shows it; `total` is its landed cost."""

    id: str
    order: str
    at: datetime
    status: str
    region: str
    sites: Sequence[str]
    units: int
    total: dict[str, Any]
    promise: str
    probability: float


@dataclass(frozen=True, slots=True)
class PlanPage:
    """One plan: its document, and what the choice weighed in all."""

    plan: dict[str, Any]
    weighed: Money


def plan_rows(session: Session, now: datetime) -> list[PlanRow]:
    """Returns the newest plans as they stand at a moment."""
    newest = select(PlanRecord).order_by(col(PlanRecord.id).desc()).limit(ROWS_SHOWN)
    return [_row(record, now) for record in session.exec(newest)]


def open_plans(session: Session, now: datetime) -> int:
    """Returns how many plans are neither confirmed, cancelled nor expired."""
    until = col(PlanRecord.expires_at)
    asked = (
        select(func.count())
        .select_from(PlanRecord)
        .where(col(PlanRecord.status).in_(OPEN), until.is_(None) | (until > now))
    )
    return session.exec(asked).one()


def plan_page(session: Session, plan: str, now: datetime) -> PlanPage:
    """Returns the decision record of one plan; raises `NotFound`."""
    document = show_plan(session, plan, now)
    terms = document["decision"]["objective"].values()
    weighed = sum(term["amount"] for term in terms)
    return PlanPage(document, Money(weighed, document["landed_cost"]["total"]["currency"]))


def _row(record: PlanRecord, now: datetime) -> PlanRow:
    document = record.document
    lapsed = record.status == "reserved" and record.expires_at and record.expires_at <= now
    lines = [line for leg in document["legs"] for line in leg["lines"]]
    return PlanRow(
        id=record.id,
        order=record.order,
        at=record.created_at,
        status="expired" if lapsed else record.status,
        region=record.region,
        sites=list(dict.fromkeys(leg["site"] for leg in document["legs"])),
        units=sum(line["quantity"] for line in lines),
        total=document["landed_cost"]["total"],
        promise=document["promise"]["by"],
        probability=document["promise"]["probability"],
    )
