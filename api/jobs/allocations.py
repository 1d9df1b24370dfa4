"""The job `allocation.run`: allocates the current brand, or a what-if of it, and keeps the plan."""

from typing import Any

from sqlmodel import Session

from api.jobs.context import JobContext
from api.jobs.hired import hired
from api.services.allocations import earlier_prices
from api.services.brands import brand_version, current_brand
from api.services.forecasts import as_parquet, forecast_table
from core.brand import Brand
from inventory.demand import store as forecasts
from routing.allocation import store
from routing.allocation.allocate import allocate
from routing.allocation.prices import prices_bytes
from routing.allocation.records import AllocationRecord
from simulations.run import forecast_once
from simulations.scenarios import apply, scenario_of


def run(context: JobContext) -> dict[str, Any]:
    """Returns the key figures of the allocation named by the job's subject, after making it.

    Stock is the ledger's, less what is held for orders. The search begins at the prices of the
    newest allocation that has finished.
    """
    with context.session_factory.begin() as session:
        asked = store.allocation_of(session, context.subject)
        version = brand_version(session)
        brand, forecast = _planned(session, version)
        start = earlier_prices(session)
    made = allocate(
        _what_if(brand, asked),
        seed=asked.seed,
        report=context.report,
        gap=asked.gap,
        workers=1 + (context.exchange.hands if context.exchange else 0),
        members=hired(context),
        start=start,
    )
    outcome = store.Outcome(
        result=made.document(),
        flows=as_parquet(made.flows),
        moves=as_parquet(made.moves),
        purchases=as_parquet(made.purchases),
        unmet=as_parquet(made.unmet),
        prices=prices_bytes(made.prices),
        stock=as_parquet(brand.table("stock")),
        forecast=forecast,
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


def _planned(session: Session, version: str) -> tuple[Brand, str | None]:
    """The brand with live stock and the newest forecast of its version, and that forecast's id.

    A forecast in the brand folder goes before.
    """
    brand = current_brand(session, live_stock=True)
    newest = forecasts.latest(session, version) if brand.table("forecast").empty else None
    if newest is not None:
        brand = brand.with_table("forecast", forecast_table(session, newest))
    return brand, newest


def _what_if(brand: Brand, asked: AllocationRecord) -> Brand:
    """The brand with the overrides of the scenario; demand is forecast before they change it."""
    if asked.scenario is None:
        return brand
    return apply(forecast_once(brand, asked.seed), scenario_of(asked.scenario))
