"""The OpenAPI document: every route declares what it may answer, with an example."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import Settings

Operation = Mapping[str, Any]


def operations() -> Iterator[tuple[str, str, Operation]]:
    document = create_app(Settings()).openapi()
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            yield method, path, told


OPERATIONS = list(operations())
NAMES = [f"{method} {path}" for method, path, _ in OPERATIONS]


@pytest.mark.parametrize(("method", "path", "told"), OPERATIONS, ids=NAMES)
def test_every_problem_has_the_form_and_an_example(method: str, path: str, told: Operation) -> None:
    problems = {status: one for status, one in told["responses"].items() if status >= "400"}
    for status, one in problems.items():
        (media,) = one["content"].items()
        assert media[0] == "application/problem+json"
        assert media[1]["schema"] == {"$ref": "#/components/schemas/Problem"}
        for example in media[1]["examples"].values():
            shown = example["value"]
            assert (str(shown["status"]), shown["instance"]) == (status, path)
            assert re.fullmatch(r"urn:entrepot:problem:[a-z-]+", shown["type"])
    if path.startswith("/v1/"):
        assert {"404", "503"} <= set(problems)
    if method == "post" and "requestBody" in told:
        assert {"400", "409", "413", "422"} <= set(problems)


def test_starred_routes_ask_for_their_key() -> None:
    keyed = {
        path for _, path, told in OPERATIONS for one in told.get("parameters", ())
        if one["name"] == "Idempotency-Key" and one["required"]
    }  # fmt: skip
    plans = "/v1/fulfillment-plans"
    assert {plans, f"{plans}/batch", f"{plans}/{{plan_id}}/confirm", f"{plans}/{{plan_id}}/cancel",
            "/v1/stock/movements"} <= keyed  # fmt: skip


def test_a_refused_role_is_told_with_the_roles_that_may() -> None:
    told = next(told for method, path, told in OPERATIONS
                if (method, path) == ("post", "/v1/stock/movements"))  # fmt: skip
    assert "planner" in told["responses"]["403"]["description"]
    conflict = told["responses"]["409"]["content"]["application/problem+json"]
    codes = {"insufficient-stock", "not-in-transit", "stock-changed", "stock-reserved",
             "idempotency-key-in-flight"}  # fmt: skip
    assert set(conflict["examples"]) == codes


def test_no_parameter_may_be_null() -> None:
    for _, _, told in OPERATIONS:
        for parameter in told.get("parameters", ()):
            assert {"type": "null"} not in parameter["schema"].get("anyOf", ())


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/allocations", "GET, POST"),
        ("/v1/jobs/job_1", "DELETE, GET"),
        ("/v1/stock/movements", "GET, POST"),
        ("/v1/fulfillment-plans/batch", "POST"),
    ],
)
def test_an_address_tells_all_methods_that_it_answers(
    client: TestClient, path: str, allowed: str
) -> None:
    refused = client.patch(path)
    assert (refused.status_code, refused.headers["Allow"]) == (405, allowed)
    assert refused.json()["code"] == "method-not-allowed"
