"""`/v1/signals` and `/v1/alerts`: a flood becomes one alert, its drafts become orders once."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from httpx import Response
from sqlmodel import col, select
from starlette.testclient import TestClient

from api.database import SessionFactory
from api.queue.records import EventRecord
from core.brand import Brand
from routing.disruptions.geometry import Geometry
from tests.fakes import FakeClock
from tests.routing.disruptions.scenes import EXAMPLES, PLAIN, lamps_from_ayutthaya
from tests.routing.disruptions.scenes import FEEDS as RECORDED

Keys = Mapping[str, Mapping[str, str]]

pytestmark = pytest.mark.usefixtures("loaded")


@pytest.fixture(scope="session")
def brand() -> Brand:
    """Lamps from Ayutthaya, with a second supplier in Ningbo."""
    return lamps_from_ayutthaya()


def signal(**changed: Any) -> dict[str, Any]:
    said = {
        "source": "manual",
        "source_id": "flood-1",
        "version": "1",
        "kind": "flood",
        "title": "Flood",
        "geometry": Geometry((PLAIN,)).as_json(),
        "precision": "polygon",
    }
    return {**said, **changed}


def feed(name: str, kind: str) -> dict[str, Any]:
    return {"feed": kind, "document": (EXAMPLES / name).read_text(encoding="utf-8")}


FLOOD = feed("thailand-flood-2011.cap.xml", "cap")
CENTROID = feed("thailand-flood-2011.gdacs.xml", "gdacs")


def post(
    client: TestClient,
    keys: Keys,
    path: str,
    body: object = None,
    key: str = "",
    role: str = "planner",
) -> Response:
    headers = {**keys[role], "Idempotency-Key": key or f"key of {path} {body!r}"[:200]}
    headers["Idempotency-Key"] = headers["Idempotency-Key"].encode("ascii", "replace").decode()
    answer: Response = client.post(f"/v1/{path}", json=body, headers=headers)
    return answer


def take(client: TestClient, keys: Keys, body: object, key: str = "") -> dict[str, Any]:
    answer = post(client, keys, "signals", body, key)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def get(client: TestClient, keys: Keys, path: str) -> Any:
    answer = client.get(f"/v1/{path}", headers=keys["planner"])
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_thai_flood_becomes_an_alert_with_drafted_orders(client: TestClient, keys: Keys) -> None:
    taken = take(client, keys, FLOOD)
    assert (taken["accepted"], taken["repeated"], taken["refused"]) == (1, 0, [])
    (alert,) = taken["alerts"]
    assert alert["id"].startswith("alr_")
    assert (alert["state"], alert["severity"]) == ("new", "critical")
    assert alert["suppliers"] == ["AYUTTHAYA"]
    assert (alert["time_to_survive_days"], alert["time_to_recover_days"]) == (20, 52)
    (draft,) = alert["drafts"]
    assert (draft["supplier"], draft["quantity"], draft["purchase_order"]) == ("NINGBO", 780, None)
    shown = get(client, keys, f"alerts/{alert['id']}")
    assert shown.pop("history")[0]["step"] == "raise"
    assert shown == alert
    assert [row["id"] for row in get(client, keys, "alerts")["data"]] == [alert["id"]]


def test_the_same_words_again_raise_nothing(client: TestClient, keys: Keys) -> None:
    take(client, keys, FLOOD, "first")
    again = take(client, keys, FLOOD, "second")
    assert (again["accepted"], again["repeated"], again["alerts"]) == (0, 1, [])
    assert len(get(client, keys, "alerts")["data"]) == 1
    assert len(get(client, keys, "alerts")["data"][0]["drafts"]) == 1


def test_concurrent_repeats_raise_one_alert(client: TestClient, keys: Keys) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda at: take(client, keys, FLOOD, f"k{at}"), range(6)))
    assert sorted(answer["accepted"] for answer in answers) == [0, 0, 0, 0, 0, 1]
    (alert,) = get(client, keys, "alerts")["data"]
    assert len(alert["drafts"]) == 1


def test_a_centroid_raises_a_watch_that_cannot_be_applied(client: TestClient, keys: Keys) -> None:
    (alert,) = take(client, keys, CENTROID)["alerts"]
    assert (alert["severity"], alert["drafts"]) == ("watch", [])
    answer = post(client, keys, f"alerts/{alert['id']}/apply")
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing-to-apply")
    assert get(client, keys, "purchase-orders")["data"] == []


def test_applying_twice_makes_one_set_of_orders(client: TestClient, keys: Keys) -> None:
    (alert,) = take(client, keys, FLOOD)["alerts"]
    first = post(client, keys, f"alerts/{alert['id']}/apply", key="one")
    second = post(client, keys, f"alerts/{alert['id']}/apply", key="two")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    (order,) = get(client, keys, "purchase-orders")["data"]
    assert (order["supplier"], order["reference"]) == ("NINGBO", alert["id"])
    assert order["lines"] == [
        {"item": "LAMP", "quantity": 780, "unit_cost": {"amount": 900, "currency": "EUR"}}
    ]
    assert order["total"] == {"amount": 780 * 900, "currency": "EUR"}
    assert get(client, keys, f"alerts/{alert['id']}")["drafts"][0]["purchase_order"] == order["id"]


def test_concurrent_applies_make_one_set_of_orders(client: TestClient, keys: Keys) -> None:
    (alert,) = take(client, keys, FLOOD)["alerts"]
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda at: post(client, keys, f"alerts/{alert['id']}/apply", key=f"k{at}"), range(4)
            )
        )
    assert {answer.status_code for answer in answers} == {201}
    assert len(get(client, keys, "purchase-orders")["data"]) == 1


def test_what_is_ordered_is_counted_before_more_is_drafted(client: TestClient, keys: Keys) -> None:
    """A later word about the flood updates the alert; the order that was placed covers it."""
    (alert,) = take(client, keys, signal())["alerts"]
    post(client, keys, f"alerts/{alert['id']}/apply")
    (after,) = take(client, keys, signal(version="2", title="Flood grows"))["alerts"]
    assert (after["id"], after["title"], after["version"]) == (alert["id"], "Flood grows", "2")
    assert [draft["purchase_order"] is None for draft in after["drafts"]] == [False]
    assert after["time_to_survive_days"] == 72


def test_a_later_word_replaces_drafts_and_an_earlier_one_changes_nothing(
    client: TestClient, keys: Keys
) -> None:
    take(client, keys, signal(version="2"))
    (after,) = take(client, keys, signal(version="3", kind="storm"))["alerts"]
    assert len(after["drafts"]) == 1
    assert take(client, keys, signal(version="1", title="Old news"))["alerts"] == []
    assert get(client, keys, "alerts")["data"][0]["title"] == "Flood"


def test_a_centroid_that_becomes_a_polygon_turns_the_watch_into_an_alert(
    client: TestClient, keys: Keys
) -> None:
    point = {"geometry": {"type": "Point", "coordinates": [100.57, 13.83]}, "precision": "centroid"}
    (watch,) = take(client, keys, signal(**point, countries=["TH"]))["alerts"]
    post(client, keys, f"alerts/{watch['id']}/resolve")
    (alert,) = take(client, keys, signal(version="2"))["alerts"]
    assert (alert["id"], alert["state"], alert["severity"]) == (watch["id"], "new", "critical")
    assert alert["drafts"]


def test_a_word_taken_back_withdraws_the_alert_and_its_drafts(
    client: TestClient, keys: Keys
) -> None:
    take(client, keys, signal())
    (alert,) = take(client, keys, signal(version="2", status="cancelled"))["alerts"]
    assert (alert["state"], alert["drafts"]) == ("withdrawn", [])
    answer = post(client, keys, f"alerts/{alert['id']}/acknowledge")
    assert (answer.status_code, answer.json()["code"]) == (409, "alert-withdrawn")


def test_a_hazard_that_moves_away_withdraws_the_alert(client: TestClient, keys: Keys) -> None:
    take(client, keys, signal())
    away = {"type": "Point", "coordinates": [0, 0], "radius_km": 10}
    (alert,) = take(client, keys, signal(version="2", geometry=away, precision="circle"))["alerts"]
    assert (alert["state"], alert["note"]) == (
        "withdrawn",
        "The hazard no longer reaches the brand.",
    )


def test_people_take_an_alert_through_its_states(
    client: TestClient, keys: Keys, clock: FakeClock
) -> None:
    (alert,) = take(client, keys, FLOOD)["alerts"]
    path = f"alerts/{alert['id']}"
    assert post(client, keys, f"{path}/acknowledge").json()["state"] == "acknowledged"
    assert post(client, keys, f"{path}/assign", {"assignee": "Mei"}).json()["assignee"] == "Mei"
    until = (clock.now() + timedelta(hours=1)).isoformat()
    assert post(client, keys, f"{path}/snooze", {"until": until}).json()["state"] == "snoozed"
    assert get(client, keys, "alerts?state=snoozed")["data"]
    clock.pass_(hours=2)
    assert get(client, keys, path)["state"] == "new"
    assert get(client, keys, "alerts?state=snoozed")["data"] == []
    assert len(get(client, keys, "alerts?state=new")["data"]) == 1
    closed = post(client, keys, f"{path}/resolve", {"reason": "dry again"}).json()
    assert (closed["state"], closed["note"]) == ("resolved", "dry again")
    assert post(client, keys, f"{path}/acknowledge", key="late").status_code == 409
    steps = [change["step"] for change in get(client, keys, path)["history"]]
    assert steps == ["raise", "acknowledge", "assign", "snooze", "resolve"]


def test_those_who_watch_hear_of_alerts_and_orders(
    client: TestClient, keys: Keys, sessions: SessionFactory
) -> None:
    (alert,) = take(client, keys, FLOOD)["alerts"]
    post(client, keys, f"alerts/{alert['id']}/apply")
    with sessions.begin() as session:
        rows = session.exec(select(EventRecord).order_by(col(EventRecord.sequence))).all()
        told = [row.type for row in rows]
    assert told == ["alert.raised", "purchase_order.placed", "alert.changed"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"feed": "cap", "document": "<alert"}, 400),
        ({"feed": "cap", "document": (RECORDED / "cap" / "xee.cap").read_text()}, 400),
        ({"feed": "usgs", "document": "{"}, 400),
        ({"feed": "rumor", "document": "x"}, 422),
        ({"feed": "cap", "document": ""}, 422),
        ({"feed": "cap"}, 422),
        ({"feed": "cap", "document": "x", "color": "red"}, 422),
        (signal(color="red"), 422),
        (signal(precision="exact"), 422),
        (signal(geometry=None), 422),
        (signal(geometry={"type": "Point", "coordinates": [0, 0]}), 422),
        (signal(countries=["XX", "ZZ"]), 422),
        (signal(kind="war"), 422),
        (signal(onset="yesterday"), 422),
        ({}, 422),
        ([], 422),
    ],
)
def test_bad_input_is_a_clear_problem_and_changes_nothing(
    client: TestClient, keys: Keys, body: object, status: int
) -> None:
    answer = post(client, keys, "signals", body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert get(client, keys, "alerts")["data"] == []


def test_an_alert_that_breaks_the_standard_is_listed_as_refused(
    client: TestClient, keys: Keys
) -> None:
    invalid = (RECORDED / "cap" / "invalid.cap").read_text()
    taken = take(client, keys, {"feed": "cap", "document": invalid})
    assert taken["accepted"] == 0
    assert "scope" in taken["refused"][0]["reason"]


def test_only_planners_report_signals_and_act(client: TestClient, keys: Keys) -> None:
    for role in ("order-service", "carrier", "auditor"):
        assert post(client, keys, "signals", FLOOD, role=role).status_code == 403
    (alert,) = take(client, keys, FLOOD)["alerts"]
    for step in ("acknowledge", "apply"):
        refused = post(client, keys, f"alerts/{alert['id']}/{step}", role="auditor")
        assert refused.status_code == 403
    assert client.get("/v1/alerts", headers=keys["auditor"]).status_code == 200
    assert client.get("/v1/alerts", headers=keys["order-service"]).status_code == 403


def test_what_does_not_exist_is_not_found(client: TestClient, keys: Keys) -> None:
    for path in ("alerts/alr_nothing", "suppliers/NOBODY", "purchase-orders/por_nothing"):
        assert client.get(f"/v1/{path}", headers=keys["planner"]).status_code == 404
    assert post(client, keys, "alerts/alr_nothing/apply").status_code == 404


def test_alerts_come_in_pages(client: TestClient, keys: Keys, clock: FakeClock) -> None:
    for number in range(5):
        clock.pass_(seconds=1)
        take(client, keys, signal(source_id=f"flood-{number}"))
    seen: list[str] = []
    path = "alerts?limit=2"
    while path:
        page = get(client, keys, path)
        seen += [row["source_id"] for row in page["data"]]
        path = f"alerts?limit=2&cursor={page['next']}" if page["next"] else ""
    assert seen == [f"flood-{number}" for number in (4, 3, 2, 1, 0)]
