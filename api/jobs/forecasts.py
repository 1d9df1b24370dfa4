"""The job `forecast.run`: forecasts the brand, judges the forecast, keeps both."""

from typing import Any

import pandas as pd
from sqlmodel import Session

from api.jobs.context import JobContext
from api.services.brands import brand_version, current_brand
from api.services.forecasts import as_parquet
from core.brand import Brand
from inventory.demand import store
from inventory.demand.accuracy import JUDGED_WEEKS, backtest
from inventory.demand.forecast import forecast
from inventory.demand.history import History
from inventory.demand.records import ForecastRecord
from inventory.demand.smoothing import START_WEEKS

FORECAST_SHARE = 0.4


def run(context: JobContext) -> dict[str, Any]:
    """Returns the summary of the forecast named by the job's subject, after making it."""
    with context.session_factory.begin() as session:
        asked = store.forecast_of(session, context.subject)
        brand, version = current_brand(session), brand_version(session)
    made = forecast(brand, asked.weeks, asked.seed, _part(context, 0.0, FORECAST_SHARE))
    result = made.summary()
    accuracy = _accuracy(context, brand, asked)
    frame = as_parquet(made.frame)
    regions = _rows(made.regions)

    def keep(session: Session) -> None:
        store.save_result(
            session,
            asked.id,
            brand_version=version,
            result={**result, "regions": regions},
            accuracy=accuracy,
            frame=frame,
            now=context.clock.now(),
        )

    context.on_finish(keep)
    return result


def _accuracy(context: JobContext, brand: Brand, asked: ForecastRecord) -> dict[str, Any] | None:
    """Returns how good such forecasts were; None where nothing was asked or history is short."""
    weeks = min(asked.weeks, JUDGED_WEEKS)
    enough = History.of(brand).weeks - START_WEEKS >= asked.origins * weeks
    if asked.origins == 0 or not enough:
        return None
    report = _part(context, FORECAST_SHARE, 1.0 - FORECAST_SHARE)
    return backtest(brand, asked.origins, weeks, asked.seed, report).as_json()


def _rows(regions: pd.DataFrame) -> list[dict[str, Any]]:
    """Returns each market's weeks with their quantiles as JSON rows: few, and read often."""
    dated = regions.assign(start=regions["start"].dt.strftime("%Y-%m-%d"))
    return [{str(name): cell for name, cell in row.items()} for row in dated.to_dict("records")]


def _part(context: JobContext, low: float, width: float) -> Any:
    return lambda share, doing: context.report(low + width * share, doing)
