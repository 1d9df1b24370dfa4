"""One siege from beginning to end: stock, processes, clients, kills, and the verdict."""

import os
import random
import shutil
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Engine

from api.database import engine_for, session_factory
from api.migrations import schema
from api.services.brands import load_brand
from api.services.keys import create_key
from api.services.stock import sweep
from api.settings import Settings
from core.brand import Brand
from core.folder.writer import complete
from inventory import store
from tests.console.brands import six_hubs
from tests.postgres import PostgresServer, postgres_server
from tests.siege import checks
from tests.siege.clients import ITEMS, SITES, Client, Known
from tests.siege.clock import HurriedClock
from tests.siege.history import Headers, History, Line
from tests.siege.servers import Nursery, address, kill, listening, nursery
from tests.siege.truth import truth_of

PROCESSES, OPENING_UNITS = 3, 25


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a siege lasts and what dies meanwhile; it ends with time or operations.

    Clocks of the service run at `speed`, so that holds of a minute expire during a siege.
    """

    seconds: float = 180
    operations: int = 50_000
    clients: int = 64
    kills: int = 200
    database_kills: int = 10
    seed: int = 0
    speed: float = 10.0


@dataclass(slots=True)
class Verdict:
    """What a siege showed; `anomalies` by check, `drift` as the service itself reports it."""

    database: str
    seconds: float = 0
    operations: int = 0
    answers: Mapping[str, int] = field(default_factory=dict)
    endings: Mapping[str, int] = field(default_factory=dict)
    replayed: int = 0
    unanswered: int = 0
    kills: int = 0
    database_kills: int = 0
    drift: int = 0
    anomalies: Mapping[str, list[str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def held(self) -> bool:
        """Whether nothing was found."""
        return not self.drift and not any(self.anomalies.values())


def besieged_brand() -> Brand:
    """Six hubs, three of which hold few units of two items that everybody wants."""
    rows = [
        {"site": site, "item": item, "on_hand": OPENING_UNITS} for site in SITES for item in ITEMS
    ]
    return six_hubs().with_table("stock", complete("stock", pd.DataFrame(rows)))


def besiege(kind: str, plan: Plan) -> Verdict:
    """Returns the verdict of a siege of `sqlite` or `postgres`."""
    clock = HurriedClock(time.time(), plan.speed)
    with ExitStack() as opened:
        home = Path(tempfile.mkdtemp(prefix="entrepot-siege-"))
        opened.callback(shutil.rmtree, home)
        server = opened.enter_context(postgres_server(durable=True)) if kind == "postgres" else None
        settings = Settings(home=home, database_url=server.url() if server else "", durable=True)
        engine = engine_for(settings.database)
        opened.callback(engine.dispose)
        keys = _prepared(engine, clock)
        history = History(clock)
        fallen = _fought(plan, settings, keys, history, server)
        return _judged(kind, engine, history, fallen)


def _prepared(engine: Engine, clock: HurriedClock) -> Mapping[str, Headers]:
    schema.upgrade(engine)
    with session_factory(engine).begin() as session:
        load_brand(session, besieged_brand(), clock, os.urandom)
        tokens = {
            role: create_key(session, role, role, clock.now(), os.urandom).token
            for role in ("order-service", "planner")
        }
    return {role: {"Authorization": f"Bearer {token}"} for role, token in tokens.items()}


def _fought(
    plan: Plan,
    settings: Settings,
    keys: Mapping[str, Headers],
    history: History,
    server: PostgresServer | None,
) -> tuple[int, int, float]:
    """Lets clients loose, kills meanwhile; returns kills, kills of the database, and seconds."""
    ended = threading.Event()
    clock = history.clock
    assert isinstance(clock, HurriedClock)
    with listening() as opened, nursery(settings, clock, [opened]) as forked:
        alive = [forked.start(opened) for _ in range(PROCESSES)]
        host, port = address(opened)
        known = Known()
        clients = [
            Client(f"c{at}", Line(host, port, history), random.Random(f"{plan.seed} {at}"), known,
                   keys, ended)
            for at in range(plan.clients)
        ]  # fmt: skip
        with _working(clients, plan.operations, history, ended) as threads:
            began = time.monotonic()
            killed = _killed_meanwhile(plan, forked, opened, alive, server, threads)
            return *killed, time.monotonic() - began


@contextmanager
def _working(
    clients: list[Client], most: int, history: History, ended: threading.Event
) -> Iterator[list[threading.Thread]]:
    threads = [threading.Thread(target=one.work, args=(most, history)) for one in clients]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _killed_meanwhile(
    plan: Plan,
    forked: Nursery,
    opened: socket.socket,
    alive: list[int],
    server: PostgresServer | None,
    threads: list[threading.Thread],
) -> tuple[int, int]:
    """Kills at random moments, spread over the siege; returns how many API and database kills."""
    dice, began = random.Random(plan.seed), time.monotonic()
    moments = [(dice.uniform(0.05, 0.95) * plan.seconds, "api") for _ in range(plan.kills)]
    if server is not None:
        moments += [
            ((at + dice.uniform(0.3, 0.7)) / plan.database_kills * plan.seconds, "database")
            for at in range(plan.database_kills)
        ]
    done: Counter[str] = Counter()
    for moment, what in sorted(moments):
        if not _waited(began + moment, threads):
            break
        done[what] += 1
        if what == "api":
            at = dice.randrange(len(alive))
            kill(alive[at])
            alive[at] = forked.start(opened)
        elif server is not None:
            server.kill()
            server.start()
    _waited(began + plan.seconds, threads)
    return done["api"], done["database"]


def _waited(until: float, threads: list[threading.Thread]) -> bool:
    """Waits for a moment; returns False as soon as no client works any more."""
    while time.monotonic() < until:
        if not any(thread.is_alive() for thread in threads):
            return False
        time.sleep(0.02)
    return True


def _judged(kind: str, engine: Engine, history: History, fallen: tuple[int, int, float]) -> Verdict:
    """Returns the verdict; the books must be right before the last sweep, and after it."""
    found = checks.anomalies(history.attempts, truth_of(engine))
    sessions = session_factory(engine)
    sweep(sessions, history.clock, os.urandom)
    with sessions() as session:
        drifts = store.reconcile(session)
    after = truth_of(engine)
    found["drift"] += checks.drift(history.attempts, after)
    attempts = history.attempts
    return Verdict(
        database=kind,
        kills=fallen[0],
        database_kills=fallen[1],
        seconds=round(fallen[2], 1),
        operations=history.operations,
        answers=dict(
            sorted(
                Counter(f"{one.action} {one.status} {one.code}".strip() for one in attempts).items()
            )
        ),
        endings=dict(Counter(str(row["state"]) for row in after.reservations)),
        replayed=sum(one.replayed for one in attempts),
        unanswered=sum(one.status == 0 for one in attempts),
        drift=len(drifts),
        anomalies=found,
    )
