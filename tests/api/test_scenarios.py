"""Scenarios over HTTP: kept, run by a job together with their base, compared, promoted."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlmodel import Session
from starlette.testclient import TestClient

from api.database import SessionFactory
from api.jobs.runner import Runner
from api.services.brands import brand_version, load_brand
from api.services.prices import current_prices
from core.brand import Brand
from core.ids import Entropy
from routing.allocation.prices import prices_from
from simulations import store
from simulations.run import run
from simulations.scenarios import BASE
from tests.conftest import Headers
from tests.fakes import FakeClock

MORE = {"name": "Germany up", "overrides": [{"demand": {"region": "DE"}, "factor": 1.5}]}

pytestmark = pytest.mark.usefixtures("loaded")


@pytest.fixture
def planner(keys: Mapping[str, Headers]) -> Headers:
    return keys["planner"]


@pytest.fixture
def worker(sessions: SessionFactory, clock: FakeClock) -> Runner:
    return Runner(sessions, clock, "worker")


def create(client: TestClient, planner: Headers, document: Mapping[str, Any] = MORE) -> str:
    made = client.post("/v1/scenarios", json=document, headers=planner)
    assert made.status_code == 201, made.text
    assert made.headers["Location"] == f"/v1/scenarios/{made.json()['id']}"
    return str(made.json()["id"])


def start(client: TestClient, planner: Headers, scenario: str, seed: int = 0) -> dict[str, Any]:
    url = f"/v1/scenarios/{scenario}/runs"
    started = client.post(url, json={"seed": seed}, headers=planner)
    assert started.status_code == 202, started.text
    found: dict[str, Any] = started.json()
    return found


def test_a_scenario_is_kept_as_it_was_written(client: TestClient, planner: Headers) -> None:
    scenario = create(client, planner)
    kept = client.get(f"/v1/scenarios/{scenario}", headers=planner).json()
    assert (kept["name"], kept["overrides"]) == (MORE["name"], MORE["overrides"])
    listed = client.get("/v1/scenarios", headers=planner).json()
    assert [each["id"] for each in listed["data"]] == [scenario]


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"name": "x", "overrides": [{"site": "NOWHERE", "status": "closed"}]}, 422),
        ({"name": "x", "overrides": [{"sit": "DE-HAM"}]}, 422),
        ({"name": "x", "overrides": [{"site": "DE-HAM", "factor": "many"}]}, 422),
        ({"name": "", "overrides": []}, 422),
        ({"name": "x", "overrides": [], "more": 1}, 422),
        ({"name": "x", "overrides": ["y"]}, 422),
    ],
)
def test_a_faulty_scenario_is_refused_and_not_kept(
    client: TestClient, planner: Headers, document: object, status: int
) -> None:
    refused = client.post("/v1/scenarios", json=document, headers=planner)
    assert refused.status_code == status
    assert refused.headers["content-type"] == "application/problem+json"
    assert client.get("/v1/scenarios", headers=planner).json()["data"] == []


def test_a_run_computes_the_scenario_and_once_its_base(
    client: TestClient, planner: Headers, worker: Runner, loaded: Brand, clock: FakeClock
) -> None:
    scenario = create(client, planner)
    first = start(client, planner, scenario)
    assert (first["state"], first["outcome"]) == ("queued", None)
    assert worker.run(first["job"])
    done = client.get(f"/v1/runs/{first['id']}", headers=planner).json()
    base = client.get(f"/v1/runs/{first['base']}", headers=planner).json()
    assert (done["state"], done["name"], base["name"]) == ("succeeded", "Germany up", "base")
    assert base["outcome"] == run(BASE, loaded).document()
    clock.pass_(seconds=1)
    second = start(client, planner, scenario)
    assert second["base"] == first["base"]
    assert worker.run(second["job"])
    again = client.get(f"/v1/runs/{second['id']}", headers=planner).json()
    assert again["outcome"] == done["outcome"]
    listed = client.get(f"/v1/runs?scenario={scenario}", headers=planner).json()["data"]
    assert [(each["id"], each["outcome"]) for each in listed] == [
        (second["id"], None), (first["id"], None),
    ]  # fmt: skip


def test_a_job_links_to_its_run(client: TestClient, planner: Headers, worker: Runner) -> None:
    started = start(client, planner, create(client, planner))
    worker.run(started["job"])
    job = client.get(f"/v1/jobs/{started['job']}", headers=planner).json()
    assert (job["link"], job["progress"]) == (f"/v1/runs/{started['id']}", 1.0)
    assert job["result"]["run"] == started["id"]


def test_a_run_compares_with_its_base_and_with_others(
    client: TestClient, planner: Headers, worker: Runner
) -> None:
    dear = {"name": "Dear", "overrides": [{"rate": "*", "factor": 1.2}]}
    runs = [start(client, planner, create(client, planner, each)) for each in (MORE, dear)]
    pending = client.get(f"/v1/runs/compare?ids={runs[0]['id']}", headers=planner)
    assert (pending.status_code, pending.json()["code"]) == (409, "run-not-finished")
    assert worker.run_due() == 2
    alone = client.get(f"/v1/runs/compare?ids={runs[0]['id']}", headers=planner).json()
    (difference,) = alone["differences"]
    assert (alone["base"], difference["name"]) == ("base", "Germany up")
    assert difference["inputs"]["added"] == MORE["overrides"]
    parts = sum(part["difference"]["amount"] for part in difference["costs"])
    assert parts == difference["cost_difference"]["amount"] > 0
    ids = ",".join([runs[0]["base"], runs[0]["id"], runs[1]["id"]])
    both = client.get(f"/v1/runs/compare?ids={ids}", headers=planner).json()
    assert [each["name"] for each in both["differences"]] == ["Germany up", "Dear"]
    unknown = client.get("/v1/runs/compare?ids=run_none", headers=planner)
    assert unknown.status_code == 404
    assert client.get("/v1/runs/compare?ids=,", headers=planner).status_code == 422


def test_a_run_sees_the_brand_of_the_moment_it_was_asked(
    client: TestClient,
    planner: Headers,
    worker: Runner,
    sessions: SessionFactory,
    loaded: Brand,
    clock: FakeClock,
    entropy: Entropy,
) -> None:
    """A new brand is loaded while the job waits: the run still uses the old one."""
    started = start(client, planner, create(client, planner))
    stock = loaded.table("stock").assign(on_hand=0)
    with sessions.begin() as session:
        load_brand(session, loaded.with_table("stock", stock), clock, entropy)
    worker.run(started["job"])
    served = client.get(f"/v1/runs/{started['id']}", headers=planner).json()["outcome"]["units"]
    assert served["served"] > 0
    later = start(client, planner, create(client, planner))
    assert later["base"] != started["base"]
    worker.run(later["job"])
    ids = f"{started['id']},{later['id']}"
    mixed = client.get(f"/v1/runs/compare?ids={ids}", headers=planner)
    assert mixed.status_code == 422
    outdated = client.post(f"/v1/runs/{started['id']}/promote", headers=planner)
    assert (outdated.status_code, outdated.json()["code"]) == (409, "run-outdated")


def test_promoting_a_run_makes_its_prices_the_current_ones(
    client: TestClient, planner: Headers, worker: Runner, sessions: SessionFactory
) -> None:
    started = start(client, planner, create(client, planner))
    url = f"/v1/runs/{started['id']}/promote"
    assert client.post(url, headers=planner).status_code == 409
    assert _promoted(sessions) is None
    worker.run(started["job"])
    promoted = client.post(url, headers=planner)
    assert promoted.status_code == 200
    assert promoted.json()["promoted_at"]
    assert _promoted(sessions) == _kept(sessions, started["id"])


def _promoted(sessions: SessionFactory) -> str | None:
    with sessions.begin() as session:
        prices = current_prices(session, brand_version(session))
    return prices.version if prices else None


def _kept(sessions: SessionFactory, run_id: str) -> str:
    with sessions.begin() as session:
        return prices_from(_prices(session, run_id)).version


def _prices(session: Session, run_id: str) -> bytes:
    prices = store.run_record(session, run_id).prices
    assert prices is not None
    return prices


def test_a_scenario_that_no_longer_fits_fails_with_a_sentence(
    client: TestClient,
    planner: Headers,
    worker: Runner,
    sessions: SessionFactory,
    loaded: Brand,
    clock: FakeClock,
    entropy: Entropy,
) -> None:
    closed = {"name": "x", "overrides": [{"service": "ECONOMY", "pickup_days": 2}]}
    scenario = create(client, planner, closed)
    services = loaded.table("services")
    rates = loaded.table("rates")
    smaller = loaded.with_table("services", services[services["service"] != "ECONOMY"])
    smaller = smaller.with_table("rates", rates[rates["service"] != "ECONOMY"])
    with sessions.begin() as session:
        load_brand(session, smaller, clock, entropy)
    started = start(client, planner, scenario)
    worker.run(started["job"])
    failed = client.get(f"/v1/runs/{started['id']}", headers=planner).json()
    assert (failed["state"], failed["outcome"]) == ("failed", None)
    assert "service 'ECONOMY' matches nothing" in failed["error"]


def test_other_roles_do_not_plan(client: TestClient, keys: Mapping[str, Headers]) -> None:
    for role in ("order-service", "carrier", "auditor"):
        assert client.get("/v1/scenarios", headers=keys[role]).status_code == 403
        assert client.post("/v1/scenarios", json=MORE, headers=keys[role]).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        r'{"name": "x", "note": "\ud800"}',
        r'{"name": "\ud800"}',
        r'{"name": "x", "\ud800": 1}',
        r'{"name": "x", "overrides": [{"demand": "DE", "factor": 2, "note": "\ud800"}]}',
        r'{"name": "x", "overrides": [{"demand": "DE", "factor": 2, "\ud800": 1}]}',
        '{"name": "x", "overrides": [{"demand": "DE", "factor": 1' + "0" * 400 + "}]}",
    ],
)
def test_what_cannot_be_kept_is_refused(client: TestClient, planner: Headers, body: str) -> None:
    """Half surrogate pairs and numbers beyond floats answered 500."""
    headers = {**planner, "Content-Type": "application/json"}
    assert client.post("/v1/scenarios", content=body, headers=headers).status_code == 422
    inner = f'{{"scenario": {body}}}'
    assert client.post("/v1/allocations", content=inner, headers=headers).status_code == 422
