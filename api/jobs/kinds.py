"""Kinds of jobs: a stable name for each, and the module whose `run` does the work."""

import importlib
from collections.abc import Callable
from typing import Any

from api.jobs.context import JobContext

Handler = Callable[[JobContext], dict[str, Any]]
"""Does the work and returns the job's result as JSON; safe to run twice."""

JOB_KINDS: dict[str, str] = {
    "allocation.hand": "api.jobs.hands",
    "allocation.run": "api.jobs.allocations",
    "forecast.partition": "api.jobs.partitions",
    "forecast.run": "api.jobs.forecasts",
    "scenario.run": "api.jobs.scenarios",
}
"""Module of each kind. A module loads with its first job, so that enqueuing stays light."""


def handler_of(kind: str) -> Handler:
    """Returns the `run(context)` of a kind; raises `KeyError` for an unknown one."""
    handler: Handler = importlib.import_module(JOB_KINDS[kind]).run
    return handler
