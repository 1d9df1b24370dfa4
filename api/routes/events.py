"""`/v1/events`: server-sent events of what the caller's role may see."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.dependencies import CallerDep
from api.services.events import Watch
from api.services.keys import holder

router = APIRouter(tags=["events"])

RETRY_MILLISECONDS = 2000


@router.get("/v1/events", response_class=EventSourceResponse)
async def stream_events(
    request: Request,
    who: CallerDep,
    last_event_id: Annotated[int | None, Header(ge=0, lt=2**63)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Streams events as they happen; `Last-Event-ID` goes on where a watcher lost touch.

    `event` is the type, such as `job.progress`; `data` is JSON; a comment keeps the line alive.
    The stream ends soon after the key is revoked.
    """
    state = request.app.state
    watch = Watch(state.reading, state.clock, state.stopping)
    yield ServerSentEvent(comment="open", retry=RETRY_MILLISECONDS)
    async for event in watch.events(partial(holder, key=who.key), last_event_id):
        yield ServerSentEvent(data=event.data, event=event.type, id=str(event.id))
