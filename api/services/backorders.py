"""Back-orders that are held: they leave when the last of their units has come in."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session

from api.services.planning import planning_context
from api.services.shipments import create_shipments
from carriers import store as carriers
from core.clock import Clock, rfc3339
from inventory import store as stock
from inventory.stock import Entry, Lot, Reservation, StockKey
from routing.fulfillment import store
from routing.fulfillment.backorders import sent_now

Document = Mapping[str, Any]


def held_legs(plan: Document) -> Sequence[Document]:
    """Returns the back-order legs that a plan holds; its own legs are numbered before them."""
    later = plan.get("backorders")
    legs: Sequence[Document] = later["legs"] if later and later["held"] else ()
    return legs


def lots_of(legs: Collection[Document]) -> list[Lot]:
    """Returns the units of legs, as the ledger counts them."""
    return [
        Lot(leg["site"], line["item"], line["quantity"], leg["customs"])
        for leg in legs
        for line in leg["lines"]
    ]


def send_complete(
    session: Session, reservations: Collection[str], entry: Entry, clock: Clock
) -> None:
    """Ensures that back-orders of confirmed plans leave if all their units are there.

    Legs of one plan go in the order in which they were promised.
    """
    for reservation in sorted(reservations):
        plan = stock.get(session, reservation).reference
        became = store.fulfillment_order_of(session, plan, for_update=True)
        if became is None:
            continue  # it is not confirmed: its units wait as those of any hold
        document = store.plan_of(session, plan).document
        sent = {shipment.leg for shipment in carriers.shipments_of_plan(session, plan)}
        going = _complete(document, sent, stock.get(session, reservation))
        if not going:
            continue
        legs = [*document["legs"], *held_legs(document)]
        stock.ship(session, reservation, entry, lots_of([legs[at] for at in going]))
        for at in going:
            legs[at] = _leaving(session, document["region"], legs[at], clock)
        became.shipments = create_shipments(
            session, {**document, "legs": legs}, clock, entry.entropy, going
        )
        session.flush()


def _leaving(session: Session, region: str, leg: Document, clock: Clock) -> Document:
    """Returns a leg with the delivery that follows from the day on which its goods came in."""
    by = datetime.fromisoformat(leg["promise_by"])
    context = planning_context(session)
    found = sent_now(region, leg["site"], leg["service"], clock.now(), by, context)
    if found is None:
        return leg
    return {**leg, "delivery": {"p50": rfc3339(found.p50), "p95": rfc3339(found.p95)}}


def _complete(plan: Document, sent: Collection[int], held: Reservation) -> list[int]:
    """Returns the numbers of legs that have not left and whose units are all held."""
    there = Counter({line.key: line.remaining for line in held.lines})
    going = []
    for at, leg in enumerate(held_legs(plan), start=len(plan["legs"])):
        units = Counter[StockKey]()
        for lot in lots_of([leg]):
            units[lot.key] += lot.quantity
        if at not in sent and units <= there:
            there -= units
            going.append(at)
    return going
