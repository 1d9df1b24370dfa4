"""A POST that is sent twice acts once and is answered the same both times."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from httpx import Response
from sqlalchemy import Engine
from starlette.testclient import TestClient

from api.database import SessionFactory, session_factory
from api.idempotency import InFlight, _lock_across_processes
from api.problems import Refused
from api.services.stock import sweep
from core.ids import Entropy
from inventory import store
from tests.fakes import FakeClock

Keys = Mapping[str, Mapping[str, str]]

pytestmark = pytest.mark.usefixtures("loaded")

BODY = {"site": "DE-HAM", "item": "MUG", "kind": "receipt", "quantity": 5}


def post(
    client: TestClient, headers: Mapping[str, str], key: str | None, body: object = BODY
) -> Response:
    named = {} if key is None else {"Idempotency-Key": key}
    answer: Response = client.post("/v1/stock/movements", json=body, headers={**headers, **named})
    return answer


def on_hand(sessions: SessionFactory) -> int:
    with sessions() as session:
        return store.levels(session, sites=["DE-HAM"])[0].on_hand


def test_a_repeat_gets_the_same_bytes_and_moves_nothing(
    client: TestClient, keys: Keys, sessions: SessionFactory, clock: FakeClock
) -> None:
    first = post(client, keys["planner"], "k-1")
    clock.pass_(days=6, hours=23)
    again = post(client, keys["planner"], "k-1")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert on_hand(sessions) == 55


def test_the_key_may_be_quoted_as_a_structured_field(
    client: TestClient, keys: Keys, sessions: SessionFactory
) -> None:
    post(client, keys["planner"], '"k-1"')
    assert post(client, keys["planner"], "k-1").headers["Idempotent-Replayed"] == "true"
    assert on_hand(sessions) == 55


def test_the_same_key_for_another_body_is_refused(
    client: TestClient, keys: Keys, sessions: SessionFactory
) -> None:
    post(client, keys["planner"], "k-1")
    refused = post(client, keys["planner"], "k-1", {**BODY, "quantity": 6})
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency-key-reused")
    assert on_hand(sessions) == 55


def test_each_credential_has_keys_of_its_own(
    client: TestClient, keys: Keys, sessions: SessionFactory
) -> None:
    post(client, keys["planner"], "k-1")
    other = post(client, keys["admin"], "k-1")
    assert (other.status_code, "Idempotent-Replayed" in other.headers) == (201, False)
    assert on_hand(sessions) == 60


def test_a_failed_request_is_judged_anew(
    client: TestClient, keys: Keys, sessions: SessionFactory
) -> None:
    wrong = {**BODY, "kind": "adjustment", "quantity": -60}
    assert post(client, keys["planner"], "k-1", wrong).status_code == 409
    post(client, keys["planner"], "k-2", {**BODY, "quantity": 20})
    assert post(client, keys["planner"], "k-1", wrong).status_code == 201
    assert on_hand(sessions) == 10


@pytest.mark.parametrize("key", [None, "", '""', "k" * 256, "tab\there"])
def test_a_missing_or_malformed_key_is_a_bad_request(
    client: TestClient, keys: Keys, key: str | None
) -> None:
    refused = post(client, keys["planner"], key)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["header"] == "Idempotency-Key"


def test_the_longest_key_is_accepted(client: TestClient, keys: Keys) -> None:
    assert post(client, keys["planner"], "k" * 255).status_code == 201


def test_an_answer_is_forgotten_after_a_week(
    client: TestClient,
    keys: Keys,
    sessions: SessionFactory,
    clock: FakeClock,
    entropy: Entropy,
) -> None:
    post(client, keys["planner"], "k-1")
    clock.pass_(days=7)
    assert "Idempotent-Replayed" not in post(client, keys["planner"], "k-1").headers
    clock.pass_(days=6)
    assert sweep(sessions, clock, entropy).answers == 0
    clock.pass_(days=1, minutes=1)
    assert sweep(sessions, clock, entropy).answers == 1


def test_sixteen_at_once_act_once(client: TestClient, keys: Keys, sessions: SessionFactory) -> None:
    """Those that come while the first still runs are told so; all others get its answer."""
    gate = threading.Barrier(16)

    def send(_: int) -> Response:
        gate.wait(timeout=30)
        return post(client, keys["planner"], "k-1")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, range(16)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    codes = {answer.json()["code"] for answer in answers if answer.status_code == 409}
    assert codes <= {"idempotency-key-in-flight"}
    assert on_hand(sessions) == 55


def test_a_key_is_taken_while_its_first_request_runs() -> None:
    in_flight = InFlight()
    assert in_flight.enter(("a", "k"))
    assert not in_flight.enter(("a", "k"))
    assert in_flight.enter(("b", "k"))
    in_flight.leave(("a", "k"))
    assert in_flight.enter(("a", "k"))


@pytest.mark.postgres
def test_another_process_on_the_same_key_is_told_that_the_first_runs(
    postgres_engine: Engine,
) -> None:
    factory = session_factory(postgres_engine)
    with factory() as first, factory() as second:
        _lock_across_processes(first, ("a", "k"))
        with pytest.raises(Refused) as caught:
            _lock_across_processes(second, ("a", "k"))
        _lock_across_processes(second, ("b", "k"))
        first.commit()
        _lock_across_processes(second, ("a", "k"))
    assert (caught.value.status, caught.value.code) == (409, "idempotency-key-in-flight")
