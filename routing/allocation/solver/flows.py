"""Flows: what each item does when everything that items share has a price.

At given prices a ship takes its cheapest service, and what is left is one min-cost flow per item.
Between two rounds of prices most items change nothing, so potentials are asked first: where the
last flow has a set of potentials that nothing undercuts, it is optimal still, and those potentials
are what a unit is worth in each place. All others go to OR-Tools' min-cost flow, in whole units.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ortools.graph.python import min_cost_flow

from routing.allocation.networks import Block, Fans, Whole
from routing.allocation.plan import Plan
from routing.allocation.problem import Bools, Floats, Ints, Problem, Units, summed

PRECISION = 1e6
"""Steps of the integer costs of a flow in a usual cost of the problem."""

MOST_COST = 2**40
"""Costs end here in steps: a penalty may be so many times a usual cost."""

ROUNDS = 10
"""Rounds, and one more a bucket, after which potentials that still fall are taken for those of a
flow that is not optimal: asking for the flow again costs less than more rounds."""


@dataclass(frozen=True, eq=False)
class Priced:
    """Arcs of a block at given prices: cost of each [arc], and the service of each ship [ship]."""

    cost: Floats
    service: Ints


def price_scale(problem: Problem) -> float:
    """Returns the steps of integer costs per unit of money."""
    cost = problem.ships.cost[np.isfinite(problem.ships.cost)]
    usual = float(np.median(cost)) if cost.size else 1.0
    if usual <= 0:
        usual = float(np.max(problem.segments.value, initial=1.0))
    return PRECISION / usual if usual > 0 else PRECISION


def priced(problem: Problem, block: Block, price: Floats) -> Priced:
    """Returns what each arc of a block costs where `price` [row] is paid for what all share."""
    cost = service_costs(problem, block.ships, price)
    service = cost.argmin(axis=1) if cost.size else np.zeros(len(cost), np.intp)
    shipped = cost[np.arange(len(cost)), service] if cost.size else np.zeros(len(cost))
    shipped = shipped + price[problem.outbound_row[problem.ships.pool[block.ships]]]
    rest = transfer_costs(problem, block.transfers, price), problem.segments.value[block.segments]
    return Priced(np.concatenate([shipped, *rest]), service.astype(np.int32))


def paid_by(problem: Problem, block: Block, plan: Plan, price: Floats) -> Floats:
    """Returns what a plan pays on each arc of a block, for what all share too, [arc]."""
    units = plan.shipped[block.ships]
    cost = np.where(units > 0, service_costs(problem, block.ships, price), 0.0)
    packed = price[problem.outbound_row[problem.ships.pool[block.ships]]] * units.sum(axis=1)
    return np.concatenate(
        [
            (cost * units).sum(axis=1) + packed,
            transfer_costs(problem, block.transfers, price) * plan.moved[block.transfers],
            problem.segments.value[block.segments] * plan.unmet[block.segments],
        ]
    )


def service_costs(problem: Problem, rows: slice, price: Floats) -> Floats:
    """Returns what some ships cost by each service, carriers paid, [ship, service]."""
    pool = problem.ships.pool[rows]
    cost = problem.ships.cost[problem.ships.way[rows]].astype(np.float64)
    if price[problem.limits.carrier_begin : problem.limits.lane_begin].any():
        services = np.arange(cost.shape[1])
        limits = problem.carrier_row[pool][:, None] + problem.carrier_step * services
        cost += price[limits] * problem.weight_kg[problem.pools.item[pool]][:, None]
    return cost


def transfer_costs(problem: Problem, rows: slice, price: Floats) -> Floats:
    """Returns what some transfers cost, limits paid, [transfer]."""
    transfers = problem.transfers
    row = transfers.row[rows]
    paid = np.where(row >= 0, price[row] * transfers.use[rows], 0.0)
    return np.asarray(transfers.cost[rows] + paid)


@dataclass(frozen=True, eq=False)
class Potentials:
    """The least cost of taking a unit from each node, [node]; hubs are at 0.

    `doubtful` flags items whose flow is not optimal, [item].
    """

    at: Floats
    doubtful: Bools


def potentials(
    block: Block, cost: Floats, flow: Whole, tolerance: float, rounds: int = ROUNDS
) -> Potentials:
    """Returns the potentials of a flow: shortest ways from the hub through what can still change.

    Where a unit could take a round that saves more than `tolerance` at each turn, the flow is not
    optimal and potentials fall without end; such items are flagged.
    """
    forward = np.where(flow < block.most, cost, np.inf)
    backward = np.where(flow > 0, -cost, np.inf)
    into = _Relaxed(block.heads, block.tail, forward)
    back = _Relaxed(block.tails, block.head, backward)
    at = np.full(len(block.supply), np.inf)
    at[block.hub :] = 0.0
    falling = np.zeros(0, np.intp)
    for _ in range(rounds):
        before = at.copy()
        into.relax(at)
        back.relax(at)
        with np.errstate(invalid="ignore"):
            falling = np.flatnonzero(at < before - tolerance)
        if not falling.size:
            break
    doubtful = at[block.hub :] < -tolerance
    doubtful[block.node_item[falling]] = True
    return Potentials(at, doubtful)


class _Relaxed:
    """Arcs that may lower the potential of the node at one of their ends."""

    def __init__(self, fans: Fans, other: Whole, cost: Floats) -> None:
        self._fans, self._other, self._cost = fans, other[fans.order], cost[fans.order]

    def relax(self, at: Floats) -> None:
        """Lowers potentials in place, a turn at a time."""
        if len(self._other):
            offered = np.minimum.reduceat(at[self._other] + self._cost, self._fans.first)
            at[self._fans.node] = np.minimum(at[self._fans.node], offered)


def cheapest_flow(block: Block, cost: Floats, items: Bools, scale: float) -> tuple[Bools, Units]:
    """Returns the arcs of some items of a block, and the least costly flow on them.

    `items` flags those of the block; `scale` is the steps of integer costs per unit of money.
    """
    arcs, nodes = items[block.arc_item], items[block.node_item]
    node = np.cumsum(nodes, dtype=np.int32) - 1
    steps = np.clip(np.rint(cost[arcs] * scale), -MOST_COST, MOST_COST).astype(np.int64)
    solver = min_cost_flow.SimpleMinCostFlow()
    numbers = solver.add_arcs_with_capacity_and_unit_cost(
        node[block.tail[arcs]], node[block.head[arcs]], block.most[arcs].astype(np.int64), steps
    )
    count = int(nodes.sum())
    solver.set_nodes_supplies(np.arange(count, dtype=np.int32), block.supply[nodes])
    status = solver.solve()
    if status != solver.OPTIMAL:
        raise ArithmeticError(f"The flow of items {block.begin} to {block.end} ended as {status}.")
    return arcs, np.asarray(solver.flows(numbers), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Use:
    """What a block costs and takes of what all share, by group: cost [group], use [group, row]."""

    cost: Floats
    use: Floats


def shared_use(
    problem: Problem, block: Block, flow: Whole, service: Ints, group: Ints, rows: Ints
) -> Use:
    """Returns the true cost and the use of some `rows` by each group of items.

    `group` counts from 0 for each item of the block; `rows` gives the position of each shared row
    among those of interest, -1 for others, [row].
    """
    ships, transfers = problem.ships, problem.transfers
    count, width = int(group[-1]) + 1, int(rows.max(initial=-1)) + 1
    number = len(service)
    end = block.first_segment
    shipped, moved, unmet = flow[:number], flow[number:end], flow[end:]
    of_arc = group[block.arc_item]
    pool, way = ships.pool[block.ships], ships.way[block.ships]
    cost = np.concatenate(
        [
            shipped * ships.cost[way, service],
            moved * transfers.cost[block.transfers],
            unmet * problem.segments.value[block.segments],
        ]
    )
    weight = problem.weight_kg[problem.pools.item[pool]]
    row = transfers.row[block.transfers]
    parts: tuple[tuple[NDArray[np.int32], Floats, Ints], ...] = (
        (problem.outbound_row[pool], shipped.astype(float), of_arc[:number]),
        (
            problem.carrier_row[pool] + problem.carrier_step * service,
            shipped * weight,
            of_arc[:number],
        ),
        (row, moved * transfers.use[block.transfers], of_arc[number:end]),
    )
    use = np.zeros(count * width)
    for at, amount, owner in parts:
        place = np.where(at >= 0, rows[at], -1)
        seen = np.flatnonzero((place >= 0) & (amount > 0))
        use += summed(owner[seen] * width + place[seen], amount[seen], count * width)
    return Use(summed(of_arc, cost, count), use.reshape(count, width))
