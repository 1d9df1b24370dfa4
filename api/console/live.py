"""The console's stream: what happens in the house, told as it happens to pages that are open."""

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.sse import format_sse_event
from sqlmodel import Session, col, select
from starlette.concurrency import run_in_threadpool

from api.database import SessionFactory
from api.queue.events import number_of, read_events
from api.queue.records import ENDED, EventRecord
from api.services.keys import Credential
from core.clock import Clock, rfc3339

POLL_SECONDS = 0.4
"""How long a stream waits before it looks again."""

STREAM_SECONDS = 600
"""How long one stream lasts; the browser comes back and its sign-in is checked again."""

_QUIET_POLLS = 25  # a comment about every ten seconds tells proxies that the stream lives

JOB_LABELS: Mapping[str, str] = {
    "forecast.partition": "Part of a forecast",
    "forecast.run": "Forecast",
    "allocation.hand": "Part of an allocation",
    "allocation.run": "Allocation",
    "scenario.run": "Scenario",
}
"""Kinds of jobs as people call them."""

SENTENCES: Mapping[str, str] = {
    "plan.created": "Order {order} is planned",
    "plan.confirmed": "Order {order} is confirmed",
    "plan.cancelled": "Order {order} is cancelled",
    "shipment.created": "Order {order} leaves",
    "shipment.updated": "Order {order} with {carrier}: {status}",
    "shipment.delayed": "Order {order} with {carrier} will probably be late",
    "alert.raised": "New alert, {severity}: {title}",
    "alert.changed": "Alert is {state}: {title}",
    "purchase_order.placed": "Purchase order to {supplier} for {site}",
}
"""What happened, by type of event, in the words of the people who look."""

_VERBS = {"queued": "waits", "succeeded": "is done", "failed": "failed", "cancelled": "was stopped"}


@dataclass(frozen=True, slots=True)
class Watch:
    """What a stream reads with, when it has to end, and whose sign-in it serves."""

    sessions: SessionFactory
    clock: Clock
    stopping: threading.Event
    credential: Credential


def sentence(kind: str, data: Mapping[str, Any]) -> str:
    """Returns what happened in words; an unknown kind of event is told by its name and values.

    >>> sentence("job.succeeded", {"kind": "forecast.run", "state": "succeeded"})
    'Forecast is done'
    """
    if kind.startswith("job."):
        return _job_sentence(data)
    if kind in SENTENCES:
        return _filled(SENTENCES[kind], data)
    name = kind.replace(".", " ").replace("_", " ").capitalize()
    shown = [str(value) for value in data.values() if isinstance(value, str | int) and value != ""]
    return f"{name}: {', '.join(shown[:4])}" if shown else name


def _filled(told: str, data: Mapping[str, Any]) -> str:
    """Returns a sentence with the values of an event; one that it lacks is left out."""
    shown = {name: str(value).replace("_", " ") for name, value in data.items()}
    return told.format_map(defaultdict(str, shown))


def _job_sentence(data: Mapping[str, Any]) -> str:
    label = JOB_LABELS.get(str(data.get("kind")), str(data.get("kind")))
    told = f"{label} {_VERBS.get(str(data.get('state')), 'runs')}"
    return f"{told}: {data['error']}" if data.get("error") else told


def worth_listing(kind: str) -> bool:
    """Whether an event belongs in the list of what happened: progress of jobs does not."""
    return kind not in {"job.progress", "job.queued"}


async def stream(watch: Watch, after: int) -> AsyncIterator[bytes]:
    """Yields what a visitor may see as it happens, for `STREAM_SECONDS` at most.

    The stream ends earlier when the server stops, and when the sign-in has ended: every look asks
    anew who is signed in.
    """
    quiet = 0
    yield b"retry: 1000\n\n"
    for _ in range(int(STREAM_SECONDS / POLL_SECONDS)):
        if watch.stopping.is_set():
            return
        messages, after = await run_in_threadpool(_read, watch, after)
        if messages is None:
            return
        quiet = 0 if messages else quiet + 1
        for message in messages:
            yield message
        if quiet % _QUIET_POLLS == _QUIET_POLLS - 1:
            yield b": quiet\n\n"
        await asyncio.sleep(POLL_SECONDS)


def _read(watch: Watch, after: int) -> tuple[list[bytes] | None, int]:
    with watch.sessions.begin() as session:
        who = watch.credential(session)
        if who is None:
            return None, after
        records, newest = read_events(session, after, who.role, watch.clock.now())
        return [message for record in records for message in messages_of(record)], newest


def messages_of(record: EventRecord) -> Sequence[bytes]:
    """Returns the messages of one event: a job's progress, and what is listed as happened."""
    messages = []
    if record.type.startswith("job."):
        data = record.data
        job = {name: data.get(name) for name in ("kind", "state", "progress", "doing")}
        job |= {"id": data.get("job"), "ended": data.get("state") in ENDED}
        messages.append(_message("job", job, number_of(record)))
    if worth_listing(record.type):
        told = {"at": rfc3339(record.published_at), "text": sentence(record.type, record.data)}
        messages.append(_message("happened", told, number_of(record)))
    return messages


def _message(event: str, data: Mapping[str, Any], number: int) -> bytes:
    return format_sse_event(data_str=json.dumps(data), event=event, id=str(number))


def latest(session: Session, role: str, limit: int = 12) -> list[EventRecord]:
    """Returns the last events worth listing that a role may see, newest first."""
    rows = session.exec(
        select(EventRecord)
        .where(col(EventRecord.type).not_in(("job.progress", "job.queued")))
        .order_by(col(EventRecord.sequence).desc())
        .limit(10 * limit)
    ).all()
    return [row for row in rows if role == "admin" or role in row.roles][:limit]
