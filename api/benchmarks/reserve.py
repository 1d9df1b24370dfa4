"""`bench reserve`: one guarded statement for each row against the ORM's load, test and save."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlmodel import Session

from api.benchmarks.measured import Line, Measured, Report, WrongAnswer
from api.database import SessionFactory, engine_for, session_factory
from api.tables import create_tables
from core.errors import OutOfStock
from core.ids import Entropy, mint
from inventory import store
from inventory.records import (
    MovementRecord,
    ReservationLineRecord,
    ReservationRecord,
    StockRecord,
)
from inventory.stock import Entry, Lot, MovementKind, ReservationState

ORDERS, ITEMS, UNITS = 1000, 200, 4
"""Orders of one unit each over so many items: some items run out."""

NOW = datetime(2026, 9, 7, 8, tzinfo=UTC)
UNTIL = NOW + timedelta(minutes=30)

Reserve = Callable[[Session, str, Entropy], bool]


def measure(seed: int, report: Report, orders: int = ORDERS) -> Measured:
    """Returns reservations per second on SQLite, each in a transaction of its own.

    Both paths write the same rows; both must accept exactly as many orders as there is stock for.
    """
    asked = [f"ITEM-{at}" for at in random.Random(seed).choices(range(ITEMS), k=orders)]  # noqa: S311  # a workload, no secret
    promised = sum(min(UNITS, asked.count(item)) for item in set(asked))
    with TemporaryDirectory() as folder:
        report(0.0, "Reserving by the ORM")
        peer = _rate(Path(folder) / "orm.sqlite", asked, promised, _by_orm)
        report(0.5, "Reserving by guarded statements")
        ours = _rate(Path(folder) / "guarded.sqlite", asked, promised, _guarded)
    case = f"{orders} orders, {ITEMS} items, SQLite, one client"
    return Measured("reserve", seed, (Line(case, "rate", "1/s", ours, "ORM session", peer, True),))


def _rate(path: Path, asked: list[str], promised: int, reserve: Reserve) -> float:
    engine = engine_for(f"sqlite:///{path}")
    create_tables(engine)
    sessions, entropy = session_factory(engine), random.Random(0).randbytes  # noqa: S311  # ids
    with sessions.begin() as session:
        lots = [Lot("SITE", f"ITEM-{at}", UNITS) for at in range(ITEMS)]
        store.receive(session, lots, Entry(NOW, "bench", entropy))
    begun = time.perf_counter()
    accepted = sum(_order(sessions, item, entropy, reserve) for item in asked)
    seconds = time.perf_counter() - begun
    _check(sessions, accepted, promised)
    engine.dispose()
    return len(asked) / seconds


def _order(sessions: SessionFactory, item: str, entropy: Entropy, reserve: Reserve) -> bool:
    with sessions.begin() as session:
        return reserve(session, item, entropy)


def _check(sessions: SessionFactory, accepted: int, promised: int) -> None:
    with sessions() as session:
        drifts = store.reconcile(session)
    if accepted != promised or drifts:
        raise WrongAnswer(f"{accepted} of {promised} orders accepted, {len(drifts)} rows drift.")


def _guarded(session: Session, item: str, entropy: Entropy) -> bool:
    try:
        store.reserve(session, [Lot("SITE", item, 1)], Entry(NOW, "bench", entropy), UNTIL)
    except OutOfStock:
        return False
    return True


def _by_orm(session: Session, item: str, entropy: Entropy) -> bool:
    """Reserves as an application on an ORM does: load the row, test it, change it, save all."""
    row = session.get(StockRecord, ("SITE", item, "free"), with_for_update=True)
    if row is None or row.on_hand - row.reserved - row.safety < 1:
        return False
    row.reserved += 1
    held = ReservationRecord(
        id=mint("res", NOW, entropy), state=ReservationState.ACTIVE, reference="", actor="bench",
        created_at=NOW, expires_at=UNTIL,
    )  # fmt: skip
    session.add(held)
    session.flush()
    session.add(
        ReservationLineRecord(
            reservation=held.id, site="SITE", item=item, customs="free", quantity=1
        )
    )
    session.add(
        MovementRecord(
            id=mint("mov", NOW, entropy),
            at=NOW,
            site="SITE",
            item=item,
            customs="free",
            kind=MovementKind.RESERVE,
            quantity=0,
            reserved=1,
            reference=held.id,
            actor="bench",
        )
    )
    return True
