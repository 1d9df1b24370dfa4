"""Units that are held: reserved, extended, confirmed, released, shipped, expired."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, case, or_, select, tuple_
from sqlmodel import Session

from core.errors import Conflict, NotFound, OutOfStock
from inventory.stock import (
    Entry,
    Lot,
    MovementKind,
    Reservation,
    ReservationLine,
    ReservationState,
    StockKey,
    Wanted,
    summed,
)
from inventory.store import claims
from inventory.store.groups import hold_each, hold_unless_due
from inventory.store.rows import (
    CLAIM,
    LINE,
    RESERVATION,
    STOCK,
    at,
    columns,
    lock,
    on_postgres,
    run,
    same_row,
    write,
)
from inventory.supply import SupplyLot

_OPEN = (ReservationState.ACTIVE, ReservationState.CONFIRMED)

# Statements are built once: building costs more than running them.

_GIVE_BACK = (
    STOCK.update().where(same_row(STOCK)).values(reserved=STOCK.c.reserved - bindparam("units"))
)
_SHIP = (
    STOCK.update()
    .where(same_row(STOCK))
    .values(
        on_hand=STOCK.c.on_hand - bindparam("units"),
        reserved=STOCK.c.reserved - bindparam("units"),
    )
)
_ANY_EXPIRED = (
    select(RESERVATION.c.id)
    .where(
        RESERVATION.c.state == ReservationState.ACTIVE,
        RESERVATION.c.expires_at <= bindparam("now"),
    )
    .limit(1)
)
_SHIP_LINE = (
    LINE.update()
    .where(
        LINE.c.reservation == bindparam("held_by"),
        same_row(LINE),
        LINE.c.shipped + bindparam("units") <= LINE.c.quantity,
    )
    .values(shipped=LINE.c.shipped + bindparam("units"))
)


def reserve(
    session: Session, lots: Sequence[Lot], entry: Entry, expires_at: datetime
) -> Reservation:
    """Returns a new reservation of all lots, or raises `OutOfStock` and holds nothing.

    Demand is summed by stock row first. Holds of others that have expired on these rows are
    freed before, so they never cause a shortage. A guarded statement decides: whatever runs beside
    it, no unit is promised twice.
    """
    (answer,) = reserve_each(session, [Wanted(tuple(lots), entry, expires_at)])
    if isinstance(answer, OutOfStock):
        raise answer
    return answer


def reserve_each(session: Session, wishes: Sequence[Wanted]) -> list[Reservation | OutOfStock]:
    """Returns what became of each wish of a group, in few statements for all of them together.

    First come, first served: a wish that does not fit holds nothing and is answered with
    `OutOfStock`; those after it see its units. Expired holds on the rows are freed before.
    """
    if not any(wish.claims for wish in wishes):
        return _stock_each(session, wishes)
    lots = [claim.lot for wish in wishes for claim in wish.claims]
    expire(session, _latest(wishes), set().union(*(wish.units for wish in wishes)), lots)
    refused = claims.take_each(session, wishes)
    fitting = [wish for wish, short in zip(wishes, refused, strict=True) if short is None]
    held = list(zip(_stock_each(session, fitting), fitting, strict=True))
    claims.give_back(session, [wish for answer, wish in held if isinstance(answer, OutOfStock)])
    claims.keep_each(session, [(answer, wish) for answer, wish in held
                               if isinstance(answer, Reservation)])  # fmt: skip
    answers = (answer for answer, _ in held)
    return [next(answers) if short is None else short for short in refused]


def _stock_each(session: Session, wishes: Sequence[Wanted]) -> list[Reservation | OutOfStock]:
    if not wishes:
        return []
    latest = _latest(wishes)
    answers = hold_unless_due(session, wishes, latest.at) if on_postgres(session) else None
    if answers is not None:
        return answers
    expire(session, latest, set().union(*(wish.units for wish in wishes)))
    return hold_each(session, wishes)


def _latest(wishes: Sequence[Wanted]) -> Entry:
    return max((wish.entry for wish in wishes), key=lambda entry: entry.at)


def extend(session: Session, reservation: str, entry: Entry, expires_at: datetime) -> Reservation:
    """Returns an active reservation that holds until a later moment; an earlier changes nothing.

    Raises `NotFound`, or `Conflict` (`reservation-expired` and the like) when it holds no longer.
    """
    extended = (
        RESERVATION.update()
        .where(_holds(reservation, entry.at))
        .values(
            expires_at=case(
                (RESERVATION.c.expires_at < expires_at, expires_at),
                else_=RESERVATION.c.expires_at,
            )
        )
    )
    if run(session, extended).rowcount != 1:
        raise _refusal(session, reservation, entry.at)
    return get(session, reservation)


def confirm(session: Session, reservation: str, entry: Entry) -> Reservation:
    """Returns a reservation turned from a hold into a commitment that no longer expires.

    Raises `NotFound`, or `Conflict` with the code `reservation-expired` and the like.
    """
    confirmed = (
        RESERVATION.update()
        .where(_holds(reservation, entry.at))
        .values(state=ReservationState.CONFIRMED)
    )
    if run(session, confirmed).rowcount != 1:
        raise _refusal(session, reservation, entry.at)
    claims.hold_still(session, reservation)
    return get(session, reservation)


def release(session: Session, reservation: str, entry: Entry) -> Reservation:
    """Returns a reservation given back: units that have not left or come can be promised again.

    Raises `NotFound`, or `Conflict` when it was released, expired, or has left completely.
    """
    _move_to(session, reservation, ReservationState.RELEASED, entry)
    awaited = claims.free(session, [reservation])
    freed = get(session, reservation)
    if not awaited and not any(line.remaining for line in freed.lines):
        raise Conflict("All units of the reservation have left.", "reservation-shipped")
    _free(session, MovementKind.RELEASE, [freed], entry)
    return freed


def ship(
    session: Session, reservation: str, entry: Entry, lots: Sequence[Lot] | None = None
) -> Reservation:
    """Returns a confirmed reservation after units left; all that remain unless lots are given.

    Raises `NotFound`, or `Conflict` when it is not confirmed or does not hold that many.
    """
    _move_to(session, reservation, ReservationState.CONFIRMED, entry)
    held = get(session, reservation)
    leaving = summed(lots) if lots is not None else _remaining(held)
    for key, units in sorted(leaving.items()):
        if run(session, _SHIP_LINE, {**at(key, units), "held_by": reservation}).rowcount != 1:
            raise Conflict(
                f"The reservation does not hold {units} of {key.item} at {key.site}.",
                "not-reserved",
            )
        run(session, _SHIP, at(key, units))
    lines = [(key, -units, -units) for key, units in leaving.items()]
    write(session, MovementKind.SHIP, lines, entry, reservation)
    return get(session, reservation)


def expire(
    session: Session,
    entry: Entry,
    keys: Collection[StockKey] | None = None,
    lots: Sequence[SupplyLot] = (),
    limit: int = 1000,
) -> int:
    """Returns how many holds were ended because their time had passed, at most `limit`.

    With `keys`, only holds on those stock rows and on these lots are looked at, and all of them are
    ended, however many.
    """
    if run(session, _ANY_EXPIRED, {"now": entry.at}).first() is None:
        return 0  # the usual case costs one look into an index
    most = limit if keys is None else None
    ids = run(session, _expired(entry.at, keys, lots).limit(most)).scalars().all()
    ended = [held for held in sorted(ids) if _end(session, held, entry.at)]
    if ended:
        claims.free(session, ended, lots)
        freed = [get(session, held) for held in ended]
        lock(session, {*(keys or ()), *(line.key for held in freed for line in held.lines)})
        _free(session, MovementKind.EXPIRE, freed, entry)
    return len(ended)


def get(session: Session, reservation: str) -> Reservation:
    """Returns one reservation; raises `NotFound`."""
    row = run(session, select(RESERVATION).where(RESERVATION.c.id == reservation)).one_or_none()
    if row is None:
        raise NotFound("reservation", reservation)
    lines = run(
        session, select(LINE).where(LINE.c.reservation == reservation).order_by(*columns(LINE))
    )
    return Reservation(
        row.id, ReservationState(row.state), row.reference, row.actor, row.created_at,
        row.expires_at,
        tuple(
            ReservationLine(line.site, line.item, line.customs, line.quantity, line.shipped)
            for line in lines
        ),
    )  # fmt: skip


def _holds(reservation: str, now: datetime) -> ColumnElement[bool]:
    """Returns the condition that a reservation holds its units now and is not confirmed yet."""
    return and_(
        RESERVATION.c.id == reservation,
        RESERVATION.c.state == ReservationState.ACTIVE,
        RESERVATION.c.expires_at > now,
    )


def _remaining(reservation: Reservation) -> dict[StockKey, int]:
    return {line.key: line.remaining for line in reservation.lines if line.remaining}


def _move_to(session: Session, reservation: str, state: ReservationState, entry: Entry) -> None:
    """Ensures a state, and the lock on the reservation that everything else relies on."""
    sources = _OPEN if state is ReservationState.RELEASED else (ReservationState.CONFIRMED,)
    moved = (
        RESERVATION.update()
        .where(RESERVATION.c.id == reservation, RESERVATION.c.state.in_(sources))
        .values(state=state)
    )
    if run(session, moved).rowcount != 1:
        raise _refusal(session, reservation, entry.at)


def _end(session: Session, reservation: str, now: datetime) -> bool:
    ended = (
        RESERVATION.update()
        .where(
            RESERVATION.c.id == reservation,
            RESERVATION.c.state == ReservationState.ACTIVE,
            RESERVATION.c.expires_at <= now,
        )
        .values(state=ReservationState.EXPIRED)
    )
    return run(session, ended).rowcount == 1


def _expired(now: datetime, keys: Collection[StockKey] | None, lots: Sequence[SupplyLot]) -> Any:
    """Returns the query for active holds whose time has passed."""
    found = select(RESERVATION.c.id).where(
        RESERVATION.c.state == ReservationState.ACTIVE, RESERVATION.c.expires_at <= now
    )
    if keys is None:
        return found.order_by(RESERVATION.c.expires_at)
    touching = select(LINE.c.reservation).where(tuple_(*columns(LINE)).in_(list(keys)))
    if not lots:
        return found.where(RESERVATION.c.id.in_(touching))
    awaited = tuple_(*(CLAIM.c[name] for name in claims.LOT)).in_([lot.key for lot in lots])
    waiting = select(CLAIM.c.reservation).where(awaited)
    return found.where(or_(RESERVATION.c.id.in_(touching), RESERVATION.c.id.in_(waiting)))


def _refusal(session: Session, reservation: str, now: datetime) -> Conflict:
    found = get(session, reservation)
    late = found.state is ReservationState.ACTIVE and found.expires_at <= now
    state = ReservationState.EXPIRED if late else found.state
    return Conflict(f"The reservation is {state}.", f"reservation-{state}")


def _free(
    session: Session, kind: MovementKind, reservations: Sequence[Reservation], entry: Entry
) -> None:
    """Ensures that units still held by reservations can be promised again."""
    lots = [(line.key, held.id, line.remaining) for held in reservations for line in held.lines]
    for key, held_by, units in sorted(lots):
        if units:
            run(session, _GIVE_BACK, at(key, units))
            write(session, kind, [(key, 0, -units)], entry, held_by)
