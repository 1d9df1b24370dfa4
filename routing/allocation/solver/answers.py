"""Answering prices: every item does what is cheapest for it, and each group sums up what it takes.

A `Household` holds the blocks of some items, their last flows, and what they answered in each round
in compact form, so that a mixture of answers can be told as a plan later. `crew.Crew` is the same
in several processes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.sparse import csr_array

from routing.allocation.networks import Block, Whole, block_begins, blocks_of, lean, lean_type
from routing.allocation.plan import Plan
from routing.allocation.problem import BUY, MOVE, Bools, Floats, Ints, Problem, summed
from routing.allocation.solver.flows import (
    ROUNDS,
    cheapest_flow,
    paid_by,
    potentials,
    price_scale,
    priced,
    shared_use,
)

TOLERANCE = 4.0
"""A round that saves less than so many steps of integer costs at each turn does not count."""

CERTAIN = 8
"""So many times more rounds go into the potentials of a proof."""


@dataclass(frozen=True, eq=False)
class Part:
    """What one block answers: cost [group], use [group, row] of the groups from `first` on.

    `priced` is its cost with what it pays for shared limits, `changed` counts items that did
    something else than before.
    """

    first: int
    cost: Floats
    use: Floats
    priced: float
    changed: int


@dataclass(frozen=True, eq=False)
class Worth:
    """What one unit is worth in each pool, and costs at each demand; the least cost by block."""

    pool: Floats
    demand: Floats
    bounds: Floats

    @property
    def bound(self) -> float:
        """What all items cost at the least."""
        return float(sum(self.bounds.tolist()))


class Answering(Protocol):
    """Items that answer prices, wherever they live."""

    def parts(self, price: Floats, idle: bool) -> Sequence[Part]:
        """Returns what every block answers, in order; `idle` ones ship, move and buy nothing."""

    def worth(self, price: Floats) -> Worth:
        """Returns what units are worth at these prices, and what items cost at the least."""

    def composed(self, rounds: Ints) -> Plan:
        """Returns the plan in which each item does what it answered in a round, [item]."""


@dataclass(frozen=True, eq=False)
class Reply:
    """What items answer: cost [group], use [group, row], and their priced cost in all."""

    cost: Floats
    use: csr_array
    priced: float
    changed: int

    @classmethod
    def of(cls, parts: Sequence[Part], groups: int, rows: int) -> "Reply":
        """Returns the sum of what blocks answer, always added up in their order."""
        cost, use = np.zeros(groups), np.zeros((groups, rows))
        total, changed = 0.0, 0
        for part in parts:
            cut = slice(part.first, part.first + len(part.cost))
            cost[cut] += part.cost
            use[cut] += part.use
            total += part.priced
            changed += part.changed
        return cls(cost, csr_array(use), total, changed)


@dataclass(frozen=True, eq=False)
class Terms:
    """What items need to know of the whole.

    The group of each item, [item], the rows of shared limits that are finite, the steps of integer
    costs per unit of money, and the items at which blocks begin.
    """

    group: Ints
    rows: Ints
    scale: float
    begins: Ints

    @classmethod
    def of(cls, problem: Problem, groups: int, rows: Ints) -> "Terms":
        """Returns the terms of a whole problem whose items fall into so many groups."""
        group = np.arange(problem.items) * groups // max(problem.items, 1)
        return cls(group, rows, price_scale(problem), block_begins(problem))

    def only(self, begin: int, end: int) -> "Terms":
        """Returns the terms of some items; blocks have to begin at the first one."""
        inside = (self.begins >= begin) & (self.begins < end)
        return Terms(self.group[begin:end], self.rows, self.scale, self.begins[inside] - begin)


@dataclass(frozen=True, eq=False)
class Kept:
    """What changed in a block in one round: which items, and the arcs on which they have units."""

    items: Bools
    arc: Whole
    units: Whole


class Household:
    """Items that answer prices in this process."""

    def __init__(self, problem: Problem, terms: Terms) -> None:
        self._problem, self._terms = problem, terms
        self._blocks = tuple(blocks_of(problem, terms.begins))
        self._rounds = ROUNDS + len(problem.axes.buckets)
        most = max(int(block.most.max(initial=0)) for block in self._blocks) if self._blocks else 0
        self._kind = lean_type(most)
        self._place = np.full(len(problem.limits.flat), -1, np.int32)
        self._place[terms.rows] = np.arange(len(terms.rows), dtype=np.int32)
        self._flow: list[Whole | None] = [None] * len(self._blocks)
        self._kept: list[list[Kept]] = []
        self._prices: list[Floats] = []

    def parts(self, price: Floats, idle: bool) -> Sequence[Part]:
        """Returns what every block answers, in order; all is kept for `composed`."""
        made, kept = [], []
        for at, block in enumerate(self._blocks):
            arcs = priced(self._problem, block, price)
            asked = self._idle_cost(block, arcs.cost) if idle else arcs.cost
            flow, fresh = self._answer(at, block, asked)
            self._flow[at] = flow
            group = self._terms.group[block.begin : block.end]
            first = int(group[0])
            use = shared_use(self._problem, block, flow, arcs.service, group - first, self._place)
            total = float((arcs.cost * flow).sum())
            made.append(Part(first, use.cost, use.use, total, int(fresh.sum())))
            kept.append(_kept(block, flow, fresh))
        self._kept.append(kept)
        self._prices.append(price)
        return made

    def _idle_cost(self, block: Block, cost: Floats) -> Floats:
        dear = cost.copy()
        most = float(np.abs(cost).max(initial=1.0)) * 1e3
        ships = block.ships.stop - block.ships.start
        dear[:ships] += most
        kind = self._problem.transfers.kind[block.transfers]
        dear[ships : block.first_segment] += most * np.isin(kind, (MOVE, BUY))
        return dear

    def _answer(
        self, at: int, block: Block, cost: Floats, unknown: Bools | None = None
    ) -> tuple[Whole, Bools]:
        """Returns the flow of a block at these costs, and the items that changed for it.

        The last flow of items that are `unknown`, [item], does not count.
        """
        last, scale = self._flow[at], self._terms.scale
        doubtful = np.ones(block.items, dtype=bool)
        if last is not None:
            doubtful = potentials(block, cost, last, TOLERANCE / scale, self._rounds).doubtful
            if unknown is not None:
                doubtful |= unknown
        flow: Whole = np.zeros(len(cost), self._kind) if last is None else last
        if doubtful.any():
            arcs, units = cheapest_flow(block, cost, doubtful, scale)
            flow = flow.copy()
            flow[arcs] = units
        return flow, doubtful

    def gains(self, price: Floats, plan: Plan, known: Bools) -> tuple[Floats, float]:
        """Returns what each item would gain if it did what is cheapest for it, [item].

        With it comes what all items together would cost then, limits paid. The plan of items that
        are not `known` does not count, and their gains mean nothing.
        """
        gain, least = np.zeros(self._problem.items), 0.0
        for at, block in enumerate(self._blocks):
            arcs, now = priced(self._problem, block, price), plan.units_on(block)
            self._flow[at] = now.astype(self._kind)
            unknown = ~known[block.begin : block.end]
            flow, _ = self._answer(at, block, arcs.cost, unknown)
            self._flow[at] = flow
            paid = paid_by(self._problem, block, plan, price)
            saved = summed(block.arc_item.astype(np.int32), paid - arcs.cost * flow, block.items)
            gain[block.begin : block.end] = np.maximum(saved, 0.0)
            least += float((arcs.cost * flow).sum())
        return gain, least

    def composed(self, rounds: Ints) -> Plan:
        """Returns the plan in which each item does what it answered in a round, [item]."""
        plan = Plan.empty(self._problem)
        for at, block in enumerate(self._blocks):
            wanted = rounds[block.begin : block.end]
            for number in np.unique(wanted):
                arcs = priced(self._problem, block, self._prices[number])
                for arc, units in self._flow_of(at, block, int(number), wanted == number):
                    plan.put(block, arc, units, arcs.service)
        return plan

    def _flow_of(
        self, at: int, block: Block, number: int, items: Bools
    ) -> Iterator[tuple[Ints, Whole]]:
        """Yields arcs and units of some items of a block as they were in a round."""
        left = items.copy()
        for back in range(number, -1, -1):
            kept = self._kept[back][at]
            found = left & kept.items
            if found.any():
                mine = found[block.arc_item[kept.arc]]
                yield kept.arc[mine].astype(np.int64), kept.units[mine]
                left &= ~found
            if not left.any():
                return

    def worth(self, price: Floats) -> Worth:
        """Returns what units are worth at these prices, and what items cost at the least.

        By weak duality any potentials give a bound, whatever rounding did to the flow; those of
        the flow that is best at these prices give the best one.
        """
        pools = np.zeros(len(self._problem.pools.item))
        demands = np.zeros(len(self._problem.demands.item))
        bounds = []
        for at, block in enumerate(self._blocks):
            arcs = priced(self._problem, block, price)
            flow, _ = self._answer(at, block, arcs.cost)
            rounds, tolerance = CERTAIN * self._rounds, TOLERANCE / self._terms.scale
            found = potentials(block, arcs.cost, flow, tolerance, rounds).at
            bounds.append(_least(block, arcs.cost, found))
            held = block.pools.stop - block.pools.start
            first = _gained(block, arcs.cost, found)[:held]
            pools[block.pools] = np.where(np.isfinite(found[:held]), found[:held], first)
            demands[block.demands] = found[held : block.hub]
        return Worth(np.maximum(pools, 0.0), demands, np.array(bounds))


def _least(block: Block, cost: Floats, at: Floats) -> float:
    """Returns what the items of a block cost at the least, by these potentials, [node]."""
    known = at[np.isfinite(at)]
    # Nothing ever comes to a node that cannot be reached: let it be dear.
    far = float(known.max(initial=0.0)) + float(np.abs(cost).max(initial=0.0))
    node = np.where(np.isfinite(at), at, far)
    reduced = cost + node[block.tail] - node[block.head]
    return float((np.minimum(reduced, 0.0) * block.most).sum() - (node * block.supply).sum())


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


def _kept(block: Block, flow: Whole, fresh: Bools) -> Kept:
    arc = np.flatnonzero((flow != 0) & fresh[block.arc_item])
    return Kept(fresh, lean(arc), flow[arc])
