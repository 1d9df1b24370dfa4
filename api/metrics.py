"""Metrics: requests by route and status and the seconds they took, as Prometheus reads them."""

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the duration histogram, in seconds."""

Label = tuple[str, str, int]
"""Method, route template, status."""


@dataclass(slots=True)
class Metrics:
    """Counters of one process."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _counts: defaultdict[Label, int] = field(default_factory=lambda: defaultdict(int))
    _seconds: float = 0.0
    _buckets: list[int] = field(default_factory=lambda: [0] * len(BUCKETS))

    def count(self, label: Label, seconds: float) -> None:
        """Counts one request."""
        with self._lock:
            self._counts[label] += 1
            self._seconds += seconds
            for at, bound in enumerate(BUCKETS):
                self._buckets[at] += seconds <= bound

    def exposition(self) -> str:
        """Returns all counters in the Prometheus text format, version 0.0.4."""
        with self._lock:
            return "\n".join([*self._requests(), *self._durations(), ""])

    def _requests(self) -> list[str]:
        name = "entrepot_http_requests_total"
        lines = [f"# HELP {name} Requests answered.", f"# TYPE {name} counter"]
        for (method, route, status), count in sorted(self._counts.items()):
            labels = f'method="{method}",route="{route}",status="{status}"'
            lines.append(f"{name}{{{labels}}} {count}")
        return lines

    def _durations(self) -> list[str]:
        name = "entrepot_http_request_seconds"
        total = sum(self._counts.values())
        lines = [f"# HELP {name} Seconds to answer.", f"# TYPE {name} histogram"]
        pairs = zip(BUCKETS, self._buckets, strict=True)
        lines += [f'{name}_bucket{{le="{bound}"}} {count}' for bound, count in pairs]
        return [
            *lines,
            f'{name}_bucket{{le="+Inf"}} {total}',
            f"{name}_sum {self._seconds:.6f}",
            f"{name}_count {total}",
        ]


class Counted:
    """Counts every request of an app, by the template of its route, never by its raw address."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and counts it when it is answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            label = (_known_method(scope["method"]), _template(scope), status)
            self.metrics.count(label, time.perf_counter() - started)


def _known_method(method: str) -> str:
    return method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} else "other"


def _template(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "none"))
