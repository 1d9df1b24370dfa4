"""The order pages: plans as a list, and the decision record of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from api.console.network import Flow, order_document
from api.console.views import units_by_site
from api.services.fulfillment import show_plan
from core.brand import Brand
from core.money import Money
from routing.fulfillment.options import label_of
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
class Part:
    """One cost part of an option; `start` and `share` place it on a bar of length 100."""

    name: str
    cost: Money
    start: float
    share: float


@dataclass(frozen=True, slots=True)
class Option:
    """One way to serve the order: what it would cost, part by part, and why it lost."""

    name: str
    chosen: bool
    cost: Money | None
    dearer: float | None
    parts: Mapping[str, Part]
    reason: str


@dataclass(frozen=True, slots=True)
class PlanPage:
    """One plan: its document, the options that were priced, and those that were not possible.

    `weighed` is the full cost of the choice; `parts` names the columns of the table of options.
    """

    plan: dict[str, Any]
    weighed: Money
    parts: Sequence[str]
    priced: Sequence[Option]
    impossible: Sequence[Option]


def plan_rows(session: Session, now: datetime, sought: str = "") -> list[PlanRow]:
    """Returns the newest plans as they stand at a moment; of orders that begin with `sought`.

    The id of a plan finds it as well.
    """
    newest = select(PlanRecord).order_by(col(PlanRecord.id).desc()).limit(ROWS_SHOWN)
    if sought:
        begins = col(PlanRecord.order).startswith(sought, autoescape=True)
        newest = newest.where(begins | (col(PlanRecord.id) == sought))
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
    decision = document["decision"]
    currency = document["landed_cost"]["total"]["currency"]
    terms = {name: _money(term) for name, term in decision["objective"].items()}
    weighed = Money(sum(term.minor for term in terms.values()), currency)
    lost = decision["rejected"]
    most = max([weighed.minor, *(one["cost"]["amount"] for one in lost if one["cost"])])
    chosen = " + ".join(
        label_of(leg["site"], leg["service"], leg["customs_route"], leg["customs"])
        for leg in document["legs"]
    )
    priced = [Option(chosen, True, weighed, None, _parts(terms, most), "")] if chosen else []
    priced += [_option(one, weighed, most) for one in lost if one["cost"]]
    used = [part for part in terms if any(part in option.parts for option in priced)]
    impossible = [_option(one, weighed, most) for one in lost if not one["cost"]]
    return PlanPage(document, weighed, used, priced, impossible)


def plan_map(session: Session, plan: str, brand: Brand, now: datetime) -> dict[str, Any]:
    """Returns the map of a plan: its legs, and thinner where the options that lost leave from."""
    document = show_plan(session, plan, now)
    flows = [
        Flow(leg["site"], document["region"], leg["service"],
             sum(line["quantity"] for line in leg["lines"]), 0.0)
        for leg in document["legs"]
    ]  # fmt: skip
    names = [one["option"] for one in document["decision"]["rejected"] if one["cost"]]
    return order_document(brand, flows, document["region"], names, units_by_site(session, now))


def _option(lost: Mapping[str, Any], weighed: Money, most: int) -> Option:
    cost = None if lost["cost"] is None else _money(lost["cost"])
    dearer = (cost.minor - weighed.minor) / weighed.minor if cost and weighed.minor else None
    terms = {name: _money(term) for name, term in (lost.get("terms") or {}).items()}
    return Option(lost["option"], False, cost, dearer, _parts(terms, most), lost["reason"])


def _parts(terms: Mapping[str, Money], most: int) -> dict[str, Part]:
    """The parts that are not 0, laid one after the other; the dearest option fills the bar."""
    parts: dict[str, Part] = {}
    start = 0.0
    for name, term in terms.items():
        if term.minor:
            share = 100 * max(term.minor, 0) / max(most, 1)
            parts[name] = Part(name, term, start, share)
            start += share
    return parts


def _money(term: Mapping[str, Any]) -> Money:
    return Money(int(term["amount"]), str(term["currency"]))


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
