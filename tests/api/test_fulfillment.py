"""Order plans through HTTP: held, confirmed, cancelled, replayed, refused."""

import logging
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, text
from starlette.testclient import TestClient

from api import posts
from api.database import SessionFactory
from api.services.brands import load_brand
from core.brand import Brand
from inventory import store
from tests.fakes import FakeClock, seeded_entropy

URL = "/v1/fulfillment-plans"
Headers = Mapping[str, str]
Document = dict[str, Any]


@pytest.fixture
def headers(keys: Mapping[str, Headers]) -> Headers:
    return keys["order-service"]


@pytest.fixture
def shop(client: TestClient, loaded: Brand, headers: Headers) -> "Shop":
    return Shop(client, headers)


class Shop:
    """An order service that names each of its requests."""

    def __init__(self, client: TestClient, headers: Headers) -> None:
        self.client, self.headers, self.sent = client, headers, 0

    def post(self, path: str, body: object = None, key: str | None = None) -> Any:
        self.sent += 1
        named = {**self.headers, "Idempotency-Key": key or f"key-{self.sent}"}
        return self.client.post(f"{URL}{path}", json=body, headers=named)

    def get(self, path: str) -> Any:
        return self.client.get(f"{URL}{path}", headers=self.headers)

    def plan(self, **changes: Any) -> Document:
        response = self.post("", order(**changes))
        assert response.status_code == 201, response.text
        found: Document = response.json()
        return found


def order(quantity: int = 2, **changes: Any) -> Document:
    body = {
        "order": "O-1", "region": "DE", "currency": "EUR",
        "lines": [{"line": 1, "item": "MUG", "quantity": quantity}],
    }  # fmt: skip
    return {**body, **changes}


def stock(sessions: SessionFactory) -> dict[str, tuple[int, int]]:
    with sessions() as session:
        assert store.reconcile(session) == []
        return {level.site: (level.on_hand, level.reserved) for level in store.levels(session)}


def test_a_name_with_a_nul_is_nobodys(shop: Shop) -> None:
    assert (shop.get("/%00").status_code, shop.post("/%00/confirm").status_code) == (404, 404)


def test_what_left_the_catalog_since_it_was_promised_still_leaves(
    shop: Shop, loaded: Brand, sessions: SessionFactory, clock: FakeClock
) -> None:
    plan = shop.plan()
    items = loaded.table("items")
    renamed = loaded.with_table("items", items.assign(item="BOWL"))
    for name in ("stock", "forecast"):
        renamed = renamed.with_table(name, renamed.table(name).iloc[:0])
    with sessions.begin() as session:
        load_brand(session, renamed, clock, seeded_entropy(3))
    confirmed = shop.post(f"/{plan['id']}/confirm")
    assert (confirmed.status_code, len(confirmed.json()["shipments"])) == (200, 1)


def test_a_brand_loaded_between_planning_and_holding_is_planned_on(
    shop: Shop, loaded: Brand, sessions: SessionFactory, clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Express is all that is left when the units are to be held."""
    rates = loaded.table("rates")
    express = loaded.with_table(
        "rates", rates[rates["service"] == "EXPRESS"].reset_index(drop=True)
    )
    planned = posts._planned

    def overtaken(*asked: Any) -> Any:
        ahead = planned(*asked)
        with sessions.begin() as session:
            load_brand(session, express, clock, seeded_entropy(3))
        return ahead

    assert shop.plan()["legs"][0]["service"] == "ECONOMY"
    monkeypatch.setattr(posts, "_planned", overtaken)
    assert shop.plan(order="O-2")["legs"][0]["service"] == "EXPRESS"


def test_a_plan_holds_its_units_and_can_be_read_again(shop: Shop, sessions: SessionFactory) -> None:
    response = shop.post("", order())
    plan = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"{URL}/{plan['id']}"
    assert plan["status"] == "reserved"
    assert plan["reservation"]["expires_at"] == "2026-09-07T08:30:00Z"
    assert [leg["site"] for leg in plan["legs"]] == ["DE-HAM"]
    assert stock(sessions)["DE-HAM"] == (50, 2)
    assert shop.get(f"/{plan['id']}").json() == plan


def test_the_same_request_plans_once(shop: Shop, sessions: SessionFactory) -> None:
    first = shop.post("", order(), key="one")
    again = shop.post("", order(), key="one")
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert stock(sessions)["DE-HAM"] == (50, 2)
    assert shop.post("", order(3), key="one").status_code == 422


def test_a_plan_that_reserves_nothing_cannot_be_confirmed(
    shop: Shop, sessions: SessionFactory
) -> None:
    plan = shop.plan(options={"reserve": False})
    assert (plan["status"], plan["reservation"]) == ("planned", None)
    assert stock(sessions)["DE-HAM"] == (50, 0)
    refused = shop.post(f"/{plan['id']}/confirm")
    assert (refused.status_code, refused.json()["code"]) == (409, "plan-planned")


def test_confirming_makes_a_fulfillment_order_with_shipments_and_ships_the_units(
    shop: Shop, sessions: SessionFactory, client: TestClient, headers: Headers
) -> None:
    plan = shop.plan(quantity=60)
    confirmed = shop.post(f"/{plan['id']}/confirm").json()
    assert confirmed["status"] == "confirmed"
    assert confirmed["fulfillment_order"]["id"].startswith("ful_")
    assert len(confirmed["shipments"]) == len(plan["legs"]) == 2
    assert stock(sessions) == {"DE-HAM": (0, 0), "TH-BKK": (20, 0)}
    shipment = client.get(f"/v1/shipments/{confirmed['shipments'][0]}", headers=headers)
    assert shipment.json()["order"] == "O-1"
    assert shop.post(f"/{plan['id']}/confirm").json() == confirmed
    assert shop.post(f"/{plan['id']}/cancel").json()["code"] == "plan-confirmed"


def test_a_hold_is_extended_until_it_has_expired(
    shop: Shop, sessions: SessionFactory, clock: FakeClock
) -> None:
    plan = shop.plan()
    clock.pass_(minutes=29)
    extended = shop.post(f"/{plan['id']}/extend", {"hold_minutes": 30}).json()
    assert extended["reservation"]["expires_at"] == "2026-09-07T08:59:00Z"
    assert shop.get(f"/{plan['id']}").json() == extended
    clock.pass_(minutes=30)
    late = shop.post(f"/{plan['id']}/extend", {"hold_minutes": 30})
    assert (late.status_code, late.json()["code"]) == (409, "reservation-expired")
    assert stock(sessions)["DE-HAM"] == (50, 2)


def test_a_batch_for_few_units_sells_every_one_of_them(
    shop: Shop, sessions: SessionFactory
) -> None:
    """Planned together, all orders choose the same site; whoever loses there goes to the next."""
    orders = [order(10, order=f"O-{at}") for at in range(12)]
    results = shop.post("/batch", {"orders": orders}).json()["data"]
    served = [sum(line["quantity"] for leg in one["plan"]["legs"] for line in leg["lines"])
              for one in results if one["status"] == 201]  # fmt: skip
    found = stock(sessions)
    assert sum(served) == sum(reserved for _, reserved in found.values())
    assert all(on_hand == reserved for on_hand, reserved in found.values())
    assert [one["status"] for one in results] == sorted(one["status"] for one in results)


def test_no_line_of_an_order_ships_twice(shop: Shop, sessions: SessionFactory) -> None:
    """An order planned twice under two keys could be confirmed twice, and left twice."""
    first, second = shop.plan(), shop.plan()
    assert shop.post(f"/{first['id']}/confirm").status_code == 200
    refused = shop.post(f"/{second['id']}/confirm")
    assert (refused.status_code, refused.json()["code"]) == (409, "order-confirmed")
    assert shop.post(f"/{second['id']}/cancel").status_code == 200
    assert stock(sessions)["DE-HAM"] == (48, 0)


def test_an_expired_hold_cannot_be_confirmed(
    shop: Shop, sessions: SessionFactory, clock: FakeClock
) -> None:
    plan = shop.plan(options={"hold_minutes": 5})
    clock.pass_(minutes=5)
    refused = shop.post(f"/{plan['id']}/confirm")
    assert (refused.status_code, refused.json()["code"]) == (409, "reservation-expired")
    assert shop.get(f"/{plan['id']}").json()["status"] == "expired"
    assert shop.plan(quantity=50)["legs"][0]["lines"][0]["quantity"] == 50
    assert shop.post(f"/{plan['id']}/cancel").json()["status"] == "cancelled"


def test_cancelling_frees_the_units_once(shop: Shop, sessions: SessionFactory) -> None:
    plan = shop.plan()
    assert shop.post(f"/{plan['id']}/cancel").json()["status"] == "cancelled"
    assert shop.post(f"/{plan['id']}/cancel").json()["status"] == "cancelled"
    assert shop.post(f"/{plan['id']}/confirm").json()["code"] == "plan-cancelled"
    assert stock(sessions)["DE-HAM"] == (50, 0)


def test_what_cannot_be_served_is_told_with_its_reason(shop: Shop) -> None:
    plan = shop.plan(quantity=100)
    assert sum(line["quantity"] for leg in plan["legs"] for line in leg["lines"]) == 80
    (short,) = plan["unserved"]
    assert (short["line"], short["quantity"], short["code"]) == (1, 20, "no-stock")
    refused = shop.post("", order(1))
    assert (refused.status_code, refused.json()["code"]) == (409, "insufficient-stock")


def test_back_orders_are_told_beside_the_plan_and_hold_nothing(shop: Shop) -> None:
    made = shop.post("", order(90, options={"backorder": True})).json()
    assert made["backorders"] == {
        "probability": 0.0, "legs": [], "unserved": [{"line": 1, "quantity": 10}], "held": False,
    }  # fmt: skip
    assert made["unserved"][0]["quantity"] == 10
    assert "backorders" not in shop.post("", order(1, options={"reserve": False})).json()


def test_an_order_that_may_not_be_split_gets_one_leg(shop: Shop) -> None:
    plan = shop.plan(quantity=60, options={"allow_split": False})
    assert len(plan["legs"]) == 1
    assert plan["unserved"][0]["code"] == "split-not-allowed"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"currency": "USD"}, "/currency"),
        ({"currency": "euro"}, "/currency"),
        ({"region": "FR"}, "/region"),
        ({"region": None}, "/region"),
        ({"colour": "red"}, "/colour"),
        ({"lines": []}, "/lines"),
        ({"lines": [{"line": 1, "item": "CUP", "quantity": 1}]}, "/lines/0/item"),
        ({"lines": [{"line": 1, "item": "MUG", "quantity": -1}]}, "/lines/0/quantity"),
        ({"lines": [{"line": 1, "item": "MUG", "quantity": "2"}]}, "/lines/0/quantity"),
        ({"lines": [{"line": 1, "item": "MUG", "quantity": 1}] * 2}, "/lines/1/line"),
        (
            {"lines": [{"line": 1, "item": "MUG", "quantity": 1,
                        "price": {"amount": 900, "currency": "USD"}}]},
            "/lines/0/price/currency",
        ),
        (
            {"lines": [{"line": 1, "item": "MUG", "quantity": 1,
                        "price": {"amount": -9, "currency": "EUR"}}]},
            "/lines/0/price/amount",
        ),
        ({"placed_at": "2026-09-07"}, "/placed_at"),
        ({"placed_at": "9999-12-31T23:00:00Z"}, "/placed_at"),
        ({"promise_by": "2020-01-01T00:00:00Z"}, "/promise_by"),
        ({"options": {"hold_minutes": 0}}, "/options/hold_minutes"),
        ({"options": {"carbon_price": -1}}, "/options/carbon_price"),
        ({"region": None, "address": {"country": "US"}}, "/address/country"),
        ({"region": None, "address": {"country": "QQ"}}, "/address/country"),
    ],
)  # fmt: skip
def test_bad_orders_are_refused_at_their_place_and_change_nothing(
    shop: Shop, sessions: SessionFactory, change: Document, pointer: str
) -> None:
    response = shop.post("", order(**change))
    assert response.status_code == 422, response.text
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert stock(sessions) == {"DE-HAM": (50, 0), "TH-BKK": (30, 0)}


def test_malformed_json_and_oversized_bodies_are_refused(
    client: TestClient, loaded: Brand, headers: Headers
) -> None:
    named = {**headers, "Idempotency-Key": "k", "Content-Type": "application/json"}
    assert client.post(URL, content=b"{", headers=named).status_code == 400
    assert client.post(URL, content=b"1" * 2**21, headers=named).status_code == 413
    missing = client.post(URL, json=order(), headers=headers)
    assert (missing.status_code, missing.json()["code"]) == (400, "idempotency-key-missing")


def test_only_the_order_service_plans(
    client: TestClient, loaded: Brand, keys: Mapping[str, Headers]
) -> None:
    named = {**keys["carrier"], "Idempotency-Key": "k"}
    assert client.post(URL, json=order(), headers=named).status_code == 403
    assert client.post(URL, json=order(), headers={"Idempotency-Key": "k"}).status_code == 401


def test_an_unknown_plan_is_not_found(shop: Shop) -> None:
    assert shop.get("/pln_nothing").status_code == 404
    assert shop.post("/pln_nothing/confirm").status_code == 404


def test_every_order_of_a_batch_has_its_own_result(shop: Shop, sessions: SessionFactory) -> None:
    orders = [order(50), order(-1), order(40), order(1, currency="USD")]
    response = shop.post("/batch", {"orders": orders})
    results = response.json()["data"]
    assert response.status_code == 200
    assert [result["status"] for result in results] == [201, 422, 201, 422]
    assert results[1]["problem"]["errors"][0]["pointer"] == "/lines/0/quantity"
    assert results[2]["plan"]["unserved"][0]["quantity"] == 10
    assert stock(sessions) == {"DE-HAM": (50, 50), "TH-BKK": (30, 30)}


def test_a_batch_has_at_most_500_orders(shop: Shop) -> None:
    assert shop.post("/batch", {"orders": [order()] * 501}).status_code == 422


def test_availability_tells_units_and_the_earliest_promise(
    client: TestClient, loaded: Brand, headers: Headers
) -> None:
    asked = client.get("/v1/availability?items=MUG&region=DE", headers=headers)
    (row,) = asked.json()["data"]
    assert (row["item"], row["units"]) == ("MUG", 80)
    assert (row["earliest"]["site"], row["earliest"]["service"]) == ("DE-HAM", "EXPRESS")
    for wrong in ("items=CUP&region=DE", "items=MUG&region=FR", "items=,&region=DE"):
        assert client.get(f"/v1/availability?{wrong}", headers=headers).status_code == 422


PERSON = {"country": "DE", "postcode": "10115", "name": "Zaphod Beeblebrox",
          "street": "Invalidenstrasse 42", "city": "Berlin"}  # fmt: skip


def test_an_address_gives_the_region_and_leaves_no_trace(
    shop: Shop, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    plan = shop.plan(region=None, address=PERSON)
    assert plan["region"] == "DE"
    shop.post("", {**order(-1), "region": None, "address": PERSON})
    with engine.connect() as connection:
        rows = [str(row) for table in inspect(engine).get_table_names()
                for row in connection.execute(text(f'SELECT * FROM "{table}"'))]  # noqa: S608  # our own tables  # fmt: skip
    for personal in ("Zaphod", "Invaliden", "10115", "Berlin"):
        assert not any(personal in row for row in rows)
        assert personal not in caplog.text
        assert personal not in str(plan)


def test_the_newest_prices_of_the_brand_are_seen_by_plans(shop: Shop) -> None:
    assert shop.plan()["decision"]["prices_version"] is None
    assert len(shop.plan()["decision"]["data_version"]) == 16


@pytest.mark.parametrize("field", ["placed_at", "promise_by"])
@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_a_moment_at_the_edge_of_the_calendar_is_refused(
    shop: Shop, field: str, moment: str
) -> None:
    """A moment that UTC does not have answered 500, for its order and for a whole batch."""
    early = {**order(), field: moment}
    assert shop.post("", early).status_code == 422
    orders = [early, order(order="O-2")]
    results = shop.post("/batch", {"orders": orders}).json()["data"]
    assert [result["status"] for result in results] == [422, 201]
