"""The app: one transaction for a request, kept before the answer leaves; health, metrics, docs."""

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import FastAPI, Response
from httpx import Client
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError
from sqlmodel import Session
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from api.app import create_app
from api.database import SessionFactory, engine_for, session_factory
from api.dependencies import SessionDep
from api.idempotency import OnceDep
from api.records import BrandTableRecord
from api.settings import Settings
from api.store import known_tables
from inventory import store
from tests.serving import serving

Keys = Mapping[str, Mapping[str, str]]

RECEIPT = {"site": "DE-HAM", "item": "MUG", "kind": "receipt", "quantity": 5}


def receive(client: TestClient | Client, keys: Keys, key: str = "k") -> Any:
    headers = {**keys["planner"], "Idempotency-Key": key}
    return client.post("/v1/stock/movements", json=RECEIPT, headers=headers)


def on_hand(engine: Engine) -> int:
    with session_factory(engine, reads=True)() as session:
        return store.levels(session, sites=["DE-HAM"])[0].on_hand


@pytest.mark.usefixtures("loaded")
def test_what_was_answered_can_be_read_from_another_connection_at_once(
    app: FastAPI, engine: Engine, keys: Keys
) -> None:
    """The status line leaves after the commit: a look at that very moment finds the units."""
    seen: list[tuple[int, int]] = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        async def looking(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.append((message["status"], on_hand(engine)))
            await send(message)

        await app(scope, receive, looking)

    receive(TestClient(watched), keys)
    assert seen == [(201, 55)]


@pytest.mark.usefixtures("loaded")
def test_when_the_commit_fails_the_answer_is_an_error_and_nothing_is_kept(
    client: TestClient, sessions: SessionFactory, engine: Engine, keys: Keys
) -> None:
    def failing(_: Session) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk full"))

    event.listen(sessions, "before_commit", failing)
    client.app.state.sessions = sessions  # type: ignore[attr-defined]
    answer = receive(client, keys)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-server-error")
    event.remove(sessions, "before_commit", failing)
    assert on_hand(engine) == 50
    assert receive(client, keys).status_code == 201
    assert on_hand(engine) == 55


def test_a_route_that_raises_keeps_nothing(
    app: FastAPI, client: TestClient, session: Session
) -> None:
    @app.post("/half-way")
    def half_way(session: SessionDep) -> None:
        session.add(BrandTableRecord(content_hash="half", rows=0, content=b""))
        session.flush()
        raise LookupError("a bug")

    answer = client.post("/half-way")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-server-error")
    assert "LookupError" not in answer.text
    assert known_tables(session, ["half"]) == set()


def test_a_route_that_forgets_to_answer_through_once_is_a_bug(
    app: FastAPI, client: TestClient, keys: Keys
) -> None:
    @app.post("/forgetful")
    def forgetful(once: OnceDep) -> Response:
        return Response(once.key)

    headers = {**keys["planner"], "Idempotency-Key": "k"}
    assert client.post("/forgetful", headers=headers).status_code == 500


@pytest.mark.usefixtures("loaded")
def test_64_clients_of_a_real_server_are_all_served(
    app: FastAPI, engine: Engine, keys: Keys
) -> None:
    """More requests than threads wait for one lock, and its holder still finds a thread."""
    with (
        serving(app) as address,
        Client(base_url=address, timeout=60) as client,
        ThreadPoolExecutor(64) as pool,
    ):
        answers = pool.map(lambda at: receive(client, keys, f"k-{at}").status_code, range(64))
        assert list(answers) == [201] * 64
    assert on_hand(engine) == 50 + 64 * 5


def test_health_tells_the_database(client: TestClient, engine: Engine) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ok", "database": engine.dialect.name}


def test_a_server_without_its_database_is_alive_but_not_ready(settings: Settings) -> None:
    engine = engine_for("postgresql://nobody@/nothing?host=/nowhere")
    with TestClient(create_app(settings, engine), raise_server_exceptions=False) as client:
        assert client.get("/healthz").status_code == 200
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")


@pytest.mark.usefixtures("loaded")
def test_metrics_count_by_route_and_status(client: TestClient, keys: Keys) -> None:
    client.get("/v1/sites", headers=keys["planner"])
    client.get("/v1/sites")
    client.get("/v1/nothing/123")
    lines = client.get("/metrics").text.splitlines()
    assert 'entrepot_http_requests_total{method="GET",route="/v1/sites",status="200"} 1' in lines
    assert 'entrepot_http_requests_total{method="GET",route="/v1/sites",status="401"} 1' in lines
    assert 'entrepot_http_requests_total{method="GET",route="none",status="404"} 1' in lines
    assert 'entrepot_http_request_seconds_bucket{le="+Inf"} 3' in lines


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("sites", {"site": "DE-HAM", "tier": "central", "storage_m3": None}),
        ("items", {"item": "MUG", "weight_kg": 0.4, "bulky": False}),
        ("services", {"service": "EXPRESS", "mode": "express"}),
        ("regions", {"region": "DE", "country": "DE"}),
    ],
)
def test_reference_data_is_listed_as_in_the_folder(
    client: TestClient, keys: Keys, path: str, first: dict[str, object]
) -> None:
    answer = client.get(f"/v1/{path}?limit=1", headers=keys["carrier"])
    assert answer.status_code == 200
    assert answer.json()["data"][0].items() >= first.items()
    if path == "sites":
        rest = client.get(answer.links["next"]["url"], headers=keys["carrier"]).json()
        assert [row["site"] for row in rest["data"]] == ["TH-BKK"]
        assert rest["next"] is None


def test_before_the_first_load_there_is_no_brand(client: TestClient, keys: Keys) -> None:
    answer = client.get("/v1/lanes", headers=keys["planner"])
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_the_interactive_reference_asks_no_other_machine(client: TestClient) -> None:
    page = client.get("/docs").text
    addresses = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert addresses
    assert all(address.startswith("/") for address in addresses)
    assert not re.search(r"https?://", page)


def test_the_contract_describes_every_route(client: TestClient) -> None:
    contract = client.get("/openapi.json").json()
    assert contract["info"]["title"] == "Entrepot"
    assert "/v1/stock/movements" in contract["paths"]
    assert "HTTPBearer" in contract["components"]["securitySchemes"]
