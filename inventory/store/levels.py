"""Reading: what sites hold and can promise, and the lines of the ledger."""

from collections.abc import Collection
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import Executable, Subquery, and_, bindparam, func, select, tuple_
from sqlmodel import Session

from inventory.stock import Movement, ReservationState, StockLevel
from inventory.store.rows import FREE, KEY, LINE, MOVEMENT, RESERVATION, STOCK, columns, run


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
    given = {"sites": sites, "items": items}
    values: dict[str, Any] = {
        name: list(names) for name, names in given.items() if names is not None
    }
    values["now"] = now or datetime.min.replace(tzinfo=UTC)
    if after is not None:
        values |= dict(zip(_AFTER, after, strict=True))
    if limit is not None:
        values["limit"] = limit
    return [_level(row) for row in run(session, _levels(frozenset(values)), values)]


_AFTER = tuple(f"after_{name}" for name in KEY)


@cache
def _levels(given: frozenset[str]) -> Executable:
    """The statement for those parameters; building it takes longer than running it."""
    apart = _passed()
    freed = func.coalesce(apart.c.units, 0)
    query = (
        select(
            *columns(STOCK), STOCK.c.on_hand, (STOCK.c.reserved - freed).label("reserved"),
            STOCK.c.safety, (FREE + freed).label("available"), STOCK.c.bonded_since,
        )
        .outerjoin(apart, and_(*(apart.c[name] == STOCK.c[name] for name in KEY)))
        .order_by(*columns(STOCK))
    )  # fmt: skip
    for column, names in ((STOCK.c.site, "sites"), (STOCK.c.item, "items")):
        if names in given:
            query = query.where(column.in_(bindparam(names, expanding=True)))
    if _AFTER[0] in given:
        query = query.where(tuple_(*columns(STOCK)) > tuple_(*map(bindparam, _AFTER)))
    return query.limit(bindparam("limit")) if "limit" in given else query


def _level(row: Any) -> StockLevel:
    """A level of whole numbers: PostgreSQL sums big integers to decimals."""
    return StockLevel(
        row.site, row.item, row.customs, row.on_hand, int(row.reserved), row.safety,
        max(0, int(row.available)), row.bonded_since,
    )  # fmt: skip


def _passed() -> Subquery:
    """Units by stock row of holds that do not count, because their time has passed."""
    passed = RESERVATION.c.expires_at <= bindparam("now", type_=RESERVATION.c.expires_at.type)
    return (
        select(*columns(LINE), func.sum(LINE.c.quantity - LINE.c.shipped).label("units"))
        .join(RESERVATION, RESERVATION.c.id == LINE.c.reservation)
        .where(RESERVATION.c.state == ReservationState.ACTIVE, passed)
        .group_by(*columns(LINE))
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
    query = select(MOVEMENT).order_by(MOVEMENT.c.id.desc()).limit(limit)
    for name, wanted in (("site", site), ("item", item), ("reference", reference)):
        if wanted is not None:
            query = query.where(MOVEMENT.c[name] == wanted)
    if after is not None:
        query = query.where(MOVEMENT.c.id < after)
    return [Movement(**row) for row in run(session, query).mappings()]
