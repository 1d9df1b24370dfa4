"""Problem details (RFC 9457): every failure at the HTTP door has the same shape."""

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from sqlalchemy.exc import DBAPIError, OperationalError
from starlette.exceptions import HTTPException

from core.clock import rfc3339
from core.errors import BadInput, Conflict, EntrepotError, NotFound, OutOfStock, Shortage

Errors = Sequence[Mapping[str, str]]
"""What is wrong and where: `{"pointer": "/lines/0/quantity", "detail": "..."}`, or `parameter` or
`header` in place of `pointer`."""

MEDIA_TYPE = "application/problem+json"

_CODES = {
    400: "malformed", 401: "unauthenticated", 403: "forbidden", 404: "not-found",
    405: "method-not-allowed", 413: "too-large", 415: "unsupported-media-type",
    422: "invalid", 503: "busy",
}  # fmt: skip


class Refused(EntrepotError):
    """A request that the door itself turns away, with its HTTP status."""

    code = "refused"

    def __init__(
        self,
        status: int,
        detail: str,
        code: str = "",
        errors: Errors = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.errors, self.headers = status, errors, headers
        self.code = code or _code(status)  # type: ignore[misc]  # narrows for one instance


class _Document(JSONResponse):
    """A problem document; what UTF-8 cannot say is shown as `?`."""

    def render(self, content: Any) -> bytes:
        """Returns the document as bytes."""
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


def problem(
    request: Request,
    status: int,
    detail: str,
    code: str = "",
    errors: Errors = (),
    headers: Mapping[str, str] | None = None,
    **extensions: Any,
) -> JSONResponse:
    """Returns the answer to one failure; extensions become further members."""
    document = document_of(status, request.url.path, detail, code, errors)
    return _Document({**document, **extensions}, status, headers, media_type=MEDIA_TYPE)


def document_of(
    status: int, instance: str, detail: str, code: str = "", errors: Errors = ()
) -> dict[str, Any]:
    """Returns the problem document of one failure at an address; the status names the code."""
    code = code or _code(status)
    return {
        "type": f"urn:entrepot:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": instance,
        "code": code,
        "errors": list(errors),
    }


def install(app: FastAPI) -> None:
    """Ensures that every failure of an app, expected or not, answers with a problem document."""
    app.add_exception_handler(EntrepotError, _business)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(Exception, _surprise)


def _code(status: int) -> str:
    return _CODES.get(status) or HTTPStatus(status).phrase.lower().replace(" ", "-")


async def _business(request: Request, error: Any) -> JSONResponse:
    if isinstance(error, Refused):
        return problem(request, error.status, str(error), error.code, error.errors, error.headers)
    if isinstance(error, OutOfStock):
        return problem(request, 409, str(error), error.code, shortages=shortages_of(error))
    if isinstance(error, BadInput):
        return problem(request, 422, _first(error), error.code, _listed(error))
    status = {NotFound: 404, Conflict: 409}.get(type(error), 422)
    return problem(request, status, str(error), error.code)


def shortages_of(error: OutOfStock) -> list[dict[str, Any]]:
    """Returns what was asked for, what there is, and when the first unit could come."""
    return [
        {
            "item": short.item,
            "site": short.site,
            "requested": short.requested,
            "available": short.available,
            "available_from": _comes(short),
        }
        for short in error.shortages
    ]


def _comes(short: Shortage) -> dict[str, Any] | None:
    if short.comes_at is None:
        return None
    at, probability = short.comes_at
    return {"at": rfc3339(at), "probability": round(probability, 4)}


def _first(error: BadInput) -> str:
    return error.problems[0].problem if error.problems else str(error)


def _listed(error: BadInput) -> list[dict[str, str]]:
    return [
        {"pointer": found.pointer, "detail": found.problem}
        for found in error.problems
        if found.pointer
    ]


async def _http(request: Request, error: Any) -> JSONResponse:
    headers = error.headers
    if error.status_code == 405:
        headers = {**(headers or {}), "Allow": ", ".join(_methods(request))}
    return problem(request, error.status_code, _sentence(error), headers=headers)


def _methods(request: Request) -> list[str]:
    """Returns what an address answers to; the framework knows of its first route only.

    Where a fixed address could also be read as one with a name in it, it is the fixed one.
    """
    routes: Sequence[APIRoute] = request.app.state.routes
    fitting = [route for route in routes if route.path_regex.match(request.url.path)]
    path = min(fitting, key=lambda route: len(route.param_convertors)).path if fitting else ""
    methods = {method for route in fitting if route.path == path for method in route.methods or ()}
    return sorted(methods)


def _sentence(error: HTTPException) -> str:
    if error.status_code == 404 and error.detail == "Not Found":
        return "Nothing is served at this address."
    if error.status_code == 405:
        return "This address does not answer to that method."
    return str(error.detail)


async def _validation(request: Request, error: Any) -> JSONResponse:
    found: Sequence[Mapping[str, Any]] = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        at = found[0]["loc"][-1]
        reason = found[0].get("ctx", {}).get("error", "invalid JSON")
        return problem(request, 400, f"The body is not JSON: {reason} (at character {at}).")
    return problem(
        request,
        422,
        "The request does not fit; see errors.",
        errors=[_located(one) for one in found],
    )


def _located(found: Mapping[str, Any]) -> dict[str, str]:
    place, *path = found["loc"]
    said = _MEMBER.sub(r"\1", str(found["msg"]))
    if place == "body":
        return {"pointer": _pointer(path), "detail": said}
    name = {"query": "parameter", "path": "parameter", "header": "header"}.get(place, "parameter")
    return {name: ".".join(str(part) for part in path), "detail": said}


_MEMBER = re.compile(r"<\w+\.\w+: ('[^']*')>")
"""How Python writes a member of an enumeration; callers know its value."""


def _pointer(path: Sequence[object]) -> str:
    """Returns the JSON pointer (RFC 6901) of a path into the body."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "".join(f"/{part}" for part in escaped)


async def _database(request: Request, error: Any) -> JSONResponse:
    if "\x00" in request.scope["path"]:
        return problem(request, 404, "No name contains a NUL.")
    if _busy(error):
        return problem(
            request, 503, "The database is busy or away; the request changed nothing.", "busy",
            headers={"Retry-After": "1"},
        )  # fmt: skip
    return await _surprise(request, error)


def _busy(error: DBAPIError) -> bool:
    """Whether trying again may help: PostgreSQL away or in a deadlock, SQLite locked for long."""
    if not isinstance(error, OperationalError):
        return False
    return hasattr(error.orig, "sqlstate") or "locked" in str(error.orig)


async def _surprise(request: Request, _: Exception) -> JSONResponse:
    return problem(request, 500, "Something went wrong inside; the request changed nothing.")
