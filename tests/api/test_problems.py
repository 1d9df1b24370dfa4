"""Every failure at the HTTP door is a problem document (RFC 9457)."""

from collections.abc import Iterator, Mapping

import pytest
from fastapi import FastAPI
from httpx import Response
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from api.problems import MEDIA_TYPE, Refused
from core.errors import BadInput, Conflict, NotFound, OutOfStock, Problem, Shortage

Keys = Mapping[str, Mapping[str, str]]


def problem(answer: Response, status: int, code: str) -> dict[str, object]:
    document: dict[str, object] = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)
    assert {"type", "title", "status", "detail", "instance", "code", "errors"} <= set(document)
    assert (document["status"], document["code"]) == (status, code)
    assert document["type"] == f"urn:entrepot:problem:{code}"
    return document


def failing(app: FastAPI, client: TestClient, error: Exception) -> Response:
    @app.get("/failing")
    def fail() -> None:
        raise error

    answer: Response = client.get("/failing")
    return answer


def test_an_unknown_address(client: TestClient) -> None:
    document = problem(client.get("/nowhere"), 404, "not-found")
    assert document["instance"] == "/nowhere"


def test_a_wrong_method(client: TestClient) -> None:
    answer = client.put("/healthz")
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("body", [b"{", b"{'a': 1}", b"[1,]", b"\xff\xfe", b'{"a": '])
def test_a_body_that_is_not_json(client: TestClient, keys: Keys, body: bytes) -> None:
    headers = {**keys["planner"], "Idempotency-Key": "k", "Content-Type": "application/json"}
    answer = client.post("/v1/stock/movements", content=body, headers=headers)
    problem(answer, 400, "malformed")


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"7", b'"text"', b"{}"])
def test_a_body_of_another_shape(client: TestClient, keys: Keys, body: bytes) -> None:
    headers = {**keys["planner"], "Idempotency-Key": "k", "Content-Type": "application/json"}
    answer = client.post("/v1/stock/movements", content=body, headers=headers)
    assert problem(answer, 422, "invalid")["errors"]


def test_a_body_deeper_than_any_order(client: TestClient, keys: Keys) -> None:
    headers = {**keys["planner"], "Idempotency-Key": "k", "Content-Type": "application/json"}
    body = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    answer = client.post("/v1/stock/movements", content=body, headers=headers)
    problem(answer, 400, "malformed")


def test_an_announced_oversized_body(client: TestClient, keys: Keys) -> None:
    headers = {**keys["planner"], "Idempotency-Key": "k", "Content-Type": "application/json"}
    body = b'"' + b"x" * (1 << 20) + b'"'
    answer = client.post("/v1/stock/movements", content=body, headers=headers)
    problem(answer, 413, "too-large")


def test_an_oversized_body_in_chunks(client: TestClient, keys: Keys) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 65_536

    headers = {**keys["planner"], "Idempotency-Key": "k", "Content-Type": "application/json"}
    answer = client.post("/v1/stock/movements", content=chunks(), headers=headers)
    problem(answer, 413, "too-large")


def test_a_pointer_escapes_its_separators(app: FastAPI, client: TestClient) -> None:
    @app.post("/numbers")
    def numbers(body: dict[str, list[int]]) -> None:
        """Takes lists of numbers by name."""

    answer = client.post("/numbers", json={"a/b~c": [1, "x"]})
    document = problem(answer, 422, "invalid")
    assert document["errors"] == [
        {
            "pointer": "/a~1b~0c/1",
            "detail": "Input should be a valid integer, unable to parse string as an integer",
        }
    ]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFound("plan", "pln_1"), 404, "not-found"),
        (Conflict("Too late.", "reservation-expired"), 409, "reservation-expired"),
        (BadInput("Expected a currency."), 422, "bad-input"),
        (Refused(415, "Expected XML."), 415, "unsupported-media-type"),
        (OperationalError("BEGIN", {}, Exception("database is locked")), 503, "busy"),
        (RuntimeError("secret inside"), 500, "internal-server-error"),
    ],
)
def test_errors_have_their_status(
    app: FastAPI, client: TestClient, error: Exception, status: int, code: str
) -> None:
    answer = failing(app, client, error)
    document = problem(answer, status, code)
    assert "secret" not in answer.text
    assert document["detail"]


def test_bad_input_points_at_its_fields(app: FastAPI, client: TestClient) -> None:
    error = BadInput([Problem("", 0, 0, "No item is named 'X'.", "/lines/0/item")])
    document = problem(failing(app, client, error), 422, "bad-input")
    assert document["errors"] == [{"pointer": "/lines/0/item", "detail": "No item is named 'X'."}]


def test_a_shortage_names_item_site_and_units(app: FastAPI, client: TestClient) -> None:
    error = OutOfStock([Shortage("MUG", "DE-HAM", 3, 1)])
    document = problem(failing(app, client, error), 409, "insufficient-stock")
    assert document["shortages"] == [
        {"item": "MUG", "site": "DE-HAM", "requested": 3, "available": 1, "available_from": None}
    ]


def test_a_problem_may_quote_text_that_has_no_utf_8(app: FastAPI, client: TestClient) -> None:
    """A problem that quoted half of a surrogate pair could not be sent and became a 500."""
    fault = Problem("", 0, 0, "unknown \ud800", "/\ud800")
    document = problem(failing(app, client, BadInput([fault])), 422, "bad-input")
    assert document["errors"] == [{"pointer": "/?", "detail": "unknown ?"}]
