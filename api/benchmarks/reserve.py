"""`bench reserve`: holds committed in groups against one transaction for each order, durable."""

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine, text

from api.benchmarks.measured import Line, Measured, Report, WrongAnswer
from api.benchmarks.postgres import durable_postgres, installed
from api.commits import Committer
from api.database import SessionFactory, engine_for, session_factory
from api.migrations import schema
from core.errors import EntrepotError, OutOfStock
from inventory import store
from inventory.stock import Entry, Lot, Reservation, Wanted

CLIENTS = (8, 32)
ITEMS, LINES = 1000, 3
UNITS = 40
"""Units of each item at each round: some items run out."""

ROUNDS, SECONDS = 3, 2.0
"""Turns of each path and how long each turn lasts."""

NOW = datetime(2026, 9, 7, 8, tzinfo=UTC)
UNTIL = NOW + timedelta(minutes=30)

Lots = tuple[Lot, ...]
Reserve = Callable[[Lots], bool]
"""Holds the units of one order, durably; returns whether they were there."""


def measure(seed: int, report: Report, seconds: float = SECONDS) -> Measured:
    """Returns orders per second, with 8 and with 32 clients, on SQLite and on PostgreSQL.

    Both paths write the same rows into the same database and flush each commit to disk; they take
    turns, so that whatever else the machine does slows both. An order of the peer is one guarded
    statement in a transaction of its own. The books are checked afterwards: every order that was
    accepted is in the ledger, no unit is held twice, nothing drifts.
    """
    lines: list[Line] = []
    with ExitStack() as opened:
        databases = dict(opened.enter_context(_databases(report)))
        for at, (name, url) in enumerate(databases.items()):
            for clients in CLIENTS:
                report(at / len(databases), f"Reserving on {name} with {clients} clients")
                lines.append(_line(name, url, clients, seed, seconds))
    return Measured("reserve", seed, tuple(lines))


@contextmanager
def _databases(report: Report) -> Iterator[dict[str, str]]:
    """Gives the URLs of empty databases by name; PostgreSQL only where the wheel is installed."""
    with TemporaryDirectory() as folder, ExitStack() as opened:
        found = {"SQLite": f"sqlite:///{Path(folder) / 'bench.sqlite'}"}
        if installed():
            found["PostgreSQL"] = opened.enter_context(durable_postgres())
        else:
            report(0.0, "PostgreSQL is not installed (extra `dev`); measuring SQLite only")
        yield found


def _line(name: str, url: str, clients: int, seed: int, seconds: float) -> Line:
    engine = engine_for(url, durable=True)
    schema.upgrade(engine)
    _refuse_lossy(engine)
    sessions = session_factory(engine)
    _restock(sessions)
    before = _held(sessions)
    with _grouped(sessions) as grouped:
        paths = (Way(grouped), Way(_single(sessions)))
        for turn in range(ROUNDS):
            for path in paths:
                path.run(clients, seed + turn, seconds)
    accepted = sum(path.accepted for path in paths)
    _check(sessions, accepted, before)
    engine.dispose()
    case = f"orders of {LINES} lines, {ITEMS} items, {name}, {clients} clients"
    rates = [path.asked / path.seconds for path in paths]
    return Line(case, "rate", "1/s", rates[0], "one statement per order", rates[1], True)


class Way:
    """One way to reserve: orders asked, accepted, and the seconds that took."""

    def __init__(self, reserve: Reserve) -> None:
        self.reserve = reserve
        self.asked, self.accepted, self.seconds = 0, 0, 0.0

    def run(self, clients: int, seed: int, seconds: float) -> None:
        """Lets clients ask for orders, one after the other each, until the time is over."""
        begun = time.perf_counter()

        def client(number: int) -> list[bool]:
            draw = random.Random(seed * 1000 + number)  # noqa: S311  # a workload, no secret
            answers = []
            while time.perf_counter() < begun + seconds:
                answers.append(self.reserve(_order(draw)))
            return answers

        with ThreadPoolExecutor(clients) as pool:
            answers = [answer for found in pool.map(client, range(clients)) for answer in found]
        self.seconds += time.perf_counter() - begun
        self.asked += len(answers)
        self.accepted += sum(answers)


def _order(draw: random.Random) -> Lots:
    return tuple(Lot("SITE", f"ITEM-{at}", 1) for at in draw.sample(range(ITEMS), LINES))


def _entry() -> Entry:
    return Entry(NOW, "bench", os.urandom)


def _single(sessions: SessionFactory) -> Reserve:
    def reserve(lots: Lots) -> bool:
        try:
            with sessions.begin() as session:
                store.reserve(session, lots, _entry(), UNTIL)
        except OutOfStock:
            return False
        return True

    return reserve


@contextmanager
def _grouped(sessions: SessionFactory) -> Iterator[Reserve]:
    def act(asks: Sequence[Lots], _: bool) -> Sequence[Reservation | OutOfStock]:
        with sessions.begin() as session:
            return store.reserve_each(session, [Wanted(ask, _entry(), UNTIL) for ask in asks])

    committer = Committer[Lots, Reservation](act, lambda _: False)

    def reserve(lots: Lots) -> bool:
        try:
            committer.submit(lots).result()
        except OutOfStock:
            return False
        return True

    yield reserve
    committer.close()


def _restock(sessions: SessionFactory) -> None:
    with sessions.begin() as session:
        lots = [Lot("SITE", f"ITEM-{at}", UNITS) for at in range(ITEMS)]
        store.receive(session, lots, _entry())


def _held(sessions: SessionFactory) -> int:
    with sessions() as session:
        return sum(level.reserved for level in store.levels(session))


def _check(sessions: SessionFactory, accepted: int, before: int) -> None:
    with sessions() as session:
        drifts = store.reconcile(session)
        over = [level for level in store.levels(session) if level.reserved > level.on_hand]
    held = _held(sessions) - before
    if drifts or over or held != accepted * LINES:
        raise WrongAnswer(
            f"{accepted} orders accepted, {held} units held, {len(drifts)} rows drift, "
            f"{len(over)} oversold."
        )


def _refuse_lossy(engine: Engine) -> None:
    """Ensures that a commit is on disk before it is answered."""
    postgres = engine.dialect.name == "postgresql"
    asked = "SHOW synchronous_commit" if postgres else "PRAGMA synchronous"
    with engine.connect() as connection:
        found = str(connection.execute(text(asked)).scalar_one())
    if found not in {"on", "2"}:
        raise EntrepotError(f"Expected a durable database, found {asked} = {found}.")
