"""Overrides at the HTTP door: who may decide, what is refused, and that nothing is lost."""

from collections.abc import Mapping
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.database import SessionFactory
from api.services.brands import current_brand
from api.services.overrides import past_overrides, with_overrides
from inventory.demand.overrides import of_brand
from tests.conftest import Headers
from tests.fakes import FakeClock

Keys = Mapping[str, Headers]

ADDRESS = "/v1/forecast-overrides"
FAIR = {"region": "DE", "start": "2026-09-14", "end": "2026-09-20", "factor": 1.5, "why": "A fair"}


def decide(
    client: TestClient, keys: Keys, key: str = "k", role: str = "planner", **body: Any
) -> Any:
    headers = {**keys[role], "Idempotency-Key": key}
    return client.post(ADDRESS, json=FAIR | body, headers=headers)


@pytest.mark.usefixtures("loaded")
def test_a_decision_is_kept_with_who_when_and_why(client: TestClient, keys: Keys) -> None:
    made = decide(client, keys)
    assert made.status_code == 201, made.text
    shown = made.json()
    assert shown == {
        "id": shown["id"], "region": "DE", "category": "*", "item": "*", "start": "2026-09-14",
        "end": "2026-09-20", "factor": 1.5, "units": None, "who": "planner",
        "made_at": "2026-09-07T08:00:00Z", "why": "A fair", "withdrawn_at": None,
        "withdrawn_by": None,
    }  # fmt: skip
    assert shown["id"].startswith("ovr_")
    read = client.get(made.headers["Location"], headers=keys["auditor"])
    assert read.json() == shown


@pytest.mark.usefixtures("loaded")
def test_a_decision_sent_twice_is_made_once(client: TestClient, keys: Keys) -> None:
    assert decide(client, keys).content == decide(client, keys).content
    assert len(client.get(ADDRESS, headers=keys["planner"]).json()["data"]) == 1
    without = client.post(ADDRESS, json=FAIR, headers=keys["planner"])
    assert (without.status_code, without.json()["code"]) == (400, "idempotency-key-missing")


@pytest.mark.usefixtures("loaded")
def test_the_brand_that_is_forecast_carries_what_stands(
    client: TestClient, keys: Keys, sessions: SessionFactory, clock: FakeClock
) -> None:
    first = decide(client, keys, "a").json()["id"]
    clock.pass_(seconds=1)
    second = decide(client, keys, "b", factor=None, units=40).json()["id"]
    with sessions.begin() as session:
        found = of_brand(with_overrides(session, current_brand(session)))
    assert [(one.id, one.factor, one.units) for one in found] == [
        (first, 1.5, None), (second, None, 40.0),
    ]  # fmt: skip
    client.post(f"{ADDRESS}/{second}/withdraw", headers=keys["planner"])
    with sessions.begin() as session:
        found = of_brand(with_overrides(session, current_brand(session)))
    assert [one.id for one in found] == [first]


@pytest.mark.usefixtures("loaded")
def test_a_decision_withdrawn_after_its_days_is_still_judged(
    client: TestClient, keys: Keys, sessions: SessionFactory, clock: FakeClock
) -> None:
    """One is withdrawn before it could matter, one when its fair was long over."""
    early = decide(client, keys, "a").json()["id"]
    client.post(f"{ADDRESS}/{early}/withdraw", headers=keys["planner"])
    over = decide(client, keys, "b").json()["id"]
    clock.pass_(days=30)
    with sessions.begin() as session:
        assert past_overrides(session) == ()
    client.post(f"{ADDRESS}/{over}/withdraw", headers=keys["planner"])
    with sessions.begin() as session:
        (kept,) = past_overrides(session)
    assert (kept.id, kept.factor, kept.made.isoformat()) == (over, 1.5, "2026-09-07")


@pytest.mark.usefixtures("loaded")
def test_a_withdrawn_decision_stays_listed_with_the_first_who_withdrew_it(
    client: TestClient, keys: Keys, clock: FakeClock
) -> None:
    made = decide(client, keys).json()["id"]
    clock.pass_(minutes=1)
    once = client.post(f"{ADDRESS}/{made}/withdraw", headers=keys["admin"]).json()
    clock.pass_(minutes=1)
    again = client.post(f"{ADDRESS}/{made}/withdraw", headers=keys["planner"]).json()
    assert once == again
    assert (once["withdrawn_at"], once["withdrawn_by"]) == ("2026-09-07T08:01:00Z", "admin")
    listed = client.get(ADDRESS, headers=keys["planner"]).json()["data"]
    assert [row["id"] for row in listed] == [made]
    standing = client.get(f"{ADDRESS}?standing=true", headers=keys["planner"]).json()
    assert standing["data"] == []


@pytest.mark.usefixtures("loaded")
def test_the_list_goes_on_where_a_page_ended(
    client: TestClient, keys: Keys, clock: FakeClock
) -> None:
    made = []
    for at in range(3):
        made.append(decide(client, keys, f"k{at}").json()["id"])
        clock.pass_(seconds=1)
    first = client.get(f"{ADDRESS}?limit=2", headers=keys["planner"])
    rest = client.get(first.links["next"]["url"], headers=keys["planner"]).json()
    ids = [row["id"] for row in first.json()["data"] + rest["data"]]
    assert ids == made[::-1]
    assert rest["next"] is None


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"region": "DEE"}, ["/region"]),
        ({"item": "MUGS", "region": "XX-*"}, ["/region", "/item"]),
        ({"category": "kitchens"}, ["/category"]),
        ({"units": 4.0}, ["/factor"]),
        ({"factor": None}, ["/factor"]),
        ({"end": "2026-09-13"}, ["/end"]),
        ({"why": "  "}, ["/why"]),
        ({"factor": -0.1}, ["/factor"]),
        ({"factor": 1e300}, ["/factor"]),
        ({"start": "2026-02-30"}, ["/start"]),
        ({"start": "0001-01-01"}, ["/start"]),
        ({"region": ""}, ["/region"]),
        ({"region": "D\x00"}, ["/region"]),
        ({"color": "red"}, ["/color"]),
    ],
)
def test_a_decision_without_sense_is_refused_where_it_stands(
    client: TestClient, keys: Keys, body: dict[str, Any], pointers: list[str]
) -> None:
    answer = decide(client, keys, **body)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers
    assert client.get(ADDRESS, headers=keys["planner"]).json()["data"] == []


@pytest.mark.usefixtures("loaded")
def test_a_misspelt_item_is_told_its_nearest(client: TestClient, keys: Keys) -> None:
    answer = decide(client, keys, item="MUGG").json()
    assert "did you mean 'MUG'?" in answer["detail"]


@pytest.mark.usefixtures("loaded")
def test_others_neither_decide_nor_withdraw(client: TestClient, keys: Keys) -> None:
    made = decide(client, keys).json()["id"]
    for role in ("order-service", "carrier", "auditor"):
        assert decide(client, keys, role=role).status_code == 403
        refused = client.post(f"{ADDRESS}/{made}/withdraw", headers=keys[role])
        assert refused.status_code == 403
    assert client.get(ADDRESS, headers=keys["order-service"]).status_code == 403


@pytest.mark.usefixtures("loaded")
def test_an_unknown_decision_is_not_found(client: TestClient, keys: Keys) -> None:
    assert client.get(f"{ADDRESS}/ovr_x", headers=keys["planner"]).status_code == 404
    answer = client.post(f"{ADDRESS}/ovr_x/withdraw", headers=keys["planner"])
    assert answer.status_code == 404


def test_before_a_brand_is_loaded_there_is_nothing_to_override(
    client: TestClient, keys: Keys
) -> None:
    assert decide(client, keys).status_code == 404
