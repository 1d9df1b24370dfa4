"""Claims: units of goods on their way that reservations hold, judged by the database.

A lot is locked between reservations and stock, and lots by key. Whoever ends or confirms a
reservation locks its lots before it reads what the reservation holds, so that goods which come in
at that moment are either seen or come in afterwards.

The rows of a statement travel as one JSON text, as in `groups`.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Date, TextClause, and_, func, select, text
from sqlmodel import Session

from core.errors import OutOfStock, Shortage
from inventory.stock import ClaimDrift, Reservation, ReservationState, Wanted
from inventory.store.rows import CLAIM, RESERVATION, SUPPLY, on_postgres, run
from inventory.supply import Claimed, SupplyKey, SupplyKind, SupplyLot

LOT = ("site", "item", "customs", "due", "reference")
_LOT_OF_CLAIM = [CLAIM.c[name] for name in LOT]
_WAITING = func.sum(CLAIM.c.quantity - CLAIM.c.received)


@dataclass(frozen=True, slots=True)
class Row:
    """A lot as the database knows it: units in all, those promised, those that have come in."""

    quantity: int
    claimed: int
    received: int


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a lot: units claimed and received are added, `quantity` is the new total."""

    claimed: int
    received: int
    quantity: int


def taken(session: Session, now: datetime, items: Collection[str]) -> dict[SupplyKey, int]:
    """Returns units by lot that a new claim cannot have: promised to others, or come in already.

    Holds whose time has passed do not count, although no sweep ended them yet.
    """
    passed = (
        select(*_LOT_OF_CLAIM, _WAITING.label("units"))
        .join(RESERVATION, RESERVATION.c.id == CLAIM.c.reservation)
        .where(RESERVATION.c.state == ReservationState.ACTIVE, RESERVATION.c.expires_at <= now)
        .group_by(*_LOT_OF_CLAIM)
        .subquery()
    )
    units = SUPPLY.c.claimed + SUPPLY.c.received - func.coalesce(passed.c.units, 0)
    query = (
        select(*(SUPPLY.c[name] for name in LOT), units.label("units"))
        .outerjoin(passed, and_(*(passed.c[name] == SUPPLY.c[name] for name in LOT)))
        .where(SUPPLY.c.item.in_(items))
    )
    return {lot_of(row): int(row.units) for row in run(session, query)}


def promised(session: Session, items: Collection[str]) -> dict[SupplyKey, int]:
    """Returns units by lot that are promised and have not come in, of lots old and new."""
    query = select(SUPPLY).where(SUPPLY.c.item.in_(items), SUPPLY.c.claimed > 0)
    return {lot_of(row): int(row.claimed) for row in run(session, query)}


def claims_of(session: Session, reservation: str) -> list[Claimed]:
    """Returns what a reservation holds, or held, of goods on their way; by lot."""
    query = select(CLAIM).where(CLAIM.c.reservation == reservation).order_by(*_LOT_OF_CLAIM)
    return [Claimed(lot_of(row), row.quantity, row.received) for row in run(session, query)]


def take_each(session: Session, wishes: Sequence[Wanted]) -> list[OutOfStock | None]:
    """Returns who does not fit, first come, first served; the units of the others are claimed."""
    lots = {claim.lot.key: claim.lot for wish in wishes for claim in wish.claims}
    found = open_and_lock(session, lots.values())
    left = {key: lots[key].units - row.claimed - row.received for key, row in found.items()}
    total: Counter[SupplyKey] = Counter()
    answers: list[OutOfStock | None] = []
    for wish in wishes:
        short = [key for key, units in wish.claimed.items() if units > left[key]]
        answers.append(_refusal(wish, short, left) if short else None)
        for key, units in () if short else wish.claimed.items():
            left[key] -= units
            total[key] += units
    change(session, {key: Change(units, 0, lots[key].units) for key, units in total.items()})
    return answers


def keep_each(session: Session, granted: Sequence[tuple[Reservation, Wanted]]) -> None:
    """Ensures that claims that were taken belong to their reservations."""
    rows = [
        {"reservation": held.id, **key._asdict(), "quantity": units, "received": 0}
        for held, wish in granted
        for key, units in wish.claimed.items()
    ]
    if rows:
        run(session, CLAIM.insert(), rows)


def give_back(session: Session, wishes: Iterable[Wanted]) -> None:
    """Ensures that claims that were taken for nothing can be taken again."""
    total: Counter[SupplyKey] = Counter()
    for wish in wishes:
        total.update(wish.claimed)
    _lessen(session, total, lock(session, total))


def free(session: Session, reservations: Collection[str], also: Iterable[SupplyLot] = ()) -> bool:
    """Ensures that what ended reservations wait for can be promised again; whether there was any.

    `also` names lots to be locked together with theirs.
    """
    theirs = _lots_of(session, reservations)
    open_lots(session, also)
    found = lock(session, {*theirs, *(lot.key for lot in also)})
    if not theirs:
        return False
    query = select(*_LOT_OF_CLAIM, _WAITING.label("units")).group_by(*_LOT_OF_CLAIM)
    rows = run(session, query.where(CLAIM.c.reservation.in_(reservations)))
    waiting = {lot_of(row): int(row.units) for row in rows if row.units}
    _lessen(session, waiting, found)
    return bool(waiting)


def hold_still(session: Session, reservation: str) -> None:
    """Ensures that no goods come in for a reservation until the transaction ends."""
    lock(session, _lots_of(session, [reservation]))


def received(session: Session, orders: Collection[str]) -> dict[tuple[str, str, str], int]:
    """Returns the units of purchase orders that have come in, by order, site and item."""
    goods = (SUPPLY.c.reference, SUPPLY.c.site, SUPPLY.c.item)
    query = select(*goods, func.sum(SUPPLY.c.received).label("units")).group_by(*goods)
    rows = run(session, query.where(SUPPLY.c.reference.in_(orders)))
    return {(row.reference, row.site, row.item): int(row.units) for row in rows}


def forget_receipts(session: Session) -> None:
    """Ensures that the units of a new inbound table count as still to come."""
    fresh = SUPPLY.update().where(SUPPLY.c.kind == SupplyKind.INBOUND).values(received=0)
    run(session, fresh)


def misclaimed(session: Session) -> list[ClaimDrift]:
    """Returns every lot whose claimed units are not the sum of what open reservations wait for."""
    query = (
        select(*_LOT_OF_CLAIM, _WAITING.label("units"))
        .join(RESERVATION, RESERVATION.c.id == CLAIM.c.reservation)
        .where(RESERVATION.c.state.in_((ReservationState.ACTIVE, ReservationState.CONFIRMED)))
        .group_by(*_LOT_OF_CLAIM)
    )
    held = {lot_of(row): int(row.units) for row in run(session, query)}
    found = {lot_of(row): row.claimed for row in run(session, select(SUPPLY))}
    return [
        ClaimDrift(*key, found.get(key, 0), held.get(key, 0))
        for key in sorted({*found, *held})
        if found.get(key, 0) != held.get(key, 0)
    ]


def reclaim(session: Session, drifts: Sequence[ClaimDrift]) -> None:
    """Ensures that lots are claimed again as reservations say, which never change."""
    found = lock(session, {drift.key for drift in drifts})
    changes = {}
    for drift in drifts:
        row = found[drift.key]
        total = max(row.quantity, drift.held + row.received)
        changes[drift.key] = Change(drift.held - row.claimed, 0, total)
    change(session, changes)


# Rows of lots


def open_and_lock(session: Session, lots: Collection[SupplyLot]) -> dict[SupplyKey, Row]:
    """Returns the rows of lots, which exist now and are this transaction's."""
    open_lots(session, lots)
    return lock(session, {lot.key for lot in lots})


def open_lots(session: Session, lots: Iterable[SupplyLot]) -> None:
    """Ensures that lots have rows."""
    rows = [_row(lot.key, kind=lot.kind, quantity=lot.units) for lot in lots]
    if rows:
        _run(session, _OPEN, rows)


def lock(session: Session, keys: Collection[SupplyKey]) -> dict[SupplyKey, Row]:
    """Returns the rows of lots that have one, taken in the order in which all take them."""
    if not keys:
        return {}
    rows = _run(session, _LOCK, [_row(key) for key in keys])
    return {lot_of(row): Row(row.quantity, row.claimed, row.received) for row in rows}


def change(session: Session, changes: Mapping[SupplyKey, Change]) -> None:
    """Ensures that locked lots are changed, which never holds or brings more than they have."""
    if not changes:
        return
    rows = [
        _row(key, claimed=made.claimed, received=made.received, quantity=made.quantity)
        for key, made in changes.items()
    ]
    changed = _run(session, _CHANGE, rows).rowcount
    if changed != len(rows):
        raise RuntimeError(f"{changed} of {len(rows)} locked lots were as they were read.")


def lot_of(row: Any) -> SupplyKey:
    """Returns the lot that a row of any of the tables belongs to."""
    return SupplyKey(row.site, row.item, row.customs, row.due, row.reference)


def _lots_of(session: Session, reservations: Collection[str]) -> set[SupplyKey]:
    query = select(*_LOT_OF_CLAIM).where(CLAIM.c.reservation.in_(reservations))
    return {lot_of(row) for row in run(session, query.distinct())}


def _lessen(
    session: Session, units: Mapping[SupplyKey, int], found: Mapping[SupplyKey, Row]
) -> None:
    change(session, {key: Change(-less, 0, found[key].quantity) for key, less in units.items()})


def _refusal(wish: Wanted, short: Sequence[SupplyKey], left: Mapping[SupplyKey, int]) -> OutOfStock:
    return OutOfStock(
        [Shortage(key.item, key.site, wish.claimed[key], max(0, left[key])) for key in short]
    )


_SAME = " AND ".join(f"s.{name} = v.{name}" for name in LOT)
_COLUMNS = {
    "site": "text", "item": "text", "customs": "text", "due": "date", "reference": "text",
    "kind": "text", "quantity": "bigint", "claimed": "bigint", "received": "bigint",
}  # fmt: skip
_TYPED = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
_CELLS = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in _COLUMNS)
_ROWS = {
    True: f"json_to_recordset(CAST(:rows AS json)) AS v({_TYPED})",
    False: f"(SELECT {_CELLS} FROM json_each(:rows)) AS v",  # noqa: S608  # of constants only
}
"""The rows of a statement as a table, on PostgreSQL and on SQLite."""


def _both(statement: str, **only_postgres: str) -> dict[bool, TextClause]:
    """Returns a statement for PostgreSQL and for SQLite."""
    return {
        postgres: text(statement.format(
            rows=_ROWS[postgres], same=_SAME, lot=", ".join(LOT),
            **{name: words if postgres else "" for name, words in only_postgres.items()},
        ))
        for postgres in (True, False)
    }  # fmt: skip


_OPEN = _both("""
    INSERT INTO supply ({lot}, kind, quantity, claimed, received)
    SELECT {lot}, kind, quantity, 0, 0 FROM {rows} WHERE TRUE ORDER BY {lot}
    ON CONFLICT ({lot}) DO NOTHING
""")
_LOCK = {
    postgres: statement.columns(due=Date)
    for postgres, statement in _both(
        """
        SELECT s.site, s.item, s.customs, s.due, s.reference, s.quantity, s.claimed, s.received
        FROM supply AS s JOIN {rows} ON {same}
        ORDER BY s.site {c}, s.item {c}, s.customs, s.due, s.reference {c} {lock}
        """,
        lock="FOR UPDATE OF s",
        c='COLLATE "C"',
    ).items()
}
_CHANGE = _both("""
    UPDATE supply AS s SET claimed = s.claimed + v.claimed, received = s.received + v.received,
        quantity = v.quantity
    FROM {rows}
    WHERE {same} AND s.claimed + v.claimed + s.received + v.received <= v.quantity
""")


def _row(key: SupplyKey, **values: Any) -> dict[str, Any]:
    return {**key._asdict(), "due": key.due.isoformat(), **values}


def _run(session: Session, statement: Mapping[bool, Any], rows: Sequence[Mapping[str, Any]]) -> Any:
    return run(session, statement[on_postgres(session)], {"rows": json.dumps(rows)})
