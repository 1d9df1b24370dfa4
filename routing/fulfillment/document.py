"""The plan as a JSON document: the one form that the command line and HTTP both give."""

from collections.abc import Mapping
from typing import Any

from core.clock import rfc3339
from core.money import Money
from routing.fulfillment.backorders import Backorders
from routing.fulfillment.earliest import Arrival
from routing.fulfillment.legs import NO_STOCK
from routing.fulfillment.parcels import Parcel
from routing.fulfillment.plan import Cost, Decision, Leg, LegLine, Plan, Unserved

Document = dict[str, Any]


Arrivals = Mapping[str, Arrival | None]
"""The earliest promise of items from goods on their way."""

_NOTHING_COMES: Arrivals = {}


def document_of(plan: Plan, arrivals: Arrivals = _NOTHING_COMES) -> Document:
    """Returns the document of a plan; `id`, `status` and `reservation` are those of no record.

    `available_from` of what is not served for want of stock is the promise of its first unit from
    goods on their way, or null. Money is `{"amount": minor units, "currency": code}`, moments are
    RFC 3339 in UTC, weights in kilograms. Duty, tax and fees are estimates.
    """
    return {
        "id": None,
        "status": "planned",
        "order": plan.order,
        "region": plan.region,
        "currency": plan.currency,
        "placed_at": rfc3339(plan.placed_at),
        "legs": [_leg(leg) for leg in plan.legs],
        "promise": {
            "by": rfc3339(plan.promise.by),
            "probability": round(plan.promise.probability, 4),
        },
        "landed_cost": {**_cost(plan.landed_cost), "estimate": True},
        "unserved": [
            {
                "line": short.line,
                "item": short.item,
                "quantity": short.quantity,
                "code": short.code,
                "reason": short.reason,
                "available_from": available_from(arrivals, short),
            }
            for short in plan.unserved
        ],
        "carbon_kg": round(plan.carbon_kg, 4),
        "reservation": None,
        "decision": _decision(plan.decision),
    }


def available_from(arrivals: Arrivals, short: Unserved) -> Document | None:
    """Returns when the first unit of an unserved line could be there, if that is known."""
    found = arrivals.get(short.item) if short.code == NO_STOCK else None
    if found is None:
        return None
    return {"at": rfc3339(found.p95), "probability": round(found.probability, 4)}


def backorders_document(found: Backorders, held: bool = False) -> Document:
    """Returns what is promised from goods on their way: legs, and all of it together.

    `promise_by` of a leg is the moment by which it is there with a probability of 95 %; `held` says
    whether its units are held like those of the plan.
    """
    return {
        "probability": round(found.probability, 4),
        "legs": [
            {
                **_leg(one.leg),
                "supply": {
                    "kind": str(one.supply.lot.kind),
                    "purchase_orders": list(one.supply.references),
                    "due": one.supply.lot.due.isoformat(),
                    "ready_at": rfc3339(one.supply.ready_at),
                },
                "promise_by": rfc3339(one.leg.delivery.p95),
            }
            for one in found.legs
        ],
        "unserved": [{"line": line, "quantity": units} for line, units in found.unserved.items()],
        "held": held,
    }


def _leg(leg: Leg) -> Document:
    return {
        "site": leg.site,
        "service": leg.service,
        "carrier": leg.carrier,
        "customs": leg.customs,
        "customs_route": leg.customs_route,
        "lines": [_line(line) for line in leg.lines],
        "parcels": [_parcel(parcel) for parcel in leg.parcels],
        "cost": _cost(leg.cost),
        "pickup_at": rfc3339(leg.pickup_at),
        "delivery": {
            "p50": rfc3339(leg.delivery.p50),
            "p95": rfc3339(leg.delivery.p95),
            "probability": round(leg.delivery.probability, 4),
        },
        "carbon_kg": round(leg.carbon_kg, 4),
        "duty_basis": leg.basis,
        "tax_recoverable": leg.tax_recoverable,
        "sources": list(leg.sources),
    }


def _line(line: LegLine) -> Document:
    units = {"line": line.line, "item": line.item, "quantity": line.quantity}
    return units if line.price is None else {**units, "price": _money(line.price)}


def _parcel(parcel: Parcel) -> Document:
    return {
        "weight_kg": round(parcel.weight_kg, 4),
        "billed_kg": round(parcel.billed_kg, 4),
        "units": parcel.units,
        "contents": [{"item": item, "quantity": units} for item, units in parcel.contents],
    }


def _cost(cost: Cost) -> Document:
    terms = {name: _money(term) for name, term in cost.terms().items()}
    return {**terms, "total": _money(cost.total)}


def _decision(decision: Decision) -> Document:
    return {
        "considered": decision.considered,
        "gap": decision.gap,
        "objective": decision.objective.as_json(),
        "rejected": [
            {
                "option": lost.option,
                "cost": None if lost.cost is None else _money(lost.cost),
                "reason": lost.reason,
                "terms": lost.terms and lost.terms.as_json(),
            }
            for lost in decision.rejected
        ],
        "prices_version": decision.prices_version or None,
        "data_version": decision.data_version,
        "rules_date": decision.rules_date,
    }


def _money(money: Money) -> Document:
    return {"amount": money.minor, "currency": money.currency}
