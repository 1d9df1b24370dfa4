"""Answering prices: every item does what is cheapest for it, and each group sums up what it takes.

A `Household` holds the blocks of some items, their last flows, and what they answered in each round
in compact form, so that a mixture of answers can be told as a plan later.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from routing.allocation.flows import (
    ROUNDS,
    cheapest_flow,
    potentials,
    price_scale,
    priced,
    shared_use,
)
from routing.allocation.networks import Block, blocks_of
from routing.allocation.plan import Plan
from routing.allocation.problem import BUY, MOVE, Bools, Floats, Ints, Problem

TOLERANCE = 4.0
"""A round that saves less than so many steps of integer costs at each turn does not count."""


CERTAIN = 8
"""So many times more rounds go into the potentials of a proof."""


@dataclass(frozen=True, eq=False)
class Kept:
    """What changed in a block in one round: which items, and the arcs on which they have units."""

    items: Bools
    arc: Ints
    units: Ints


@dataclass(frozen=True, eq=False)
class Reply:
    """What items answer: cost [group], use [group, row], and their priced cost in all."""

    cost: Floats
    use: csr_array
    priced: float
    changed: int


@dataclass(frozen=True, eq=False)
class Worth:
    """What one unit is worth in each pool, and costs at each demand; and a bound on all cost."""

    pool: Floats
    demand: Floats
    bound: float


class Household:
    """All items of a problem, in groups, answering prices."""

    def __init__(self, problem: Problem, groups: int, rows: Ints) -> None:
        self.problem, self.groups, self._rows = problem, groups, rows
        self.blocks = tuple(blocks_of(problem))
        self.scale = price_scale(problem)
        small = problem.throughput.max(initial=0) < np.iinfo(np.int32).max
        self._kind = np.int32 if small else np.int64
        self._rounds = ROUNDS + len(problem.axes.buckets)
        count = max(problem.items, 1)
        self.group = np.arange(problem.items) * groups // count
        self._place = np.full(len(problem.limits.flat), -1, np.int32)
        self._place[rows] = np.arange(len(rows), dtype=np.int32)
        self._flow: list[Ints | None] = [None] * len(self.blocks)
        self._kept: list[list[Kept]] = []
        self._prices: list[Floats] = []

    def group_of(self, block: Block) -> Ints:
        """Returns the group of each item of a block."""
        return self.group[block.begin : block.end]

    def idle(self) -> Reply:
        """Returns the answer of items that stay where they are: they ship, move and buy nothing."""
        return self._reply(np.zeros(len(self._place)), idle=True)

    def reply(self, price: Floats) -> Reply:
        """Returns the answer to prices of the shared limits, [row]; it is kept for `composed`."""
        return self._reply(price)

    def _reply(self, price: Floats, idle: bool = False) -> Reply:
        cost = np.zeros(self.groups)
        use = np.zeros((self.groups, len(self._rows)))
        total, changed, kept = 0.0, 0, []
        for at, block in enumerate(self.blocks):
            arcs = priced(self.problem, block, price)
            asked = self._idle_cost(block, arcs.cost) if idle else arcs.cost
            flow, fresh = self._answer(at, block, asked)
            self._flow[at] = flow
            changed += int(fresh.sum())
            total += float(arcs.cost @ flow)
            group = self.group_of(block)
            first = int(group[0])
            part = shared_use(self.problem, block, flow, arcs.service, group - first, self._place)
            cost[first : first + len(part.cost)] += part.cost
            if part.use.size:
                use[first : first + len(part.cost), : part.use.shape[1]] += part.use
            kept.append(_kept(block, flow, fresh))
        self._kept.append(kept)
        self._prices.append(price)
        return Reply(cost, csr_array(use), total, changed)

    def _idle_cost(self, block: Block, cost: Floats) -> Floats:
        dear = cost.copy()
        most = float(np.abs(cost).max(initial=1.0)) * 1e3
        ships = block.ships.stop - block.ships.start
        dear[:ships] += most
        kind = self.problem.transfers.kind[block.transfers]
        dear[ships : block.first_segment] += most * np.isin(kind, (MOVE, BUY))
        return dear

    def _answer(self, at: int, block: Block, cost: Floats) -> tuple[Ints, Bools]:
        """Returns the flow of a block at these costs, and the items that changed for it."""
        last = self._flow[at]
        doubtful = np.ones(block.items, dtype=bool)
        if last is not None:
            doubtful = potentials(block, cost, last, TOLERANCE / self.scale, self._rounds).doubtful
        flow: Ints = np.zeros(len(cost), self._kind) if last is None else last
        if doubtful.any():
            arcs, units = cheapest_flow(block, cost, doubtful, self.scale)
            flow = flow.copy()
            flow[arcs] = units
        return flow, doubtful

    def composed(self, rounds: Ints) -> Plan:
        """Returns the plan in which each item does what it answered in a round, [item]."""
        plan = Plan.empty(self.problem)
        for at, block in enumerate(self.blocks):
            wanted = rounds[block.begin : block.end]
            for number in np.unique(wanted):
                arcs = priced(self.problem, block, self._prices[number])
                for arc, units in self._flow_of(at, block, int(number), wanted == number):
                    plan.put(block, arc, units, arcs.service)
        return plan

    def _flow_of(
        self, at: int, block: Block, number: int, items: Bools
    ) -> Iterator[tuple[Ints, Ints]]:
        """Yields arcs and units of some items of a block as they were in a round."""
        left = items.copy()
        for back in range(number, -1, -1):
            kept = self._kept[back][at]
            found = left & kept.items
            if found.any():
                mine = found[block.arc_item[kept.arc]]
                yield kept.arc[mine], kept.units[mine]
                left &= ~found
            if not left.any():
                return

    def certified(self, price: Floats) -> float:
        """Returns what all items cost at the least at these prices, whatever rounding did."""
        return self.worth(price).bound

    def worth(self, price: Floats) -> Worth:
        """Returns what units are worth at these prices, and what all items cost at the least.

        By weak duality any potentials give a bound, and those of the last flow give the best.
        """
        pools = np.zeros(len(self.problem.pools.item))
        demands = np.zeros(len(self.problem.demands.item))
        bound = 0.0
        for at, block in enumerate(self.blocks):
            arcs = priced(self.problem, block, price)
            flow, _ = self._answer(at, block, arcs.cost)
            rounds = CERTAIN * self._rounds
            found = potentials(block, arcs.cost, flow, TOLERANCE / self.scale, rounds).at
            # Nothing ever comes to a node that cannot be reached: let it be dear.
            known = found[np.isfinite(found)]
            far = float(known.max(initial=0.0)) + float(np.abs(arcs.cost).max(initial=0.0))
            node = np.where(np.isfinite(found), found, far)
            reduced = arcs.cost + node[block.tail] - node[block.head]
            bound += float(np.minimum(reduced, 0.0) @ block.most - node @ block.supply)
            held = block.pools.stop - block.pools.start
            pools[block.pools] = np.where(
                np.isfinite(found[:held]), found[:held], _gained(block, arcs.cost, found)[:held]
            )
            demands[block.demands] = found[held : block.hub]
        return Worth(np.maximum(pools, 0.0), demands, bound)


def _gained(block: Block, cost: Floats, at: Floats) -> Floats:
    """Returns what a first unit would save at nodes where nothing is, [node]."""
    saved = np.where(np.isfinite(at), at, 0.0)
    empty = ~np.isfinite(at)
    arcs = np.flatnonzero(empty[block.tail])
    for _ in range(ROUNDS):
        before = saved.copy()
        offered = saved[block.head[arcs]] - cost[arcs]
        np.maximum.at(saved, block.tail[arcs], offered)
        if (saved == before).all():
            break
    return saved


def _kept(block: Block, flow: Ints, fresh: Bools) -> Kept:
    arc = np.flatnonzero((flow != 0) & fresh[block.arc_item]).astype(np.int32)
    return Kept(fresh, arc, flow[arc])
