"""A worker whose large brands are small, and whose partitions take their time: so that it can be
killed in the middle of one.
"""

import sys
import time
from typing import Any

from api.cli import main
from inventory.demand import partition, parts, steps
from inventory.demand.partition import Partition
from inventory.demand.steps import work

LARGE_SERIES, PARTITION_SERIES = 100, 200
WORK_SECONDS = 0.5


def slow_work(
    step: str, partition: Partition, shared: tuple[Any, ...], own: tuple[Any, ...]
) -> Any:
    """Waits, then does what the step does."""
    time.sleep(WORK_SECONDS)
    return work(step, partition, shared, own)


if __name__ == "__main__":
    parts.LARGE_SERIES = LARGE_SERIES
    partition.PARTITION_SERIES = PARTITION_SERIES
    steps.work = slow_work
    main(["worker", *sys.argv[1:]])
