"""Fitting: one item planned anew within the room that all others leave in what they share.

For a single item every shared limit is a bound on an arc: what a site packs in a bucket lies
between a pool and its services, what a service takes between the site and its demands, a lane or
a warehouse on a transfer. So the best plan of one item within some room is a min-cost flow.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ortools.graph.python import min_cost_flow

from routing.allocation.networks import Edges
from routing.allocation.plan import Plan
from routing.allocation.problem import Bools, Floats, Ints, Problem, Units, summed
from routing.allocation.solver.flows import MOST_COST, price_scale

ROOM = 1e-9
"""Share of a limit that rounding may exceed it by."""

SAVING = 1e-9
"""Share of an item's cost that a change must save."""

UNLIMITED = 2**40
"""Units that count as without limit."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """The plan of one item: units shipped [ship, service], moved [transfer], unmet [segment]."""

    shipped: NDArray[np.int64]
    moved: Units
    unmet: Units


@dataclass(frozen=True, eq=False)
class Change:
    """What an item did before it was planned anew, what it cost, and by how much more it does."""

    item: int
    before: Fitted
    cost: float
    dearer: float


class Fitting:
    """A plan that is changed in place, one item at a time, within the room of shared limits."""

    def __init__(self, problem: Problem, plan: Plan) -> None:
        self._problem, self._plan = problem, plan
        self._edges, self._scale = Edges.of(problem), price_scale(problem)
        self.use = plan.use(problem)
        self._limit = problem.limits.flat.copy()
        self._hard = np.isinf(problem.limits.soft)

    def exceeded(self) -> Bools:
        """Returns which hard limits the plan exceeds, [row]."""
        limit = self._limit
        return self._hard & (self.use > limit + ROOM * np.maximum(limit, 1.0))

    def keep_limits(self, price: Floats, first: Bools) -> None:
        """Ensures that no hard limit is exceeded; items flagged `first` are asked before others."""
        for asked in (first, np.ones(self._problem.items, dtype=bool)):
            for item in np.flatnonzero(asked):
                over = self.exceeded()
                if not over.any():
                    return
                if over[self._rows_of(int(item))].any():
                    self.refit(int(item), price)

    def _rows_of(self, item: int) -> Ints:
        """Returns the shared limits that an item takes something of."""
        rows, use = self._item_use(item)
        return rows[use > 0]

    def _item_use(self, item: int) -> tuple[Ints, Floats]:
        problem, edges = self._problem, self._edges
        ships = slice(int(edges.ships[item]), int(edges.ships[item + 1]))
        transfers = slice(int(edges.transfers[item]), int(edges.transfers[item + 1]))
        at, service = np.nonzero(self._plan.shipped[ships])
        units = self._plan.shipped[ships][at, service].astype(float)
        pool = problem.ships.pool[ships][at]
        row = problem.transfers.row[transfers]
        held = np.flatnonzero(row >= 0)
        return (
            np.concatenate(
                [
                    problem.outbound_row[pool],
                    problem.carrier_row[pool] + problem.carrier_step * service,
                    row[held],
                ]
            ).astype(np.int32),
            np.concatenate(
                [
                    units,
                    units * problem.weight_kg[item],
                    self._plan.moved[transfers][held] * problem.transfers.use[transfers][held],
                ]
            ),
        )

    def limit_of(self, row: int) -> float:
        """Returns the limit of a row that plans are fitted to."""
        return float(self._limit[row])

    def set_limit(self, row: int, limit: float) -> None:
        """Ensures that items are fitted to another limit from now on."""
        self._limit[row] = limit

    def refit(self, item: int, price: Floats | None) -> bool:
        """Plans an item anew within the room that others leave; returns whether it changed.

        `price` is paid for what is shared on top of its cost; None leaves what room there is free.
        """
        change = self.refit_anyway(item, price)
        least = SAVING * max(1.0, abs(change.cost))
        if price is None and change.dearer >= -least:
            self.undo(change)
            return False
        return True

    def refit_anyway(self, item: int, price: Floats | None = None) -> Change:
        """Plans an item anew within the room that others leave, even if that is dearer."""
        network = _ItemNetwork(self._problem, self._edges, item)
        self._take(item, -1.0)
        room = np.maximum(self._limit - self.use, 0.0) + ROOM * np.maximum(self._limit, 1.0)
        soft, now = self._problem.limits.soft, network.now(self._plan)
        made = network.solve(room, soft, price, self._scale)
        before = network.cost_of(now, room, soft)
        network.write(self._plan, made)
        self._take(item, 1.0)
        return Change(item, now, before, network.cost_of(made, room, soft) - before)

    def undo(self, change: Change) -> None:
        """Ensures that an item does again what it did before a change."""
        self._take(change.item, -1.0)
        network = _ItemNetwork(self._problem, self._edges, change.item)
        network.write(self._plan, change.before)
        self._take(change.item, 1.0)

    def _take(self, item: int, times: float) -> None:
        """Adds what an item takes of what is shared."""
        rows, use = self._item_use(item)
        np.add.at(self.use, rows, times * use)


@dataclass(frozen=True, eq=False)
class _Rooms:
    """Units that each pool may send, each service may take of it, and each transfer may carry."""

    packed: Units
    taken: Units
    carried: Units


SHIP, TRANSFER, GIVE, UNMET = 2, 3, 4, 5
"""Places of the parts of `_Arcs` that a plan is read from; before them are doors and gates."""


@dataclass(frozen=True, eq=False)
class _Arcs:
    """The arcs of one item: tails, heads, most units and costs of each kind; see `_arcs`.

    `gives` are the transfers that may exceed their room.
    """

    item: int
    parts: tuple[tuple[Ints, Ints, Units, Floats], ...]
    gives: NDArray[np.intp]

    def flows(self, supply: Units, scale: float) -> list[Units]:
        """Returns the units on the arcs of each kind that cost least in all."""
        tail, head, most, cost = (np.concatenate(each) for each in zip(*self.parts, strict=True))
        steps = np.clip(np.rint(cost * scale), -MOST_COST, MOST_COST).astype(np.int64)
        solver = min_cost_flow.SimpleMinCostFlow()
        numbers = solver.add_arcs_with_capacity_and_unit_cost(
            tail.astype(np.int32), head.astype(np.int32), most.astype(np.int64), steps
        )
        solver.set_nodes_supplies(np.arange(len(supply), dtype=np.int32), supply)
        status = solver.solve()
        if status != solver.OPTIMAL:
            raise ArithmeticError(f"The flow of item {self.item} ended as {status}.")
        flow = np.asarray(solver.flows(numbers), dtype=np.int64)
        return np.split(flow, np.cumsum([len(part[0]) for part in self.parts])[:-1])


class _ItemNetwork:
    """The graph of one item with its services and what it shares as arcs."""

    def __init__(self, problem: Problem, edges: Edges, item: int) -> None:
        def cut(at: NDArray[np.intp]) -> slice:
            return slice(int(at[item]), int(at[item + 1]))

        self.problem, self.item = problem, item
        self.pools, self.demands, self.ships = (
            cut(edges.pools),
            cut(edges.demands),
            cut(edges.ships),
        )
        self.transfers, self.segments = cut(edges.transfers), cut(edges.segments)
        cost = problem.ships.cost[problem.ships.way[self.ships]].astype(np.float64)
        self.ship, self.service = np.nonzero(np.isfinite(cost))
        self.cost = cost[self.ship, self.service]
        self.pool = problem.ships.pool[self.ships][self.ship] - self.pools.start
        self.gate, self.at_gate = np.unique(
            self.pool * cost.shape[1] + self.service, return_inverse=True
        )
        self.gate_pool, self.gate_service = np.divmod(self.gate, max(cost.shape[1], 1))

    def solve(self, room: Floats, soft: Floats, price: Floats | None, scale: float) -> Fitted:
        """Returns the least costly plan within the `room` of the shared limits, [row].

        Where free and bonded stock of one site want more than its room together, each gets its
        part of it, and the rest is planned around that.
        """
        rooms = self._rooms(room)
        made = self._flow(rooms, soft, price, scale)
        parted = self._parted(made, rooms, soft)
        return made if parted is None else self._flow(parted, soft, price, scale)

    def _rows(self) -> tuple[Ints, Ints]:
        problem = self.problem
        outbound = problem.outbound_row[self.pools]
        carrier = problem.carrier_row[self.pools][self.gate_pool]
        return outbound, (carrier + problem.carrier_step * self.gate_service).astype(np.int32)

    def _rooms(self, room: Floats) -> "_Rooms":
        """Returns the units that pools may send, services may take of them, and transfers carry."""
        outbound, carrier = self._rows()
        weight = max(float(self.problem.weight_kg[self.item]), 1e-12)
        transfers = self.problem.transfers
        row, use = transfers.row[self.transfers], transfers.use[self.transfers]
        free = np.full(len(row), UNLIMITED, np.int64)
        carried = np.where(row >= 0, _whole(room[row] / np.maximum(use, 1e-12)), free)
        return _Rooms(_whole(room[outbound]), _whole(room[carrier] / weight), carried)

    def _parted(self, made: Fitted, rooms: "_Rooms", soft: Floats) -> "_Rooms | None":
        """Returns rooms in parts where pools want more of one together; None where all fits."""
        units = made.shipped[self.ship, self.service]
        outbound, carrier = self._rows()
        row = self.problem.transfers.row[self.transfers]
        hard = np.flatnonzero((row >= 0) & np.isinf(soft[row]))
        asked = (
            (outbound, summed(self.pool, units, len(rooms.packed)), rooms.packed),
            (carrier, summed(self.at_gate, units, len(rooms.taken)), rooms.taken),
            (row[hard], made.moved[hard].astype(float), rooms.carried[hard]),
        )
        if all(_fits(*each) for each in asked):
            return None
        packed, taken, moved = (_shared_out(*each) for each in asked)
        carried = rooms.carried.copy()
        carried[hard] = moved
        return _Rooms(packed, taken, carried)

    def _flow(self, rooms: "_Rooms", soft: Floats, price: Floats | None, scale: float) -> Fitted:
        arcs = self._arcs(rooms, soft, np.zeros(len(soft)) if price is None else price)
        parts = arcs.flows(self._supply(), scale)
        shipped = np.zeros(
            (self.ships.stop - self.ships.start, len(self.problem.axes.services)), np.int64
        )
        shipped[self.ship, self.service] = parts[SHIP]
        units = parts[TRANSFER].copy()
        units[arcs.gives] += parts[GIVE]
        return Fitted(shipped, units, parts[UNMET])

    def _supply(self) -> Units:
        """Returns the supply of each node: pools, demands, the hub, doors and gates."""
        problem, pools = self.problem, self.pools.stop - self.pools.start
        hub = pools + self.demands.stop - self.demands.start
        supply = np.zeros(hub + 1 + pools + len(self.gate), np.int64)
        supply[:pools] = problem.pools.units[self.pools]
        supply[pools:hub] = -problem.demand_units[self.demands]
        supply[hub] = -supply[:hub].sum()
        return supply

    def _arcs(self, rooms: "_Rooms", soft: Floats, paid: Floats) -> "_Arcs":
        """Returns the arcs; a unit that is shipped goes from its pool by a door and a gate.

        A door holds what a pool may send, a gate what a service may take of it. Transfers beyond
        the room of a soft limit go by arcs of their own, which cost what it costs to give way.
        """
        problem, transfers = self.problem, self.problem.transfers
        pools = self.pools.stop - self.pools.start
        hub = pools + self.demands.stop - self.demands.start
        door, gate = hub + 1, hub + 1 + pools
        outbound, carrier = self._rows()
        start, end = transfers.start[self.transfers], transfers.end[self.transfers]
        row, use = transfers.row[self.transfers], transfers.use[self.transfers]
        most = np.minimum(transfers.most[self.transfers], problem.throughput[self.item])
        gives = np.flatnonzero((row >= 0) & np.isfinite(soft[row]))
        moved = transfers.cost[self.transfers] + np.where(row >= 0, paid[row] * use, 0.0)
        tail = np.where(start >= 0, start - self.pools.start, hub)
        head = np.where(end >= 0, end - self.pools.start, hub)
        demand = problem.ships.demand[self.ships][self.ship] - self.demands.start
        asked = problem.segments.demand[self.segments] - self.demands.start
        pool, by = np.arange(pools), np.arange(len(self.gate))
        weight = problem.weight_kg[self.item]
        wanted, worth = problem.demand_units[self.demands][demand], problem.segments
        parts = (
            (pool, door + pool, rooms.packed, paid[outbound]),
            (door + self.gate_pool, gate + by, rooms.taken, paid[carrier] * weight),
            (gate + self.at_gate, pools + demand, wanted, self.cost),
            (tail, head, np.minimum(most, rooms.carried), moved),
            (tail[gives], head[gives], most[gives], moved[gives] + (soft[row] * use)[gives]),
            (
                np.full(len(asked), hub),
                pools + asked,
                worth.units[self.segments],
                worth.value[self.segments],
            ),
        )
        return _Arcs(self.item, parts, gives)

    def cost_of(self, made: Fitted, room: Floats, soft: Floats) -> float:
        """Returns what a plan of the item costs within the room that others leave."""
        problem, transfers = self.problem, self.problem.transfers
        row, use = transfers.row[self.transfers], transfers.use[self.transfers]
        gives = np.flatnonzero((row >= 0) & np.isfinite(soft[row]))
        over = summed(row[gives], (made.moved * use)[gives], len(room)) - room
        giving = np.flatnonzero(np.isfinite(soft) & (over > 0))
        return float(
            made.shipped[self.ship, self.service] @ self.cost
            + made.moved @ transfers.cost[self.transfers]
            + made.unmet @ problem.segments.value[self.segments]
            + over[giving] @ soft[giving]
        )

    def now(self, plan: Plan) -> Fitted:
        """Returns what the plan does with the item."""
        return Fitted(
            plan.shipped[self.ships].astype(np.int64),
            plan.moved[self.transfers].copy(),
            plan.unmet[self.segments].copy(),
        )

    def write(self, plan: Plan, made: Fitted) -> None:
        """Puts what was made into the plan."""
        plan.shipped[self.ships] = made.shipped
        plan.moved[self.transfers] = made.moved
        plan.unmet[self.segments] = made.unmet


def _whole(room: Floats) -> Units:
    return np.floor(np.minimum(room, UNLIMITED)).astype(np.int64)


def _fits(rows: Ints, wanted: Floats, most: Units) -> bool:
    """Whether all that share a row want no more than its room."""
    _, at = np.unique(rows, return_inverse=True)
    return bool((summed(at, wanted, len(rows))[at] <= most).all())


def _shared_out(rows: Ints, wanted: Floats, most: Units) -> Units:
    """Returns the part of its row's room that each gets, in proportion to what it wants."""
    _, at = np.unique(rows, return_inverse=True)
    asked = wanted + 1e-9
    share = asked / summed(at, asked, len(rows))[at]
    return np.floor(share * most + 1e-9).astype(np.int64)
