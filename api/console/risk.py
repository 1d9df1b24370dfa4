"""The risk page: alerts, worst first, with their drafted orders; and orders that are open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import Session

from core.money import Money
from inventory.suppliers import store as purchasing
from inventory.suppliers.orders import PurchaseOrder
from routing.disruptions import store
from routing.disruptions.alerts import OPEN, Alert
from routing.disruptions.impact import SEVERITIES
from routing.disruptions.store import KeptDraft

ALERTS_SHOWN = 50
ORDERS_SHOWN = 50
LINES_SHOWN = 25
"""Most drafted lines of one alert that the page lists, those that save most."""


@dataclass(frozen=True, slots=True)
class DraftLine:
    """One drafted order line; `order` names the purchase order that it became."""

    supplier: str
    item: str
    site: str
    quantity: int
    cost: Money
    order_by: date
    arrives: date
    loss_avoided: Money
    order: str


@dataclass(frozen=True, slots=True)
class AlertCard:
    """One alert as the page shows it; days from the planning date, None for never."""

    id: str
    title: str
    severity: str
    state: str
    at: datetime
    precision: str
    survive: float | None
    recover: float
    probability: float
    revenue: Mapping[str, Any]
    exposed: Sequence[tuple[str, Sequence[str]]]
    actions: Sequence[str]
    drafts: Sequence[DraftLine]
    drafts_in_all: int
    note: str
    can_apply: bool
    can_acknowledge: bool


def alert_cards(session: Session, now: datetime) -> list[AlertCard]:
    """Returns alerts, open ones first and the worst of them on top."""
    alerts = store.alerts(session, now, ALERTS_SHOWN)
    drafts = store.drafts_of(session, [alert.id for alert in alerts])
    ranked = sorted(alerts, key=_rank)
    return [_card(alert, drafts[alert.id]) for alert in ranked]


def open_orders(session: Session) -> list[PurchaseOrder]:
    """Returns purchase orders that are open, newest first."""
    return purchasing.purchase_orders(session, ORDERS_SHOWN, state="open")


def _rank(alert: Alert) -> tuple[bool, int]:
    return alert.state not in OPEN, -SEVERITIES.index(alert.severity)


def _card(alert: Alert, drafts: Sequence[KeptDraft]) -> AlertCard:
    said = alert.document
    is_open = alert.state in OPEN
    best = sorted(drafts, key=lambda kept: -kept.draft.loss_avoided.minor)[:LINES_SHOWN]
    return AlertCard(
        id=alert.id,
        title=alert.title,
        severity=alert.severity,
        state=alert.state,
        at=alert.updated_at,
        precision=said["precision"],
        survive=said["time_to_survive_days"],
        recover=said["time_to_recover_days"],
        probability=said["probability"],
        revenue=said["revenue_at_risk"],
        exposed=[
            (name.capitalize(), said[name]) for name in ("sites", "suppliers", "items", "regions")
        ],
        actions=[str(action["text"]) for action in said["actions"]],
        drafts=[_line(kept) for kept in best],
        drafts_in_all=len(drafts),
        note=alert.note,
        can_apply=is_open and any(kept.purchase_order is None for kept in drafts),
        can_acknowledge=alert.state in ("new", "snoozed"),
    )


def _line(kept: KeptDraft) -> DraftLine:
    draft = kept.draft
    return DraftLine(
        supplier=draft.supplier,
        item=draft.item,
        site=draft.site,
        quantity=draft.quantity,
        cost=Money(draft.quantity * draft.unit_cost.minor, draft.unit_cost.currency),
        order_by=draft.order_by,
        arrives=draft.arrives,
        loss_avoided=draft.loss_avoided,
        order=kept.purchase_order or "",
    )
