"""Networks: blocks of whole items as one graph each, ready for min-cost flows.

Nodes of a block are its pools, its demands, and a hub for each item: goods are bought from the hub
and left over to it, and the hub stands in for units that stay unmet. Arcs are ships, transfers and
segments, in this order, each as in the problem.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from routing.allocation.problem import Ints, Problem, Units, counted

BLOCK_ARCS = 12_000
"""Arcs of one block: few enough that all that a pass touches stays in cache."""

Whole = NDArray[np.integer[Any]]
"""Whole numbers >= 0, in as few bytes as they fit into."""


@dataclass(frozen=True, eq=False)
class Fans:
    """Arcs gathered by one of their ends: arc `order`, first arc of each fan, node of each fan."""

    order: Whole
    first: Ints
    node: Whole

    @classmethod
    def of(cls, ends: Ints) -> "Fans":
        """Returns the fans of arcs by the nodes at one end."""
        order = np.argsort(ends, kind="stable")
        node, first = np.unique(ends[order], return_index=True)
        return cls(lean(order), first.astype(np.int32), lean(node))


@dataclass(frozen=True, eq=False)
class Block:
    """Items `begin` to `end` of a problem; slices of its arrays, and the graph over them.

    `tail`, `head`, `most` and `arc_item` are [arc], `supply` and `node_item` [node]; items count
    from 0 within the block.
    """

    begin: int
    end: int
    pools: slice
    demands: slice
    ships: slice
    transfers: slice
    segments: slice
    tail: Whole
    head: Whole
    most: Whole
    arc_item: Whole
    supply: Units
    node_item: Whole
    heads: Fans
    tails: Fans

    @property
    def items(self) -> int:
        """Number of items."""
        return self.end - self.begin

    @property
    def hub(self) -> int:
        """The node of the first item's hub; the others follow."""
        return len(self.supply) - self.items

    @property
    def first_segment(self) -> int:
        """The first arc of a segment."""
        return len(self.tail) - int(self.segments.stop - self.segments.start)


def blocks_of(problem: Problem, begins: Ints | None = None) -> Iterator[Block]:
    """Yields the blocks of a problem; they begin at these items where somebody says so."""
    edges = Edges.of(problem)
    starts = (block_begins(problem) if begins is None else begins).tolist()
    for begin, end in zip(starts, [*starts[1:], problem.items], strict=True):
        yield _block(problem, edges, begin, end)


def block_begins(problem: Problem) -> Ints:
    """Returns the first item of each block: whole items, about `BLOCK_ARCS` arcs."""
    edges, at, begins = Edges.of(problem), 0, []
    total = edges.ships + edges.transfers + edges.segments
    while at < problem.items:
        begins.append(at)
        stop = int(np.searchsorted(total, total[at] + BLOCK_ARCS, side="right")) - 1
        at = min(max(stop, at + 1), problem.items)
    return np.array(begins, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Edges:
    """Where the rows of each item begin in each array, [item + 1]."""

    pools: NDArray[np.intp]
    demands: NDArray[np.intp]
    ships: NDArray[np.intp]
    transfers: NDArray[np.intp]
    segments: NDArray[np.intp]

    @classmethod
    def of(cls, problem: Problem) -> "Edges":
        """Returns the edges of a problem whose rows are sorted by item."""
        item = problem.demands.item

        def edges(items: Ints) -> NDArray[np.intp]:
            return np.searchsorted(items, np.arange(problem.items + 1, dtype=items.dtype))

        return cls(
            edges(problem.pools.item),
            edges(item),
            edges(item[problem.ships.demand]),
            edges(problem.transfers.item),
            edges(item[problem.segments.demand]),
        )


def _block(problem: Problem, edges: Edges, begin: int, end: int) -> Block:
    def cut(at: NDArray[np.intp]) -> slice:
        return slice(int(at[begin]), int(at[end]))

    pools, demands, ships = cut(edges.pools), cut(edges.demands), cut(edges.ships)
    transfers, segments = cut(edges.transfers), cut(edges.segments)
    pool_item = problem.pools.item[pools] - begin
    demand_item = problem.demands.item[demands] - begin
    first_demand = len(pool_item)
    hub = first_demand + len(demand_item)
    moved_hub = hub + problem.transfers.item[transfers] - begin
    shipped = problem.ships.demand[ships] - demands.start
    asked = problem.segments.demand[segments] - demands.start
    ends = (
        (problem.ships.pool[ships] - pools.start, first_demand + shipped),
        (
            _pool_or(problem.transfers.start[transfers], pools.start, moved_hub),
            _pool_or(problem.transfers.end[transfers], pools.start, moved_hub),
        ),
        (hub + demand_item[asked], first_demand + asked),
    )
    tail = np.concatenate([start for start, _ in ends]).astype(np.int32)
    head = np.concatenate([end for _, end in ends]).astype(np.int32)
    node_item = np.concatenate([pool_item, demand_item, np.arange(end - begin)]).astype(np.int32)
    demand = problem.demand_units[demands]
    supply = np.concatenate([problem.pools.units[pools], -demand])
    room = problem.throughput[problem.transfers.item[transfers]]
    most = (
        demand[shipped],
        np.minimum(problem.transfers.most[transfers], room),
        problem.segments.units[segments],
    )
    return Block(
        begin=begin,
        end=end,
        pools=pools,
        demands=demands,
        ships=ships,
        transfers=transfers,
        segments=segments,
        tail=lean(tail),
        head=lean(head),
        most=lean(np.concatenate(most)),
        arc_item=lean(node_item[tail]),
        supply=np.concatenate([supply, -counted(node_item[:hub], supply, end - begin)]),
        node_item=lean(node_item),
        heads=Fans.of(head),
        tails=Fans.of(tail),
    )


def lean(values: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Returns whole numbers >= 0 in as few bytes as they fit into: blocks are many."""
    most = int(values.max(initial=0))
    return values.astype(lean_type(most), copy=False)


def lean_type(most: int) -> type[np.integer[Any]]:
    """Returns the smallest type of whole numbers up to `most`."""
    if most <= np.iinfo(np.uint16).max:
        return np.uint16
    return np.int32 if most <= np.iinfo(np.int32).max else np.int64


def _pool_or(pool: Ints, first: int, hub: Ints) -> Ints:
    """Returns the node of each pool, the hub's where it is nowhere."""
    return np.where(pool >= 0, pool - first, hub)
