"""`/v1/suppliers` and `/v1/purchase-orders`: scores, and what was ordered."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from api.bodies import AskedDay, Body, Code, Moment, MoneyBody, Quantity, View
from api.dependencies import ClockDep, EntropyDep, SessionDep, allow
from api.idempotency import OnceDep
from api.pages import Page, PagingDep
from api.services import suppliers as services
from api.services.keys import Caller
from core.money import Money
from inventory.suppliers import store
from inventory.suppliers.offers import Offer
from inventory.suppliers.orders import PurchaseOrder
from inventory.suppliers.scorecard import Score

router = APIRouter(prefix="/v1", tags=["suppliers"])

Reader = Depends(allow("planner", "auditor"))

SupplierView = dict[str, Any]
"""A score as `entrepot score` shows it."""


class LineCreate(Body):
    """Units of one item to order."""

    item: Code
    quantity: Quantity


class PurchaseOrderCreate(Body):
    """An order to place at the price of the supplier's offers."""

    supplier: Code
    site: Code
    lines: Annotated[list[LineCreate], Field(min_length=1, max_length=500)]
    order_by: AskedDay | None = None


class LineRead(View):
    """Units of one item at the agreed price."""

    item: str
    quantity: int
    unit_cost: MoneyBody


class PurchaseOrderRead(View):
    """What was ordered from whom; `reference` names the alert that it cures."""

    id: str
    supplier: str
    site: str
    state: str
    order_by: date
    arrives: date
    reference: str
    actor: str
    created_at: Moment
    lines: list[LineRead]
    total: MoneyBody

    @classmethod
    def of(cls, order: PurchaseOrder) -> "PurchaseOrderRead":
        """Returns the form of an order that crosses the door."""
        return cls(
            id=order.id,
            supplier=order.supplier,
            site=order.site,
            state=order.state,
            order_by=order.order_by,
            arrives=order.arrives,
            reference=order.reference,
            actor=order.actor,
            created_at=order.created_at,
            lines=[
                LineRead(
                    item=line.item, quantity=line.quantity, unit_cost=MoneyBody.of(line.unit_cost)
                )
                for line in order.lines
            ],
            total=MoneyBody.of(order.total),
        )


@router.get("/suppliers", dependencies=[Reader])
def list_suppliers(
    session: SessionDep,
    paging: PagingDep,
    state: Literal["active", "probation", "dropped"] | None = None,
) -> Page[SupplierView]:
    """Returns suppliers with their scores, by id."""
    after = paging.after(str)
    found = sorted(services.supplier_scores(session), key=_id)
    rows = [
        score
        for score in found
        if (after is None or score.supplier > str(after[0])) and state in (None, score.state)
    ]
    return paging.page(rows, key=lambda score: (score.supplier,), show=Score.as_json)


@router.get("/suppliers/{supplier}", dependencies=[Reader])
def get_supplier(supplier: Code, session: SessionDep) -> SupplierView:
    """Returns one supplier with its score, offers and open purchase orders."""
    score, offers = services.supplier_score(session, supplier)
    orders = store.purchase_orders(session, supplier=supplier, state="open")
    return score.as_json() | {
        "offers": [_offer(offer) for offer in offers],
        "purchase_orders": [
            PurchaseOrderRead.of(order).model_dump(mode="json") for order in orders
        ],
    }


@router.get("/purchase-orders", dependencies=[Reader])
def list_purchase_orders(
    session: SessionDep,
    paging: PagingDep,
    supplier: Code | None = None,
    state: Literal["open", "received", "cancelled"] | None = None,
    reference: Code | None = None,
) -> Page[PurchaseOrderRead]:
    """Returns purchase orders, newest first."""
    after = paging.after(str)
    rows = store.purchase_orders(
        session, paging.asked, str(after[0]) if after else None, supplier, state, reference
    )
    return paging.page(rows, key=lambda order: (order.id,), show=PurchaseOrderRead.of)


@router.get("/purchase-orders/{order}", dependencies=[Reader])
def get_purchase_order(order: Code, session: SessionDep) -> PurchaseOrderRead:
    """Returns one purchase order."""
    return PurchaseOrderRead.of(store.purchase_order(session, order))


@router.post("/purchase-orders", status_code=201, response_model=PurchaseOrderRead)
def create_purchase_order(
    body: PurchaseOrderCreate,
    who: Annotated[Caller, Depends(allow("planner"))],
    session: SessionDep,
    clock: ClockDep,
    entropy: EntropyDep,
    once: OnceDep,
) -> Response:
    """Places a purchase order; the price, minimum and multiple are those of the offers."""
    wanted = [(line.item, line.quantity) for line in body.lines]
    order = services.place_order(
        session, body.supplier, body.site, wanted, body.order_by, f"key:{who.key}", clock, entropy
    )
    location = f"/v1/purchase-orders/{order.id}"
    return once.answer(201, PurchaseOrderRead.of(order), location)


def _id(score: Score) -> str:
    return score.supplier


def _offer(offer: Offer) -> dict[str, Any]:
    free = offer.capacity_per_week == float("inf")
    return {
        "item": offer.item,
        "unit_cost": Money.of(offer.price, offer.currency).as_json(),
        "moq": offer.moq,
        "multiple": offer.multiple,
        "lead_days": offer.lead_days,
        "capacity_per_week": None if free else offer.capacity_per_week,
        "qualified": offer.qualified,
        "share": offer.share,
    }
