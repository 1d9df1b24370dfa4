"""Orders, their decision records, and the shipments that follow."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.database import session_factory
from api.services.shipments import mark_late
from core.brand import Brand
from tests.builders import brand_of
from tests.console.brands import six_hubs
from tests.fakes import FakeClock

pytestmark = pytest.mark.usefixtures("loaded")

Send = Callable[[str, Mapping[str, object]], dict[str, str]]


@pytest.fixture
def brand() -> Brand:
    """Six hubs instead of the two sites that other tests load; more mugs are due in Hamburg."""
    inbound = brand_of(inbound=[
        {"site": "DE-HAM", "item": "MUG", "quantity": 9, "due": "2026-09-15",
         "purchase_order": "PO-77"},
    ])  # fmt: skip
    return six_hubs().with_table("inbound", inbound.table("inbound"))


@pytest.fixture
def send(client: TestClient, token: Callable[[str], str]) -> Send:
    """Posts to the API as the order service does."""
    key = token("order-service")

    def post(path: str, body: Mapping[str, object]) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": path + str(body)}
        answer = client.post(path, json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        document: dict[str, str] = answer.json()
        return document

    return post


ORDER = {
    "order": "o-1", "region": "DE", "currency": "EUR",
    "lines": [{"line": 1, "item": "MUG", "quantity": 2}],
}  # fmt: skip


def test_a_plan_shows_what_it_chose_and_everything_that_lost(
    planner: TestClient, send: Send
) -> None:
    made = send("/v1/fulfillment-plans", ORDER)
    listed = planner.get("/orders").text
    assert f'href="/orders/{made["id"]}"' in listed
    page = planner.get(f"/orders/{made['id']}").text
    assert "What it cost, what lost, and why" in page
    for site in ("US-LAX", "DE-HAM", "TH-BKK"):
        assert site in page
    assert made["id"] in page
    assert "Landed cost" in page


def test_every_priced_option_tells_all_parts_of_its_cost(planner: TestClient, send: Send) -> None:
    """The columns of the table are the parts that are not 0 anywhere; each row sums up."""
    made: Any = send("/v1/fulfillment-plans", ORDER)
    lost = [one for one in made["decision"]["rejected"] if one["cost"]]
    assert lost
    for one in lost:
        parts = sum(term["amount"] for term in one["terms"].values())
        assert abs(parts - one["cost"]["amount"]) <= len(one["terms"]), "rounded part by part"
        assert all(term["amount"] for term in one["terms"].values()), "parts of 0 are left out"
    page = planner.get(f"/orders/{made['id']}").text
    table = page[page.index('id="options"') :]
    assert table.count('class="parts"') == 1 + len(lost)
    for part in ("Shipping", "Handling"):
        assert part in table
    assert "Stock price" not in table, "nothing is priced yet"


def test_the_map_of_a_plan_has_its_legs_and_where_others_would_leave(
    planner: TestClient, send: Send
) -> None:
    made: Any = send("/v1/fulfillment-plans", ORDER)
    drawn = planner.get(f"/console/orders/{made['id']}/map.json").json()
    legs = [one["from"] for one in drawn["routes"] if one["kind"] == "flow"]
    assert legs == [leg["site"] for leg in made["legs"]]
    others = {one["from"] for one in drawn["routes"] if one["mode"] == "lost"}
    assert others
    assert not others & set(legs)


def test_plans_are_found_by_the_beginning_of_their_order(planner: TestClient, send: Send) -> None:
    first: Any = send("/v1/fulfillment-plans", ORDER)
    other: Any = send("/v1/fulfillment-plans", {**ORDER, "order": "x_2"})
    found = planner.get("/orders?order=o-").text
    assert first["id"] in found
    assert other["id"] not in found
    assert other["id"] in planner.get(f"/orders?order={other['id']}").text
    assert "No order begins with x%2" in planner.get("/orders?order=x%252").text


def test_a_hold_that_has_run_out_shows_as_expired(
    planner: TestClient, send: Send, clock: FakeClock
) -> None:
    made = send("/v1/fulfillment-plans", ORDER)
    assert '<span class="badge calm">reserved</span>' in planner.get("/orders").text
    clock.pass_(hours=2)
    assert '<span class="badge warn">expired</span>' in planner.get("/orders").text
    assert "expired" in planner.get(f"/orders/{made['id']}").text


def test_a_confirmed_plan_leaves_as_shipments_that_turn_late(
    app: FastAPI,
    planner: TestClient,
    send: Send,
    clock: FakeClock,
    token: Callable[[str], str],
) -> None:
    made = send("/v1/fulfillment-plans", ORDER)
    send(f"/v1/fulfillment-plans/{made['id']}/confirm", {})
    page = planner.get("/shipments").text
    assert f'href="/orders/{made["id"]}">o-1</a>' in page
    assert "Order o-1 leaves" in planner.get("/").text
    assert ">pre transit<" in page
    assert ">late<" not in page
    clock.pass_(days=30)
    with session_factory(app.state.engine).begin() as session:
        assert mark_late(session, clock) == 1
    planner.post("/sign-in", data={"key": token("planner")})
    assert ">late<" in planner.get("/shipments").text
    assert "will probably be late" in planner.get("/").text


def test_a_plan_shows_what_is_promised_from_goods_on_their_way(
    planner: TestClient, send: Send
) -> None:
    order = {**ORDER, "order": "o-9", "options": {"backorder": True}}
    lines = [{"line": 1, "item": "MUG", "quantity": 100_000}]
    made: Any = send("/v1/fulfillment-plans", {**order, "lines": lines})
    page = planner.get(f"/orders/{made['id']}").text
    assert "Back-orders" in page
    (leg,) = made["backorders"]["legs"]
    table = page[page.index('id="backorders"') :]
    assert table.index("PO-77") < table.index("15 Sep 2026") < table.index("</table>")
    assert leg["lines"][0]["quantity"] == 9
    assert "could come by" in page
