"""Plans: whole units on every way, and what they cost and take of what items share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routing.allocation.networks import Block, Whole, lean_type
from routing.allocation.problem import MOVE, Floats, Ints, Problem, Units, counted, summed


@dataclass(frozen=True, eq=False)
class Plan:
    """Units shipped [ship, service], transferred [transfer] and unmet [segment]."""

    shipped: Whole
    moved: Units
    unmet: Units

    @classmethod
    def empty(cls, problem: Problem) -> "Plan":
        """Returns a plan in which nothing happens yet, not even what must."""
        kind = lean_type(int(problem.throughput.max(initial=0)))
        return cls(
            np.zeros((len(problem.ships.pool), len(problem.axes.services)), kind),
            np.zeros(len(problem.transfers.cost), np.int64),
            np.zeros(len(problem.segments.value), np.int64),
        )

    def copy(self) -> "Plan":
        """Returns the same plan in arrays of its own."""
        return Plan(self.shipped.copy(), self.moved.copy(), self.unmet.copy())

    def put(self, block: Block, arc: Ints, units: Whole, service: Ints) -> None:
        """Puts units on arcs of a block; `service` is that of each of its ships."""
        ships, last = block.ships.stop - block.ships.start, block.first_segment
        shipped, unmet = arc < ships, arc >= last
        moved = ~shipped & ~unmet
        sent = arc[shipped]
        self.shipped[block.ships.start + sent, service[sent]] = units[shipped]
        self.moved[block.transfers.start + arc[moved] - ships] = units[moved]
        self.unmet[block.segments.start + arc[unmet] - last] = units[unmet]

    def units_on(self, block: Block) -> Units:
        """Returns the units on each arc of a block, by whatever service they are shipped."""
        return np.concatenate(
            [
                self.shipped[block.ships].sum(axis=1, dtype=np.int64),
                self.moved[block.transfers],
                self.unmet[block.segments],
            ]
        )

    def flows(self) -> tuple[Ints, Ints, Units]:
        """Returns ship, service and units of all that is shipped."""
        flat = self.shipped.reshape(-1)
        used = np.flatnonzero(flat)
        ship, service = np.divmod(used, max(self.shipped.shape[1], 1))
        return ship, service.astype(np.int32), flat[used].astype(np.int64)

    def flow_cost(self, problem: Problem) -> float:
        """Returns what flows, departures, unmet units and what soft limits give way for cost."""
        ship, service, units = self.flows()
        cost = problem.ships.cost[problem.ships.way[ship], service]
        over = np.maximum(self.use(problem) - problem.limits.flat, 0.0)
        giving = np.isfinite(problem.limits.soft) & (over > 0)
        return float(
            (units * cost.astype(np.float64)).sum()
            + (self.moved * problem.transfers.cost).sum()
            + (self.unmet * problem.segments.value).sum()
            + (over[giving] * problem.limits.soft[giving]).sum()
            + self.consigned(problem).sum()
        )

    def departing(self, problem: Problem) -> tuple[Floats, Floats]:
        """Returns the volume and the units that leave by each lane, [lane, bucket]."""
        limits, transfers = problem.limits, problem.transfers
        moved = np.flatnonzero((transfers.kind == MOVE) & (self.moved > 0))
        row, units = transfers.row[moved] - limits.lane_begin, self.moved[moved]
        shape, length = limits.lane_m3.shape, limits.lane_m3.size
        m3 = summed(row, units * transfers.use[moved], length)
        return m3.reshape(shape), summed(row, units, length).reshape(shape)

    def consigned(self, problem: Problem) -> Floats:
        """Returns what the departures of each lane cost, [lane, bucket]; empty where nothing."""
        if not problem.consignments.any:
            return np.zeros((0, 0))
        return problem.consignments.cost(*self.departing(problem))

    def use(self, problem: Problem) -> Floats:
        """Returns how much of each shared limit the plan takes, [row]."""
        rows = len(problem.limits.flat)
        ship, service, units = self.flows()
        pool = problem.ships.pool[ship]
        weight = units * problem.weight_kg[problem.pools.item[pool]]
        held = np.flatnonzero((problem.transfers.row >= 0) & (self.moved > 0))
        return (
            summed(problem.outbound_row[pool], units, rows)
            + summed(problem.carrier_row[pool] + problem.carrier_step * service, weight, rows)
            + summed(
                problem.transfers.row[held],
                self.moved[held] * problem.transfers.use[held],
                rows,
            )
        )

    def of_items(self, problem: Problem, items: Ints) -> "Plan":
        """Returns the plan of some items, rising, as `problem.only` numbers their rows."""
        ships, transfers, segments = rows_of(problem, items)
        return Plan(self.shipped[ships], self.moved[transfers], self.unmet[segments])

    def write(self, problem: Problem, items: Ints, part: "Plan") -> None:
        """Puts the plan of some items, rising, into this one."""
        for mine, rows, made in zip(self.parts, rows_of(problem, items), part.parts, strict=True):
            mine[rows] = made

    @property
    def parts(self) -> tuple[NDArray[np.generic], ...]:
        """The three arrays."""
        return self.shipped, self.moved, self.unmet

    def check(self, problem: Problem) -> None:
        """Ensures that no unit is made, lost or shipped twice; raises `ArithmeticError`.

        Every pool and every demand balances to the unit, and no limit is exceeded beyond rounding.
        """
        ship, _, sent = self.flows()
        pools = len(problem.pools.item)
        out = counted(problem.ships.pool[ship], sent, pools)
        for ends, sign in ((problem.transfers.start, 1), (problem.transfers.end, -1)):
            at = np.flatnonzero(ends >= 0)
            out += sign * counted(ends[at], self.moved[at], pools)
        served = counted(problem.ships.demand[ship], sent, len(problem.demands.item))
        served += counted(problem.segments.demand, self.unmet, len(problem.demands.item))
        if (out != problem.pools.units).any() or (served != problem.demand_units).any():
            raise ArithmeticError("A plan loses or makes units.")
        hard = np.isinf(problem.limits.soft)
        limit = problem.limits.flat
        if (self.use(problem) > limit + 1e-6 * np.maximum(limit, 1.0))[hard].any():
            raise ArithmeticError("A plan exceeds a shared limit.")


def rows_of(problem: Problem, items: Ints) -> tuple[NDArray[np.intp], ...]:
    """Returns the ships, transfers and segments of some items."""
    chosen = np.zeros(problem.items, dtype=bool)
    chosen[items] = True
    demand_item = problem.demands.item
    of_each = (
        demand_item[problem.ships.demand],
        problem.transfers.item,
        demand_item[problem.segments.demand],
    )
    return tuple(np.flatnonzero(chosen[item]) for item in of_each)
