"""A worker that decomposes small brands, and takes its time for the first rounds of a crew: so
that it can be killed in the middle of one.
"""

import sys
import time
from collections.abc import Sequence
from itertools import count

from api.cli import main
from api.jobs import hired
from routing.allocation import networks
from routing.allocation.problem import Floats
from routing.allocation.solver import solve
from routing.allocation.solver.answers import Part
from routing.allocation.solver.crew import Crew

EXACT_COLUMNS, BLOCK_ARCS = 0, 300
ROUND_SECONDS, SLOW_ROUNDS = 0.4, 20

_parts, _rounds = Crew.parts, count()


def slow_parts(crew: Crew, price: Floats, idle: bool) -> Sequence[Part]:
    """Waits, then asks the crew."""
    if next(_rounds) < SLOW_ROUNDS:
        time.sleep(ROUND_SECONDS)
    return _parts(crew, price, idle)


if __name__ == "__main__":
    hired.COME_SECONDS = float(sys.argv.pop(1))
    solve.EXACT_COLUMNS, networks.BLOCK_ARCS = EXACT_COLUMNS, BLOCK_ARCS
    Crew.parts = slow_parts  # type: ignore[method-assign, assignment]
    main(["worker", *sys.argv[1:]])
