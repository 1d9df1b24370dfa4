"""64 orders at once for the last ten units: exactly ten win, on SQLite and on PostgreSQL."""

import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.testclient import TestClient

from api.app import create_app
from api.database import SessionFactory
from api.services.brands import load_brand
from api.settings import Settings
from core.brand import Brand
from inventory import store
from inventory.stock import ReservationState
from tests.builders import brand_of
from tests.fakes import FakeClock

CLIENTS, UNITS = 64, 10
Headers = Mapping[str, str]


@pytest.fixture
def scarce(brand: Brand, sessions: SessionFactory, clock: FakeClock) -> Brand:
    """The small brand with six units in Hamburg and four in Bangkok."""
    rows = brand_of(stock=[
        {"site": "DE-HAM", "item": "MUG", "on_hand": 6},
        {"site": "TH-BKK", "item": "MUG", "on_hand": 4},
    ])  # fmt: skip
    short = brand.with_table("stock", rows.table("stock"))
    with sessions.begin() as session:
        load_brand(session, short, clock, os.urandom)
    return short


@pytest.fixture
def app(settings: Settings, engine: Engine, clock: FakeClock) -> FastAPI:
    """The service with random bytes that many threads may draw."""
    return create_app(settings, engine, clock, os.urandom)


def at_once(act: Callable[[int], int]) -> Counter[int]:
    gate = threading.Barrier(CLIENTS)

    def one(number: int) -> int:
        gate.wait(timeout=60)
        return act(number)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return Counter(pool.map(one, range(CLIENTS)))


def test_exactly_ten_of_64_orders_win_the_last_ten_units(
    client: TestClient, scarce: Brand, keys: Mapping[str, Headers], sessions: SessionFactory
) -> None:
    def order(number: int) -> int:
        response = client.post(
            "/v1/fulfillment-plans",
            json={"order": f"O-{number}", "region": "DE", "currency": "EUR",
                  "lines": [{"line": 1, "item": "MUG", "quantity": 1}]},
            headers={**keys["order-service"], "Idempotency-Key": f"k-{number}"},
        )  # fmt: skip
        return int(response.status_code)

    assert at_once(order) == {201: UNITS, 409: CLIENTS - UNITS}
    with sessions() as session:
        assert store.reconcile(session) == []
        levels = store.levels(session)
        assert sum(level.reserved for level in levels) == UNITS
        assert all(level.available == 0 for level in levels)
        held = store.movements(session)
        assert sum(line.reserved for line in held) == UNITS


def test_confirming_all_at_once_ships_every_unit_once(
    client: TestClient, scarce: Brand, keys: Mapping[str, Headers], sessions: SessionFactory
) -> None:
    headers = keys["order-service"]
    made = client.post(
        "/v1/fulfillment-plans",
        json={"order": "O", "region": "DE", "currency": "EUR",
              "lines": [{"line": 1, "item": "MUG", "quantity": UNITS}]},
        headers={**headers, "Idempotency-Key": "plan"},
    ).json()  # fmt: skip

    def confirm(number: int) -> int:
        response = client.post(
            f"/v1/fulfillment-plans/{made['id']}/confirm",
            headers={**headers, "Idempotency-Key": f"c-{number}"},
        )
        return int(response.status_code)

    assert at_once(confirm) == {200: CLIENTS}
    with sessions() as session:
        assert store.reconcile(session) == []
        assert sum(level.on_hand for level in store.levels(session)) == 0
        held = store.get(session, made["reservation"]["id"])
        assert held.state is ReservationState.CONFIRMED
