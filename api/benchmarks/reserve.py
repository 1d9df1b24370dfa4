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

TURN = 100
"""Orders that one path takes before the other has its turn."""

NOW = datetime(2026, 9, 7, 8, tzinfo=UTC)
UNTIL = NOW + timedelta(minutes=30)

Reserve = Callable[[Session, str, Entropy], bool]


def measure(seed: int, report: Report, orders: int = ORDERS) -> Measured:
    """Returns reservations per second on SQLite, each in a transaction of its own.

    Both paths write the same rows; both must accept exactly as many orders as there is stock for.
    They take turns, so that whatever else the machine does slows both.
    """
    asked = [f"ITEM-{at}" for at in random.Random(seed).choices(range(ITEMS), k=orders)]  # noqa: S311  # a workload, no secret
    promised = sum(min(UNITS, asked.count(item)) for item in set(asked))
    with TemporaryDirectory() as folder:
        ours = Lane(Path(folder) / "guarded.sqlite", _guarded)
        peer = Lane(Path(folder) / "orm.sqlite", _by_orm)
        for at in range(0, orders, TURN):
            report(at / orders, "Reserving")
            ours.take(asked[at : at + TURN])
            peer.take(asked[at : at + TURN])
        rates = [orders / lane.finish(promised) for lane in (ours, peer)]
    case = f"{orders} orders, {ITEMS} items, SQLite, one client"
    return Measured("reserve", seed, (Line(case, "rate", "1/s", rates[0], "ORM", rates[1], True),))


class Lane:
    """One way to reserve, on a database of its own; `seconds` is what it took so far."""

    def __init__(self, path: Path, reserve: Reserve) -> None:
        self.reserve, self.entropy = reserve, random.Random(0).randbytes  # noqa: S311  # ids
        self.engine = engine_for(f"sqlite:///{path}")
        self.sessions = session_factory(self.engine)
        self.accepted, self.seconds = 0, 0.0
        create_tables(self.engine)
        with self.sessions.begin() as session:
            lots = [Lot("SITE", f"ITEM-{at}", UNITS) for at in range(ITEMS)]
            store.receive(session, lots, Entry(NOW, "bench", self.entropy))

    def take(self, items: list[str]) -> None:
        """Reserves one unit of each item."""
        begun = time.perf_counter()
        self.accepted += sum(
            _order(self.sessions, each, self.entropy, self.reserve) for each in items
        )
        self.seconds += time.perf_counter() - begun

    def finish(self, promised: int) -> float:
        """Returns the seconds taken; raises `WrongAnswer` unless the books are right."""
        with self.sessions() as session:
            drifts = store.reconcile(session)
        self.engine.dispose()
        if self.accepted != promised or drifts:
            raise WrongAnswer(
                f"{self.accepted} of {promised} orders accepted, {len(drifts)} rows drift."
            )
        return self.seconds


def _order(sessions: SessionFactory, item: str, entropy: Entropy, reserve: Reserve) -> bool:
    with sessions.begin() as session:
        return reserve(session, item, entropy)


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
