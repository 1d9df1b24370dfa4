"""The history of a siege: what was asked and answered, and when."""

import hashlib
import http.client
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.clock import Clock

IN_FLIGHT = "idempotency-key-in-flight"
PATIENCE_SECONDS = 60

Document = Mapping[str, Any]
Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request and what came of it; `status` 0 means that no answer came.

    `subject` is the order, plan or reference that the request is about. `told` is what the checker
    needs of the answer, `digest` stands for all its bytes.
    """

    action: str
    subject: str
    key: str
    began: datetime
    ended: datetime
    status: int
    code: str = ""
    digest: str = ""
    replayed: bool = False
    told: Document = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether the request did what it asked for."""
        return 200 <= self.status < 300

    @property
    def settled(self) -> bool:
        """Whether the answer says for sure what became of the request."""
        return self.done or (400 <= self.status < 500 and self.code != IN_FLIGHT)


@dataclass(slots=True)
class History:
    """Attempts of all clients, in the order in which they ended.

    `operations` counts those that the service judged: an answer came, and not "come again".
    """

    clock: Clock
    attempts: list[Attempt] = field(default_factory=list)
    operations: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, attempt: Attempt) -> None:
        with self._lock:
            self.attempts.append(attempt)
            self.operations += attempt.settled


@dataclass(slots=True)
class Line:
    """One client's connection; it is opened anew when the other side has died."""

    host: str
    port: int
    history: History
    connection: http.client.HTTPConnection | None = None

    def ask(
        self,
        action: str,
        subject: str,
        method: str,
        path: str,
        headers: Headers,
        body: Document | None = None,
        excerpt: Callable[[Any], Document] = dict,
    ) -> Attempt:
        """Sends one request and returns what came of it, which the history keeps as well."""
        clock, key = self.history.clock, headers.get("Idempotency-Key", "")
        began = clock.now()
        try:
            status, content, replayed = self._sent(method, path, headers, body)
        except (OSError, http.client.HTTPException):
            self.close()
            attempt = Attempt(action, subject, key, began, clock.now(), 0)
        else:
            document = json.loads(content)
            attempt = Attempt(
                action, subject, key, began, clock.now(), status,
                str(document.get("code", "")), hashlib.sha256(content).hexdigest(), replayed,
                excerpt(document) if 200 <= status < 300 else {},
            )  # fmt: skip
        self.history.add(attempt)
        return attempt

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _sent(
        self, method: str, path: str, headers: Headers, body: Document | None
    ) -> tuple[int, bytes, bool]:
        if self.connection is None:
            self.connection = http.client.HTTPConnection(
                self.host, self.port, timeout=PATIENCE_SECONDS
            )
        content = None if body is None else json.dumps(body).encode()
        typed = headers if body is None else {**headers, "Content-Type": "application/json"}
        self.connection.request(method, path, content, dict(typed))
        with self.connection.getresponse() as answer:
            replayed = answer.headers.get("Idempotent-Replayed") == "true"
            return answer.status, answer.read(), replayed
