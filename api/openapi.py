"""The OpenAPI document: what FastAPI draws from the routes, and every problem they may answer.

A route says which conflicts it knows: `responses=conflicts("stock-changed", "stock-reserved")`. All
other problems follow from what a route takes: a body may be malformed or too large, a credential
may be missing, a key of the wrong role.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from api.problems import MEDIA_TYPE, document_of

Document = dict[str, Any]
Roles = Mapping[tuple[str, str], Sequence[str]]
"""Roles that a route asks for, by method and path; none for routes that take any key."""

IN_FLIGHT = "idempotency-key-in-flight"

_CONFLICTS: Mapping[str, str] = {
    "insufficient-stock": "Not enough stock: MUG at any site (5 asked, 3 available).",
    "no-feasible-plan": "Nothing can serve the order: LAMP: POST takes up to 2 kg.",
    "plan-planned": "The plan is planned: it holds nothing.",
    "plan-cancelled": "The plan is cancelled: it holds nothing.",
    "plan-confirmed": "The plan is confirmed and its units have left.",
    "reservation-expired": "The reservation is expired.",
    "order-confirmed": "Lines 1 of the order are confirmed by pln_01k4hzq9d6vn2r7t8x3yb5c0me.",
    "not-finished": "The allocation has not finished.",
    "forecast-not-finished": "The forecast has not finished.",
    "run-not-finished": "The run has not finished.",
    "not-in-transit": "4 units of MUG (free) are on the way with TR-7.",
    "stock-changed": "Expected 40 on hand, found 38.",
    "stock-reserved": "The change would leave less than the 12 units that are held.",
    IN_FLIGHT: "The first request with this Idempotency-Key is still running.",
}
"""An example of the `detail` of every conflict, by its code."""

_PROBLEMS: Mapping[int, tuple[str, str]] = {
    400: ("The body is not JSON, or a header is missing.",
          "The body is not JSON: Expecting value (at character 0)."),
    401: ("No valid key came along.", "The API key is unknown or revoked."),
    403: ("The key has another role.", "This needs the role planner; the key has carrier."),
    404: ("No such thing, or no brand is loaded yet.", "No fulfillment plan is named 'pln_0'."),
    413: ("The body is larger than the service agreed to read.",
          "The body is larger than 1048576 bytes."),
    422: ("The request does not fit; `errors` says where.",
          "The request does not fit; see errors."),
    503: ("The database is busy or away; come again after `Retry-After` seconds.",
          "The database is busy or away; the request changed nothing."),
}  # fmt: skip

_REFERENCE = "#/components/schemas/Problem"

_SCHEMA: Document = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457); `code` is stable, `detail` is for people.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "detail": {"type": "string"},
                    "pointer": {"type": "string", "description": "JSON pointer into the body"},
                    "parameter": {"type": "string", "description": "Of the path or the query"},
                    "header": {"type": "string"},
                },
            },
        },
        "shortages": {
            "type": "array",
            "description": "Of `insufficient-stock`: what was asked for and what there is",
            "items": {
                "type": "object",
                "required": ["item", "site", "requested", "available", "available_from"],
                "properties": {
                    "item": {"type": "string"}, "site": {"type": "string"},
                    "requested": {"type": "integer"}, "available": {"type": "integer"},
                    "available_from": {
                        "description": "When the first unit could be there from goods on their way",
                        "type": ["object", "null"],
                        "required": ["at", "probability"],
                        "properties": {
                            "at": {"type": "string", "format": "date-time"},
                            "probability": {"type": "number"},
                        },
                    },
                },
            },
        },
    },
}  # fmt: skip


def conflicts(*codes: str) -> dict[int | str, Document]:
    """Returns the description of answer 409 with an example for each code."""
    told = ": ".join(
        filter(None, ("The state of the world does not allow it now", ", ".join(codes)))
    )
    examples = {code: _example(409, "", _CONFLICTS[code], code) for code in codes}
    return {409: {"description": told, "content": {MEDIA_TYPE: {"examples": examples}}}}


def install(app: FastAPI, routes: Sequence[APIRoute]) -> None:
    """Ensures that the document of an app declares the problems of its routes."""
    plain, roles = app.openapi, dict(_roles(routes))

    def openapi() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(plain(), roles)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's manual says


def _roles(routes: Iterable[APIRoute]) -> Iterator[tuple[tuple[str, str], Sequence[str]]]:
    for route in routes:
        for method in route.methods or ():
            yield (method.lower(), route.path), tuple(_asked(route.dependant))


def _asked(dependant: Dependant) -> Iterator[str]:
    yield from getattr(dependant.call, "roles", ())
    for inner in dependant.dependencies:
        yield from _asked(inner)


def _completed(document: Document, roles: Roles) -> Document:
    schemas = document["components"]["schemas"]
    schemas["Problem"] = _SCHEMA
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _declare(operation, method, path, roles.get((method, path), ()))
    return document


def _declare(operation: Document, method: str, path: str, roles: Sequence[str]) -> None:
    responses, keyed = operation["responses"], _with_key(operation)
    responses.pop("422", None)
    problems = {str(status): _problem(status, path, roles) for status in _statuses(
        operation, path, keyed, roles)}  # fmt: skip
    if "409" in responses or method == "post":
        problems["409"] = responses.pop("409", None) or conflicts()[409]
    if keyed:
        _examples(problems["409"]).update(_examples(conflicts(IN_FLIGHT)[409]))
    for status, answer in problems.items():
        responses[status] = {"description": HTTPStatus(int(status)).phrase, **answer}
        responses[status]["content"][MEDIA_TYPE]["schema"] = {"$ref": _REFERENCE}
        for example in _examples(answer).values():
            example["value"]["instance"] = path
    operation["responses"] = dict(sorted(responses.items()))


def _examples(answer: Document) -> Document:
    examples: Document = answer["content"][MEDIA_TYPE]["examples"]
    return examples


def _statuses(operation: Document, path: str, keyed: bool, roles: Sequence[str]) -> Iterator[int]:
    body, parameters = "requestBody" in operation, bool(operation.get("parameters"))
    signed = path.startswith("/v1/carriers/")  # read as bytes, for its signature
    applies = {
        400: body or keyed,
        401: "security" in operation or signed,
        403: bool(roles),
        404: path.startswith("/v1/"),
        413: body or signed,
        422: body or parameters,
        503: path.startswith("/v1/") or path == "/readyz",
    }
    return (status for status, does in applies.items() if does)


def _problem(status: int, path: str, roles: Sequence[str]) -> Document:
    description, detail = _PROBLEMS[status]
    if status == 403:
        wanted = " or ".join(dict.fromkeys(roles))
        description = f"The key has another role than {wanted}."
        detail = f"This needs the role {wanted}; the key has carrier."
    answer: Document = {
        "description": description,
        "content": {MEDIA_TYPE: {"examples": {
            HTTPStatus(status).phrase: _example(status, path, detail),
        }}},
    }  # fmt: skip
    if status == 503:
        answer["headers"] = {"Retry-After": {"schema": {"type": "string"}}}
    return answer


def _example(status: int, path: str, detail: str, code: str = "") -> Document:
    errors = [{"pointer": "/lines/0/quantity", "detail": "Input should be greater than 0"}]
    shown = errors if status == 422 else []
    return {"value": document_of(status, path, detail, code, shown)}


def _never_null(schema: Document) -> Document:
    """Returns the schema of a parameter: one that is left out has no value, not the value null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    rest = {name: told for name, told in schema.items() if name != "anyOf"}
    return {**rest, **kinds[0]} if len(kinds) == 1 else schema


def _with_key(operation: Document) -> bool:
    """Whether a route takes an Idempotency-Key, which the document then asks for."""
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _never_null(parameter["schema"])
        if parameter["name"] == "Idempotency-Key":
            text = {"type": "string", "minLength": 1, "maxLength": 255}
            parameter |= {"required": True, "schema": text, "example": "A-1001-plan"}
            return True
    return False
