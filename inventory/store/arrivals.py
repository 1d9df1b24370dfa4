"""Arrivals: goods that were on their way come in, and go to those who were promised them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from inventory.stock import Entry, Lot, Movement, MovementKind, ReservationState, StockKey
from inventory.store import claims
from inventory.store.holds import expire
from inventory.store.moves import receive
from inventory.store.rows import (
    CLAIM,
    KEY,
    LINE,
    RESERVATION,
    STOCK,
    SUPPLY,
    at,
    columns,
    key_of,
    lock,
    on_postgres,
    run,
    same_row,
    write,
)
from inventory.supply import SupplyKey, SupplyLot

_HOLD = (
    STOCK.update()
    .where(same_row(STOCK), STOCK.c.on_hand - STOCK.c.reserved >= bindparam("units"))
    .values(reserved=STOCK.c.reserved + bindparam("units"))
)
_RECEIVED = (
    CLAIM.update()
    .where(
        CLAIM.c.reservation == bindparam("held_by"),
        *(CLAIM.c[name] == bindparam(f"at_{name}") for name in claims.LOT),
    )
    .values(received=CLAIM.c.received + bindparam("units"))
)


@dataclass(frozen=True, slots=True)
class Served:
    """Units of a claim that came in; its reservation holds them as stock from now on."""

    reservation: str
    lot: SupplyKey
    units: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """Units that came in: the line of the ledger, the claims served, and the units by lot."""

    movement: Movement
    served: tuple[Served, ...] = ()
    lots: Mapping[SupplyKey, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Waiting:
    reservation: str
    units: int


def arrive(session: Session, lot: Lot, entry: Entry, expected: Sequence[SupplyLot] = ()) -> Arrived:
    """Returns the movement by which units came in, and the claims that they serve.

    Units are taken for those of the lot whose purchase order is the reference of the entry; what is
    over goes to those who wait for other lots. Where the reference names none of them, nobody knows
    which lot came: those who wait come first, lot by lot as they are due, then the lots themselves.
    The claims of a lot are served in the order in which they were made (by moment, then by id);
    what is left is free stock, and no longer on its way. `expected` names the lots of the stock row
    that are known to be on their way.
    """
    known = {each.key: each for each in expected}
    keys = {*known, *_awaited(session, lot.key)}
    named = {key for key in keys if key.reference and key.reference == entry.reference}
    order = sorted(keys, key=lambda key: (key not in named, key.due, key.reference))
    if not order:
        return Arrived(receive(session, [lot], entry)[0])
    lots = [known.get(key, SupplyLot(key, 0)) for key in order]
    rows = {lot.key, *_rows_of_waiting(session, lot.key)}
    expire(session, entry, rows, lots)
    found = claims.open_and_lock(session, lots)
    lock(session, rows)
    movement = receive(session, [lot], entry)[0]
    waiting, served = _waiting(session, lot.key, entry.at), list[Served]()
    changes = dict[SupplyKey, claims.Change]()
    for each, comes in zip(lots, _shared(lot.quantity, lots, found, named), strict=True):
        served += (given := _given(each.key, waiting[each.key], comes))
        claimed = sum(one.units for one in given)
        total = found[each.key].quantity if comes <= claimed else each.units
        if comes:
            changes[each.key] = claims.Change(-claimed, comes, total)
    claims.change(session, changes)
    _hold(session, lot.key, served, entry)
    came = {key: made.received for key, made in changes.items()}
    return Arrived(movement, tuple(served), came)


def _rows_of_waiting(session: Session, key: StockKey) -> set[StockKey]:
    """Returns all stock rows of reservations that wait for units of one; they are locked.

    Some of them will be sent: reservations are locked first and stock rows last, as by whoever ends
    or confirms one.
    """
    waits = select(CLAIM.c.reservation).where(
        CLAIM.c.quantity > CLAIM.c.received,
        *(CLAIM.c[name] == value for name, value in key._asdict().items()),
    )
    open_ = RESERVATION.c.state.in_((ReservationState.ACTIVE, ReservationState.CONFIRMED))
    found = select(RESERVATION.c.id).where(RESERVATION.c.id.in_(waits), open_)
    ids = run(session, found.order_by(RESERVATION.c.id).with_for_update()).scalars().all()
    if not ids:
        return set()
    rows = (
        run(session, select(*columns(table)).where(table.c.reservation.in_(ids)))
        for table in (LINE, CLAIM)
    )
    return {key_of(row) for every in rows for row in every}


def _shared(
    units: int,
    lots: Sequence[SupplyLot],
    rows: Mapping[SupplyKey, claims.Row],
    named: Collection[SupplyKey],
) -> list[int]:
    """Returns how many of the units that came in are those of each lot: claimed ones first.

    Of lots that are not named while others are, only claimed ones.
    """
    comes = dict.fromkeys((lot.key for lot in lots), 0)
    for group in ([lot for lot in lots if lot.key in named],
                  [lot for lot in lots if lot.key not in named]):  # fmt: skip
        for lot in group:
            comes[lot.key] = min(units, rows[lot.key].claimed)
            units -= comes[lot.key]
        for lot in group:
            row = rows[lot.key]
            free = max(0, lot.units - row.received - row.claimed)
            more = min(units, free) if lot.key in named or not named else 0
            comes[lot.key] += more
            units -= more
    return list(comes.values())


def _awaited(session: Session, key: StockKey) -> list[SupplyKey]:
    """Returns lots of a stock row that somebody waits for, whoever still expects them."""
    same = (SUPPLY.c[name] == value for name, value in key._asdict().items())
    query = select(SUPPLY).where(SUPPLY.c.claimed > 0, *same)
    return [claims.lot_of(row) for row in run(session, query)]


def _waiting(
    session: Session, key: StockKey, now: datetime
) -> Mapping[SupplyKey, Sequence[_Waiting]]:
    """Returns what open claims still wait for by lot, in the order in which they were made."""
    alive = or_(
        RESERVATION.c.state == ReservationState.CONFIRMED,
        and_(RESERVATION.c.state == ReservationState.ACTIVE, RESERVATION.c.expires_at > now),
    )
    query = (
        select(CLAIM)
        .join(RESERVATION, RESERVATION.c.id == CLAIM.c.reservation)
        .where(alive, CLAIM.c.quantity > CLAIM.c.received,
               *(CLAIM.c[name] == value for name, value in key._asdict().items()))
        .order_by(RESERVATION.c.created_at, RESERVATION.c.id)
    )  # fmt: skip
    found: dict[SupplyKey, list[_Waiting]] = defaultdict(list)
    for row in run(session, query):
        found[claims.lot_of(row)].append(_Waiting(row.reservation, row.quantity - row.received))
    return found


def _given(lot: SupplyKey, waiting: Sequence[_Waiting], units: int) -> list[Served]:
    """Returns how units that came in are shared among those who wait."""
    served = []
    for one in waiting:
        share = min(units, one.units)
        if share:
            served.append(Served(one.reservation, lot, share))
        units -= share
    return served


def _hold(session: Session, key: StockKey, served: Sequence[Served], entry: Entry) -> None:
    """Ensures that reservations hold the units that came in for them as stock."""
    if not served:
        return
    run(session, _RECEIVED, [
        {"held_by": one.reservation, "units": one.units,
         **{f"at_{name}": value for name, value in one.lot._asdict().items()}}
        for one in served
    ])  # fmt: skip
    units: dict[str, int] = defaultdict(int)
    for one in served:
        units[one.reservation] += one.units
    rows = [
        {"reservation": held_by, **key._asdict(), "quantity": more, "shipped": 0}
        for held_by, more in units.items()
    ]
    run(session, _added(session), rows)
    if run(session, _HOLD, at(key, sum(units.values()))).rowcount != 1:
        raise RuntimeError(f"Units of {key.item} that came in at {key.site} are held already.")
    for held_by, more in units.items():
        write(session, MovementKind.RESERVE, [(key, 0, more)], entry, held_by)


def _added(session: Session) -> Any:
    insert = (postgresql if on_postgres(session) else sqlite).insert(LINE)
    return insert.on_conflict_do_update(
        index_elements=["reservation", *KEY],
        set_={"quantity": LINE.c.quantity + insert.excluded.quantity},
    )
