"""Posted orders: planned, held and answered together with those that come at the same time.

A post is one request of one client. Its orders are planned before the transaction begins, so that
nobody waits for its search. Its plans, holds, events and stored answer are committed in one
transaction, together with other posts of this process; the database judges between processes.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import islice

from fastapi import FastAPI, Response
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from api import store
from api.commits import LOCK_SECONDS, Committer, PutOff
from api.database import hurry
from api.idempotency import InFlight, Named, lock_names, replay, response_of, still_running
from api.records import IdempotencyRecord
from api.services.brands import brand_version
from api.services.fulfillment import answer_each
from api.services.planning import ATTEMPTS, Ask, Overtaken, Planned, Service, plan_each
from core.encoding import json_bytes
from core.errors import EntrepotError
from routing.fulfillment.document import Document

GROUP_LINES, GROUP_UNITS = 12, 200
"""Orders of more are planned alone, so that nobody waits for their search or their parcels."""

TRIES = 3
"""How often a post that runs alone is begun when the database ends it for another's sake."""

_AGAIN = frozenset({"40P01", "55P03"})
"""A deadlock, and a lock that was waited for too long."""

_TURN = threading.Lock()
"""Who plans many orders: a process has one interpreter, and more threads would only share it."""

Made = Document | EntrepotError
Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Post:
    """Orders of one request; `answer` makes status, document and location of what became of them.

    `answer` raises where the request as a whole failed; then nothing of it was written.
    """

    named: Named
    asks: tuple[Ask, ...]
    answer: Callable[[Sequence[Made]], tuple[int, Document, str]]


def install(app: FastAPI) -> None:
    """Ensures that an app commits posts in groups."""
    app.state.committer = Committer[Post, Response](partial(_act, app), _heavy)


async def posted(app: FastAPI, post: Post) -> Response:
    """Returns the answer to a post once it is committed; raises what refused it."""
    in_flight: InFlight = app.state.in_flight
    if not in_flight.enter(post.named.name):
        raise still_running()
    committer: Committer[Post, Response] = app.state.committer
    try:
        answer = committer.submit(post)
    except BaseException:
        in_flight.leave(post.named.name)
        raise
    # The key is free when the work has ended, not when the client has gone.
    answer.add_done_callback(_leaver(in_flight, post.named.name))
    return await asyncio.shield(asyncio.wrap_future(answer))


def _leaver(in_flight: InFlight, name: tuple[str, str]) -> Callable[[Future[Response]], None]:
    return lambda _: in_flight.leave(name)


def _heavy(post: Post) -> bool:
    if len(post.asks) != 1:
        return True
    body = post.asks[0].body
    units = sum(line.quantity for line in body.lines)
    large = len(body.lines) > GROUP_LINES or units > GROUP_UNITS
    return large or body.options.replaces is not None


def _act(app: FastAPI, posts: Sequence[Post], alone: bool) -> Sequence[Response | Exception]:
    """Returns the answer to each post, or what refused it, after the commit of all of them."""
    for _ in range(TRIES - 1 if alone else 0):
        try:
            return _committed(app, posts, alone)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", "") not in _AGAIN:
                raise
    return _committed(app, posts, alone)


def _committed(app: FastAPI, posts: Sequence[Post], alone: bool) -> Sequence[Response | Exception]:
    with _TURN if alone else nullcontext(), app.state.reading() as session:
        seen = brand_version(session)
        ahead = _planned(_service(app, session), posts)
    with app.state.sessions.begin() as session:
        if not alone:
            hurry(session, LOCK_SECONDS)
        service = _service(app, session)
        if brand_version(session) != seen:  # what was planned is of goods and lanes of before
            ahead = {}
        answers = _judged(service, posts)
        fresh = [post for post in posts if post.named.name not in answers]
        answers |= _made(service, fresh, ahead, alone)
        return [answers[post.named.name] for post in posts]


def _service(app: FastAPI, session: Session) -> Service:
    state = app.state
    return Service(session, state.clock, state.entropy, "", state.settings.hold_minutes)


def _planned(service: Service, posts: Sequence[Post]) -> dict[Name, list[Planned]]:
    """Returns the planned orders of each post that has no answer yet."""
    known = store.answered(service.session, [post.named.name for post in posts])
    fresh = [post for post in posts if post.named.name not in known]
    planned = iter(plan_each(service, [ask for post in fresh for ask in post.asks]))
    return {post.named.name: list(islice(planned, len(post.asks))) for post in fresh}


def _judged(service: Service, posts: Sequence[Post]) -> dict[Name, Response | Exception]:
    """Returns the answers of those posts that are not to be worked on: repeats and misuses."""
    names = [post.named.name for post in posts]
    free = lock_names(service.session, names)
    answers: dict[Name, Response | Exception] = {
        name: still_running() for name in names if name not in free
    }
    known = store.answers(service.session, names)
    for post in posts:
        name = post.named.name
        if name in known and name in free:
            again = _replayed(service, post.named, known[name])
            if again is not None:
                answers[name] = again
    return answers


def _replayed(
    service: Service, named: Named, record: IdempotencyRecord
) -> Response | Exception | None:
    try:
        return replay(service.session, record, named.fingerprint, service.clock.now())
    except EntrepotError as error:
        return error


def _made(
    service: Service, posts: Sequence[Post], ahead: Mapping[Name, Sequence[Planned]], alone: bool
) -> dict[Name, Response | Exception]:
    """Returns the answers to new posts, stored so that a repeat gets the same bytes.

    Nobody is planned again in a group, which holds rows already: waiting for more of them, out of
    their order, is how deadlocks come about.
    """
    planned = [ahead.get(post.named.name) or plan_each(service, post.asks) for post in posts]
    attempts = ATTEMPTS if alone else 1
    made = iter(answer_each(service, [one for own in planned for one in own], attempts))
    answers: dict[Name, Response | Exception] = {}
    rows = []
    for post in posts:
        own = list(islice(made, len(post.asks)))
        if not alone and any(isinstance(one, Overtaken) for one in own):
            answers[post.named.name] = PutOff()
            continue
        try:
            status, document, location = post.answer(own)
        except EntrepotError as error:
            answers[post.named.name] = error
            continue
        body = json_bytes(document)
        rows.append(post.named.row(status, body, location, service.clock.now()))
        answers[post.named.name] = response_of(status, body, location)
    store.add_answers(service.session, rows)
    return answers
