"""Reading: what sites hold and can promise, and the lines of the ledger."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, func, or_, select, tuple_
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
    own: Collection[str] = (),
) -> list[StockLevel]:
    """Returns stock rows by site, item and customs.

    With `now`, holds whose time has passed count as available although no sweep ended them yet.
    Active holds named in `own` count as available too: an order that is planned again sees the
    units that it holds already.
    """
    apart = _apart(now or datetime.min.replace(tzinfo=UTC), own)
    freed = func.coalesce(apart.c.units, 0)
    query = (
        select(
            *columns(STOCK), STOCK.c.on_hand, (STOCK.c.reserved - freed).label("reserved"),
            STOCK.c.safety, (FREE + freed).label("available"), STOCK.c.bonded_since,
        )
        .outerjoin(apart, and_(*(apart.c[name] == STOCK.c[name] for name in KEY)))
        .order_by(*columns(STOCK))
        .limit(limit)
    )  # fmt: skip
    for column, names in ((STOCK.c.site, sites), (STOCK.c.item, items)):
        if names is not None:
            query = query.where(column.in_(names))
    if after is not None:
        query = query.where(tuple_(*columns(STOCK)) > after)
    return [_level(row) for row in run(session, query)]


def _level(row: Any) -> StockLevel:
    """A level of whole numbers: PostgreSQL sums big integers to decimals."""
    return StockLevel(
        row.site, row.item, row.customs, row.on_hand, int(row.reserved), row.safety,
        max(0, int(row.available)), row.bonded_since,
    )  # fmt: skip


def _apart(now: datetime, own: Collection[str]) -> Any:
    """Returns units by stock row of holds that do not count: their time has passed, or own ones."""
    passed = RESERVATION.c.expires_at <= now
    ignored = or_(passed, RESERVATION.c.id.in_(own)) if own else passed
    return (
        select(*columns(LINE), func.sum(LINE.c.quantity - LINE.c.shipped).label("units"))
        .join(RESERVATION, RESERVATION.c.id == LINE.c.reservation)
        .where(RESERVATION.c.state == ReservationState.ACTIVE, ignored)
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
