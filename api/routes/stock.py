"""`/v1/stock`: levels, the ledger, and movements written by people."""

from collections.abc import Mapping
from datetime import date
from functools import partial
from math import inf
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from api.bodies import INTEGRAL, Body, Code, Moment, Text, View
from api.dependencies import ClockDep, EntropyDep, SessionDep, allow
from api.idempotency import OnceDep
from api.openapi import conflicts
from api.pages import Page, PagingDep
from api.services import stock as services
from api.services.brands import current_brand
from api.services.keys import Caller
from inventory import store
from inventory.stock import Entry, Movement, MovementKind, StockKey, StockLevel
from warehouses.bond import bond_ends

router = APIRouter(prefix="/v1/stock", tags=["stock"])

Reader = Depends(allow("planner", "order-service", "auditor"))
Change = Annotated[int, Field(strict=True, ge=-1_000_000_000, le=1_000_000_000), INTEGRAL]
Names = Annotated[list[Code] | None, Query(max_length=500)]


class MovementCreate(Body):
    """A movement to write.

    Units received or returned, a corrected count, units that leave for another site or arrive from
    one (`reference` names the transfer), or units released from bond.
    """

    site: Code
    item: Code
    customs: Literal["free", "bonded"] = "free"
    kind: Literal[
        MovementKind.RECEIPT,
        MovementKind.RETURN,
        MovementKind.ADJUSTMENT,
        MovementKind.TRANSFER_OUT,
        MovementKind.TRANSFER_IN,
        MovementKind.BOND_RELEASE,
    ]
    quantity: Change
    reference: Text = ""
    expected_on_hand: (
        Annotated[int, Field(strict=True, ge=0, le=1_000_000_000_000), INTEGRAL] | None
    ) = None


class SafetyCreate(Body):
    """Units of an item at a site that are kept from customers."""

    site: Code
    item: Code
    customs: Literal["free", "bonded"] = "free"
    units: Annotated[int, Field(strict=True, ge=0, le=1_000_000_000), INTEGRAL]


class SafetyView(View):
    """The buffer of one stock row."""

    site: str
    item: str
    customs: str
    units: int


class MovementView(View):
    """One line of the ledger."""

    id: str
    at: Moment
    site: str
    item: str
    customs: str
    kind: str
    quantity: int
    reserved: int
    reference: str
    actor: str


class GoodsView(View):
    """Units of a transfer that have left and not arrived."""

    item: str
    customs: str
    quantity: int


class TransferView(BaseModel):
    """What of a transfer is still on the way; nothing when all of it has arrived."""

    transfer: str
    on_the_way: list[GoodsView]


class StockView(View):
    """One stock row; `available` is what a new reservation can still take.

    Units in bond since `bonded_since` may be sold with duty suspended until the day before
    `bond_ends`; then they have to be released or exported.
    """

    site: str
    item: str
    customs: str
    on_hand: int
    reserved: int
    safety: int
    available: int
    bonded_since: date | None
    bond_ends: date | None = None


@router.get("", dependencies=[Reader])
def list_stock(
    session: SessionDep, clock: ClockDep, paging: PagingDep, site: Names = None, item: Names = None
) -> Page[StockView]:
    """Returns stock by site, item and customs state."""
    after = paging.after(str, str, str)
    rows = store.levels(session, clock.now(), site, item, _triple(after), paging.asked)
    return paging.page(rows, key=_place, show=partial(_shown, services.bond_days(session)))


@router.get("/movements", dependencies=[Reader])
def list_movements(
    session: SessionDep,
    paging: PagingDep,
    site: Code | None = None,
    item: Code | None = None,
    reference: Text | None = None,
) -> Page[MovementView]:
    """Returns lines of the ledger, newest first."""
    after = paging.after(str)
    rows = store.movements(
        session, site, item, reference, str(after[0]) if after else None, paging.asked
    )
    return paging.page(rows, key=_line, show=MovementView.model_validate)


@router.post(
    "/movements",
    status_code=201,
    response_model=MovementView,
    responses=conflicts("insufficient-stock", "not-in-transit", "stock-changed", "stock-reserved"),
)
def create_movement(
    body: MovementCreate,
    who: Annotated[Caller, Depends(allow("planner"))],
    session: SessionDep,
    clock: ClockDep,
    entropy: EntropyDep,
    once: OnceDep,
) -> Response:
    """Writes a movement into the ledger and returns it.

    What is received goes to those who were promised it; `reference` may name its purchase order.
    """
    movement = services.move(
        session,
        current_brand(session),
        MovementKind(body.kind),
        StockKey(body.site, body.item, body.customs),
        body.quantity,
        Entry(clock.now(), f"key:{who.key}", entropy, body.reference),
        clock,
        body.expected_on_hand,
    )
    return once.answer(201, MovementView.model_validate(movement))


@router.get("/in-transit", response_model=TransferView, dependencies=[Reader])
def read_transfer(transfer: Text, session: SessionDep) -> TransferView:
    """Returns what of a transfer is still on the way."""
    goods = services.travelling(session, transfer)
    return TransferView(
        transfer=transfer, on_the_way=[GoodsView.model_validate(one) for one in goods]
    )


@router.post("/safety", status_code=201, response_model=SafetyView)
def set_safety(
    body: SafetyCreate,
    _: Annotated[Caller, Depends(allow("planner"))],
    session: SessionDep,
    once: OnceDep,
) -> Response:
    """Sets how many units of a stock row reservations leave untouched; 0 ends it."""
    key = StockKey(body.site, body.item, body.customs)
    services.keep_safety(session, current_brand(session), key, body.units)
    return once.answer(201, SafetyView(**body.model_dump()))


def _shown(bond_days: Mapping[str, float], level: StockLevel) -> StockView:
    ends = bond_ends(bond_days.get(level.site, inf), level.bonded_since)
    return StockView.model_validate(level).model_copy(update={"bond_ends": ends})


def _place(level: StockLevel) -> tuple[str, str, str]:
    return (level.site, level.item, level.customs)


def _line(movement: Movement) -> tuple[str]:
    return (movement.id,)


def _triple(key: tuple[str | int, ...] | None) -> tuple[str, str, str] | None:
    return (str(key[0]), str(key[1]), str(key[2])) if key else None
