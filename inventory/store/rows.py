"""Rows of the stock table and lines of the ledger: what every other module builds on."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Executable, Table, and_, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel

from core.ids import mint
from inventory.records import (
    MovementRecord,
    ReservationLineRecord,
    ReservationRecord,
    StockRecord,
    SupplyClaimRecord,
    SupplyRecord,
)
from inventory.stock import Entry, Movement, MovementKind, StockKey


def _table(record: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(record.__tablename__)]


STOCK, MOVEMENT = _table(StockRecord), _table(MovementRecord)
RESERVATION, LINE = _table(ReservationRecord), _table(ReservationLineRecord)
SUPPLY, CLAIM = _table(SupplyRecord), _table(SupplyClaimRecord)

KEY = ("site", "item", "customs")
FREE = STOCK.c.on_hand - STOCK.c.reserved - STOCK.c.safety
"""What a new hold can take of a row."""


def same_row(table: Table) -> ColumnElement[bool]:
    """Returns the condition that a row has the key given as `at_site`, `at_item`, `at_customs`."""
    return and_(*(table.c[name] == bindparam(f"at_{name}") for name in KEY))


# Statements are built once: building costs more than running them.

_LOCK = select(STOCK.c.on_hand).where(same_row(STOCK)).with_for_update()
_WRITE = MOVEMENT.insert()


def run(
    session: Session,
    statement: Executable,
    values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
) -> CursorResult[Any]:
    """Returns the result of a core statement in the session's transaction."""
    return session.connection().execute(statement, values)


def on_postgres(session: Session) -> bool:
    """Whether the session's database is PostgreSQL."""
    return session.get_bind().dialect.name == "postgresql"


def at(key: StockKey, units: int) -> dict[str, str | int]:
    """Returns the values of a statement on one stock row."""
    return {"at_site": key.site, "at_item": key.item, "at_customs": key.customs, "units": units}


def columns(table: Table) -> list[ColumnElement[str]]:
    """Returns the columns that name a stock row."""
    return [table.c[name] for name in KEY]


def key_of(row: Any) -> StockKey:
    """Returns the stock row that a row of any of the tables belongs to."""
    return StockKey(row.site, row.item, row.customs)


def row_of(value: Any) -> dict[str, Any]:
    """Returns the columns of a value; `asdict` would copy each of them deeply."""
    return {name: getattr(value, name) for name in value.__slots__}


def insert(session: Session) -> Any:
    """Returns the insert of the session's database, for its ON CONFLICT clause."""
    return postgresql.insert(STOCK) if on_postgres(session) else sqlite.insert(STOCK)


def make_sure(session: Session, key: StockKey) -> None:
    """Ensures that a stock row exists."""
    empty = {**key._asdict(), "on_hand": 0, "reserved": 0, "safety": 0, "bonded_since": None}
    run(session, insert(session).on_conflict_do_nothing(index_elements=KEY), empty)


def lock(session: Session, keys: Collection[StockKey]) -> None:
    """Ensures that the stock rows are this transaction's, taken in the order that all take them."""
    for key in sorted(keys):
        run(session, _LOCK, at(key, 0))


def write(
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
    run(session, _WRITE, [row_of(movement) for movement in movements])
    return movements
