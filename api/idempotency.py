"""Idempotency: a POST that is sent twice acts once, and is answered the same both times.

A route marked `*` takes `OnceDep` and answers through it:

    @router.post("/v1/things", status_code=201, response_model=ThingRead)
    def create(body: ThingCreate, session: SessionDep, once: OnceDep) -> Response:
        thing = services.things.create(session, body)
        return once.answer(201, ThingRead.of(thing), location=f"/v1/things/{thing.id}")

The answer is stored in the transaction that did the work, so either both are there or neither.
A request that fails (a raised 4xx or 5xx) changed nothing, is not stored, and is judged anew when
it is sent again with the same key. Answers are kept for 7 days; the sweep forgets them then.

- no key: 400; the same key with another method, address or body: 422;
- the same key while the first request still runs: 409 (on SQLite another process waits instead);
- the same key afterwards: the stored bytes, with `Idempotent-Replayed: true`.
"""

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from sqlalchemy import text
from sqlmodel import Session

from api import store
from api.dependencies import CallerDep, ClockDep, SessionDep
from api.problems import Refused
from api.records import IdempotencyRecord
from api.services.stock import ANSWERS_KEPT

LONGEST_KEY = 255


class Replayed(Exception):
    """Ends a repeated request with the answer that was given the first time."""

    def __init__(self, response: Response) -> None:
        super().__init__("This request was answered before.")
        self.response = response


@dataclass(slots=True)
class InFlight:
    """The keys that this process is working on."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _keys: set[tuple[str, str]] = field(default_factory=set)

    def enter(self, key: tuple[str, str]) -> bool:
        """Takes a key; returns whether it was free."""
        with self._lock:
            free = key not in self._keys
            self._keys.add(key)
            return free

    def leave(self, key: tuple[str, str]) -> None:
        """Gives a key back."""
        with self._lock:
            self._keys.discard(key)


@dataclass(frozen=True, slots=True)
class Named:
    """A request by the key it carries, the credential it came with, and what it asks."""

    credential: str
    key: str
    fingerprint: str

    @property
    def name(self) -> tuple[str, str]:
        """What no two requests that are worked on share."""
        return (self.credential, self.key)

    def row(self, status: int, body: bytes, location: str, now: datetime) -> dict[str, Any]:
        """Returns the columns under which the answer is stored."""
        return {
            "credential": self.credential,
            "key": self.key,
            "fingerprint": self.fingerprint,
            "status": status,
            "location": location,
            "body": body,
            "answered_at": now,
        }


@dataclass(slots=True)
class Once:
    """The one answer of a request that carries an Idempotency-Key."""

    session: Session
    credential: str
    key: str
    fingerprint: str
    now: datetime
    answered: bool = False

    def answer(self, status: int, document: Any, location: str = "") -> Response:
        """Returns the response for a document, stored so that a repeat gets the same bytes."""
        body = JSONResponse(jsonable_encoder(document)).body
        named = Named(self.credential, self.key, self.fingerprint)
        self.session.add(IdempotencyRecord(**named.row(status, bytes(body), location, self.now)))
        self.session.flush()
        self.answered = True
        return response_of(status, bytes(body), location)


def install(app: FastAPI) -> None:
    """Ensures that an app replays answers."""
    app.state.in_flight = InFlight()
    app.add_exception_handler(Replayed, _replay)


async def _replay(_: Request, replayed: Any) -> Response:
    response: Response = replayed.response
    return response


async def _fingerprint(request: Request) -> str:
    """Returns a hash of method, address and body: what makes a request the same request."""
    head = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return hashlib.sha256(head + await request.body()).hexdigest()


async def _key(
    text: Annotated[
        str | None,
        Header(alias="Idempotency-Key", description="Your name for this request, used once"),
    ] = None,
) -> str:
    """Returns the key; the quotes of a structured field are accepted and left away."""
    if text is None:
        raise _bad_key("This request needs an Idempotency-Key header.", "idempotency-key-missing")
    quoted = len(text) >= 2 and text[0] == text[-1] == '"'
    key = text[1:-1] if quoted else text
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise _bad_key(f"Expected an Idempotency-Key of 1 to {LONGEST_KEY} ASCII characters.")
    return key


def _bad_key(detail: str, code: str = "idempotency-key-malformed") -> Refused:
    return Refused(400, detail, code, [{"header": "Idempotency-Key", "detail": detail}])


def _once(
    request: Request,
    session: SessionDep,
    who: CallerDep,
    clock: ClockDep,
    key: Annotated[str, Depends(_key)],
    fingerprint: Annotated[str, Depends(_fingerprint)],
) -> Iterator[Once]:
    in_flight: InFlight = request.app.state.in_flight
    name = (who.key, key)
    if not in_flight.enter(name):
        raise still_running()
    try:
        _lock_across_processes(session, name)
        once = Once(session, who.key, key, fingerprint, clock.now())
        _replay_if_known(once)
        yield once
        if not once.answered:
            raise RuntimeError("A route that takes OnceDep must answer through it.")
    finally:
        in_flight.leave(name)


OnceDep = Annotated[Once, Depends(_once, scope="function")]


async def _named(
    request: Request,
    who: CallerDep,
    key: Annotated[str, Depends(_key)],
    fingerprint: Annotated[str, Depends(_fingerprint)],
) -> Named:
    return Named(who.key, key, fingerprint)


NamedDep = Annotated[Named, Depends(_named)]
"""For routes whose transaction is made elsewhere, together with those of other requests."""


def _lock_across_processes(session: Session, name: tuple[str, str]) -> None:
    if not lock_names(session, [name]):
        raise still_running()


def lock_names(session: Session, names: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Returns the names that no other process works on; they are locked until the commit.

    SQLite has one writer at a time anyway.
    """
    if session.get_bind().dialect.name != "postgresql":
        return set(names)
    numbers = {_number(name): name for name in names}
    asked = text(
        "SELECT number FROM unnest(CAST(:numbers AS bigint[])) AS number"
        " WHERE pg_try_advisory_xact_lock(number)"
    )
    taken = session.connection().execute(asked, {"numbers": list(numbers)})
    return {numbers[number] for number in taken.scalars()}


def _number(name: tuple[str, str]) -> int:
    digest = hashlib.sha256("\n".join(name).encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


def _replay_if_known(once: Once) -> None:
    record = store.answer(once.session, once.credential, once.key)
    if record is None:
        return
    replayed = replay(once.session, record, once.fingerprint, once.now)
    if replayed is not None:
        raise Replayed(replayed)


def replay(
    session: Session, record: IdempotencyRecord, fingerprint: str, now: datetime
) -> Response | None:
    """Returns the answer of a record again; None when it is too old, and then forgets it.

    Raises `Refused` when the record answers another request.
    """
    if record.answered_at <= now - ANSWERS_KEPT:
        session.delete(record)
        session.flush()
        return None
    if record.fingerprint != fingerprint:
        raise Refused(
            422, "This Idempotency-Key was used for another request.", "idempotency-key-reused"
        )
    return response_of(record.status, record.body, record.location, replayed=True)


def still_running() -> Refused:
    """Returns the refusal of a request whose first sending is still worked on."""
    return Refused(
        409, "The first request with this Idempotency-Key is still running.",
        "idempotency-key-in-flight", headers={"Retry-After": "1"},
    )  # fmt: skip


def response_of(status: int, body: bytes, location: str, replayed: bool = False) -> Response:
    """Returns the response of a stored answer."""
    headers: Mapping[str, str] = {
        **({"Location": location} if location else {}),
        **({"Idempotent-Replayed": "true"} if replayed else {}),
    }
    return Response(body, status, dict(headers), media_type="application/json")
