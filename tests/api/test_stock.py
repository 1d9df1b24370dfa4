"""`/v1/stock`: levels, the ledger, and movements that people write."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from httpx import Response
from sqlmodel import Session
from starlette.testclient import TestClient

from api.database import SessionFactory
from core.brand import Brand
from inventory import store
from inventory.stock import Entry, Lot
from tests.builders import two_sites_one_item
from tests.fakes import FakeClock, seeded_entropy

Keys = Mapping[str, Mapping[str, str]]

pytestmark = pytest.mark.usefixtures("loaded")


@pytest.fixture
def brand() -> Brand:
    """Two sites; the one in Bangkok is bonded."""
    small = two_sites_one_item()
    sites = small.table("sites").copy()
    sites.loc[sites["site"] == "TH-BKK", "customs"] = "bonded"
    sites.loc[sites["site"] == "TH-BKK", "bond_days"] = 29.5
    return small.with_table("sites", sites)


def receipt(**changes: object) -> dict[str, object]:
    return {"site": "DE-HAM", "item": "MUG", "kind": "receipt", "quantity": 5, **changes}


def post(client: TestClient, keys: Keys, body: object, key: str = "k-1") -> Response:
    headers = {**keys["planner"], "Idempotency-Key": key}
    answer: Response = client.post("/v1/stock/movements", json=body, headers=headers)
    return answer


def test_kinds_are_told_as_callers_write_them(client: TestClient, keys: Keys) -> None:
    (error,) = post(client, keys, receipt(kind="shipment")).json()["errors"]
    assert error["pointer"] == "/kind"
    assert error["detail"].startswith("Input should be 'receipt', 'return'")


def rows(client: TestClient, keys: Keys, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/v1/stock{query}", headers=keys["planner"])
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


def test_stock_of_the_brand_is_listed(client: TestClient, keys: Keys) -> None:
    assert rows(client, keys)[0] == {
        "site": "DE-HAM", "item": "MUG", "customs": "free", "on_hand": 50, "reserved": 0,
        "safety": 0, "available": 50, "bonded_since": None, "bond_ends": None,
    }  # fmt: skip
    assert [row["site"] for row in rows(client, keys, "?site=TH-BKK&item=MUG")] == ["TH-BKK"]
    assert rows(client, keys, "?item=PLATE") == []


def test_a_receipt_adds_units(client: TestClient, keys: Keys) -> None:
    answer = post(client, keys, receipt(reference="delivery 7"))
    assert answer.status_code == 201
    movement = answer.json()
    assert movement["id"].startswith("mov_")
    assert (movement["at"], movement["kind"]) == ("2026-09-07T08:00:00Z", "receipt")
    assert (movement["quantity"], movement["reference"]) == (5, "delivery 7")
    assert rows(client, keys, "?site=DE-HAM")[0]["on_hand"] == 55


def test_a_count_is_corrected_only_from_the_number_that_was_seen(
    client: TestClient, keys: Keys
) -> None:
    body = receipt(kind="adjustment", quantity=-2, expected_on_hand=50)
    assert post(client, keys, body, "k-1").status_code == 201
    refused = post(client, keys, body, "k-2")
    assert (refused.status_code, refused.json()["code"]) == (409, "stock-changed")
    assert rows(client, keys, "?site=DE-HAM")[0]["on_hand"] == 48


def test_bonded_units_open_a_row_of_their_own(client: TestClient, keys: Keys) -> None:
    assert post(client, keys, receipt(site="TH-BKK", customs="bonded")).status_code == 201
    bonded = rows(client, keys, "?site=TH-BKK")[0]
    assert (bonded["customs"], bonded["on_hand"]) == ("bonded", 5)
    assert (bonded["bonded_since"], bonded["bond_ends"]) == ("2026-09-07", "2026-10-07")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"site": "NOWHERE"}, "/site"),
        ({"item": "PLATE"}, "/item"),
        ({"customs": "bonded"}, "/customs"),  # Hamburg is no bonded site: `check` says so too
        ({"quantity": -1}, "/quantity"),
        ({"quantity": 0, "kind": "adjustment"}, "/quantity"),
        ({"quantity": "5"}, "/quantity"),
        ({"quantity": 1.5}, "/quantity"),
        ({"quantity": True}, "/quantity"),
        ({"quantity": 10**12}, "/quantity"),
        ({"kind": "ship"}, "/kind"),
        ({"customs": "duty-free"}, "/customs"),
        ({"site": ""}, "/site"),
        ({"item": "MUG\x00"}, "/item"),
        ({"reference": "a\x00b"}, "/reference"),
        ({"color": "red"}, "/color"),
        ({"expected_on_hand": 50}, "/expected_on_hand"),
    ],
)
def test_a_wrong_movement_is_refused_at_its_field_and_changes_nothing(
    client: TestClient, keys: Keys, changes: dict[str, object], pointer: str
) -> None:
    answer = post(client, keys, receipt(**changes))
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert rows(client, keys, "?site=DE-HAM")[0]["on_hand"] == 50


def test_the_ledger_is_read_in_pages_by_link(client: TestClient, keys: Keys) -> None:
    for number in range(3):
        post(client, keys, receipt(quantity=number + 1), f"k-{number}")
    url, seen = "/v1/stock/movements?limit=2&site=DE-HAM", []
    while url:
        answer = client.get(url, headers=keys["auditor"])
        seen += [line["id"] for line in answer.json()["data"]]
        url = answer.links.get("next", {}).get("url", "")
        assert bool(url) == (answer.json()["next"] is not None)
    assert len(seen) == len(set(seen)) == 4
    assert seen == sorted(seen, reverse=True)


def test_stock_is_read_in_pages(client: TestClient, keys: Keys) -> None:
    first = client.get("/v1/stock?limit=1", headers=keys["planner"]).json()
    second = client.get(f"/v1/stock?limit=1&cursor={first['next']}", headers=keys["planner"]).json()
    assert [row["site"] for row in first["data"] + second["data"]] == ["DE-HAM", "TH-BKK"]
    assert second["next"] is None


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%",
        "e30",
        "WzFd",
        "WyJhIl0",
        "bnVsbA",
        "WyJhIiwiYiIsIlx1MDAwMCJd",
        "WyJhIiwiYiIsIlx1ZDgwMCJd",
        "A" * 1001,
    ],
)
def test_a_cursor_from_elsewhere_is_refused(client: TestClient, keys: Keys, cursor: str) -> None:
    answer = client.get("/v1/stock", params={"cursor": cursor}, headers=keys["planner"])
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "cursor"


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "1e9"])
def test_a_page_has_1_to_500_rows(client: TestClient, keys: Keys, limit: str) -> None:
    answer = client.get(f"/v1/stock?limit={limit}", headers=keys["planner"])
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "limit"


@pytest.mark.parametrize(
    ("role", "status"),
    [("planner", 201), ("admin", 201), ("order-service", 403), ("auditor", 403), ("carrier", 403)],
)
def test_only_planners_write_movements(
    client: TestClient, keys: Keys, role: str, status: int
) -> None:
    headers = {**keys[role], "Idempotency-Key": "k"}
    answer = client.post("/v1/stock/movements", json=receipt(), headers=headers)
    assert answer.status_code == status


def test_every_movement_names_the_key_that_wrote_it(
    client: TestClient, keys: Keys, session: Session
) -> None:
    post(client, keys, receipt())
    key = keys["planner"]["Authorization"].split("_")[1]
    assert store.movements(session, limit=1)[0].actor == f"key:{key}"


def test_an_expired_hold_is_available_again_to_readers(
    client: TestClient, keys: Keys, sessions: SessionFactory, clock: FakeClock
) -> None:
    with sessions.begin() as session:
        entry = Entry(clock.now(), "test", seeded_entropy(9))
        until = clock.now() + timedelta(minutes=30)
        store.reserve(session, [Lot("DE-HAM", "MUG", 20)], entry, until)
    assert rows(client, keys, "?site=DE-HAM")[0]["available"] == 30
    clock.pass_(minutes=31)
    assert rows(client, keys, "?site=DE-HAM")[0]["available"] == 50


def test_a_buffer_is_kept_from_customers_until_it_is_given_up(
    client: TestClient, keys: Keys
) -> None:
    def keep(units: int, key: str, item: str = "MUG") -> int:
        body = {"site": "DE-HAM", "item": item, "units": units}
        headers = {**keys["planner"], "Idempotency-Key": key}
        return int(client.post("/v1/stock/safety", json=body, headers=headers).status_code)

    assert keep(15, "first") == 201
    row = rows(client, keys, "?site=DE-HAM")[0]
    assert (row["safety"], row["available"], row["on_hand"]) == (15, 35, 50)
    assert keep(0, "second") == 201
    assert rows(client, keys, "?site=DE-HAM")[0]["available"] == 50
    assert keep(1, "third", "NOTHING") == 422


def on_the_way(client: TestClient, keys: Keys, transfer: str) -> list[dict[str, Any]]:
    answer = client.get(f"/v1/stock/in-transit?transfer={transfer}", headers=keys["planner"])
    assert answer.status_code == 200, answer.text
    goods: list[dict[str, Any]] = answer.json()["on_the_way"]
    return goods


def test_units_of_a_transfer_leave_travel_and_arrive_in_parts(
    client: TestClient, keys: Keys
) -> None:
    def move(kind: str, site: str, units: int, key: str) -> Response:
        body = receipt(kind=kind, site=site, quantity=units, reference="TR 7")
        return post(client, keys, body, key)

    left = move("transfer_out", "DE-HAM", 20, "k-1")
    assert (left.status_code, left.json()["quantity"]) == (201, -20)
    assert on_the_way(client, keys, "TR 7") == [
        {"item": "MUG", "customs": "free", "quantity": 20}
    ]  # fmt: skip
    assert move("transfer_in", "TH-BKK", 15, "k-2").status_code == 201
    late = move("transfer_in", "TH-BKK", 6, "k-3")
    assert (late.status_code, late.json()["code"]) == (409, "not-in-transit")
    assert move("transfer_in", "DE-HAM", 5, "k-4").status_code == 201
    assert on_the_way(client, keys, "TR 7") == []
    assert rows(client, keys, "?site=DE-HAM")[0]["on_hand"] == 35
    more = move("transfer_out", "DE-HAM", 36, "k-5")
    assert (more.status_code, more.json()["code"]) == (409, "insufficient-stock")
    unknown = client.get("/v1/stock/in-transit?transfer=TR8", headers=keys["planner"])
    assert unknown.status_code == 404


def test_goods_released_from_bond_are_free_at_their_site(client: TestClient, keys: Keys) -> None:
    bond = receipt(site="TH-BKK", customs="bonded", quantity=9)
    assert post(client, keys, bond, "k-1").status_code == 201
    before = {row["customs"]: row["on_hand"] for row in rows(client, keys, "?site=TH-BKK")}
    release = receipt(site="TH-BKK", customs="bonded", kind="bond_release", quantity=4)
    answer = post(client, keys, release, "k-2")
    assert (answer.status_code, answer.json()["quantity"]) == (201, -4)
    after = {row["customs"]: row["on_hand"] for row in rows(client, keys, "?site=TH-BKK")}
    assert after["bonded"] == before["bonded"] - 4
    assert after["free"] == before.get("free", 0) + 4


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"kind": "transfer_out"}, "/reference"),
        ({"kind": "transfer_in", "reference": "T", "quantity": 0}, "/quantity"),
        ({"kind": "bond_release"}, "/customs"),
        ({"kind": "transfer_out", "reference": "T", "expected_on_hand": 3}, "/expected_on_hand"),
        ({"kind": "adjustment", "expected_on_hand": 2**63}, "/expected_on_hand"),
    ],
)
def test_a_movement_needs_what_its_kind_needs(
    client: TestClient, keys: Keys, change: dict[str, object], pointer: str
) -> None:
    refused = post(client, keys, receipt(**change))
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
