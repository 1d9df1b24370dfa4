"""What pages show, read from the database: one function for each part of a page."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from api.console import live
from api.queue.records import QUEUED, RUNNING, JobRecord
from api.queue.store import jobs
from api.services.brands import current_brand
from core.brand import Brand
from core.errors import NotFound
from inventory import store as stock_store
from inventory.stock import StockLevel
from routing.disruptions import store as alert_store

ROWS_SHOWN = 200
"""Most rows that a table of the console lists; the API has them all."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure at the head of a page."""

    label: str
    value: str
    note: str = ""
    href: str = ""
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class SiteStock:
    """Stock of one site in one customs state, in units."""

    site: str
    customs: str
    items: int
    on_hand: int
    reserved: int
    available: int


@dataclass(frozen=True, slots=True)
class StockRow:
    """One stock row with the name of its item, in units."""

    item: str
    name: str
    site: str
    customs: str
    on_hand: int
    reserved: int
    available: int


@dataclass(frozen=True, slots=True)
class Happened:
    """One event in words."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job in the background; `progress` goes from 0 to 1."""

    id: str
    kind: str
    label: str
    state: str
    doing: str
    progress: float
    problem: str


def brand_or_none(session: Session) -> Brand | None:
    """Returns the current brand; None before the first is loaded."""
    try:
        return current_brand(session)
    except NotFound:
        return None


def units_by_site(session: Session, now: datetime) -> dict[str, int]:
    """Returns units on hand by site."""
    units: dict[str, int] = defaultdict(int)
    for level in stock_store.levels(session, now):
        units[level.site] += level.on_hand
    return units


def stock_by_site(levels: Sequence[StockLevel]) -> list[SiteStock]:
    """Returns the stock of each site and customs state, largest first."""
    groups: dict[tuple[str, str], list[StockLevel]] = defaultdict(list)
    for level in levels:
        groups[level.site, level.customs].append(level)
    totals = [
        SiteStock(
            site, customs, len({level.item for level in group}),
            sum(level.on_hand for level in group), sum(level.reserved for level in group),
            sum(level.available for level in group),
        )
        for (site, customs), group in groups.items()
    ]  # fmt: skip
    return sorted(totals, key=lambda total: -total.on_hand)


def largest_stock(levels: Sequence[StockLevel], brand: Brand) -> list[StockRow]:
    """Returns the stock rows with most units on hand, at most `ROWS_SHOWN`."""
    items = brand.table("items")
    names = dict(zip(items["item"], items["name"], strict=True))
    largest = sorted(levels, key=lambda level: -level.on_hand)[:ROWS_SHOWN]
    return [
        StockRow(
            level.item, names.get(level.item, ""), level.site, level.customs, level.on_hand,
            level.reserved, level.available,
        )
        for level in largest
    ]  # fmt: skip


def open_alerts(session: Session) -> int:
    """Returns how many alerts wait for somebody."""
    return alert_store.count_open(session)


def latest_events(session: Session, role: str) -> list[Happened]:
    """Returns what happened last that a role may see, newest first."""
    return [
        Happened(record.published_at, live.sentence(record.type, record.data))
        for record in live.latest(session, role)
    ]


def running_jobs(session: Session, kind: str | None = None) -> list[JobLine]:
    """Returns jobs that wait or run, newest first; of one kind on request."""
    states = (RUNNING, QUEUED)
    found = [job for state in states for job in jobs(session, ROWS_SHOWN, state=state, kind=kind)]
    return [_job_line(job) for job in found]


def _job_line(job: JobRecord) -> JobLine:
    label = live.JOB_LABELS.get(job.kind, job.kind)
    named = str(job.payload.get("name") or "")
    told = f"{label}: {named}" if named else label
    return JobLine(job.id, job.kind, told, job.state, job.doing, job.progress, job.error)
