"""An order that is planned again: its own hold never stands in its way, and is never lost."""

from collections.abc import Mapping

import pytest
from starlette.testclient import TestClient

from api.database import SessionFactory
from core.brand import Brand
from tests.api.test_fulfillment import Headers, Shop, order, stock

ALL = 80
"""Units of the small brand."""


@pytest.fixture
def shop(client: TestClient, loaded: Brand, keys: Mapping[str, Headers]) -> Shop:
    return Shop(client, keys["order-service"])


def held(sessions: SessionFactory) -> int:
    return sum(reserved for _, reserved in stock(sessions).values())


def replacing(plan: str, quantity: int = 1, **more: object) -> dict[str, object]:
    return order(quantity, options={"replaces": plan, **more})


def test_units_of_the_plan_that_is_given_up_are_there_for_the_new_one(
    shop: Shop, sessions: SessionFactory
) -> None:
    old = shop.plan(lines=order(ALL - 1)["lines"])
    body = replacing(old["id"], ALL)
    answer = shop.post("", body, key="again")
    assert (answer.status_code, answer.json()["unserved"]) == (201, [])
    assert shop.get(f"/{old['id']}").json()["status"] == "cancelled"
    assert held(sessions) == ALL
    assert shop.post("", body, key="again").content == answer.content
    assert shop.post(f"/{old['id']}/confirm").status_code == 409
    assert shop.post(f"/{answer.json()['id']}/confirm").status_code == 200


def test_without_a_new_plan_the_old_one_stays_as_it_was(
    shop: Shop, sessions: SessionFactory
) -> None:
    old = shop.plan(options={"reserve": False})
    shop.plan(order="O-2", lines=order(ALL)["lines"])
    assert shop.post("", replacing(old["id"])).json()["code"] == "insufficient-stock"
    assert shop.get(f"/{old['id']}").json()["status"] == "planned"
    assert held(sessions) == ALL


@pytest.mark.parametrize(
    ("named", "more", "said"),
    [
        ("pln_unknown", {}, "No fulfillment plan is named"),
        ("of another", {}, "Expected a plan of order O-1"),
        ("own", {"reserve": False}, "Expected reserve to be true"),
    ],
)
def test_only_a_plan_of_the_same_order_is_replaced_and_only_by_a_hold(
    shop: Shop, sessions: SessionFactory, named: str, more: dict[str, bool], said: str
) -> None:
    plans = {"own": shop.plan()["id"], "of another": shop.plan(order="O-2")["id"]}
    refused = shop.post("", replacing(plans.get(named, named), **more))
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["pointer"] == "/options/replaces"
    assert error["detail"].startswith(said)
    assert held(sessions) == 4


def test_a_confirmed_plan_is_not_replaced(shop: Shop) -> None:
    old = shop.plan()
    shop.post(f"/{old['id']}/confirm")
    refused = shop.post("", replacing(old["id"]))
    assert (refused.status_code, refused.json()["code"]) == (409, "plan-confirmed")


def test_orders_of_a_batch_replace_their_plans_after_the_others(
    shop: Shop, sessions: SessionFactory
) -> None:
    old = shop.plan(lines=order(ALL - 3)["lines"])
    batch = {"orders": [replacing(old["id"], ALL - 1), order(3, order="O-2")]}
    first, second = shop.post("/batch", batch).json()["data"]
    assert (first["status"], second["status"]) == (201, 201)
    assert [short["quantity"] for short in first["plan"]["unserved"]] == [2]
    assert held(sessions) == ALL
