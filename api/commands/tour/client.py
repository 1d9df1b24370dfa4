"""A small client of the API: JSON in and out, an Idempotency-Key on each POST, jobs awaited."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from core.errors import EntrepotError

Document = dict[str, Any]

_POLL_SECONDS = 0.3
_ORDER_ROUTES = ("/v1/fulfillment-plans", "/v1/shipments")
_FINAL = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks to one service as a planner or, under its routes, as an order service."""

    base: str
    planner: str
    order_service: str
    names: Iterator[str]

    def get(self, path: str) -> Document:
        """Returns the document at a path; raises `EntrepotError` with the problem's sentence."""
        return self._send("GET", path, None, {})

    def post(self, path: str, body: object) -> Document:
        """Returns the answer to a document, sent with an Idempotency-Key of its own."""
        content = json.dumps(body).encode()
        return self._send("POST", path, content, {"Idempotency-Key": next(self.names)})

    def post_signed(self, path: str, content: bytes, headers: Mapping[str, str]) -> Document:
        """Returns the answer to bytes whose signature the headers carry."""
        return self._send("POST", path, content, headers)

    def finished(self, job: str, report: Callable[[float, str], None]) -> Document:
        """Returns a job once it has ended well; tells its progress meanwhile."""
        while True:
            found = self.get(f"/v1/jobs/{job}")
            report(found["progress"], found.get("doing", ""))
            if found["state"] in _FINAL:
                break
            time.sleep(_POLL_SECONDS)
        if found["state"] != "succeeded":
            raise EntrepotError(f"The job {found['kind']} ended {found['state']}: {found['error']}")
        return found

    def _key(self, path: str) -> str:
        return self.order_service if path.startswith(_ORDER_ROUTES) else self.planner

    def _send(
        self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]
    ) -> Document:
        request = Request(  # noqa: S310  # the address is this service's own, always http
            self.base + path,
            data=content,
            method=method,
            headers={
                "Authorization": f"Bearer {self._key(path)}",
                "Content-Type": "application/json",
                **headers,
            },
        )
        try:
            with urlopen(request, timeout=120) as answer:  # noqa: S310  # as above
                document: Document = json.loads(answer.read() or b"{}")
                return document
        except HTTPError as error:
            raise EntrepotError(f"{method} {path}: {_told(error)}") from error


def _told(error: HTTPError) -> str:
    try:
        problem = json.loads(error.read())
    except ValueError:
        return f"{error.code} {error.reason}"
    places = "; ".join(str(one.get("detail", one)) for one in problem.get("errors") or [])
    return f"{error.code} {problem.get('detail') or problem.get('title')} {places}".strip()
