"""`/v1/events`: server-sent events of what the caller's role may see."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.dependencies import CallerDep
from api.services.events import Watch

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
    """
    async for event in stream(request, who.role, last_event_id):
        yield event


async def stream(
    request: Request, role: str, after: int | None = None
) -> AsyncIterator[ServerSentEvent]:
    """Yields the events of the service behind a request as server-sent events."""
    state = request.app.state
    watch = Watch(state.reading, state.clock, state.stopping)
    yield ServerSentEvent(comment="open", retry=RETRY_MILLISECONDS)
    async for event in watch.events(role, after):
        yield ServerSentEvent(data=event.data, event=event.type, id=str(event.id))
