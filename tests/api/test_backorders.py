"""Back-orders through HTTP: units on their way are held, and go to the first promised."""

import os
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, text
from starlette.testclient import TestClient

from api.app import create_app
from api.database import SessionFactory
from api.services.brands import load_brand
from api.services.suppliers import with_open_orders
from api.settings import Settings
from core.brand import Brand
from inventory import store
from tests.builders import brand_of
from tests.fakes import FakeClock

URL = "/v1/fulfillment-plans"
COMING = 5
Headers = Mapping[str, str]
Document = dict[str, Any]


@pytest.fixture
def awaited(brand: Brand, sessions: SessionFactory, clock: FakeClock) -> Brand:
    """The small brand without stock; five mugs are due in Hamburg on Thursday the 10th.

    One supplier of many makes mugs in a week and delivers them four days late.
    """
    day = pd.Timestamp("2026-06-01")
    rows = brand_of(
        inbound=[
            {"site": "DE-HAM", "item": "MUG", "quantity": COMING, "due": "2026-09-10",
             "purchase_order": "PO-1"},
        ],
        suppliers=[{"supplier": "POTTER"}, {"supplier": "OTHER"}],
        offers=[{"supplier": "POTTER", "item": "MUG", "unit_cost": 4.0, "lead_days": 7}],
        deliveries=[
            {"supplier": supplier, "item": "MUG", "committed": day,
             "received": day + pd.Timedelta(days=late), "ordered_quantity": 1,
             "received_quantity": 1}
            for supplier, late, times in (("POTTER", 4, 12), ("OTHER", 0, 300))
            for _ in range(times)
        ],
    )  # fmt: skip
    empty = brand.with_table("stock", brand.table("stock").iloc[:0])
    for name in ("inbound", "suppliers", "offers", "deliveries"):
        empty = empty.with_table(name, rows.table(name))
    with sessions.begin() as session:
        load_brand(session, empty, clock, os.urandom)
    return empty


@pytest.fixture
def app(settings: Settings, engine: Engine, clock: FakeClock) -> FastAPI:
    """The service with random bytes that many threads may draw."""
    return create_app(settings, engine, clock, os.urandom)


@pytest.fixture
def shop(
    client: TestClient, awaited: Brand, keys: Mapping[str, Headers], sessions: SessionFactory
) -> "Shop":
    return Shop(client, keys, sessions)


class Shop:
    """An order service and a planner; the books are checked after each of their requests."""

    def __init__(
        self, client: TestClient, keys: Mapping[str, Headers], sessions: SessionFactory
    ) -> None:
        self.client, self.keys, self.sessions, self.sent = client, keys, sessions, 0

    def post(self, path: str, body: object = None, role: str = "order-service") -> Any:
        self.sent += 1
        headers = {**self.keys[role], "Idempotency-Key": f"key-{self.sent}"}
        answer = self.client.post(path, json=body, headers=headers)
        self.check_books()
        return answer

    def check_books(self) -> None:
        with self.sessions() as session:
            assert store.reconcile(session) == []
            assert store.misclaimed(session) == []

    def order(self, name: str, quantity: int, **options: Any) -> Any:
        return self.post(URL, order(name, quantity, **options))

    def end(self, plan: Document, how: str) -> Document:
        answer = self.post(f"{URL}/{plan['id']}/{how}")
        assert answer.status_code == 200, answer.text
        found: Document = answer.json()
        return found

    def receive(self, quantity: int, **changes: Any) -> None:
        body = {"site": "DE-HAM", "item": "MUG", "kind": "receipt", "quantity": quantity}
        answer = self.post("/v1/stock/movements", {**body, **changes}, role="planner")
        assert answer.status_code == 201, answer.text

    def place(self, quantity: int) -> Document:
        """A purchase order of so many mugs."""
        lines = [{"item": "MUG", "quantity": quantity}]
        body = {"supplier": "POTTER", "site": "DE-HAM", "lines": lines}
        answer = self.post("/v1/purchase-orders", body, role="planner")
        assert answer.status_code == 201, answer.text
        found: Document = answer.json()
        return found

    def incoming(self) -> Any:
        """What goods on their way could be promised of the mug."""
        url = "/v1/availability?items=MUG&region=DE"
        answer = self.client.get(url, headers=self.keys["order-service"])
        return answer.json()["data"][0]["incoming"]

    def purchase_order(self, placed: Document) -> Document:
        """A purchase order as it is now."""
        url = f"/v1/purchase-orders/{placed['id']}"
        found: Document = self.client.get(url, headers=self.keys["planner"]).json()
        return found

    def stock(self) -> tuple[int, int]:
        with self.sessions() as session:
            levels = store.levels(session)
            return sum(each.on_hand for each in levels), sum(each.reserved for each in levels)


def order(name: str, quantity: int, **options: Any) -> Document:
    return {
        "order": name, "region": "DE", "currency": "EUR",
        "lines": [{"line": 1, "item": "MUG", "quantity": quantity}],
        "options": {"backorder": True, **options},
    }  # fmt: skip


def promised(plan: Document) -> int:
    """Units that the back-orders of a plan promise."""
    legs = plan["backorders"]["legs"]
    return sum(line["quantity"] for leg in legs for line in leg["lines"])


def test_a_back_order_holds_units_that_the_next_order_does_not_see(shop: Shop) -> None:
    first = shop.order("A", 3).json()
    assert (first["status"], first["legs"], promised(first)) == ("reserved", [], 3)
    assert first["backorders"]["held"]
    assert first["reservation"]["expires_at"] == "2026-09-07T08:30:00Z"
    second = shop.order("B", 4).json()
    assert promised(second) == 2
    assert second["backorders"]["unserved"] == [{"line": 1, "quantity": 2}]
    assert shop.order("C", 1).json()["code"] == "insufficient-stock"
    shop.end(first, "cancel")
    assert promised(shop.order("C", 9).json()) == 3


def test_an_expired_back_order_gives_its_units_back(shop: Shop, clock: FakeClock) -> None:
    first = shop.order("A", COMING).json()
    clock.pass_(minutes=30)
    assert promised(shop.order("B", COMING).json()) == COMING
    refused = shop.post(f"{URL}/{first['id']}/confirm")
    assert (refused.status_code, refused.json()["code"]) == (409, "reservation-expired")


def test_a_back_order_that_reserves_nothing_is_told_and_not_held(shop: Shop) -> None:
    told = shop.order("A", COMING, reserve=False).json()
    assert (told["status"], told["reservation"], told["backorders"]["held"]) == (
        "planned", None, False,
    )  # fmt: skip
    assert promised(shop.order("B", COMING).json()) == COMING


def test_goods_that_come_in_leave_for_the_first_promised(
    shop: Shop, client: TestClient, keys: Mapping[str, Headers], clock: FakeClock
) -> None:
    """Two of five units come first: they are the first order's, whoever confirmed first."""
    first = shop.order("A", 2).json()
    clock.pass_(seconds=1)
    second = shop.order("B", 3).json()
    shop.end(second, "confirm")
    assert shop.end(first, "confirm")["shipments"] == []
    assert shop.order("A", 1).json()["code"] == "insufficient-stock"
    shop.receive(2)
    assert shop.stock() == (0, 0)
    assert shop.order("D", 1).json()["code"] == "insufficient-stock"
    sent = client.get(f"{URL}/{first['id']}", headers=keys["order-service"]).json()
    (shipment,) = sent["shipments"]
    found = client.get(f"/v1/shipments/{shipment}", headers=keys["order-service"]).json()
    assert found["promise"]["by"] == first["backorders"]["legs"][0]["promise_by"]
    shop.receive(2, reference="PO-1")
    assert shop.stock() == (2, 2)  # the second order waits for one more and holds these
    shop.receive(4)
    assert shop.stock() == (3, 0)  # what nobody was promised is free
    assert shop.order("D", 3).json()["legs"]


def test_a_confirmed_back_order_can_be_given_up_until_something_has_left(
    shop: Shop, clock: FakeClock
) -> None:
    first, second = shop.order("A", 3).json(), shop.order("B", 2).json()
    shop.end(first, "confirm")
    shop.end(second, "confirm")
    given_up = shop.end(first, "cancel")
    assert (given_up["status"], given_up["fulfillment_order"]["status"]) == (
        "cancelled", "cancelled",
    )  # fmt: skip
    assert shop.post(f"{URL}/{first['id']}/confirm").json()["code"] == "plan-cancelled"
    clock.pass_(seconds=1)
    assert promised(shop.order("C", 9).json()) == 3
    shop.receive(2)
    refused = shop.post(f"{URL}/{second['id']}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "plan-confirmed")


def test_what_came_in_before_the_confirmation_leaves_with_it(shop: Shop) -> None:
    plan = shop.order("A", 3).json()
    shop.receive(COMING)
    assert shop.stock() == (COMING, 3)
    assert shop.order("B", 3).json()["unserved"][0]["quantity"] == 1
    confirmed = shop.end(plan, "confirm")
    assert len(confirmed["shipments"]) == 1
    assert shop.stock()[0] == 2


def test_what_came_in_early_is_not_promised_twice(shop: Shop) -> None:
    """The lot is due on the 10th and came on the 7th: its units are stock and nothing else."""
    shop.receive(COMING)
    plan = shop.order("A", 2 * COMING).json()
    assert plan["legs"][0]["lines"][0]["quantity"] == COMING
    assert promised(plan) == 0


def test_what_stock_lacks_tells_when_it_could_come(shop: Shop) -> None:
    """Also without the option, and only while units of the lot are left."""
    told = shop.order("A", 1, backorder=False).json()["shortages"][0]["available_from"]
    held = shop.order("A", COMING).json()
    assert told["at"] == held["backorders"]["legs"][0]["promise_by"]
    assert told["probability"] >= 0.95
    refused = shop.order("B", 2, backorder=False).json()
    assert refused["shortages"][0]["available_from"] is None
    batch = {"orders": [order("B", 2, backorder=False)]}
    (failed,) = shop.post(f"{URL}/batch", batch).json()["data"]
    assert failed["problem"]["shortages"] == refused["shortages"]
    assert shop.incoming() is None
    shop.end(held, "cancel")
    seen = shop.incoming()
    shop.receive(1)
    (short,) = shop.order("B", 2, backorder=False).json()["unserved"]
    assert (short["code"], short["available_from"]) == ("no-stock", told)
    assert (seen["p95"], seen["probability"]) == (told["at"], told["probability"])
    assert (seen["kind"], seen["due"], seen["purchase_orders"]) == (
        "inbound", "2026-09-10", ["PO-1"],
    )  # fmt: skip


def test_an_open_purchase_order_is_promised_by_the_record_of_its_supplier(
    shop: Shop, awaited: Brand
) -> None:
    """Inbound comes first and its lot has five; the rest is of an order that is late by four days.

    The order is due on Monday the 14th: ready on Tuesday, or on Saturday the 19th if it is late.
    """
    placed = shop.place(6)
    plan = shop.order("A", COMING + 4).json()
    inbound, planned = plan["backorders"]["legs"]
    assert (inbound["supply"]["kind"], planned["supply"]["kind"]) == ("inbound", "planned")
    assert planned["supply"]["purchase_orders"] == [placed["id"]]
    assert (planned["supply"]["due"], placed["arrives"]) == ("2026-09-14", "2026-09-14")
    assert planned["supply"]["ready_at"] == "2026-09-14T22:00:00Z"
    assert planned["delivery"]["p50"] > "2026-09-20"
    assert promised(shop.order("B", 9).json()) == 2
    shop.end(plan, "confirm")
    shop.receive(5, reference=placed["id"])
    assert shop.purchase_order(placed)["state"] == "open"
    with shop.sessions() as session:
        ordered = with_open_orders(session, awaited).table("inbound")
    assert ordered.loc[ordered["purchase_order"] == placed["id"], "quantity"].tolist() == [1]
    shop.receive(1, reference=placed["id"])
    assert shop.purchase_order(placed)["state"] == "received"
    assert shop.stock() == (2, 2)  # four left with the first order, two wait for the second
    assert shop.order("C", 1).json()["shortages"][0]["available_from"] is None


def test_a_new_inbound_says_what_is_still_to_come_and_keeps_what_was_promised(
    shop: Shop, awaited: Brand, clock: FakeClock
) -> None:
    """The brand names PO-1 no longer: who was promised its units is served by the next receipt."""

    def load(order: str, units: int) -> None:
        row = {"site": "DE-HAM", "item": "MUG", "quantity": units, "due": "2026-09-12",
               "purchase_order": order}  # fmt: skip
        coming = awaited.with_table("inbound", brand_of(inbound=[row]).table("inbound"))
        with shop.sessions.begin() as session:
            load_brand(session, coming, clock, os.urandom)

    first = shop.order("A", 3).json()
    shop.end(first, "confirm")
    load("PO-9", 2)
    assert promised(shop.order("B", 9).json()) == 2
    shop.receive(3)
    assert shop.stock() == (0, 0)
    shop.receive(2)
    assert shop.stock() == (2, 2)
    assert shop.order("C", 9).json()["code"] == "insufficient-stock"
    load("PO-9", 4)
    assert promised(shop.order("C", 9).json()) == 4


def test_goods_that_come_on_another_day_are_not_promised_twice(
    shop: Shop, awaited: Brand, clock: FakeClock
) -> None:
    """And go to whoever was promised them, whichever day is named by then."""
    plan = shop.order("A", 3).json()
    shop.end(plan, "confirm")
    for due in ("2026-09-12", "2026-09-09"):
        row = {"site": "DE-HAM", "item": "MUG", "quantity": COMING, "due": due,
               "purchase_order": "PO-1"}  # fmt: skip
        coming = awaited.with_table("inbound", brand_of(inbound=[row]).table("inbound"))
        with shop.sessions.begin() as session:
            load_brand(session, coming, clock, os.urandom)
        assert promised(shop.order(due, 9, reserve=False).json()) == COMING - 3
    shop.receive(3, reference="PO-1")
    assert len(shop.end(plan, "confirm")["shipments"]) == 1


def test_claims_that_drifted_are_found_and_repaired(shop: Shop) -> None:
    shop.order("A", 3)
    with shop.sessions.begin() as session:
        session.connection().execute(text("UPDATE supply SET claimed = 1"))
    with shop.sessions.begin() as session:
        (drift,) = store.misclaimed(session)
        assert (drift.reference, drift.claimed, drift.held) == ("PO-1", 1, 3)
        store.reclaim(session, [drift])
    shop.check_books()


def test_no_line_of_an_order_is_back_ordered_twice(shop: Shop) -> None:
    first, second = shop.order("A", 2).json(), shop.order("A", 2).json()
    shop.end(first, "confirm")
    refused = shop.post(f"{URL}/{second['id']}/confirm")
    assert (refused.status_code, refused.json()["code"]) == (409, "order-confirmed")


def test_goods_that_come_in_while_orders_are_confirmed_and_cancelled_reach_all_who_stay(
    client: TestClient, shop: Shop
) -> None:
    """Whoever is first: each confirmed order has left, and nothing is held for the others."""
    plans = [shop.order(f"O-{at}", 1).json() for at in range(COMING)]
    asks: list[tuple[str, Document, str]] = [
        (f"{URL}/{plan['id']}/{how}", {}, "order-service")
        for plan in plans
        for how in ("confirm", "cancel")
    ]
    body = {"site": "DE-HAM", "item": "MUG", "kind": "receipt", "quantity": 1}
    asks += [("/v1/stock/movements", body, "planner")] * COMING
    gate = threading.Barrier(len(asks))

    def act(number: int) -> int:
        path, body, role = asks[number]
        headers = {**shop.keys[role], "Idempotency-Key": f"race-{number}"}
        gate.wait(timeout=60)
        for _ in range(20):
            status = int(client.post(path, json=body, headers=headers).status_code)
            if status != 503:
                break
        return status

    with ThreadPoolExecutor(len(asks)) as pool:
        answers = Counter(pool.map(act, range(len(asks))))
    assert set(answers) <= {200, 201, 409}
    assert answers[201] == COMING
    shop.check_books()
    seen = [client.get(f"{URL}/{plan['id']}", headers=shop.keys["order-service"]).json()
            for plan in plans]  # fmt: skip
    confirmed = [plan for plan in seen if plan["status"] == "confirmed"]
    assert all(len(plan["shipments"]) == 1 for plan in confirmed)
    assert shop.stock() == (COMING - len(confirmed), 0)


def test_many_orders_at_once_never_claim_more_than_comes(
    client: TestClient, shop: Shop, clock: FakeClock
) -> None:
    """Four times as many orders as units, alone and in batches: every unit is promised once."""
    clients = 4 * COMING
    gate = threading.Barrier(clients)

    def ask(number: int) -> list[Document]:
        headers = {**shop.keys["order-service"], "Idempotency-Key": f"race-{number}"}
        orders = [order(f"R-{number}-{at}", 1) for at in range(2)]
        gate.wait(timeout=60)
        if number % 4:
            answers = [client.post(URL, json=orders[0], headers=headers).json()]
        else:
            body = {"orders": orders}
            found = client.post(f"{URL}/batch", json=body, headers=headers).json()["data"]
            answers = [one.get("plan") or one["problem"] for one in found]
        return answers

    with ThreadPoolExecutor(clients) as pool:
        plans = [plan for answers in pool.map(ask, range(clients)) for plan in answers]
    won = [plan for plan in plans if plan.get("status") == "reserved"]
    assert sum(promised(plan) for plan in won) == COMING
    codes = Counter(plan["code"] for plan in plans if plan not in won)
    assert codes == {"insufficient-stock": len(plans) - len(won)}
    shop.check_books()
    for plan in won[:3]:
        shop.end(plan, "cancel")
    clock.pass_(minutes=31)
    assert promised(shop.order("after", 2 * COMING).json()) == COMING


def test_goods_that_nobody_names_go_to_those_who_wait(shop: Shop) -> None:
    """Whichever lot they are of: one that is due sooner, and promised to nobody, waits instead."""
    placed = shop.place(3)
    sooner, later = shop.order("A", COMING).json(), shop.order("B", 2).json()
    (leg,) = later["backorders"]["legs"]
    assert leg["supply"]["purchase_orders"] == [placed["id"]]
    shop.end(sooner, "cancel")
    shop.end(later, "confirm")
    shop.receive(2, reference="a slip of the pen")
    assert len(shop.end(later, "confirm")["shipments"]) == 1
    assert shop.stock() == (0, 0)


def test_goods_that_come_early_are_there_early(
    shop: Shop, client: TestClient, keys: Mapping[str, Headers]
) -> None:
    plan = shop.order("A", 2).json()
    (leg,) = plan["backorders"]["legs"]
    shop.end(plan, "confirm")
    shop.receive(2)
    (shipment,) = shop.end(plan, "confirm")["shipments"]
    url = f"/v1/shipments/{shipment}"
    found = client.get(url, headers=keys["order-service"]).json()
    assert found["promise"]["by"] == leg["promise_by"]
    assert found["eta"] < leg["delivery"]["p50"]


def test_an_order_that_may_not_be_split_gets_one_delivery(shop: Shop) -> None:
    shop.place(3)
    alone = shop.order("A", COMING + 3, allow_split=False).json()
    (leg,) = alone["backorders"]["legs"]
    assert sum(line["quantity"] for line in leg["lines"]) == COMING
    shop.end(alone, "cancel")
    shop.receive(1, reference="PO-1")
    beside = shop.order("B", 2, allow_split=False).json()
    assert (len(beside["legs"]), beside["backorders"]["legs"]) == (1, [])
