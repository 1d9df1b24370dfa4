"""Shipments: made by confirming, moved by signed reports, marked when late."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlmodel import col, select
from starlette.testclient import TestClient

from api.database import SessionFactory
from api.pages import encoded
from api.queue.records import EventRecord
from api.services.shipments import create_shipments, mark_late
from api.settings import Settings
from carriers.connectors.signed_webhook import signature
from core.clock import rfc3339
from core.ids import Entropy
from tests.conftest import Headers
from tests.fakes import FakeClock

pytestmark = pytest.mark.usefixtures("loaded")

SECRET = "a long secret of the fleet"
Report = Callable[..., Any]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"carrier_secrets": {"Fleet": SecretStr(SECRET)}})


@pytest.fixture
def plan(clock: FakeClock) -> dict[str, Any]:
    """A confirmed plan of one leg: two mugs to Germany within three days."""
    return plan_document(clock)


def plan_document(clock: FakeClock, name: str = "pln_1", hours: float = 72) -> dict[str, Any]:
    def at(ahead: float) -> str:
        return rfc3339(clock.now() + timedelta(hours=ahead))

    return {
        "id": name,
        "order": "O-1",
        "region": "DE",
        "promise": {"by": at(hours), "probability": 0.95},
        "legs": [
            {
                "site": "DE-HAM",
                "service": "EXPRESS",
                "carrier": "Fleet",
                "customs_route": "domestic",
                "lines": [{"line": 1, "item": "MUG", "quantity": 2}],
                "parcels": [],
                "delivery": {"p50": at(48), "p95": at(72), "probability": 0.95},
            }
        ],
    }


@pytest.fixture
def shipment(
    sessions: SessionFactory, plan: dict[str, Any], clock: FakeClock, entropy: Entropy
) -> str:
    with sessions.begin() as session:
        [made] = create_shipments(session, plan, clock, entropy)
    return made


@pytest.fixture
def report(client: TestClient, clock: FakeClock) -> Report:
    """Sends a report of scans, signed now; returns the answer."""

    def send(*scans: Mapping[str, object], carrier: str = "Fleet", secret: str = SECRET) -> Any:
        body = json.dumps({"events": scans}).encode()
        return send_raw(client, clock, body, carrier, secret)

    return send


def send_raw(
    client: TestClient, clock: FakeClock, body: bytes, carrier: str = "Fleet", secret: str = SECRET
) -> Any:
    timestamp = str(int(clock.now().timestamp()))
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": timestamp,
        "webhook-signature": signature("msg_1", timestamp, body, secret),
    }
    return client.post(f"/v1/carriers/{carrier}/events", content=body, headers=headers)


def scan(shipment: str, code: str, clock: FakeClock, hours: float = 0.0) -> dict[str, str]:
    moment = clock.now() + timedelta(hours=hours)
    return {"tracking_code": shipment, "code": code, "occurred_at": rfc3339(moment)}


def told(sessions: SessionFactory, kind: str) -> list[dict[str, Any]]:
    with sessions.begin() as session:
        asked = select(EventRecord).where(col(EventRecord.type) == kind)
        return [record.data for record in session.exec(asked)]


def read(client: TestClient, keys: Mapping[str, Headers], shipment: str) -> dict[str, Any]:
    answer = client.get(f"/v1/shipments/{shipment}", headers=keys["order-service"])
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_a_confirmed_plan_has_one_shipment_per_leg(
    client: TestClient, keys: Mapping[str, Headers], shipment: str
) -> None:
    document = read(client, keys, shipment)
    assert document["status"] == "pre_transit"
    assert document["promise"]["by"] == "2026-09-10T08:00:00Z"
    assert document["eta"] == "2026-09-09T08:00:00Z"
    assert document["late_probability"] == pytest.approx(0.05, abs=1e-3)
    assert document["compensation"] is None


def test_confirming_twice_makes_no_second_shipment(
    sessions: SessionFactory,
    plan: dict[str, Any],
    shipment: str,
    clock: FakeClock,
    entropy: Entropy,
) -> None:
    with sessions.begin() as session:
        assert create_shipments(session, plan, clock, entropy) == [shipment]
    assert len(told(sessions, "shipment.created")) == 1


def test_a_signed_report_moves_a_shipment(
    client: TestClient,
    keys: Mapping[str, Headers],
    report: Report,
    shipment: str,
    clock: FakeClock,
    sessions: SessionFactory,
) -> None:
    clock.pass_(hours=30)
    answer = report(scan(shipment, "PU", clock, -20), scan(shipment, "OFD", clock, -1))
    assert answer.status_code == 200, answer.text
    expected = {"accepted": 2, "repeated": 0, "shipments": [shipment], "unmatched": []}
    assert answer.json() == expected
    assert read(client, keys, shipment)["status"] == "out_for_delivery"
    assert [data["status"] for data in told(sessions, "shipment.updated")] == ["out_for_delivery"]


def test_repeats_and_late_arrivals_change_nothing(
    client: TestClient,
    keys: Mapping[str, Headers],
    report: Report,
    shipment: str,
    clock: FakeClock,
) -> None:
    clock.pass_(hours=40)
    delivery, earlier = scan(shipment, "DLV", clock), scan(shipment, "IT", clock, -10)
    report(delivery)
    assert report(delivery, delivery, earlier).json()["accepted"] == 1
    document = read(client, keys, shipment)
    assert document["status"] == "delivered"
    assert document["delivered_at"] == document["eta"] == delivery["occurred_at"]
    listed = client.get(f"/v1/shipments/{shipment}/events", headers=keys["order-service"]).json()
    assert [row["code"] for row in listed["data"]] == ["IT", "DLV"]


def test_events_come_in_pages(
    client: TestClient,
    keys: Mapping[str, Headers],
    report: Report,
    shipment: str,
    clock: FakeClock,
) -> None:
    report(*(scan(shipment, code, clock, -1) for code in ("PU", "IT", "OFD")))
    address, codes = f"/v1/shipments/{shipment}/events?limit=2", []
    page = client.get(address, headers=keys["planner"]).json()
    codes += [row["code"] for row in page["data"]]
    page = client.get(f"{address}&cursor={page['next']}", headers=keys["planner"]).json()
    codes += [row["code"] for row in page["data"]]
    assert (sorted(codes), page["next"]) == (["IT", "OFD", "PU"], None)


def test_a_parcel_of_nobody_is_kept_and_named(report: Report, clock: FakeClock) -> None:
    answer = report(scan("elsewhere", "IT", clock))
    assert answer.json()["unmatched"] == ["elsewhere"]


def test_one_carrier_cannot_move_the_parcels_of_another(
    client: TestClient,
    keys: Mapping[str, Headers],
    report: Report,
    shipment: str,
    clock: FakeClock,
) -> None:
    assert report(scan(shipment, "DLV", clock), carrier="Post").status_code == 401
    assert read(client, keys, shipment)["status"] == "pre_transit"


def test_a_forged_report_is_refused_and_leaves_no_trace(
    client: TestClient,
    keys: Mapping[str, Headers],
    report: Report,
    shipment: str,
    clock: FakeClock,
) -> None:
    answer = report(scan(shipment, "DLV", clock), secret="a guess")
    assert (answer.status_code, answer.json()["code"]) == (401, "bad-signature")
    assert read(client, keys, shipment)["status"] == "pre_transit"


def test_an_unsigned_report_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/carriers/Fleet/events", content=b"{}")
    assert answer.status_code == 401


def test_a_broken_report_is_refused_at_its_place(report: Report, clock: FakeClock) -> None:
    answer = report(scan("x", "IT", clock), {"tracking_code": "x"})
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {
        "/events/1/code",
        "/events/1/occurred_at",
    }


def test_a_scan_of_next_week_is_refused(report: Report, clock: FakeClock) -> None:
    answer = report(scan("x", "DLV", clock, hours=24 * 7))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/events/0/occurred_at"


def test_a_broken_promise_is_marked_told_once_and_owed(
    client: TestClient,
    keys: Mapping[str, Headers],
    sessions: SessionFactory,
    shipment: str,
    clock: FakeClock,
) -> None:
    """Two mugs of EUR 12 are a day late: 10 % and a day's 5 % of EUR 24 are owed."""
    clock.pass_(hours=72 + 25)
    for newly in (1, 0):
        with sessions.begin() as session:
            assert mark_late(session, clock) == newly
    document = read(client, keys, shipment)
    assert document["late"] is True
    assert document["late_probability"] == 1.0
    assert document["compensation"] == {"amount": 360, "currency": "EUR"}
    [delayed] = told(sessions, "shipment.delayed")
    assert delayed["shipment"] == shipment
    late = client.get("/v1/shipments?late=true", headers=keys["planner"]).json()["data"]
    assert [row["id"] for row in late] == [shipment]


def test_prices_paid_are_what_compensation_is_a_share_of(
    sessions: SessionFactory, clock: FakeClock, entropy: Entropy, plan: dict[str, Any]
) -> None:
    plan["legs"][0]["lines"][0]["price"] = {"amount": 5000, "currency": "USD"}
    with sessions.begin() as session:
        create_shipments(session, plan, clock, entropy)
        clock.pass_(hours=73)
        mark_late(session, clock)
    assert len(told(sessions, "shipment.delayed")) == 1


def test_shipments_are_listed_newest_first_in_pages(
    client: TestClient,
    keys: Mapping[str, Headers],
    sessions: SessionFactory,
    clock: FakeClock,
    entropy: Entropy,
) -> None:
    made = []
    for name in ("pln_1", "pln_2", "pln_3"):
        clock.pass_(seconds=1)
        with sessions.begin() as session:
            made += create_shipments(session, plan_document(clock, name), clock, entropy)
    first = client.get("/v1/shipments?limit=2", headers=keys["planner"]).json()
    rest = client.get(
        f"/v1/shipments?limit=2&cursor={first['next']}", headers=keys["planner"]
    ).json()
    assert [row["id"] for row in first["data"] + rest["data"]] == made[::-1]
    none = client.get("/v1/shipments?status=delivered", headers=keys["planner"]).json()
    assert none == {"data": [], "next": None}


def test_an_unknown_shipment_is_not_found(client: TestClient, keys: Mapping[str, Headers]) -> None:
    for address in ("/v1/shipments/shp_x", "/v1/shipments/shp_x/events"):
        assert client.get(address, headers=keys["planner"]).status_code == 404


def test_carriers_do_not_read_shipments(client: TestClient, keys: Mapping[str, Headers]) -> None:
    assert client.get("/v1/shipments", headers=keys["carrier"]).status_code == 403
    assert client.get("/v1/shipments").status_code == 401


NAIVE, TOO_EARLY = (
    encoded((moment, "x")) for moment in ("2026-09-07T08:00:00", "0001-01-01T00:00:00+14:00")
)


def test_a_signed_report_with_a_field_that_has_no_utf_8_is_refused(
    client: TestClient, clock: FakeClock
) -> None:
    """The name of an unknown field was quoted in a problem that could not be sent."""
    body = b'{"events": [{"tracking_code": "x", "code": "PU", "\\ud800": 1}]}'
    assert send_raw(client, clock, body).status_code == 422


@pytest.mark.parametrize("cursor", ["WyJ4IiwieCJd", "nonsense", NAIVE, TOO_EARLY])
def test_a_made_up_cursor_is_refused(
    client: TestClient, keys: Mapping[str, Headers], shipment: str, cursor: str
) -> None:
    """A cursor whose moment has no offset, or none that UTC has, answered 500."""
    address = f"/v1/shipments/{shipment}/events?cursor={cursor}"
    assert client.get(address, headers=keys["planner"]).status_code == 422
