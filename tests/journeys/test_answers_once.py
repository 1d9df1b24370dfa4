"""A POST acts once: sent twenty times at once to two processes, or to one that dies answering."""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from api.database import session_factory
from api.services.brands import load_brand
from api.services.keys import create_key
from api.settings import Settings
from core.brand import Brand
from inventory import store
from tests.siege.clients import batch_told, movement_told, plan_told, status_told
from tests.siege.clock import HurriedClock
from tests.siege.history import Attempt, Document, Headers, History, Line
from tests.siege.servers import Nursery, address, listening, nursery
from tests.siege.truth import truth_of

KEYS, AT_ONCE = 50, 20

EXCERPTS = {
    "plan": plan_told,
    "batch": batch_told,
    "move": movement_told,
    "confirm": status_told,
    "cancel": status_told,
}


@dataclass(frozen=True)
class House:
    """Two API processes on sockets of their own, and what to call them with."""

    engine: Engine
    history: History
    forked: Nursery
    hosts: tuple[tuple[str, int], ...]
    doomed: socket.socket
    keys: Mapping[str, Headers]

    def post(self, host: int, action: str, path: str, body: Document, key: str) -> Attempt:
        """Sends one request on a connection of its own to one of the hosts."""
        role = "planner" if action == "move" else "order-service"
        headers = {**self.keys[role], "Idempotency-Key": key}
        line = Line(*self.hosts[host], self.history)
        try:
            return line.ask(action, key, "POST", path, headers, body, EXCERPTS[action])
        finally:
            line.close()


@pytest.fixture
def house(engine: Engine, brand: Brand, tmp_path: Path) -> Iterator[House]:
    """Two processes; the third socket waits for processes that die after a commit."""
    clock = HurriedClock(time.time(), 1.0)
    with session_factory(engine).begin() as session:
        load_brand(session, brand, clock, os.urandom)
        tokens = {
            role: create_key(session, role, role, clock.now(), os.urandom).token
            for role in ("order-service", "planner")
        }
    keys = {role: {"Authorization": f"Bearer {token}"} for role, token in tokens.items()}
    settings = Settings(home=tmp_path, database_url=engine.url.render_as_string(False))
    sockets = [listening() for _ in range(3)]
    with nursery(settings, clock, sockets) as forked:
        for opened in sockets[:2]:
            forked.start(opened)
        hosts = tuple(address(opened) for opened in sockets)
        yield House(engine, History(clock), forked, hosts, sockets[2], keys)
    for opened in sockets:
        opened.close()


def order(name: str) -> dict[str, object]:
    lines = [{"line": 1, "item": "MUG", "quantity": 1}]
    return {"order": name, "region": "DE", "currency": "EUR", "lines": lines}


def test_fifty_keys_twenty_times_at_once_act_fifty_times(house: House) -> None:
    """Those that meet the first on its way are told to come again; all others get its bytes."""

    def send(number: int) -> Attempt:
        key = f"k-{number // AT_ONCE}"
        while True:
            told = house.post(number % 2, "plan", "/v1/fulfillment-plans", order(key), key)
            if told.settled:
                return told
            assert told.status == 409
            time.sleep(0.2)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(send, range(KEYS * AT_ONCE)))
    for at in range(KEYS):
        same = answers[at * AT_ONCE : (at + 1) * AT_ONCE]
        assert {one.status for one in same} == {201}
        assert len({one.digest for one in same}) == 1
        assert sum(not one.replayed for one in same) == 1
    truth = truth_of(house.engine)
    assert len(truth.plans) == len(truth.reservations) == len(truth.answers) == KEYS
    assert sum(row["reserved"] for row in truth.stock) == KEYS
    with session_factory(house.engine)() as session:
        assert store.reconcile(session) == []


def test_who_dies_between_commit_and_answer_has_acted_once(house: House) -> None:
    """The process kills itself right after its commit; the other one gives the answer again."""
    plans = [
        house.post(0, "plan", "/v1/fulfillment-plans", order(f"o-{at}"), f"p-{at}").told["plan"]
        for at in range(2)
    ]
    move = {"site": "DE-HAM", "item": "MUG", "kind": "receipt", "quantity": 5}
    asked: dict[str, tuple[str, Document]] = {
        "plan": ("/v1/fulfillment-plans", order("a-plan")),
        "batch": ("/v1/fulfillment-plans/batch", {"orders": [order("b-1"), order("b-2")]}),
        "move": ("/v1/stock/movements", move),
        "confirm": (f"/v1/fulfillment-plans/{plans[0]}/confirm", {}),
        "cancel": (f"/v1/fulfillment-plans/{plans[1]}/cancel", {}),
    }
    for action, (path, body) in asked.items():
        house.forked.start(house.doomed, fatal=1)
        assert house.post(2, action, path, body, action).status == 0, action
        done = truth_of(house.engine)
        assert action in {row["key"] for row in done.answers}, "it was committed"
        again = [house.post(host, action, path, body, action) for host in (0, 1, 0)]
        assert {(one.status, one.replayed) for one in again} <= {(201, True), (200, True)}
        assert len({one.digest for one in again}) == 1
        assert truth_of(house.engine) == done, "a replay changes nothing"
    truth = truth_of(house.engine)
    assert len(truth.plans) == 5
    assert sum(row["on_hand"] for row in truth.stock) == 80 + 5 - 1
    assert sum(row["reserved"] for row in truth.stock) == 3
