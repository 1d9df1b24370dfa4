"""Units that come, leave for another site, are released from bond, and are counted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import bindparam, case, func, select
from sqlmodel import Session

from core.errors import Conflict, OutOfStock, Shortage
from inventory.stock import Entry, Lot, Movement, MovementKind, StockKey, summed
from inventory.store.rows import (
    KEY,
    MOVEMENT,
    STOCK,
    at,
    insert,
    lock,
    make_sure,
    run,
    same_row,
    write,
)

_NOT_HELD = STOCK.c.on_hand - STOCK.c.reserved
_TAKE = (
    STOCK.update()
    .where(same_row(STOCK), bindparam("units") <= _NOT_HELD)
    .values(on_hand=STOCK.c.on_hand - bindparam("units"))
)
_SAFETY = STOCK.update().where(same_row(STOCK)).values(safety=bindparam("units"))
_ROW = select(STOCK).where(same_row(STOCK))


def receive(
    session: Session, lots: Sequence[Lot], entry: Entry, kind: MovementKind = MovementKind.RECEIPT
) -> list[Movement]:
    """Returns the movements by which units came in; makes stock rows that do not exist yet.

    A bonded row that was empty begins its days in bond anew.
    """
    if not lots:
        return []
    in_order = sorted(lots, key=lambda lot: lot.key)
    run(session, _added(session), [_opening(lot, entry) for lot in in_order])
    lines = [(lot.key, lot.quantity, 0) for lot in lots]
    return write(session, kind, lines, entry, entry.reference)


def take_back(session: Session, lots: Sequence[Lot], entry: Entry) -> list[Movement]:
    """Returns the movements by which units came back from customers and can be sold again."""
    return receive(session, lots, entry, MovementKind.RETURN)


def transfer_out(
    session: Session, lots: Sequence[Lot], entry: Entry, transfer: str
) -> list[Movement]:
    """Returns the movements by which units left a site for another one; now they are on the way.

    `transfer` names the journey; `transfer_in` ends it. Raises `OutOfStock` where units that are
    not held are too few; then nothing has left. Safety units may leave: the buffer is kept from
    customers, not from the planner.
    """
    return _taken(session, summed(lots), MovementKind.TRANSFER_OUT, entry, transfer)


def transfer_in(
    session: Session, lots: Sequence[Lot], entry: Entry, transfer: str
) -> list[Movement]:
    """Returns the movements by which units of a transfer arrived at the sites of the lots.

    They may arrive in parts. Raises `Conflict` (`not-in-transit`) for more than is on the way.
    Bonded units without a date of their own keep the days in bond that they had.
    """
    left = _sources(session, transfer)
    lock(session, {*left, *(lot.key for lot in lots)})  # arrivals of one transfer take turns
    on_the_way = in_transit(session, transfer)
    arriving = Counter[tuple[str, str]]()
    for lot in lots:
        arriving[lot.item, lot.customs] += lot.quantity
    for (item, customs), units in sorted(arriving.items()):
        travels = on_the_way.get((item, customs), 0)
        if units > travels:
            told = f"{travels} units of {item} ({customs}) are on the way with {transfer}."
            raise Conflict(told, "not-in-transit")
    arrived = [Lot(lot.site, lot.item, lot.quantity, lot.customs,
                   lot.bonded_since or _bonded_since(left, lot)) for lot in lots]  # fmt: skip
    return receive(session, arrived, _about(entry, transfer), MovementKind.TRANSFER_IN)


def in_transit(session: Session, transfer: str) -> dict[tuple[str, str], int]:
    """Returns the units of a transfer that have left and not arrived, by item and customs state."""
    kinds = (MovementKind.TRANSFER_OUT, MovementKind.TRANSFER_IN)
    query = (
        select(MOVEMENT.c.item, MOVEMENT.c.customs, func.sum(MOVEMENT.c.quantity).label("units"))
        .where(MOVEMENT.c.reference == transfer, MOVEMENT.c.kind.in_(kinds))
        .group_by(MOVEMENT.c.item, MOVEMENT.c.customs)
    )
    found = {(row.item, row.customs): -int(row.units) for row in run(session, query)}
    return {goods: units for goods, units in found.items() if units}


def release_bond(session: Session, lots: Sequence[Lot], entry: Entry) -> list[Movement]:
    """Returns the movements by which bonded units became free at their site; duty falls due.

    Raises `OutOfStock` where bonded units that are not held are too few.
    """
    bonded = summed(Lot(lot.site, lot.item, lot.quantity, "bonded") for lot in lots)
    freed = [Lot(key.site, key.item, units) for key, units in bonded.items()]
    lock(session, {*bonded, *(lot.key for lot in freed)})
    left = _taken(session, bonded, MovementKind.BOND_RELEASE, entry, entry.reference)
    return [*left, *receive(session, freed, entry, MovementKind.BOND_RELEASE)]


def adjust(
    session: Session, key: StockKey, change: int, entry: Entry, expected: int | None = None
) -> Movement:
    """Returns the movement by which a count was corrected, up or down.

    Raises `Conflict` when units that are held would be lost, and, with `expected`, when the row
    does not have that many on hand.
    """
    make_sure(session, key)
    statement = STOCK.update().where(
        same_row(STOCK), STOCK.c.on_hand + bindparam("units") >= STOCK.c.reserved
    )
    if expected is not None:
        statement = statement.where(STOCK.c.on_hand == expected)
    changed = statement.values(on_hand=STOCK.c.on_hand + bindparam("units"))
    if run(session, changed, at(key, change)).rowcount != 1:
        raise _not_adjusted(session, key, expected)
    return write(session, MovementKind.ADJUSTMENT, [(key, change, 0)], entry, entry.reference)[0]


def set_safety(session: Session, key: StockKey, units: int) -> None:
    """Ensures that reservations leave that many units of a stock row untouched."""
    make_sure(session, key)
    run(session, _SAFETY, at(key, units))


def _taken(
    session: Session,
    wanted: Mapping[StockKey, int],
    kind: MovementKind,
    entry: Entry,
    reference: str,
) -> list[Movement]:
    """Returns the movements by which units that nobody holds left their rows: all or none."""
    lock(session, wanted)
    short = [key for key, units in wanted.items() if units > _not_held(session, key)]
    if short:
        raise OutOfStock(
            [Shortage(key.item, key.site, wanted[key], _not_held(session, key)) for key in short]
        )
    for key, units in wanted.items():
        run(session, _TAKE, at(key, units))
    lines = [(key, -units, 0) for key, units in wanted.items()]
    return write(session, kind, lines, entry, reference)


def _not_held(session: Session, key: StockKey) -> int:
    query = select(_NOT_HELD).where(same_row(STOCK))
    return run(session, query, at(key, 0)).scalar() or 0


def _sources(session: Session, transfer: str) -> dict[StockKey, date | None]:
    """Returns the rows that a transfer left, and since when they are bonded."""
    query = (
        select(STOCK)
        .join(MOVEMENT, (MOVEMENT.c.site == STOCK.c.site) & (MOVEMENT.c.item == STOCK.c.item)
              & (MOVEMENT.c.customs == STOCK.c.customs))
        .where(MOVEMENT.c.reference == transfer, MOVEMENT.c.kind == MovementKind.TRANSFER_OUT)
    )  # fmt: skip
    return {StockKey(row.site, row.item, row.customs): row.bonded_since
            for row in run(session, query)}  # fmt: skip


def _bonded_since(left: Mapping[StockKey, date | None], lot: Lot) -> date | None:
    """Returns the earliest day since which the goods of a lot were bonded where they left."""
    days = [since for key, since in left.items()
            if since and (key.item, key.customs) == (lot.item, lot.customs)]  # fmt: skip
    return min(days, default=None)


def _about(entry: Entry, reference: str) -> Entry:
    return Entry(entry.at, entry.actor, entry.entropy, reference)


def _opening(lot: Lot, entry: Entry) -> dict[str, Any]:
    since = (lot.bonded_since or entry.at.date()) if lot.customs == "bonded" else None
    return {
        "site": lot.site,
        "item": lot.item,
        "customs": lot.customs,
        "on_hand": lot.quantity,
        "reserved": 0,
        "safety": 0,
        "bonded_since": since,
    }


def _added(session: Session) -> Any:
    added = insert(session)
    kept = func.coalesce(STOCK.c.bonded_since, added.excluded.bonded_since)
    return added.on_conflict_do_update(
        index_elements=KEY,
        set_={
            "on_hand": STOCK.c.on_hand + added.excluded.on_hand,
            "bonded_since": case((STOCK.c.on_hand == 0, added.excluded.bonded_since), else_=kept),
        },
    )


def _not_adjusted(session: Session, key: StockKey, expected: int | None) -> Conflict:
    found = run(session, _ROW, at(key, 0)).one()
    if expected is not None and found.on_hand != expected:
        return Conflict(f"Expected {expected} on hand, found {found.on_hand}.", "stock-changed")
    return Conflict(
        f"The change would leave less than the {found.reserved} units that are held.",
        "stock-reserved",
    )
