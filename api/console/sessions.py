"""Who is at the console: the sign-in cookie, the token that forms carry, and the way back."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Depends, Form, Request, Response
from sqlmodel import Session

from api.dependencies import ClockDep, SessionDep
from api.problems import Refused
from api.services.keys import CONSOLE_HOURS, Caller, signed_in
from core.clock import Clock

COOKIE = "entrepot_session"

ROLE = "planner"
"""The role that may use the console; an admin may too."""


class SignInNeeded(Exception):
    """Nobody is signed in; `wanted` is the page to come back to."""

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is signed in, and the token that their forms must carry."""

    caller: Caller
    csrf: str


def visitor(request: Request, session: SessionDep, clock: ClockDep) -> Visitor:
    """Returns who is signed in; raises `SignInNeeded` when nobody is or the role does not fit."""
    cookie = request.cookies.get(COOKIE, "")
    caller = visiting(session, cookie, clock)
    if caller is None:
        raise SignInNeeded(wanted_page(request))
    return Visitor(caller, csrf_token(cookie))


def visiting(session: Session, cookie: str, clock: Clock) -> Caller | None:
    """Returns who a cookie lets into the console now; None when it lets nobody in."""
    caller = signed_in(session, cookie, clock.now()) if cookie else None
    return caller if caller is not None and caller.may(ROLE) else None


VisitorDep = Annotated[Visitor, Depends(visitor, scope="function")]


def sender(request: Request, who: VisitorDep, csrf: Annotated[str, Form()] = "") -> Visitor:
    """Returns who sent a form; refuses one that another site made with 403."""
    refuse_other_sites(request)
    if not hmac.compare_digest(csrf.encode(), who.csrf.encode()):
        raise Refused(403, "The form is from another sign-in. Reload the page and send it again.")
    return who


SenderDep = Annotated[Visitor, Depends(sender, scope="function")]


def refuse_other_sites(request: Request) -> None:
    """Ensures that a form was sent from a page of this service: `Origin` must be its own host."""
    origin = request.headers.get("origin", "")
    foreign = bool(origin) and _host(origin) != request.headers.get("host", "")
    crossed = request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}
    if foreign or crossed:
        raise Refused(403, "The form was not sent from this console.")


def _host(origin: str) -> str | None:
    """Returns the host and port of an origin; None for text that is no address."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def csrf_token(cookie: str) -> str:
    """Returns the token of a sign-in's forms: it cannot be computed without the cookie."""
    return hmac.new(cookie.encode(), b"console form", hashlib.sha256).hexdigest()


def wanted_page(request: Request) -> str:
    """Returns the address to come back to after signing in: the page of a GET, else the start."""
    if request.method != "GET" or request.url.path.startswith("/console/"):
        return "/"
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def safe_page(wanted: str) -> str:
    """Returns the address when it is a page of this console, `/` otherwise.

    >>> safe_page("//elsewhere.example/")
    '/'
    """
    inside = wanted.startswith("/") and not wanted.startswith("//")
    return wanted if inside and wanted.isprintable() and "\\" not in wanted else "/"


def sign_in_address(wanted: str) -> str:
    """Returns the sign-in page that leads back to a page."""
    return "/sign-in" if wanted == "/" else f"/sign-in?next={quote(wanted, safe='')}"


def set_cookie(response: Response, request: Request, cookie: str) -> None:
    """Ensures that the browser keeps the sign-in, out of reach of scripts and other sites."""
    response.set_cookie(
        COOKIE, cookie, max_age=CONSOLE_HOURS * 3600, path="/", httponly=True, samesite="lax",
        secure=request.url.scheme == "https",
    )  # fmt: skip


def drop_cookie(response: Response) -> None:
    """Ensures that the browser forgets the sign-in."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
