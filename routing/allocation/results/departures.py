"""Departures: what leaves by each lane in each bucket, in how many containers, at what cost."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from routing.allocation.plan import Plan
from routing.allocation.problem import Consignments, Problem


@dataclass(frozen=True, slots=True)
class Departure:
    """All that leaves by a lane in a bucket; `cost` is beside what the goods themselves pay."""

    bucket: date
    from_site: str
    to_site: str
    service: str
    quantity: int
    m3: float
    containers: int
    cost: float

    def document(self) -> dict[str, Any]:
        """Returns the departure as JSON."""
        return asdict(self) | {"bucket": self.bucket.isoformat()}


def departures_of(problem: Problem, plan: Plan) -> tuple[Departure, ...]:
    """Returns the departures of a plan by bucket, then in the order of lanes."""
    m3, units = plan.departing(problem)
    free = Consignments(*[np.zeros(len(m3))] * 3)
    paid, axes = problem.consignments if problem.consignments.any else free, problem.axes
    cost, containers = paid.cost(m3, units), np.maximum(paid.containers(m3), 0.0)
    return tuple(
        Departure(
            axes.buckets[bucket],
            *axes.lanes[lane],
            quantity=int(units[lane, bucket]),
            m3=float(m3[lane, bucket]),
            containers=int(containers[lane, bucket]),
            cost=float(cost[lane, bucket]),
        )
        for bucket, lane in np.argwhere(units.T > 0).tolist()
    )
