"""Drafts: orders that are planned, and what is told and kept of them once they are held."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.clock import rfc3339
from core.errors import Conflict, OutOfStock, Shortage
from inventory.stock import Reservation
from inventory.supply import Claim
from routing.fulfillment.backorders import Backorders
from routing.fulfillment.document import Arrivals, Document, backorders_document, document_of
from routing.fulfillment.earliest import Arrival
from routing.fulfillment.plan import Plan
from routing.fulfillment.planning import NO_STOCK


@dataclass(frozen=True, slots=True)
class Draft:
    """An order that was planned, under its id, and what is held for it.

    `later` is what goods on their way could serve, where the order asks for that, and `claims` are
    the units of them to hold. `arrivals` are the earliest promises of items that stock lacks.
    `told` is the document of the plan, made with it: whoever holds the units is in a hurry.
    """

    identity: str
    plan: Plan
    told: Document
    later: Backorders | None
    claims: tuple[Claim, ...] = ()
    arrivals: Arrivals = field(default_factory=dict)
    held: Reservation | None = None

    @property
    def promised(self) -> bool:
        """Whether goods on their way serve any of it."""
        return self.later is not None and bool(self.later.legs)


def draft_of(
    identity: str,
    plan: Plan,
    later: Backorders | None,
    claims: tuple[Claim, ...],
    arrivals: Arrivals,
) -> Draft:
    """Returns the draft of a plan, with its document if there is anything to hold."""
    some = plan.legs or (later is not None and later.legs)
    told = document_of(plan, arrivals) if some else {}
    return Draft(identity, plan, told, later, claims, arrivals)


def refusal_of(one: Draft) -> Conflict:
    """Returns why nothing of an order can be served."""
    made = one.plan
    if all(short.code == NO_STOCK for short in made.unserved):
        return OutOfStock([Shortage(short.item, "any site", short.quantity, 0,
                                    _comes_at(one.arrivals.get(short.item)))
                           for short in made.unserved])  # fmt: skip
    said = "; ".join(dict.fromkeys(f"{short.item}: {short.reason}" for short in made.unserved))
    return Conflict(f"Nothing can serve the order: {said}.", "no-feasible-plan")


def _comes_at(arrival: Arrival | None) -> tuple[datetime, float] | None:
    return None if arrival is None else (arrival.p95, arrival.probability)


def event_of(one: Draft, document: Document) -> Document:
    """Returns what those who watch hear of a plan."""
    return {
        "plan": one.identity,
        "order": one.plan.order,
        "status": document["status"],
        "legs": len(one.plan.legs),
        "unserved": len(one.plan.unserved),
    }


def document_of_draft(one: Draft) -> Document:
    """Returns the document of a plan as it is answered and kept."""
    document = _opened(one.told, one.identity, one.held)
    if one.later is not None:
        held = one.held is not None and bool(one.claims)
        document["backorders"] = backorders_document(one.later, held)
    return document


def row_of(one: Draft, document: Document, now: datetime) -> dict[str, Any]:
    """Returns the columns of the `PlanRecord` that keeps a plan."""
    made, held = one.plan, one.held
    return {
        "id": one.identity,
        "order": made.order,
        "region": made.region,
        "status": document["status"],
        "reservation": held.id if held else None,
        "expires_at": held.expires_at if held else None,
        "document": document,
        "data_version": made.decision.data_version,
        "prices_version": made.decision.prices_version or None,
        "created_at": now,
    }


def _opened(document: Document, identity: str, held: Reservation | None) -> Document:
    reservation = None
    if held is not None:
        reservation = {"id": held.id, "expires_at": rfc3339(held.expires_at)}
    status = "reserved" if held else "planned"
    opened = {"id": identity, "status": status, "reservation": reservation}
    return {**document, **opened, "fulfillment_order": None, "shipments": []}
