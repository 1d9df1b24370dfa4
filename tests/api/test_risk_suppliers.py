"""`/v1/suppliers` and `/v1/purchase-orders`: scores, and orders that people place."""

from collections.abc import Mapping
from typing import Any

import pytest
from httpx import Response
from starlette.testclient import TestClient

from core.brand import Brand
from tests.routing.disruptions.scenes import lamps_from_ayutthaya

Keys = Mapping[str, Mapping[str, str]]

pytestmark = pytest.mark.usefixtures("loaded")


@pytest.fixture(scope="session")
def brand() -> Brand:
    """Lamps from Ayutthaya, with a second supplier in Ningbo."""
    return lamps_from_ayutthaya()


def wanted(**changed: Any) -> dict[str, Any]:
    lines = [{"item": "LAMP", "quantity": 60}]
    return {"supplier": "NINGBO", "site": "DE-HAM", "lines": lines, **changed}


def order(
    client: TestClient, keys: Keys, body: object, key: str = "k", role: str = "planner"
) -> Response:
    headers = {**keys[role], "Idempotency-Key": key}
    answer: Response = client.post("/v1/purchase-orders", json=body, headers=headers)
    return answer


def test_suppliers_are_listed_with_their_scores(client: TestClient, keys: Keys) -> None:
    rows = client.get("/v1/suppliers", headers=keys["planner"]).json()["data"]
    assert [row["supplier"] for row in rows] == ["AYUTTHAYA", "NINGBO", "UNTRIED"]
    assert set(rows[0]["dimensions"]) == {"quality", "cost", "delivery", "service", "innovation"}
    page = client.get("/v1/suppliers?limit=2", headers=keys["planner"]).json()
    rest = client.get(f"/v1/suppliers?cursor={page['next']}", headers=keys["planner"]).json()
    assert [row["supplier"] for row in rest["data"]] == ["UNTRIED"]


def test_a_supplier_shows_its_offers_and_what_is_on_order(client: TestClient, keys: Keys) -> None:
    made = order(client, keys, wanted()).json()
    shown = client.get("/v1/suppliers/NINGBO", headers=keys["planner"]).json()
    assert [offer["item"] for offer in shown["offers"]] == ["LAMP", "VASE"]
    assert shown["offers"][0]["capacity_per_week"] is None
    assert [one["id"] for one in shown["purchase_orders"]] == [made["id"]]


def test_an_order_takes_price_and_lead_time_from_the_offer(client: TestClient, keys: Keys) -> None:
    answer = order(client, keys, wanted())
    assert answer.status_code == 201
    made = answer.json()
    assert (made["order_by"], made["arrives"]) == ("2011-10-17", "2011-11-06")
    assert made["total"] == {"amount": 60 * 900, "currency": "EUR"}
    assert answer.headers["location"] == f"/v1/purchase-orders/{made['id']}"
    found = client.get(answer.headers["location"], headers=keys["planner"]).json()
    assert found == made


def test_an_order_sent_twice_is_placed_once(client: TestClient, keys: Keys) -> None:
    assert order(client, keys, wanted()).json() == order(client, keys, wanted()).json()
    assert len(client.get("/v1/purchase-orders", headers=keys["planner"]).json()["data"]) == 1


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"supplier": "NOBODY"}, "/supplier"),
        ({"site": "NOWHERE"}, "/site"),
        ({"lines": []}, "/lines"),
        ({"lines": [{"item": "LAMP", "quantity": 12}]}, "/lines/0/quantity"),
        ({"lines": [{"item": "LAMP", "quantity": 50}]}, "/lines/0/quantity"),
        ({"lines": [{"item": "LAMP", "quantity": -1}]}, "/lines/0/quantity"),
        ({"lines": [{"item": "MUG", "quantity": 60}]}, "/lines/0/item"),
        ({"lines": [{"item": "LAMP", "quantity": 60}] * 2}, "/lines/1/item"),
        ({"supplier": "UNTRIED"}, "/lines/0/item"),
        ({"order_by": "2011-10-16"}, "/order_by"),
        ({"price": 1}, "/price"),
    ],
)
def test_an_order_that_the_offer_does_not_allow_is_refused(
    client: TestClient, keys: Keys, changed: dict[str, object], pointer: str
) -> None:
    answer = order(client, keys, wanted(**changed))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert client.get("/v1/purchase-orders", headers=keys["planner"]).json()["data"] == []


def test_only_planners_order(client: TestClient, keys: Keys) -> None:
    assert order(client, keys, wanted(), role="auditor").status_code == 403
    assert client.get("/v1/purchase-orders", headers=keys["auditor"]).status_code == 200


@pytest.mark.parametrize("day", ["9999-12-31", "2200-01-01"])
def test_a_day_beyond_planning_is_refused(client: TestClient, keys: Keys, day: str) -> None:
    """The last day of the calendar has no day of arrival after it and answered 500."""
    refused = order(client, keys, wanted(order_by=day))
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/order_by"
