"""Order plans as the order service sees them: planned, held, confirmed or cancelled."""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from api.queue.events import publish
from api.services.brands import brand_version, current_brand
from api.services.orders import Asked, OrderBody, asked_of, order_body
from api.services.prices import current_prices
from api.services.shipments import create_shipments
from core.clock import Clock, rfc3339
from core.errors import BadInput, Conflict, EntrepotError, OutOfStock, Problem, Shortage
from core.ids import Entropy, mint
from inventory import store as stock
from inventory.stock import Entry, Lot, Reservation
from routing.allocation.prices import Prices
from routing.fulfillment import store
from routing.fulfillment.backorders import backorders
from routing.fulfillment.context import PlanningContext, may_leave
from routing.fulfillment.document import Document, backorders_document, document_of
from routing.fulfillment.keeping import keep_scarce
from routing.fulfillment.order import Availability
from routing.fulfillment.plan import Plan
from routing.fulfillment.planning import NO_STOCK, plan
from routing.fulfillment.records import FulfillmentOrderRecord, PlanRecord

ATTEMPTS = 4
"""How often an order is planned when others take the stock first."""

LARGEST_BATCH = 500
WATCHERS = ("auditor", "order-service", "planner")
"""Roles that hear of plans."""


@dataclass(slots=True)
class _Cache:
    """The context built last; it follows from the brand's version and the prices."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: tuple[tuple[str, str], PlanningContext] | None = None


_cache = _Cache()


@dataclass(frozen=True, slots=True)
class Service:
    """Who asks, and what the service needs to answer."""

    session: Session
    clock: Clock
    entropy: Entropy
    actor: str
    hold_minutes: int

    def entry(self, reference: str) -> Entry:
        """Returns how a change is written into the ledger."""
        return Entry(self.clock.now(), self.actor, self.entropy, reference)


def planning_context(session: Session) -> PlanningContext:
    """Returns the context of the current brand, with the prices that count now."""
    version = brand_version(session)
    prices = current_prices(session, version)
    key = (version, prices.version if prices else "")
    with _cache.lock:
        if _cache.kept is None or _cache.kept[0] != key:
            _cache.kept = (key, _built(session, prices, version))
        return _cache.kept[1]


def _built(session: Session, prices: Prices | None, version: str) -> PlanningContext:
    return PlanningContext.of(current_brand(session), prices, version)


def live_availability(
    session: Session, context: PlanningContext, items: Collection[str], now: datetime
) -> Availability:
    """Returns units that may be promised now, by (site, item, customs), of the serving sites.

    Units in bond count as long as an order of now leaves before their bond ends.
    """
    serving = {site.site: site for site in context.network.serving}
    levels = stock.levels(session, now, list(serving), sorted(set(items)))
    return {
        (level.site, level.item, level.customs): level.available
        for level in levels
        if may_leave(serving[level.site], level.customs, level.bonded_since, now)
    }


def make_plan(service: Service, body: OrderBody) -> Document:
    """Returns the document of a new plan, and holds its units unless the order says not to.

    When others take the units between planning and holding, the order is planned again with what
    is left. Raises `BadInput` for an order that does not fit the brand, `OutOfStock` where stock
    is all that is missing, and `Conflict` (`no-feasible-plan`) where nothing can carry the order.
    """
    context = planning_context(service.session)
    asked = asked_of(body, context, service.clock.now())
    identity = mint("pln", service.clock.now(), service.entropy)
    made, held = _planned_and_held(service, context, asked, identity)
    document = _opened(document_of(made), identity, held)
    if asked.wishes.backorder:
        later = backorders(made, asked.order, context, asked.wishes)
        document["backorders"] = backorders_document(later)
    store.add_plan(service.session, _record(made, identity, document, held, service.clock.now()))
    data = {
        "plan": identity,
        "order": made.order,
        "status": document["status"],
        "legs": len(made.legs),
        "unserved": len(made.unserved),
    }
    publish(service.session, "plan.created", data, WATCHERS, service.clock)
    return document


def make_plans(service: Service, orders: Sequence[dict[str, Any]]) -> list[Document]:
    """Returns the result of each order: `status` and `plan`, or `status` and `problem`.

    Each order is planned after those before it hold their units. One that fails changes nothing.
    """
    return [_attempt(service, at, order) for at, order in enumerate(orders)]


def show_plan(session: Session, plan_id: str, now: datetime) -> Document:
    """Returns the document of a plan with its status as of now; raises `NotFound`."""
    return _shown(session, store.plan_of(session, plan_id), now)


def confirm_plan(service: Service, plan_id: str) -> Document:
    """Returns the document of a plan whose hold became a fulfillment order with shipments.

    A plan that is confirmed already stays as it is. Raises `NotFound`, and `Conflict` for a plan
    that was cancelled, holds nothing, whose hold has expired, or whose lines were confirmed by
    another plan of the same order: no line ships twice.
    """
    order = store.plan_of(service.session, plan_id).order
    plans = store.plans_of_order(service.session, order)
    record = next(plan for plan in plans if plan.id == plan_id)
    if record.status in ("planned", "cancelled"):
        raise Conflict(f"The plan is {record.status}: it holds nothing.", f"plan-{record.status}")
    if record.status == "reserved" and record.reservation is not None:
        _refuse_confirmed_lines(record, plans)
        _confirm(service, record, record.reservation)
    return _shown(service.session, record, service.clock.now())


def cancel_plan(service: Service, plan_id: str) -> Document:
    """Returns the document of a plan that was given up; its units can be promised again.

    A plan that is cancelled already stays as it is. Raises `NotFound`, and `Conflict` for a plan
    that is confirmed: its units have left.
    """
    record = store.plan_of(service.session, plan_id, for_update=True)
    if record.status == "confirmed":
        raise Conflict("The plan is confirmed and its units have left.", "plan-confirmed")
    if record.status != "cancelled":
        _release(service, record)
        record.status = "cancelled"
        service.session.flush()
        data = {"plan": record.id, "order": record.order}
        publish(service.session, "plan.cancelled", data, WATCHERS, service.clock)
    return _shown(service.session, record, service.clock.now())


# Planning and holding


def _planned_and_held(
    service: Service, context: PlanningContext, asked: Asked, identity: str
) -> tuple[Plan, Reservation | None]:
    items = {line.item for line in asked.order.lines}
    lost: OutOfStock | None = None
    for _ in range(ATTEMPTS):
        now = service.clock.now()
        available = live_availability(service.session, context, items, now)
        made = plan(asked.order, available, context, asked.wishes)
        if asked.wishes.keep_scarce:
            made = keep_scarce(made, asked.order, available, context, asked.wishes)
        if not made.legs and not _promised(made, context, asked):
            raise _nothing_served(made)
        if not made.legs:
            return made, None
        if not asked.reserve:
            return made, None
        try:
            return made, _hold(service, made, identity, asked.hold_minutes)
        except OutOfStock as error:
            lost = error
    raise lost or OutOfStock(())


def _hold(service: Service, made: Plan, identity: str, minutes: int | None) -> Reservation:
    lots = [Lot(site, item, units, customs) for (site, item, customs), units in made.units.items()]
    until = service.clock.now() + timedelta(minutes=minutes or service.hold_minutes)
    return stock.reserve(service.session, lots, service.entry(identity), until)


def _promised(made: Plan, context: PlanningContext, asked: Asked) -> bool:
    """Whether goods on their way could serve some of an order that asks for back-orders."""
    later = asked.wishes.backorder and backorders(made, asked.order, context, asked.wishes)
    return bool(later and later.legs)


def _nothing_served(made: Plan) -> Conflict:
    if all(short.code == NO_STOCK for short in made.unserved):
        return OutOfStock([Shortage(short.item, "any site", short.quantity, 0)
                           for short in made.unserved])  # fmt: skip
    said = "; ".join(dict.fromkeys(f"{short.item}: {short.reason}" for short in made.unserved))
    return Conflict(f"Nothing can serve the order: {said}.", "no-feasible-plan")


def _record(
    made: Plan, identity: str, document: Document, held: Reservation | None, now: datetime
) -> PlanRecord:
    return PlanRecord(
        id=identity,
        order=made.order,
        region=made.region,
        status=document["status"],
        reservation=held.id if held else None,
        expires_at=held.expires_at if held else None,
        document=document,
        data_version=made.decision.data_version,
        prices_version=made.decision.prices_version or None,
        created_at=now,
    )


def _opened(document: Document, identity: str, held: Reservation | None) -> Document:
    reservation = None
    if held is not None:
        reservation = {"id": held.id, "expires_at": rfc3339(held.expires_at)}
    status = "reserved" if held else "planned"
    opened = {"id": identity, "status": status, "reservation": reservation}
    return {**document, **opened, "fulfillment_order": None, "shipments": []}


def _attempt(service: Service, at: int, order: dict[str, Any]) -> Document:
    try:
        with service.session.begin_nested():
            return {"index": at, "status": 201, "plan": make_plan(service, order_body(order))}
    except BadInput as error:
        return _failed(at, 422, error, error.problems)
    except Conflict as error:
        return _failed(at, 409, error)


def _failed(
    at: int, status: int, error: EntrepotError, problems: Sequence[Problem] = ()
) -> Document:
    errors = [{"pointer": found.pointer, "detail": found.problem} for found in problems]
    problem = {"code": error.code, "detail": str(error), "errors": errors}
    return {"index": at, "status": status, "problem": problem}


# What becomes of a plan


def _shown(session: Session, record: PlanRecord, now: datetime) -> Document:
    expired = record.status == "reserved" and record.expires_at is not None and (
        record.expires_at <= now
    )  # fmt: skip
    became = store.fulfillment_order_of(session, record.id)
    return {
        **record.document,
        "status": "expired" if expired else record.status,
        "fulfillment_order": None if became is None else {"id": became.id, "status": became.status},
        "shipments": [] if became is None else became.shipments,
    }


def _refuse_confirmed_lines(record: PlanRecord, plans: Sequence[PlanRecord]) -> None:
    """Ensures that no other plan of the order was confirmed for one of the same lines."""
    lines = _served_lines(record)
    for other in plans:
        again = sorted(lines & _served_lines(other))
        if other.id != record.id and other.status == "confirmed" and again:
            told = f"Lines {', '.join(map(str, again))} of the order are confirmed by {other.id}."
            raise Conflict(told, "order-confirmed")


def _served_lines(record: PlanRecord) -> set[int]:
    return {line["line"] for leg in record.document["legs"] for line in leg["lines"]}


def _confirm(service: Service, record: PlanRecord, reservation: str) -> None:
    entry = service.entry(record.id)
    stock.confirm(service.session, reservation, entry)
    stock.ship(service.session, reservation, entry)
    shipments = create_shipments(service.session, record.document, service.clock, service.entropy)
    became = FulfillmentOrderRecord(
        id=mint("ful", service.clock.now(), service.entropy),
        plan=record.id,
        order=record.order,
        status="open",
        shipments=shipments,
        created_at=service.clock.now(),
    )
    store.add_fulfillment_order(service.session, became)
    record.status = "confirmed"
    service.session.flush()
    data = {"plan": record.id, "order": record.order, "fulfillment_order": became.id}
    publish(service.session, "plan.confirmed", data, WATCHERS, service.clock)


def _release(service: Service, record: PlanRecord) -> None:
    """Ensures that the units of a plan are free; a hold that ended by itself freed them already."""
    if record.reservation is None:
        return
    try:
        stock.release(service.session, record.reservation, service.entry(record.id))
    except Conflict as error:
        if error.code != "reservation-expired":
            raise
