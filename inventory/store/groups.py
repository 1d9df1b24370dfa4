"""Many holds in few statements: the rows of a group are locked, judged and written together.

The rows of a statement travel as one JSON text, which both databases turn into a table: the
statement stays the same for any number of rows, so it is parsed once, and one round trip serves
all orders of the group.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from core.errors import OutOfStock, Shortage
from core.ids import mint
from inventory.stock import (
    Reservation,
    ReservationLine,
    ReservationState,
    StockKey,
    Wanted,
)
from inventory.store.rows import on_postgres, run

Units = Mapping[StockKey, int]
Answer = Reservation | OutOfStock


def hold_each(session: Session, wishes: Sequence[Wanted]) -> list[Answer]:
    """Returns a reservation for each wish that fits, in their order, and `OutOfStock` for others.

    The rows are locked by key, so what is judged here holds until the transaction ends; the
    statement that takes the units is guarded nevertheless.
    """
    units = [wish.units for wish in wishes]
    free = (_taken_on_postgres if on_postgres(session) else _taken_on_sqlite)(session, units)
    answers = [
        _reservation(wish, wanted) if short is None else short
        for wish, wanted, short in zip(wishes, units, _judged(units, free), strict=True)
    ]
    _save(session, [answer for answer in answers if isinstance(answer, Reservation)], wishes)
    return answers


def hold_at_once(session: Session, wishes: Sequence[Wanted], now: datetime) -> list[Answer] | bool:
    """Returns a reservation for each wish, in one statement, where everything fits on PostgreSQL.

    Otherwise nothing is held, and the answer is whether the rows are locked and judged: False says
    that holds may have expired, which are to be freed before any row is locked.
    """
    units = [wish.units for wish in wishes]
    made = [_reservation(wish, wanted) for wish, wanted in zip(wishes, units, strict=True)]
    values = _saved(made, _line_ids(made, wishes))
    rows = _as_rows(_total(units))
    found = run(session, _AT_ONCE_ON_POSTGRES, {"rows": rows, "now": now, **values}).one()
    return list[Answer](made) if found.held else bool(found.judged)


def _judged(units: Sequence[Units], free: Units) -> list[OutOfStock | None]:
    """Returns who does not fit, first come, first served, given what each row had free."""
    left = dict(free)
    answers: list[OutOfStock | None] = []
    for wanted in units:
        short = [key for key, asked in wanted.items() if asked > left.get(key, 0)]
        for key in () if short else wanted:
            left[key] -= wanted[key]
        answers.append(_refusal(short, wanted, left) if short else None)
    return answers


def _refusal(short: Sequence[StockKey], wanted: Units, left: Units) -> OutOfStock:
    return OutOfStock(
        [Shortage(key.item, key.site, wanted[key], max(0, left.get(key, 0))) for key in short]
    )


def _total(units: Sequence[Units]) -> dict[StockKey, int]:
    """Returns the units of all wishes by row, sorted."""
    total: Counter[StockKey] = Counter()
    for wanted in units:
        total.update(wanted)
    return dict(sorted(total.items()))


def _fitting(units: Sequence[Units], free: Units) -> dict[StockKey, int]:
    answers = _judged(units, free)
    return _total([wanted for wanted, short in zip(units, answers, strict=True) if short is None])


# Taking the units

_ROWS = (
    "json_to_recordset(CAST(:rows AS json)) AS v(site text, item text, customs text, units bigint)"
)
_HELD = "s.site = v.site AND s.item = v.item AND s.customs = v.customs"

_SAVED = """
    head AS MATERIALIZED (
        SELECT * FROM json_to_recordset(CAST(:heads AS json)) AS v(id text, reference text,
            actor text, created_at timestamptz, expires_at timestamptz)
        WHERE (SELECT yes FROM fits)
    ),
    line AS MATERIALIZED (
        SELECT * FROM json_to_recordset(CAST(:lines AS json)) AS v(id text, reservation text,
            site text, item text, customs text, quantity bigint)
        WHERE (SELECT yes FROM fits)
    ),
    reservations AS (
        INSERT INTO reservation (id, state, reference, actor, created_at, expires_at)
        SELECT id, 'active', reference, actor, created_at, expires_at FROM head
    ),
    lines AS (
        INSERT INTO reservation_line (reservation, site, item, customs, quantity, shipped)
        SELECT reservation, site, item, customs, quantity, 0 FROM line
    )"""
_MOVED = """
    INSERT INTO movement
        (id, at, site, item, customs, kind, quantity, reserved, reference, actor)
    SELECT line.id, head.created_at, line.site, line.item, line.customs, 'reserve', 0,
        line.quantity, line.reservation, head.actor
    FROM line JOIN head ON head.id = line.reservation"""

_TAKE_ON_POSTGRES = text(f"""
    WITH v AS MATERIALIZED (SELECT * FROM {_ROWS}),
    found AS MATERIALIZED (
        SELECT s.site, s.item, s.customs, v.units, s.on_hand - s.reserved - s.safety AS free
        FROM stock s JOIN v ON {_HELD}
        ORDER BY s.site, s.item, s.customs FOR UPDATE OF s
    ),
    taken AS (
        UPDATE stock s SET reserved = s.reserved + v.units
        FROM found v WHERE {_HELD} AND v.units <= s.on_hand - s.reserved - s.safety
        RETURNING s.site, s.item, s.customs
    )
    SELECT found.site, found.item, found.customs, found.free, taken.site IS NOT NULL AS taken
    FROM found LEFT JOIN taken USING (site, item, customs)
""")  # noqa: S608  # of constants only
_AT_ONCE_ON_POSTGRES = text(f"""
    WITH v AS MATERIALIZED (SELECT * FROM {_ROWS}),
    due AS MATERIALIZED (
        SELECT EXISTS (SELECT FROM reservation WHERE state = 'active' AND expires_at <= :now) AS yes
    ),
    found AS MATERIALIZED (
        SELECT s.site, s.item, s.customs, v.units, s.on_hand - s.reserved - s.safety AS free
        FROM stock s JOIN v ON {_HELD} WHERE NOT (SELECT yes FROM due)
        ORDER BY s.site, s.item, s.customs FOR UPDATE OF s
    ),
    fits AS MATERIALIZED (
        SELECT count(*) = (SELECT count(*) FROM v) AND coalesce(bool_and(units <= free), FALSE)
            AS yes FROM found
    ),
    taken AS (
        UPDATE stock s SET reserved = s.reserved + v.units
        FROM found v WHERE {_HELD} AND (SELECT yes FROM fits)
    ),
    {_SAVED},
    movements AS ({_MOVED})
    SELECT fits.yes AS held, NOT due.yes AS judged FROM fits, due
""")  # noqa: S608  # of constants only
_CORRECT_ON_POSTGRES = text(f"""
    UPDATE stock s SET reserved = s.reserved + v.units
    FROM {_ROWS} WHERE {_HELD} AND v.units <= s.on_hand - s.reserved - s.safety
""")  # noqa: S608  # of constants only
_FREE_ON_SQLITE = text("""
    SELECT s.site, s.item, s.customs, s.on_hand - s.reserved - s.safety AS free
    FROM json_each(:rows) AS v CROSS JOIN stock AS s
    ON s.site = json_extract(v.value, '$.site') AND s.item = json_extract(v.value, '$.item')
    AND s.customs = json_extract(v.value, '$.customs')
""")
_TAKE_ON_SQLITE = """
    UPDATE stock SET reserved = reserved + ?1
    WHERE site = ?2 AND item = ?3 AND customs = ?4 AND ?1 <= on_hand - reserved - safety
"""


def _taken_on_postgres(session: Session, units: Sequence[Units]) -> Units:
    """Returns what each row had free; afterwards the units of those who fit are held.

    One statement takes everything that the group asks for. Only where a row has too little does a
    second one, on rows that are locked by then, take the rest of those who fit.
    """
    total = _total(units)
    rows = run(session, _TAKE_ON_POSTGRES, {"rows": _as_rows(total)}).all()
    free = {StockKey(row.site, row.item, row.customs): int(row.free) for row in rows}
    taken = {StockKey(row.site, row.item, row.customs) for row in rows if row.taken}
    if len(taken) < len(total):
        fits = _fitting(units, free)
        right = {key: fits.get(key, 0) - (total[key] if key in taken else 0) for key in total}
        _correct(session, {key: change for key, change in right.items() if change})
    return free


def _correct(session: Session, changes: Units) -> None:
    if not changes:
        return
    changed = run(session, _CORRECT_ON_POSTGRES, {"rows": _as_rows(changes)}).rowcount
    if changed != len(changes):
        raise RuntimeError(f"{changed} of {len(changes)} locked stock rows were as they were read.")


def _taken_on_sqlite(session: Session, units: Sequence[Units]) -> Units:
    """Returns what each row had free; afterwards the units of those who fit are held.

    The transaction is the only writer: between reading and taking nothing changes.
    """
    rows = run(session, _FREE_ON_SQLITE, {"rows": _as_rows(_total(units))})
    free = {StockKey(row.site, row.item, row.customs): int(row.free) for row in rows}
    fits = _fitting(units, free)
    if fits:
        values = [(asked, *key) for key, asked in fits.items()]
        changed = session.connection().exec_driver_sql(_TAKE_ON_SQLITE, values).rowcount
        if changed != len(fits):
            raise RuntimeError(f"{changed} of {len(fits)} stock rows were as they were read.")
    return free


def _as_rows(units: Units) -> str:
    return json.dumps([{**key._asdict(), "units": asked} for key, asked in units.items()])


# Writing what is held

_SAVE_ON_POSTGRES = text(f"WITH fits AS (SELECT TRUE AS yes), {_SAVED} {_MOVED}")
_SAVE_ON_SQLITE = (
    "INSERT INTO reservation (id, state, reference, actor, created_at, expires_at)"
    " VALUES (?, 'active', ?, ?, ?, ?)",
    "INSERT INTO reservation_line (reservation, site, item, customs, quantity, shipped)"
    " VALUES (?, ?, ?, ?, ?, 0)",
    "INSERT INTO movement (id, at, site, item, customs, kind, quantity, reserved, reference, actor)"
    " VALUES (?, ?, ?, ?, ?, 'reserve', 0, ?, ?, ?)",
)


def _reservation(wish: Wanted, units: Units) -> Reservation:
    entry = wish.entry
    return Reservation(
        mint("res", entry.at, entry.entropy), ReservationState.ACTIVE, entry.reference,
        entry.actor, entry.at, wish.expires_at,
        tuple(ReservationLine(*key, asked) for key, asked in units.items()),
    )  # fmt: skip


def _save(session: Session, made: Sequence[Reservation], wishes: Sequence[Wanted]) -> None:
    if not made:
        return
    ids = _line_ids(made, wishes)
    if on_postgres(session):
        run(session, _SAVE_ON_POSTGRES, _saved(made, ids))
    else:
        _save_on_sqlite(session, made, ids)


def _line_ids(made: Sequence[Reservation], wishes: Sequence[Wanted]) -> list[list[str]]:
    entropy = wishes[0].entry.entropy
    return [[mint("mov", one.created_at, entropy) for _ in one.lines] for one in made]


def _saved(made: Sequence[Reservation], ids: Sequence[Sequence[str]]) -> dict[str, str]:
    heads = [
        {"id": one.id, "reference": one.reference, "actor": one.actor,
         "created_at": one.created_at.isoformat(), "expires_at": one.expires_at.isoformat()}
        for one in made
    ]  # fmt: skip
    lines = [
        {"id": movement, "reservation": one.id, **line.key._asdict(), "quantity": line.quantity}
        for one, movements in zip(made, ids, strict=True)
        for line, movement in zip(one.lines, movements, strict=True)
    ]
    return {"heads": json.dumps(heads), "lines": json.dumps(lines)}


def _save_on_sqlite(
    session: Session, made: Sequence[Reservation], ids: Sequence[Sequence[str]]
) -> None:
    heads: list[tuple[Any, ...]] = []
    lines: list[tuple[Any, ...]] = []
    movements: list[tuple[Any, ...]] = []
    for one, names in zip(made, ids, strict=True):
        created = _stored(one.created_at)
        heads.append((one.id, one.reference, one.actor, created, _stored(one.expires_at)))
        for line, name in zip(one.lines, names, strict=True):
            lines.append((one.id, *line.key, line.quantity))
            movements.append((name, created, *line.key, line.quantity, one.id, one.actor))
    for statement, rows in zip(_SAVE_ON_SQLITE, (heads, lines, movements), strict=True):
        if not rows:  # reservations of goods on their way only
            continue
        session.connection().exec_driver_sql(statement, rows)


def _stored(moment: datetime) -> str:
    """Returns a moment as SQLAlchemy keeps it in SQLite."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
