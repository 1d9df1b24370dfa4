"""The job `allocation.run`: allocates the current brand, or a what-if of it, and keeps the plan."""

from typing import Any

from sqlmodel import Session

from api.jobs.context import JobContext
from api.jobs.hired import hired
from api.services.brands import brand_version, current_brand
from api.services.forecasts import as_parquet, latest_forecast
from core.brand import Brand
from routing.allocation import store
from routing.allocation.allocate import allocate
from routing.allocation.prices import prices_bytes
from routing.allocation.records import AllocationRecord
from simulations.run import forecast_once
from simulations.scenarios import apply, scenario_of


def run(context: JobContext) -> dict[str, Any]:
    """Returns the key figures of the allocation named by the job's subject, after making it.

    Stock is the ledger's, less what is held for orders.
    """
    with context.session_factory.begin() as session:
        asked = store.allocation_of(session, context.subject)
        version = brand_version(session)
        brand = _planned(session, version)
    made = allocate(
        _what_if(brand, asked),
        seed=asked.seed,
        report=context.report,
        workers=1 + (context.exchange.hands if context.exchange else 0),
        members=hired(context),
    )
    outcome = store.Outcome(
        result=made.document(),
        flows=as_parquet(made.flows),
        unmet=as_parquet(made.unmet),
        prices=prices_bytes(made.prices),
    )

    def keep(writing: Session) -> None:
        store.save_outcome(writing, asked.id, version, outcome, context.clock.now())

    context.on_finish(keep)
    return {
        "allocation": asked.id,
        "status": made.status,
        "objective": made.objective,
        "gap": made.gap,
        "units": made.units,
        "prices_version": made.prices.version,
    }


def _planned(session: Session, version: str) -> Brand:
    """The brand with live stock and the newest forecast of its version, if there is one."""
    brand = current_brand(session, live_stock=True)
    forecast = latest_forecast(session, version)
    if forecast is not None and brand.table("forecast").empty:
        brand = brand.with_table("forecast", forecast)
    return brand


def _what_if(brand: Brand, asked: AllocationRecord) -> Brand:
    """The brand with the overrides of the scenario; demand is forecast before they change it."""
    if asked.scenario is None:
        return brand
    return apply(forecast_once(brand, asked.seed), scenario_of(asked.scenario))
