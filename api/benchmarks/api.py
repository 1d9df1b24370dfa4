"""`bench api`: plan and hold over HTTP against an endpoint of the same server that does nothing."""

import json
import os
import random
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from api.attended import attended
from api.benchmarks.http import Crowd, post_all
from api.benchmarks.measured import Line, Measured, Report, WrongAnswer
from api.benchmarks.server import NOTHING
from api.database import SessionFactory, engine_for, session_factory
from api.migrations import schema
from api.service import listen
from api.services.brands import load_brand
from api.services.keys import create_key
from api.settings import Settings
from core.brand import Brand
from core.clock import SystemClock
from core.errors import EntrepotError
from core.folder.reader import read_brand
from examples import three_tier
from inventory import store
from inventory.stock import Entry, Lot

CLIENTS, TURNS, POSTS, BATCHES, BATCH = 32, 3, 320, 4, 100
"""Clients at once; turns of each path, and its posts in each turn; batches and orders of each."""

LINES, UNITS = 3, 1_000_000
PLANS = "/v1/fulfillment-plans"
_numbers = count(1)


def measure(
    seed: int, report: Report, posts: int = POSTS, turns: int = TURNS, batches: int = BATCHES
) -> Measured:
    """Returns rates and p99 of a real server process on loopback, with 32 clients, on SQLite.

    The peers are an empty endpoint of the same server, behind the same middlewares and keys, and
    for batches the orders posted one by one; all take turns. Every 201 must be in the ledger.
    """
    draw = random.Random(seed)  # noqa: S311  # a workload, no secret
    empty, single, batch = [], [], []
    with _deployment() as (port, token, brand, sessions):
        post = _Post(port, token)
        post.all(PLANS, [_order(brand, draw) for _ in range(CLIENTS)])  # loads the brand
        for turn in range(turns):
            report(turn / turns, "Posting orders")
            orders = [_order(brand, draw) for _ in range(posts)]
            empty.append(post.all(NOTHING, orders))
            single.append(post.all(PLANS, orders))
            many = [{"orders": [_order(brand, draw) for _ in range(BATCH)]} for _ in range(batches)]
            batch.append(post.all(f"{PLANS}/batch", many))
        _check(sessions, post.held)
    case, grouping = f"{CLIENTS} clients, orders of {LINES} lines, SQLite", f"in batches of {BATCH}"
    rates = [_rate(crowds) for crowds in (empty, single)]
    late = [_p99(crowds) for crowds in (empty, single)]
    grouped = BATCH * _rate(batch)
    return Measured("api", seed, (
        Line(case, "rate", "1/s", rates[1], "empty endpoint", rates[0], True),
        Line(case, "p99", "s", late[1], "empty endpoint", late[0]),
        Line(f"{case}, {grouping}", "orders", "1/s", grouped, "single posts", rates[1], True),
    ))  # fmt: skip


class _Post:
    """Posts as one order service, and remembers which reservations it was told of."""

    def __init__(self, port: int, token: str) -> None:
        self.port, self.token = port, token
        self.held: set[str] = set()

    def all(self, path: str, documents: Sequence[Any]) -> Crowd:
        """Returns the answers; raises `WrongAnswer` for any that is not a success."""
        headers = [
            {"Authorization": f"Bearer {self.token}", "Idempotency-Key": f"bench-{next(_numbers)}"}
            for _ in documents
        ]
        bodies = [json.dumps(document).encode() for document in documents]
        crowd = post_all(self.port, path, headers, bodies, min(CLIENTS, len(bodies)))
        for answer in crowd.answers:
            if answer.status not in {200, 201}:
                raise WrongAnswer(f"{path} answered {answer.status}: {answer.document}")
            for plan in _plans(path, answer.document):
                self.held.add(plan["reservation"]["id"])
        return crowd


def _plans(path: str, document: Any) -> list[Any]:
    if path == NOTHING:
        return []
    return [document] if path == PLANS else [result["plan"] for result in document["data"]]


def _rate(crowds: Sequence[Crowd]) -> float:
    return sum(len(crowd.answers) for crowd in crowds) / sum(crowd.seconds for crowd in crowds)


def _p99(crowds: Sequence[Crowd]) -> float:
    every = Crowd(tuple(answer for crowd in crowds for answer in crowd.answers), 1.0)
    return every.quantile(0.99)


def _order(brand: Brand, draw: random.Random) -> dict[str, Any]:
    items = draw.sample(list(brand.table("items")["item"]), LINES)
    lines = [{"line": at, "item": item, "quantity": draw.randint(1, 3)}
             for at, item in enumerate(items)]  # fmt: skip
    region = draw.choice(list(brand.table("regions")["region"]))
    return {"order": f"O-{next(_numbers)}", "region": region, "currency": brand.currency,
            "lines": lines}  # fmt: skip


def _check(sessions: SessionFactory, held: set[str]) -> None:
    with sessions() as session:
        drifts = store.reconcile(session)
        missing = [each for each in held if not store.get(session, each).lines]
    if drifts or missing:
        raise WrongAnswer(
            f"{len(missing)} answers are not in the ledger, {len(drifts)} rows drift."
        )


@contextmanager
def _deployment() -> Iterator[tuple[int, str, Brand, SessionFactory]]:
    """Gives the port of a server process, a key, its brand, and its database."""
    with TemporaryDirectory() as folder, ExitStack() as opened:
        home = Path(folder)
        three_tier.write(home / "brand")
        brand, settings = read_brand(home / "brand"), Settings(home=home, durable=True)
        engine = engine_for(settings.database, settings.durable)
        opened.callback(engine.dispose)
        schema.upgrade(engine)
        sessions = session_factory(engine)
        token = _filled(sessions, brand)
        listening = opened.enter_context(listen("127.0.0.1", 0))
        port, file = listening.getsockname()[1], listening.fileno()
        environment = {**os.environ, **settings.environment()}
        opened.enter_context(
            attended(["-m", "api.benchmarks.server", str(file)], [file], environment)
        )
        _wait(port)
        yield port, token, brand, sessions


def _filled(sessions: SessionFactory, brand: Brand) -> str:
    clock = SystemClock()
    with sessions.begin() as session:
        load_brand(session, brand, clock, os.urandom)
        sites = brand.table("sites")
        serving = sites[sites["tier"].isin(["central", "forward"])]["site"]
        lots = [Lot(site, item, UNITS) for site in serving for item in brand.table("items")["item"]]
        store.receive(session, lots, Entry(clock.now(), "bench", os.urandom))
        return create_key(session, "bench", "order-service", clock.now(), os.urandom).token


def _wait(port: int) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise EntrepotError("The server did not start.")
