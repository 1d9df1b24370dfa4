"""Loads and saves stock: guarded statements that keep the books right on any database.

Every function works inside the caller's transaction and never commits. Rows are locked in one
order everywhere, reservations before stock and each by key, so that two writers never deadlock.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Executable,
    Table,
    and_,
    bindparam,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel

from core.errors import Conflict, NotFound, OutOfStock, Shortage
from core.ids import mint
from inventory.records import (
    MovementRecord,
    ReservationLineRecord,
    ReservationRecord,
    StockRecord,
)
from inventory.stock import (
    Drift,
    Entry,
    Lot,
    Movement,
    MovementKind,
    Reservation,
    ReservationLine,
    ReservationState,
    StockKey,
    StockLevel,
)


def _table(record: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(record.__tablename__)]


_stock, _movement = _table(StockRecord), _table(MovementRecord)
_reservation, _line = _table(ReservationRecord), _table(ReservationLineRecord)

_KEY = ("site", "item", "customs")
_OPEN = (ReservationState.ACTIVE, ReservationState.CONFIRMED)


def _same_row(table: Table) -> ColumnElement[bool]:
    """Returns the condition that a row has the key given as `at_site`, `at_item`, `at_customs`."""
    return and_(*(table.c[name] == bindparam(f"at_{name}") for name in _KEY))


_FREE = _stock.c.on_hand - _stock.c.reserved - _stock.c.safety

_HOLD = (
    _stock.update()
    .where(_same_row(_stock), bindparam("units") <= _FREE)
    .values(reserved=_stock.c.reserved + bindparam("units"))
)
_LOCK = select(_stock.c.on_hand).where(_same_row(_stock)).with_for_update()
_GIVE_BACK = (
    _stock.update().where(_same_row(_stock)).values(reserved=_stock.c.reserved - bindparam("units"))
)
_SHIP = (
    _stock.update()
    .where(_same_row(_stock))
    .values(
        on_hand=_stock.c.on_hand - bindparam("units"),
        reserved=_stock.c.reserved - bindparam("units"),
    )
)
_ANY_EXPIRED = (
    select(_reservation.c.id)
    .where(
        _reservation.c.state == ReservationState.ACTIVE,
        _reservation.c.expires_at <= bindparam("now"),
    )
    .limit(1)
)
_SAVE, _SAVE_LINES, _WRITE = _reservation.insert(), _line.insert(), _movement.insert()
_SHIP_LINE = (
    _line.update()
    .where(
        _line.c.reservation == bindparam("held_by"),
        _same_row(_line),
        _line.c.shipped + bindparam("units") <= _line.c.quantity,
    )
    .values(shipped=_line.c.shipped + bindparam("units"))
)


# Statements are built once: building costs more than running them.


def _run(
    session: Session,
    statement: Executable,
    values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
) -> CursorResult[Any]:
    return session.connection().execute(statement, values)


def _at(key: StockKey, units: int) -> dict[str, str | int]:
    return {"at_site": key.site, "at_item": key.item, "at_customs": key.customs, "units": units}


# Units that come and are counted


def receive(
    session: Session, lots: Sequence[Lot], entry: Entry, kind: MovementKind = MovementKind.RECEIPT
) -> list[Movement]:
    """Returns the movements by which units came in; makes stock rows that do not exist yet."""
    if not lots:
        return []
    _run(session, _added(session), [_opening(lot, entry) for lot in lots])
    lines = [(lot.key, lot.quantity, 0) for lot in lots]
    return _write(session, kind, lines, entry, entry.reference)


def adjust(
    session: Session, key: StockKey, change: int, entry: Entry, expected: int | None = None
) -> Movement:
    """Returns the movement by which a count was corrected, up or down.

    Raises `Conflict` when units that are held would be lost, and, with `expected`, when the row
    does not have that many on hand.
    """
    _run(session, _made_sure(session), _empty_row(key))
    statement = _stock.update().where(
        _same_row(_stock), _stock.c.on_hand + bindparam("units") >= _stock.c.reserved
    )
    if expected is not None:
        statement = statement.where(_stock.c.on_hand == expected)
    changed = statement.values(on_hand=_stock.c.on_hand + bindparam("units"))
    if _run(session, changed, _at(key, change)).rowcount != 1:
        raise _not_adjusted(session, key, expected)
    return _write(session, MovementKind.ADJUSTMENT, [(key, change, 0)], entry, entry.reference)[0]


def set_safety(session: Session, key: StockKey, units: int) -> None:
    """Ensures that reservations leave that many units of a stock row untouched."""
    _run(session, _made_sure(session), _empty_row(key))
    _run(session, _stock.update().where(_same_row(_stock)).values(safety=units), _at(key, 0))


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


def _empty_row(key: StockKey) -> dict[str, Any]:
    return {**key._asdict(), "on_hand": 0, "reserved": 0, "safety": 0, "bonded_since": None}


def _insert(session: Session) -> Any:
    """Returns the insert of the session's database, for its ON CONFLICT clause."""
    on_postgres = session.get_bind().dialect.name == "postgresql"
    return postgresql.insert(_stock) if on_postgres else sqlite.insert(_stock)


def _added(session: Session) -> Executable:
    insert = _insert(session)
    added: Executable = insert.on_conflict_do_update(
        index_elements=_KEY,
        set_={
            "on_hand": _stock.c.on_hand + insert.excluded.on_hand,
            "bonded_since": func.coalesce(_stock.c.bonded_since, insert.excluded.bonded_since),
        },
    )
    return added


def _made_sure(session: Session) -> Executable:
    made: Executable = _insert(session).on_conflict_do_nothing(index_elements=_KEY)
    return made


def _not_adjusted(session: Session, key: StockKey, expected: int | None) -> Conflict:
    found = _run(session, select(_stock).where(_same_row(_stock)), _at(key, 0)).one()
    if expected is not None and found.on_hand != expected:
        return Conflict(f"Expected {expected} on hand, found {found.on_hand}.", "stock-changed")
    return Conflict(
        f"The change would leave less than the {found.reserved} units that are held.",
        "stock-reserved",
    )


# Units that are held


def reserve(
    session: Session, lots: Sequence[Lot], entry: Entry, expires_at: datetime
) -> Reservation:
    """Returns a new reservation of all lots, or raises `OutOfStock` and holds nothing.

    Demand is summed by stock row first. Holds of others that have expired on these rows are
    freed before, so they never cause a shortage. One guarded statement for each row decides:
    whatever runs beside it, no unit is promised twice.
    """
    wanted = _summed(lots)
    expire(session, entry, wanted)
    _hold(session, wanted)
    reservation = Reservation(
        mint("res", entry.at, entry.entropy), ReservationState.ACTIVE, entry.reference,
        entry.actor, entry.at, expires_at,
        tuple(ReservationLine(*key, units) for key, units in wanted.items()),
    )  # fmt: skip
    _save(session, reservation)
    lines = [(key, 0, units) for key, units in wanted.items()]
    _write(session, MovementKind.RESERVE, lines, entry, reservation.id)
    return reservation


def confirm(session: Session, reservation: str, entry: Entry) -> Reservation:
    """Returns a reservation turned from a hold into a commitment that no longer expires.

    Raises `NotFound`, or `Conflict` with the code `reservation-expired` and the like.
    """
    confirmed = (
        _reservation.update()
        .where(
            _reservation.c.id == reservation,
            _reservation.c.state == ReservationState.ACTIVE,
            _reservation.c.expires_at > entry.at,
        )
        .values(state=ReservationState.CONFIRMED)
    )
    if _run(session, confirmed).rowcount != 1:
        raise _refusal(session, reservation, entry.at)
    return get(session, reservation)


def release(session: Session, reservation: str, entry: Entry) -> Reservation:
    """Returns a reservation given back: the units that have not left can be promised again.

    Raises `NotFound`, or `Conflict` when it was released, expired, or has left completely.
    """
    _move_to(session, reservation, ReservationState.RELEASED, entry)
    freed = get(session, reservation)
    if not any(line.remaining for line in freed.lines):
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
    leaving = _summed(lots) if lots is not None else _remaining(held)
    for key, units in leaving.items():
        if _run(session, _SHIP_LINE, {**_at(key, units), "held_by": reservation}).rowcount != 1:
            raise Conflict(
                f"The reservation does not hold {units} of {key.item} at {key.site}.",
                "not-reserved",
            )
        _run(session, _SHIP, _at(key, units))
    lines = [(key, -units, -units) for key, units in leaving.items()]
    _write(session, MovementKind.SHIP, lines, entry, reservation)
    return get(session, reservation)


def expire(
    session: Session, entry: Entry, keys: Collection[StockKey] | None = None, limit: int = 1000
) -> int:
    """Returns how many holds were ended because their time had passed, at most `limit`.

    With `keys`, only holds on those stock rows are looked at.
    """
    if _run(session, _ANY_EXPIRED, {"now": entry.at}).first() is None:
        return 0  # the usual case costs one look into an index
    ids = _run(session, _expired(entry.at, keys).limit(limit)).scalars().all()
    ended = [held for held in sorted(ids) if _end(session, held, entry.at)]
    if ended:
        freed = [get(session, held) for held in ended]
        _lock(session, {*(keys or ()), *(line.key for held in freed for line in held.lines)})
        _free(session, MovementKind.EXPIRE, freed, entry)
    return len(ended)


def get(session: Session, reservation: str) -> Reservation:
    """Returns one reservation; raises `NotFound`."""
    row = _run(session, select(_reservation).where(_reservation.c.id == reservation)).one_or_none()
    if row is None:
        raise NotFound("reservation", reservation)
    lines = _run(
        session, select(_line).where(_line.c.reservation == reservation).order_by(*_columns(_line))
    )
    return Reservation(
        row.id, ReservationState(row.state), row.reference, row.actor, row.created_at,
        row.expires_at,
        tuple(
            ReservationLine(line.site, line.item, line.customs, line.quantity, line.shipped)
            for line in lines
        ),
    )  # fmt: skip


def _columns(table: Table) -> list[ColumnElement[str]]:
    return [table.c[name] for name in _KEY]


def _summed(lots: Sequence[Lot]) -> dict[StockKey, int]:
    """Returns units by stock row, sorted: two lines of one item must not each see all of it."""
    total: Counter[StockKey] = Counter()
    for lot in lots:
        total[lot.key] += lot.quantity
    return dict(sorted(total.items()))


def _remaining(reservation: Reservation) -> dict[StockKey, int]:
    return {line.key: line.remaining for line in reservation.lines if line.remaining}


def _hold(session: Session, wanted: Mapping[StockKey, int]) -> None:
    held: list[StockKey] = []
    short: list[StockKey] = []
    for key, units in wanted.items():
        taken = _run(session, _HOLD, _at(key, units)).rowcount == 1
        (held if taken else short).append(key)
    if not short:
        return
    for key in held:  # the rows are locked by this transaction: nobody saw them held
        _run(session, _GIVE_BACK, _at(key, wanted[key]))
    raise OutOfStock([_shortage(session, key, wanted[key]) for key in short])


def _shortage(session: Session, key: StockKey, units: int) -> Shortage:
    free = _run(session, select(_FREE).where(_same_row(_stock)), _at(key, 0)).scalar()
    return Shortage(key.item, key.site, units, max(0, free or 0))


def _save(session: Session, reservation: Reservation) -> None:
    head = _row(reservation)
    del head["lines"]
    _run(session, _SAVE, head)
    _run(
        session,
        _SAVE_LINES,
        [{"reservation": head["id"], **_row(line)} for line in reservation.lines],
    )


def _move_to(session: Session, reservation: str, state: ReservationState, entry: Entry) -> None:
    """Ensures a state, and the lock on the reservation that everything else relies on."""
    sources = _OPEN if state is ReservationState.RELEASED else (ReservationState.CONFIRMED,)
    moved = (
        _reservation.update()
        .where(_reservation.c.id == reservation, _reservation.c.state.in_(sources))
        .values(state=state)
    )
    if _run(session, moved).rowcount != 1:
        raise _refusal(session, reservation, entry.at)


def _end(session: Session, reservation: str, now: datetime) -> bool:
    ended = (
        _reservation.update()
        .where(
            _reservation.c.id == reservation,
            _reservation.c.state == ReservationState.ACTIVE,
            _reservation.c.expires_at <= now,
        )
        .values(state=ReservationState.EXPIRED)
    )
    return _run(session, ended).rowcount == 1


def _lock(session: Session, keys: Collection[StockKey]) -> None:
    """Ensures that the stock rows are this transaction's, taken in the order that all take them."""
    for key in sorted(keys):
        _run(session, _LOCK, _at(key, 0))


def _expired(now: datetime, keys: Collection[StockKey] | None) -> Any:
    """Returns the query for active holds whose time has passed."""
    found = select(_reservation.c.id).where(
        _reservation.c.state == ReservationState.ACTIVE, _reservation.c.expires_at <= now
    )
    if keys is None:
        return found.order_by(_reservation.c.expires_at)
    touching = select(_line.c.reservation).where(tuple_(*_columns(_line)).in_(list(keys)))
    return found.where(_reservation.c.id.in_(touching))


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
            _run(session, _GIVE_BACK, _at(key, units))
            _write(session, kind, [(key, 0, -units)], entry, held_by)


def _write(
    session: Session,
    kind: MovementKind,
    lines: Sequence[tuple[StockKey, int, int]],
    entry: Entry,
    reference: str,
) -> list[Movement]:
    """Returns lines added to the ledger, given key, change on hand and change reserved of each."""
    movements = [
        Movement(
            mint("mov", entry.at, entry.entropy), entry.at, *key, kind, units, held, reference,
            entry.actor,
        )
        for key, units, held in lines
    ]  # fmt: skip
    _run(session, _WRITE, [_row(movement) for movement in movements])
    return movements


def _row(value: Movement | Reservation | ReservationLine) -> dict[str, Any]:
    """Returns the columns of a value; `asdict` would copy each of them deeply."""
    return {name: getattr(value, name) for name in value.__slots__}


# Reading


def levels(
    session: Session,
    now: datetime | None = None,
    sites: Collection[str] | None = None,
    items: Collection[str] | None = None,
    after: tuple[str, str, str] | None = None,
    limit: int | None = None,
) -> list[StockLevel]:
    """Returns stock rows by site, item and customs.

    With `now`, holds whose time has passed count as available although no sweep ended them yet.
    """
    lapsed = _lapsed(now or datetime.min.replace(tzinfo=UTC))
    freed = func.coalesce(lapsed.c.units, 0)
    query = (
        select(
            *_columns(_stock), _stock.c.on_hand, (_stock.c.reserved - freed).label("reserved"),
            _stock.c.safety, (_FREE + freed).label("available"), _stock.c.bonded_since,
        )
        .outerjoin(lapsed, and_(*(lapsed.c[name] == _stock.c[name] for name in _KEY)))
        .order_by(*_columns(_stock))
        .limit(limit)
    )  # fmt: skip
    for column, names in ((_stock.c.site, sites), (_stock.c.item, items)):
        if names is not None:
            query = query.where(column.in_(names))
    if after is not None:
        query = query.where(tuple_(*_columns(_stock)) > after)
    return [_level(row) for row in _run(session, query)]


def _level(row: Any) -> StockLevel:
    """A level of whole numbers: PostgreSQL sums big integers to decimals."""
    return StockLevel(
        row.site, row.item, row.customs, row.on_hand, int(row.reserved), row.safety,
        max(0, int(row.available)), row.bonded_since,
    )  # fmt: skip


def _lapsed(now: datetime) -> Any:
    """Returns units by stock row of holds whose time has passed but that no sweep ended yet."""
    return (
        select(*_columns(_line), func.sum(_line.c.quantity - _line.c.shipped).label("units"))
        .join(_reservation, _reservation.c.id == _line.c.reservation)
        .where(_reservation.c.state == ReservationState.ACTIVE, _reservation.c.expires_at <= now)
        .group_by(*_columns(_line))
        .subquery()
    )


def movements(
    session: Session,
    site: str | None = None,
    item: str | None = None,
    reference: str | None = None,
    after: str | None = None,
    limit: int | None = None,
) -> list[Movement]:
    """Returns lines of the ledger, newest first; `after` is the id of the line before them."""
    query = select(_movement).order_by(_movement.c.id.desc()).limit(limit)
    for name, wanted in (("site", site), ("item", item), ("reference", reference)):
        if wanted is not None:
            query = query.where(_movement.c[name] == wanted)
    if after is not None:
        query = query.where(_movement.c.id < after)
    return [Movement(**row) for row in _run(session, query).mappings()]


# Checking the books


def reconcile(session: Session) -> list[Drift]:
    """Returns every stock row that is not the sum of its movements and of its open holds."""
    ledger = _sums(session, _movement, _movement.c.quantity, _movement.c.reserved)
    held = _held(session)
    found = {_key(row): (row.on_hand, row.reserved) for row in _run(session, select(_stock))}
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
        _run(session, _made_sure(session), _empty_row(key))
        right = _stock.update().where(_same_row(_stock)).values(
            on_hand=drift.ledger_on_hand, reserved=drift.ledger_reserved
        )  # fmt: skip
        _run(session, right, _at(key, 0))


def _sums(
    session: Session, table: Table, *columns: ColumnElement[int]
) -> dict[StockKey, tuple[int, ...]]:
    query = select(*_columns(table), *(func.sum(column) for column in columns))
    rows = _run(session, query.group_by(*_columns(table)))
    return {_key(row): tuple(int(units) for units in tuple(row)[3:]) for row in rows}


def _held(session: Session) -> dict[StockKey, tuple[int, ...]]:
    query = (
        select(*_columns(_line), func.sum(_line.c.quantity - _line.c.shipped).label("units"))
        .join(_reservation, _reservation.c.id == _line.c.reservation)
        .where(_reservation.c.state.in_(_OPEN))
        .group_by(*_columns(_line))
    )
    return {_key(row): (int(row.units),) for row in _run(session, query)}


def _key(row: Any) -> StockKey:
    return StockKey(row.site, row.item, row.customs)
