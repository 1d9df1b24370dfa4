"""The job `forecast.run`: forecasts the brand, judges the forecast, keeps both."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlmodel import Session

from api.jobs.context import CancelRequested, JobContext
from api.jobs.partitions import Queued
from api.queue.records import ENDED
from api.queue.store import job_of
from api.services.forecasts import (
    ForecastInputs,
    accuracy_document,
    forecast_inputs,
    kept_frame,
    part_record,
    result_document,
)
from inventory.demand import store
from inventory.demand.accuracy import JUDGED_WEEKS, Accuracy, backtest
from inventory.demand.forecast import TOP_SHARE, Forecast, forecast
from inventory.demand.history import History
from inventory.demand.parts import TELLING_SHARE, ForecastPart, forecast_parts, large, sample
from inventory.demand.regions import Asked, Report
from inventory.demand.smoothing import START_WEEKS
from inventory.demand.steps import CELLS, LEVELS, LOSSES, TALLY

FORECAST_SHARE = 0.4
"""Share of the progress of a forecast that is judged, too."""

STEP_SHARES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        TALLY: (0.0, 0.0),
        LOSSES: (0.0, 0.0),
        LEVELS: (TOP_SHARE, 0.85),
        CELLS: (0.85, TELLING_SHARE),
    }
)
"""Progress at the begin and at the end of a step of a large forecast; markets come between."""


def run(context: JobContext) -> dict[str, Any]:
    """Returns the summary of the forecast named by the job's subject, after making it."""
    with context.session_factory.begin() as session:
        _tidy(session)
        inputs = forecast_inputs(session, context.subject)
    share = FORECAST_SHARE if inputs.asked.origins else 1.0
    parts = large(inputs.brand)
    report = _part(context, 0.0, share)
    made = _in_parts(context, inputs, report) if parts else _at_once(inputs, report)
    accuracy = _accuracy(inputs, _part(context, share, 1.0 - share))
    result = result_document(inputs.brand, made, accuracy)
    frame = None if parts else kept_frame(made)

    def keep(session: Session) -> None:
        store.save_result(
            session,
            inputs.asked.id,
            brand_version=inputs.version,
            result=result,
            accuracy=None if accuracy is None else accuracy_document(accuracy),
            frame=frame,
            now=context.clock.now(),
        )
        store.forget_arrays(session, [inputs.asked.id])

    context.on_finish(keep)
    return made.summary()


def _at_once(inputs: ForecastInputs, report: Report) -> Forecast:
    return forecast(inputs.brand, inputs.asked.weeks, inputs.asked.seed, report)


def _in_parts(context: JobContext, inputs: ForecastInputs, report: Report) -> Forecast:
    """Returns the forecast of a large brand, whose parts are kept as they come."""

    def keep(part: ForecastPart) -> None:
        record = part_record(context.subject, part)
        with context.session_factory.begin() as session:
            store.keep_part(session, record)

    def told(step: str, share: float) -> None:
        low, high = STEP_SHARES[step]
        report(low + (high - low) * share, "Forecasting items")

    asked = Asked(inputs.asked.weeks, inputs.asked.seed)
    try:
        return forecast_parts(inputs.brand, asked, keep, Queued(context, told), report)
    except CancelRequested:
        with context.session_factory.begin() as session:
            store.forget_unfinished(session, [context.subject])
        raise


def _accuracy(inputs: ForecastInputs, report: Report) -> Accuracy | None:
    """Returns how good such forecasts were; None where nothing was asked or history is short.

    A large brand is judged on a sample of its items.
    """
    asked = inputs.asked
    if asked.origins == 0:
        return None
    brand, weeks = sample(inputs.brand), min(asked.weeks, JUDGED_WEEKS)
    if History.of(brand).weeks - START_WEEKS < asked.origins * weeks:
        return None
    return backtest(brand, asked.origins, weeks, asked.seed, report, more=inputs.past)


def _tidy(session: Session) -> None:
    """Ensures that forecasts whose jobs failed or were cancelled leave no arrays behind."""
    ended = [
        forecast
        for forecast, job in store.unfinished_with_arrays(session)
        if job_of(session, job).state in ENDED
    ]
    store.forget_unfinished(session, ended)


def _part(context: JobContext, low: float, width: float) -> Report:
    return lambda share, doing: context.report(low + width * share, doing)
