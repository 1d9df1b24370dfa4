"""Allocations as jobs: asked for, made from the current brand, kept for planner and orders."""

import io
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from sqlmodel import Session

from api.queue.records import JobRecord
from api.queue.store import enqueue, job_of
from api.services.allocation_figures import Made
from api.services.brands import brand_of_version, brand_version, current_brand
from api.services.forecasts import forecast_table
from api.services.tables import read_table
from core.brand import Brand
from core.clock import Clock
from core.errors import Conflict
from core.ids import Entropy, mint
from routing.allocation import store
from routing.allocation.prices import Prices, prices_from
from routing.allocation.records import AllocationRecord
from routing.allocation.results.explain import Alternatives
from routing.allocation.results.purchases import nothing_bought
from routing.allocation.results.ways import Flow, explained
from simulations.scenarios import apply, scenario_of

KIND = "allocation.run"
TABLES = ("flows", "moves", "purchases", "unmet", "prices")


@dataclass(frozen=True, slots=True)
class AllocationView:
    """An allocation and the job that makes it."""

    allocation: AllocationRecord
    job: JobRecord


@dataclass(slots=True)
class _Cache:
    """The prices read last; an allocation never changes once it has ended."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: tuple[str, Prices] | None = None


_cache = _Cache()


def request_allocation(
    session: Session,
    scenario: Mapping[str, Any] | None,
    gap: float,
    seed: int,
    clock: Clock,
    entropy: Entropy,
) -> AllocationView:
    """Returns an allocation of the current brand, or of a what-if, that a job will make.

    Raises `NotFound` before a brand is loaded and `BadInput` for a scenario that means nothing in
    it, so that a job is started only for what can be planned.
    """
    brand = current_brand(session)
    if scenario is not None:
        apply(brand, scenario_of(scenario))
    allocation = mint("alc", clock.now(), entropy)
    job = enqueue(session, KIND, allocation, {}, clock, entropy)
    record = AllocationRecord(
        id=allocation,
        brand_version=brand_version(session),
        currency=brand.currency,
        scenario=dict(scenario) if scenario is not None else None,
        is_base=scenario is None,
        gap=gap,
        seed=seed,
        job=job.id,
        created_at=clock.now(),
    )
    store.add(session, record)
    return AllocationView(record, job)


def allocation_view(session: Session, allocation: str) -> AllocationView:
    """Returns an allocation with its job; raises `NotFound`."""
    record = store.allocation_of(session, allocation)
    return AllocationView(record, job_of(session, record.job))


def allocation_table(session: Session, allocation: str, table: str) -> pd.DataFrame:
    """Returns one of `TABLES` of an allocation.

    An allocation that ended before there were purchases has none.

    Raises `NotFound` for an unknown allocation and `Conflict` while its job has not succeeded.
    """
    content = store.table_of(session, allocation, table)
    finished = store.allocation_of(session, allocation).finished_at is not None
    if content is None and table == "purchases" and finished:
        return nothing_bought()
    if content is None and finished:
        raise Conflict(f"Allocation {allocation} did not keep its {table}.", "not-kept")
    if content is None:
        raise Conflict(f"Allocation {allocation} has no result yet.", "not-finished")
    if table == "prices":
        return prices_from(content).frame()
    return pd.read_parquet(io.BytesIO(content))


def made_allocation(session: Session, allocation: str) -> tuple[Brand, Made]:
    """Returns a finished allocation as it is shown, and the brand as it saw it.

    Raises `NotFound` for an unknown allocation, and `Conflict` while its job has not succeeded or
    where an older version of the program kept too little.
    """
    record = store.allocation_of(session, allocation)
    tables = {
        table: allocation_table(session, allocation, table) for table in TABLES if table != "prices"
    }
    prices = prices_from(store.table_of(session, allocation, "prices") or b"")
    made = Made(document=record.result or {}, prices=prices, **tables)
    return _brand_seen(session, record), made


def explained_flow(session: Session, allocation: str, flow: Flow) -> Alternatives:
    """Returns every way to serve a flow of an allocation, with what the allocation itself saw.

    Raises `NotFound` for an unknown allocation, `Conflict` while its job has not succeeded or
    where it kept too little, and `BadInput` where the brand does not know the flow.
    """
    flows = allocation_table(session, allocation, "flows")
    record = store.allocation_of(session, allocation)
    brand = _brand_seen(session, record)
    if brand.table("forecast").empty:
        raise Conflict(f"Allocation {record.id} did not keep its forecast.", "not-kept")
    prices = prices_from(store.table_of(session, allocation, "prices") or b"")
    open_sites = (record.result or {}).get("open_sites", [])
    return explained(brand, prices, flows, open_sites, flow)


def _brand_seen(session: Session, record: AllocationRecord) -> Brand:
    """Returns the brand with the stock and the forecast that an allocation has met."""
    brand = brand_of_version(session, record.brand_version)
    content = store.table_of(session, record.id, "stock")
    if content is None:
        raise Conflict(f"Allocation {record.id} did not keep the stock that it saw.", "not-kept")
    brand = brand.with_table("stock", read_table("stock", [content]))
    if record.forecast is not None:
        brand = brand.with_table("forecast", forecast_table(session, record.forecast))
    return brand if record.scenario is None else apply(brand, scenario_of(record.scenario))


def earlier_prices(session: Session) -> Prices | None:
    """Returns the prices at which the next allocation begins; None before one has finished.

    They are those of the newest finished allocation of the brand, whatever its version was.
    """
    record = store.latest_base(session)
    return None if record is None else prices_of(session, record.id)


def prices_of(session: Session, allocation: str) -> Prices:
    """Returns the prices of a finished allocation."""
    with _cache.lock:
        if _cache.kept is None or _cache.kept[0] != allocation:
            content = store.table_of(session, allocation, "prices")
            _cache.kept = (allocation, prices_from(content or b""))
        return _cache.kept[1]
