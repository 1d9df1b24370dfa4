"""Many holds in few statements: the rows of a group are locked, judged and written together.

The rows of a statement travel as one value, arrays on PostgreSQL and a JSON text on SQLite, which
the database turns into a table: the statement stays the same for any number of rows, so it is
parsed once, and one round trip serves all orders of the group.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

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
    if on_postgres(session):
        return _held_on_postgres(session, wishes, None) or []
    units = [wish.units for wish in wishes]
    refusals = _judged(units, _taken_on_sqlite(session, units))
    answers = [
        short or _reservation(wish, wanted)
        for wish, wanted, short in zip(wishes, units, refusals, strict=True)
    ]
    _save_on_sqlite(session, _only_held(answers), wishes)
    return answers


def hold_unless_due(
    session: Session, wishes: Sequence[Wanted], now: datetime
) -> list[Answer] | None:
    """Returns what `hold_each` does on PostgreSQL, or None when a hold has expired by `now`.

    Then nothing is held and no row is locked: expired holds are to be freed before.
    """
    return _held_on_postgres(session, wishes, now)


def _only_held(answers: Sequence[Answer]) -> list[Reservation]:
    return [answer for answer in answers if isinstance(answer, Reservation)]


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


# On PostgreSQL

_HELD = "s.site = v.site AND s.item = v.item AND s.customs = v.customs"
_FITS = "(SELECT yes FROM fits)"
_HOLD_ON_POSTGRES = f"""
    WITH head AS MATERIALIZED (
        SELECT * FROM unnest(%s::text[], %s::text[], %s::text[],
            %s::timestamptz[], %s::timestamptz[])
            AS v(id, reference, actor, created_at, expires_at)
    ),
    line AS MATERIALIZED (
        SELECT * FROM unnest(%s::text[], %s::text[], %s::text[],
            %s::text[], %s::text[], %s::bigint[])
            AS v(id, reservation, site, item, customs, quantity)
    ),
    v AS MATERIALIZED (
        SELECT site, item, customs, CAST(sum(quantity) AS bigint) AS units
        FROM line GROUP BY site, item, customs
    ),
    due AS MATERIALIZED (
        SELECT EXISTS (SELECT FROM reservation
            WHERE state = 'active' AND expires_at <= %s::timestamptz) AS yes
    ),
    found AS MATERIALIZED (
        SELECT s.site, s.item, s.customs, v.units, s.on_hand, s.reserved,
            s.on_hand - s.reserved - s.safety AS free
        FROM stock s JOIN v ON {_HELD} WHERE NOT (SELECT yes FROM due)
        ORDER BY s.site COLLATE "C", s.item COLLATE "C", s.customs FOR UPDATE OF s
    ),
    fits AS MATERIALIZED (
        SELECT count(*) = (SELECT count(*) FROM v) AND coalesce(bool_and(units <= free), TRUE)
            AS yes FROM found
    ),
    taken AS (
        UPDATE stock s SET on_hand = v.on_hand, reserved = v.reserved + v.units
        FROM found v WHERE {_HELD} AND {_FITS}
    ),
    reservations AS (
        INSERT INTO reservation (id, state, reference, actor, created_at, expires_at)
        SELECT id, 'active', reference, actor, created_at, expires_at FROM head WHERE {_FITS}
    ),
    lines AS (
        INSERT INTO reservation_line (reservation, site, item, customs, quantity, shipped)
        SELECT reservation, site, item, customs, quantity, 0 FROM line WHERE {_FITS}
    ),
    movements AS (
        INSERT INTO movement
            (id, at, site, item, customs, kind, quantity, reserved, reference, actor)
        SELECT line.id, head.created_at, line.site, line.item, line.customs, 'reserve', 0,
            line.quantity, line.reservation, head.actor
        FROM line JOIN head ON head.id = line.reservation WHERE {_FITS}
    )
    SELECT due.yes AS due, fits.yes AS held, CASE WHEN fits.yes THEN NULL ELSE
        (SELECT json_agg(json_build_array(site, item, customs, free)) FROM found) END AS free
    FROM fits, due
"""  # noqa: S608  # of constants only


class _Found(NamedTuple):
    """What the statement found; `free` has the units of each row where not everything fits."""

    due: bool
    held: bool
    free: list[tuple[str, str, str, int]] | None


def _held_on_postgres(
    session: Session, wishes: Sequence[Wanted], now: datetime | None
) -> list[Answer] | None:
    """Returns the answers, or None when a hold has expired by `now` and nothing is locked.

    One statement holds everything that the group asks for. Only where a row has too little does
    it hold nothing, and a second one, on rows that are locked by then, holds what fits.

    The rows are written as they were when they were locked. The update itself starts from rows as
    they were when the statement began, and would be checked on those: where others gave units back
    in between, their constraints would refuse what fits.
    """
    units = [wish.units for wish in wishes]
    made = [_reservation(wish, wanted) for wish, wanted in zip(wishes, units, strict=True)]
    found = _hold(session, made, wishes, now)
    if found.held:
        return list(made)
    if found.due:
        return None
    free = {StockKey(*key): int(units) for *key, units in found.free or ()}
    answers = [short or one for one, short in zip(made, _judged(units, free), strict=True)]
    left = _only_held(answers)
    if left and not _hold(session, left, wishes, None).held:
        raise RuntimeError("Locked stock rows were not as they were read.")
    return answers


def _hold(
    session: Session, made: Sequence[Reservation], wishes: Sequence[Wanted], now: datetime | None
) -> _Found:
    values = (*_heads(made), *_lines(made, _line_ids(made, wishes)), now)
    return _Found(*session.connection().exec_driver_sql(_HOLD_ON_POSTGRES, values).one())


def _heads(made: Sequence[Reservation]) -> list[str]:
    return [
        _array([one.id for one in made]),
        _array([one.reference for one in made]),
        _array([one.actor for one in made]),
        _array([one.created_at.isoformat() for one in made]),
        _array([one.expires_at.isoformat() for one in made]),
    ]


def _lines(made: Sequence[Reservation], ids: Sequence[Sequence[str]]) -> list[str]:
    lines = [line for one in made for line in one.lines]
    return [
        _array([name for names in ids for name in names]),
        _array([one.id for one in made for _ in one.lines]),
        _array([line.site for line in lines]),
        _array([line.item for line in lines]),
        _array([line.customs for line in lines]),
        _array([str(line.quantity) for line in lines]),
    ]


def _array(values: Sequence[str]) -> str:
    """Returns texts as PostgreSQL writes an array: the driver would take each of them by itself."""
    escaped = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return "{" + ",".join(f'"{value}"' for value in escaped) + "}"


# On SQLite

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


def _line_ids(made: Sequence[Reservation], wishes: Sequence[Wanted]) -> list[list[str]]:
    entropy = wishes[0].entry.entropy
    return [[mint("mov", one.created_at, entropy) for _ in one.lines] for one in made]


def _save_on_sqlite(
    session: Session, made: Sequence[Reservation], wishes: Sequence[Wanted]
) -> None:
    if not made:
        return
    heads: list[tuple[Any, ...]] = []
    lines: list[tuple[Any, ...]] = []
    movements: list[tuple[Any, ...]] = []
    for one, names in zip(made, _line_ids(made, wishes), strict=True):
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
