"""Risk: signals come in, alerts with drafted orders follow, people act on them.

Everything that one signal causes happens in the caller's one transaction and is keyed by the
signal, so that a repeat does nothing.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from api.queue.events import publish
from api.services.brands import current_brand
from api.services.suppliers import add_orders, with_open_orders
from core.clock import Clock, rfc3339
from core.errors import Conflict
from core.ids import Entropy, mint
from inventory.suppliers import store as purchasing
from inventory.suppliers.orders import PurchaseLine, PurchaseOrder
from routing.disruptions import store
from routing.disruptions.alerts import Alert, raised
from routing.disruptions.response import Draft, Incident, respond
from routing.disruptions.signal import Signal
from routing.disruptions.situation import Situation
from routing.disruptions.store import KeptDraft

WATCHERS = ("auditor", "planner")
"""Roles that hear of alerts."""

SYSTEM = "signals"
"""The actor of what follows from a signal by itself."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a feed document or a signal caused: how many words were new, and the alerts touched."""

    accepted: int
    repeated: int
    alerts: tuple[str, ...]


def take_signals(
    session: Session, signals: Sequence[Signal], clock: Clock, entropy: Entropy
) -> Taken:
    """Returns what the signals caused; signals that are known already cause nothing.

    An event whose newest word is newer than its alert updates the alert: its numbers, its
    severity, and the drafts that are not ordered yet. A word that takes it back, or that no longer
    reaches anything, withdraws it.
    """
    fresh = store.add_signals(session, signals, clock.now(), entropy)
    known = {(signal.source, signal.source_id) for signal in fresh}
    told = [signal for signal in signals if (signal.source, signal.source_id) in known]
    incidents = respond(told, situation(session)) if told else ()
    by_event: dict[tuple[str, str], list[Incident]] = defaultdict(list)
    for incident in incidents:
        by_event[incident.signal.source, incident.signal.source_id].append(incident)
    touched: list[str] = []
    for event in sorted(known):
        newest = max((s for s in told if (s.source, s.source_id) == event), key=lambda s: s.age)
        touched += _follow(session, newest, by_event[event], clock, entropy)
    return Taken(len(fresh), len(signals) - len(fresh), tuple(touched))


def situation(session: Session) -> Situation:
    """Returns the current brand with its live stock and everything on order."""
    brand = current_brand(session, live_stock=True)
    return Situation(with_open_orders(session, brand))


def step(
    session: Session,
    alert: str,
    name: str,
    actor: str,
    clock: Clock,
    why: str = "",
    **changed: Any,
) -> Alert:
    """Returns an alert after somebody acknowledged, assigned, snoozed or resolved it.

    Raises `NotFound`, and `Conflict` when its state does not allow the step.
    """
    before = store.alert_of(session, alert, lock=True)
    after = before.after(name, clock.now(), **changed)
    _keep(session, after, name, actor, clock, why)
    return after


def apply(
    session: Session, alert: str, actor: str, clock: Clock, entropy: Entropy
) -> list[PurchaseOrder]:
    """Returns the purchase orders that the drafts of an alert became; a repeat makes no new ones.

    Lines to one supplier and site with the same days stand in one order. Raises `Conflict` when
    the alert has no drafts or is closed.
    """
    before = store.alert_of(session, alert, lock=True)
    drafts = store.drafts_of(session, [alert])[alert]
    if not drafts:
        raise Conflict("The alert has no drafted orders to apply.", "nothing-to-apply")
    waiting = [kept for kept in drafts if kept.purchase_order is None]
    if waiting:
        after = before.after("apply", clock.now())
        grouped = _grouped(waiting)
        orders = [_order(group, alert, actor, clock, entropy) for group in grouped]
        add_orders(session, orders, clock)
        named = zip(grouped, orders, strict=True)
        lines = {kept.line: order.id for group, order in named for kept in group}
        store.mark_ordered(session, alert, lines)
        _keep(session, after, "apply", actor, clock, f"{len(orders)} purchase orders")
    return purchasing.purchase_orders(session, reference=alert)


def alert_json(alert: Alert, drafts: Sequence[KeptDraft]) -> Document:
    """Returns an alert as every edge shows it, with its drafts and the orders they became."""
    until = alert.snoozed_until
    return {
        "id": alert.id,
        "state": alert.state,
        "version": alert.version,
        "source": alert.source,
        "source_id": alert.source_id,
        "scope": alert.scope,
        **alert.document,
        "drafts": [
            {"line": kept.line, **kept.draft.as_json(), "purchase_order": kept.purchase_order}
            for kept in drafts
        ],
        "assignee": alert.assignee,
        "note": alert.note,
        "snoozed_until": None if until is None else rfc3339(until),
        "created_at": rfc3339(alert.created_at),
        "updated_at": rfc3339(alert.updated_at),
    }


def history_json(session: Session, alert: str) -> list[Document]:
    """Returns who did what to an alert, earliest first."""
    return [
        {"at": rfc3339(change.at), "actor": change.actor, "step": change.step,
         "state": change.state, "note": change.note}
        for change in store.changes_of(session, alert)
    ]  # fmt: skip


def _follow(
    session: Session, newest: Signal, incidents: Sequence[Incident], clock: Clock, entropy: Entropy
) -> list[str]:
    """Ensures that the alerts of one event say what its newest word means; returns their ids."""
    before = {
        one.key: one for one in store.alerts_of_event(session, newest.source, newest.source_id)
    }
    touched = [_raise_or_update(session, one, before, clock, entropy) for one in incidents]
    reached = {incident.key for incident in incidents}
    reason = "The hazard no longer reaches the brand."
    if not newest.stands:
        reason = f"The source says: {newest.status}."
    for key, alert in before.items():
        if key not in reached and alert.older_than(newest.version):
            after = alert.withdrawn(newest.version, reason, clock.now())
            store.replace_drafts(session, alert.id, ())
            _keep(session, after, "withdraw", SYSTEM, clock, reason)
            touched.append(alert.id)
    return [alert for alert in touched if alert]


def _raise_or_update(
    session: Session,
    incident: Incident,
    before: Mapping[str, Alert],
    clock: Clock,
    entropy: Entropy,
) -> str:
    """Returns the id of the alert that an incident raised or changed, "" when it did neither."""
    now = clock.now()
    if incident.key not in before:
        new = raised(mint("alr", now, entropy), incident, now)
        found = store.add_alert(session, new)
        if found.id == new.id:
            _rewrite(session, new, incident, "raise", clock)
            return new.id
    else:
        found = before[incident.key]
    if not found.older_than(incident.signal.version):
        return ""
    _rewrite(session, found.updated(incident, now), incident, "update", clock)
    return found.id


def _rewrite(session: Session, alert: Alert, incident: Incident, name: str, clock: Clock) -> None:
    store.replace_drafts(session, alert.id, incident.drafts)
    _keep(session, alert, name, SYSTEM, clock, f"version {alert.version}")


def _keep(
    session: Session,
    alert: Alert,
    name: str,
    actor: str,
    clock: Clock,
    note: str = "",
) -> None:
    """Saves an alert, writes down the change, and tells those who watch."""
    store.save_alert(session, alert)
    store.add_change(session, alert, name, actor, note)
    data = {"alert": alert.id, "severity": alert.severity, "state": alert.state,
            "title": alert.title, "step": name}  # fmt: skip
    publish(session, "alert.raised" if name == "raise" else "alert.changed", data, WATCHERS, clock)


def _grouped(drafts: Sequence[KeptDraft]) -> list[list[KeptDraft]]:
    """Drafts that fit on one order, in the order of their first line; an item stands once."""
    groups: dict[object, list[KeptDraft]] = {}
    for kept in drafts:
        draft = kept.draft
        head = (draft.supplier, draft.site, draft.unit_cost.currency, draft.order_by, draft.arrives)
        groups.setdefault(head, []).append(kept)
    return list(groups.values())


def _order(
    group: Sequence[KeptDraft], alert: str, actor: str, clock: Clock, entropy: Entropy
) -> PurchaseOrder:
    first: Draft = group[0].draft
    return PurchaseOrder(
        id=mint("por", clock.now(), entropy),
        supplier=first.supplier,
        site=first.site,
        order_by=first.order_by,
        arrives=first.arrives,
        reference=alert,
        actor=actor,
        created_at=clock.now(),
        lines=tuple(
            PurchaseLine(kept.draft.item, kept.draft.quantity, kept.draft.unit_cost)
            for kept in group
        ),
    )
