"""Background jobs as the doors show them."""

from collections.abc import Mapping

from api.queue.records import JobRecord

_RESULTS: Mapping[str, str] = {
    "allocation.hand": "/v1/allocations/",
    "allocation.run": "/v1/allocations/",
    "forecast.partition": "/v1/forecasts/",
    "forecast.run": "/v1/forecasts/",
    "scenario.run": "/v1/runs/",
}


def result_link(job: JobRecord) -> str | None:
    """Returns where the result of a job is shown; None for kinds that have no page."""
    prefix = _RESULTS.get(job.kind)
    return None if prefix is None else prefix + job.subject
