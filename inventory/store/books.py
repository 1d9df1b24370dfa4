"""Checking the books: the ledger recomputed, and rows that differ from it."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Table, func, select
from sqlmodel import Session

from inventory.stock import Drift, ReservationState, StockKey
from inventory.store.rows import (
    LINE,
    MOVEMENT,
    RESERVATION,
    STOCK,
    at,
    columns,
    key_of,
    make_sure,
    run,
    same_row,
)

_OPEN = (ReservationState.ACTIVE, ReservationState.CONFIRMED)


def reconcile(session: Session) -> list[Drift]:
    """Returns every stock row that is not the sum of its movements and of its open holds."""
    ledger = _sums(session, MOVEMENT, MOVEMENT.c.quantity, MOVEMENT.c.reserved)
    held = _held(session)
    found = {key_of(row): (row.on_hand, row.reserved) for row in run(session, select(STOCK))}
    drifts = []
    for key in sorted({*ledger, *held, *found}):
        on_hand, reserved = found.get(key, (0, 0))
        ledger_on_hand, ledger_reserved = ledger.get(key, (0, 0))
        drift = Drift(
            *key, on_hand, ledger_on_hand, reserved, ledger_reserved, held.get(key, (0,))[0]
        )
        if on_hand != ledger_on_hand or not reserved == ledger_reserved == drift.held:
            drifts.append(drift)
    return drifts


def repair(session: Session, drifts: Sequence[Drift]) -> None:
    """Ensures that stock rows are again what the ledger says; the ledger itself never changes."""
    for drift in drifts:
        key = StockKey(drift.site, drift.item, drift.customs)
        make_sure(session, key)
        right = STOCK.update().where(same_row(STOCK)).values(
            on_hand=drift.ledger_on_hand, reserved=drift.ledger_reserved
        )  # fmt: skip
        run(session, right, at(key, 0))


def _sums(
    session: Session, table: Table, *sums: ColumnElement[int]
) -> dict[StockKey, tuple[int, ...]]:
    query = select(*columns(table), *(func.sum(column) for column in sums))
    rows = run(session, query.group_by(*columns(table)))
    return {key_of(row): tuple(int(units) for units in tuple(row)[3:]) for row in rows}


def _held(session: Session) -> dict[StockKey, tuple[int, ...]]:
    query = (
        select(*columns(LINE), func.sum(LINE.c.quantity - LINE.c.shipped).label("units"))
        .join(RESERVATION, RESERVATION.c.id == LINE.c.reservation)
        .where(RESERVATION.c.state.in_(_OPEN))
        .group_by(*columns(LINE))
    )
    return {key_of(row): (int(row.units),) for row in run(session, query)}
