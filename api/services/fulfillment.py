"""Order plans as the order service sees them: planned, held, confirmed or cancelled."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from api.database import hurry
from api.problems import shortages_of
from api.queue.events import publish
from api.services.backorders import held_legs, lots_of, send_complete
from api.services.orders import OrderBody, order_body
from api.services.planning import (
    AGAIN_SECONDS,
    ATTEMPTS,
    WATCHERS,
    Ask,
    Planned,
    Service,
    make_each,
    plan_each,
)
from api.services.shipments import create_shipments
from core.clock import rfc3339
from core.errors import BadInput, Conflict, EntrepotError, NotFound, OutOfStock, Problem
from core.ids import mint
from inventory import store as stock
from routing.fulfillment import store
from routing.fulfillment.document import Document
from routing.fulfillment.records import FulfillmentOrderRecord, PlanRecord

LARGEST_BATCH = 500


def make_plan(service: Service, body: OrderBody) -> Document:
    """Returns the document of a new plan, and holds its units unless the order says not to.

    When others take the units between planning and holding, the order is planned again with what
    is left. Raises `BadInput` for an order that does not fit the brand, `OutOfStock` where stock
    is all that is missing, and `Conflict` (`no-feasible-plan`) where nothing can carry the order.
    """
    (made,) = answer_each(service, plan_each(service, [Ask(body, service.actor)]))
    if isinstance(made, EntrepotError):
        raise made
    return made


def make_plans(service: Service, orders: Sequence[dict[str, Any]]) -> list[Document]:
    """Returns the result of each order: `status` and `plan`, or `status` and `problem`.

    All are planned together and hold their units in their order; whoever comes too late is planned
    again with what is left. One that fails changes nothing.
    """
    asks = asks_of(orders, service.actor)
    good = [ask for ask in asks if isinstance(ask, Ask)]
    return results_of(answer_each(service, plan_each(service, good)), asks)


def answer_each(
    service: Service, planned: Sequence[Planned], attempts: int = ATTEMPTS
) -> list[Document | EntrepotError]:
    """Returns the document of a new plan for each order, or why there is none.

    Orders that replace a plan come last, one after the other: units of the plan that is given up
    are theirs before anybody else's, and without a new plan the old one stays as it was.
    """
    fresh = [one for one in planned if one.replaces is None]
    made = iter(make_each(service, fresh, attempts))
    return [
        next(made) if (old := one.replaces) is None else _replaced(service, one.ask, old)
        for one in planned
    ]


def asks_of(orders: Sequence[dict[str, Any]], actor: str) -> list[Ask | BadInput]:
    """Returns what each order of a batch asks for, or what is wrong with it."""
    return [_ask(order, actor) for order in orders]


def results_of(
    made: Sequence[Document | EntrepotError], asks: Sequence[Ask | BadInput]
) -> list[Document]:
    """Returns the results of a batch, given what became of those orders that could be read."""
    answers = iter(made)
    found = [ask if isinstance(ask, BadInput) else next(answers) for ask in asks]
    return [_result(at, answer) for at, answer in enumerate(found)]


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


def extend_plan(service: Service, plan_id: str, minutes: int) -> Document:
    """Returns the document of a plan that holds its units for so many minutes from now, at least.

    Raises `NotFound`, and `Conflict` for a plan that holds nothing (any more).
    """
    record = store.plan_of(service.session, plan_id, for_update=True)
    if record.status != "reserved" or record.reservation is None:
        raise Conflict(f"The plan is {record.status}: it holds nothing.", f"plan-{record.status}")
    until = service.clock.now() + timedelta(minutes=minutes)
    held = stock.extend(service.session, record.reservation, service.entry(record.id), until)
    record.expires_at = held.expires_at
    service.session.flush()
    return _shown(service.session, record, service.clock.now())


def cancel_plan(service: Service, plan_id: str) -> Document:
    """Returns the document of a plan that was given up; its units can be promised again.

    A plan that is cancelled already stays as it is. Raises `NotFound`, and `Conflict` for a plan
    that is confirmed and of which anything has left: goods on their way can still be given up.
    """
    record = store.plan_of(service.session, plan_id, for_update=True)
    if record.status == "confirmed" and record.document["legs"]:
        raise _left()
    if record.status != "cancelled":
        _release(service, record)
        _end_order(service.session, record)
        record.status = "cancelled"
        service.session.flush()
        data = {"plan": record.id, "order": record.order}
        publish(service.session, "plan.cancelled", data, WATCHERS, service.clock)
    return _shown(service.session, record, service.clock.now())


# Replacing a plan


def _replaced(service: Service, ask: Ask, old: str) -> Document | EntrepotError:
    """Returns the plan that takes the place of an old one, or why the old one stays.

    It holds the rows of the old plan and may wait for others, as one who plans again.
    """
    hurry(service.session, AGAIN_SECONDS)
    options = ask.body.options.model_copy(update={"replaces": None})
    alone = replace(ask, body=ask.body.model_copy(update={"options": options}))
    try:
        with service.session.begin_nested():
            _give_up(replace(service, actor=ask.actor), old, ask.body.order)
            (made,) = make_each(service, plan_each(service, [alone]))
            if isinstance(made, EntrepotError):
                raise made
    except EntrepotError as error:
        return error
    return made


def _give_up(service: Service, plan_id: str, order: str) -> None:
    try:
        record = store.plan_of(service.session, plan_id)
    except NotFound as error:
        raise BadInput([Problem("", 0, 0, str(error), "/options/replaces")]) from None
    if record.order != order:
        said = f"Expected a plan of order {order}, got one of {record.order}."
        raise BadInput([Problem("", 0, 0, said, "/options/replaces")])
    if record.status == "confirmed":
        raise Conflict("The plan is confirmed: it is cancelled, not replaced.", "plan-confirmed")
    cancel_plan(service, plan_id)


# Results of a batch


def _ask(order: dict[str, Any], actor: str) -> Ask | BadInput:
    try:
        return Ask(order_body(order), actor)
    except BadInput as error:
        return error


def _result(at: int, made: Document | EntrepotError) -> Document:
    if isinstance(made, BadInput):
        return _failed(at, 422, made, made.problems)
    if isinstance(made, EntrepotError):
        return _failed(at, 409, made)
    return {"index": at, "status": 201, "plan": made}


def _failed(
    at: int, status: int, error: EntrepotError, problems: Sequence[Problem] = ()
) -> Document:
    errors = [{"pointer": found.pointer, "detail": found.problem} for found in problems]
    problem: Document = {"code": error.code, "detail": str(error), "errors": errors}
    if isinstance(error, OutOfStock):
        problem["shortages"] = shortages_of(error)
    return {"index": at, "status": status, "problem": problem}


# What becomes of a plan


def _shown(session: Session, record: PlanRecord, now: datetime) -> Document:
    expired = record.status == "reserved" and record.expires_at is not None and (
        record.expires_at <= now
    )  # fmt: skip
    became = store.fulfillment_order_of(session, record.id)
    reservation = record.document["reservation"]
    if reservation is not None and record.expires_at is not None:  # it may have been extended
        reservation = {**reservation, "expires_at": rfc3339(record.expires_at)}
    return {
        **record.document,
        "reservation": reservation,
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
    legs = [*record.document["legs"], *held_legs(record.document)]
    return {line["line"] for leg in legs for line in leg["lines"]}


def _confirm(service: Service, record: PlanRecord, reservation: str) -> None:
    entry = service.entry(record.id)
    stock.confirm(service.session, reservation, entry)
    lots = lots_of(record.document["legs"])
    if lots:
        stock.ship(service.session, reservation, entry, lots)
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
    if held_legs(record.document):
        send_complete(service.session, [reservation], entry, service.clock)
    data = {"plan": record.id, "order": record.order, "fulfillment_order": became.id}
    publish(service.session, "plan.confirmed", data, WATCHERS, service.clock)


def _release(service: Service, record: PlanRecord) -> None:
    """Ensures that the units of a plan are free; a hold that ended by itself freed them already."""
    if record.reservation is None:
        return
    try:
        stock.release(service.session, record.reservation, service.entry(record.id))
    except Conflict as error:
        if error.code == "reservation-shipped":
            raise _left() from None
        if error.code != "reservation-expired":
            raise


def _end_order(session: Session, record: PlanRecord) -> None:
    """Ensures that no warehouse waits for goods that nobody wants any more.

    The hold is released before, so nothing comes in for it meanwhile.
    """
    became = store.fulfillment_order_of(session, record.id, for_update=True)
    if became is None:
        return
    if became.shipments:
        raise _left()
    became.status = "cancelled"


def _left() -> Conflict:
    return Conflict("The plan is confirmed and its units have left.", "plan-confirmed")
