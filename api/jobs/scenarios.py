"""The job `scenario.run`: computes a scenario, and its base where that has no outcome yet."""

from typing import Any

from api.jobs.context import JobContext
from api.services.scenarios import keep_outcomes, run_inputs
from simulations.run import forecast_once, run_all

_FORECAST_SHARE = 0.4


def run(context: JobContext) -> dict[str, Any]:
    """Returns a summary of the run that the job's subject names, after computing it."""
    with context.session_factory.begin() as session:
        inputs = run_inputs(session, context.subject)
    brand = forecast_once(
        inputs.brand,
        inputs.seed,
        lambda share, doing: context.report(_FORECAST_SHARE * share, doing),
    )
    rest = 1 - _FORECAST_SHARE
    outcomes = run_all(
        tuple(inputs.scenarios.values()),
        brand,
        inputs.seed,
        lambda share, doing: context.report(_FORECAST_SHARE + rest * share, doing),
    )
    context.on_finish(
        lambda session: keep_outcomes(session, inputs, brand, outcomes, context.clock)
    )
    made = outcomes[-1]
    return {
        "run": context.subject,
        "base": inputs.base,
        "status": made.status,
        "objective": made.objective,
        "kpis": dict(made.kpis),
    }
