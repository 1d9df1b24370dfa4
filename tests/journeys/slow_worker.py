"""A worker whose jobs begin with some slow seconds: time enough to kill it in the middle."""

import sys
import time
from typing import Any

from api.cli import main
from api.jobs import allocations, scenarios
from api.jobs.context import JobContext
from api.jobs.kinds import JOB_KINDS

STEPS, STEP_SECONDS = 30, 0.1


def run(context: JobContext) -> dict[str, Any]:
    """Reports for some seconds, then does what the job's subject asks for."""
    for step in range(STEPS):
        context.report(step / STEPS / 2, "slow on purpose")
        time.sleep(STEP_SECONDS)
    allocated = context.subject.startswith("alc_")
    return allocations.run(context) if allocated else scenarios.run(context)


if __name__ == "__main__":
    # By this module's own name, which differs while it is the main program.
    for kind in ("allocation.run", "scenario.run"):
        JOB_KINDS[kind] = "tests.journeys.slow_worker"
    main(["worker", *sys.argv[1:]])
