"""What routes ask for: a session, the clock, entropy, settings, and who is calling."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlmodel import Session

from api.database import SessionFactory
from api.problems import Refused
from api.services.keys import Caller, authenticate
from api.settings import Settings
from core.clock import Clock
from core.ids import Entropy

SESSIONS_AT_ONCE = 16
"""Requests that hold a session at once, fewer than the threads that serve them (40): a request
that waits for a lock keeps its thread, and the holder of the lock always finds a free one."""

_bearer = HTTPBearer(auto_error=False, description="An API key: `ent_...`")


def _session(request: Request) -> Iterator[Session]:
    reads = request.method in {"GET", "HEAD"}
    factory: SessionFactory = request.app.state.reading if reads else request.app.state.sessions
    with factory.begin() as session:
        yield session


SessionDep = Annotated[
    Session, Depends(_session, scope="function", max_concurrency=SESSIONS_AT_ONCE)
]
"""One transaction around the route: committed after the route returns and before the answer
leaves, rolled back when the route raises. A route that returns an error document instead of
raising commits. GET routes must not write."""


# Dependencies that wait for nothing are async: others cost a turn of a thread each.


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _clock(request: Request) -> Clock:
    clock: Clock = request.app.state.clock
    return clock


async def _entropy(request: Request) -> Entropy:
    entropy: Entropy = request.app.state.entropy
    return entropy


SettingsDep = Annotated[Settings, Depends(_settings)]
ClockDep = Annotated[Clock, Depends(_clock)]
EntropyDep = Annotated[Entropy, Depends(_entropy)]


def caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    """Returns who is calling; refuses with 401 when no valid key came along."""
    if credentials is None:
        raise _unauthenticated("This address needs `Authorization: Bearer ent_...`.")
    # A session of its own: a refused request never waits for a writer.
    with request.app.state.reading.begin() as session:
        found = authenticate(session, credentials.credentials)
    if found is None:
        raise _unauthenticated("The API key is unknown or revoked.")
    return found


CallerDep = Annotated[Caller, Depends(caller)]
"""Anyone with a valid key."""


def allow(*roles: str) -> Callable[[Caller], Awaitable[Caller]]:
    """Returns a dependency that lets callers with one of the roles pass, and admins always.

    >>> from fastapi import APIRouter
    >>> router = APIRouter(dependencies=[Depends(allow("planner"))])
    """

    async def allowed(who: CallerDep) -> Caller:
        if not who.may(*roles):
            raise Refused(403, f"This needs the role {' or '.join(roles)}; the key has {who.role}.")
        return who

    allowed.roles = roles  # type: ignore[attr-defined]  # the OpenAPI document tells them
    return allowed


def _unauthenticated(detail: str) -> Refused:
    return Refused(401, detail, headers={"WWW-Authenticate": "Bearer"})
