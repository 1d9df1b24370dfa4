"""The allocation problem: which units serve which demand, when and from where, as frozen arrays.

One item is a small network over time. Stock waits in *pools* (an item at a site in one customs
state in one bucket), is shipped to *demands* (an item in a region in one bucket), or takes a
*transfer*: it waits a bucket, moves to another site, is released from bond, is bought, or is left
over at the end. What is not served is *unmet*, so a plan always exists. Items meet only in the
*shared limits*: units that a site packs, kilograms that a service takes, volume of a lane and of a
site. The decomposition prices these, and each item alone is then a min-cost flow.
"""

from dataclasses import dataclass, field, fields, replace
from datetime import date
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.signedinteger[Any]]
"""Positions and codes: int32 where there are many of them."""

Units = NDArray[np.signedinteger[Any]]
"""Whole units: int64, or int32 where they surely fit."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NOWHERE = -1
"""Instead of a pool: where goods are bought from, and where what is left over goes."""

FULL = 1e-9
"""A container that is over-full by less than this share of one is full."""

KINDS = ("carry", "leave", "move", "release", "buy")
CARRY, LEAVE, MOVE, RELEASE, BUY = range(len(KINDS))
"""Kinds of transfers: to the next bucket, past the last one, to another site, out of bond, in."""


@dataclass(frozen=True, eq=False)
class Axes:
    """The names behind positions; `buckets` are first days, `lanes` are (from, to, service).

    Sites that serve come first, then those through which goods only pass. `offers` are (supplier,
    item, site that receives the goods).
    """

    items: tuple[str, ...]
    sites: tuple[str, ...]
    regions: tuple[str, ...]
    services: tuple[str, ...]
    buckets: tuple[date, ...] = (date(1970, 1, 1),)
    lanes: tuple[tuple[str, str, str], ...] = ()
    offers: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Pools:
    """Stock of one item at one site in one customs state and bucket; arrays [pool], by item.

    `units` are those that appear in that bucket: on hand in the first one, arrivals in each.
    """

    item: Ints
    site: Ints
    bonded: Bools
    bucket: Ints
    units: Units


@dataclass(frozen=True, eq=False)
class Demands:
    """Demand of one item in one region and bucket; arrays [demand], sorted by item."""

    item: Ints
    region: Ints
    bucket: Ints


@dataclass(frozen=True, eq=False)
class Segments:
    """Units of demand that are worth the same; arrays [segment], by demand, never rising in value.

    `chance` is that of a unit being asked for, `value` its penalty times that. Demand that is
    certain has one segment.
    """

    demand: Ints
    units: Units
    chance: Floats
    value: Floats


@dataclass(frozen=True, eq=False)
class Ships:
    """Ways in which a pool may serve a demand; arrays [ship], sorted by item.

    `cost` is [way, service] in settlement currency per unit, infinite where a service may not, in
    double precision or, of very many ways, in single. `way` says which row holds for a ship, as
    costs do not depend on the bucket.
    """

    pool: Ints
    demand: Ints
    way: Ints
    cost: NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Transfers:
    """What stock can do other than be shipped; arrays [transfer], sorted by item.

    `start` and `end` are pools or `NOWHERE`, `cost` is per unit, `most` limits units (of one item),
    `row` is the flat position of a shared limit or -1, and a unit takes `use` of it. `lane` is a
    position among lanes (moves) or offers (purchases), -1 for others.
    """

    item: Ints
    start: Ints
    end: Ints
    cost: Floats
    most: Units
    row: Ints
    use: Floats
    kind: NDArray[np.int8]
    lane: Ints

    @classmethod
    def none(cls) -> "Transfers":
        """Returns no transfers."""
        ints, floats = np.zeros(0, np.int32), np.zeros(0)
        units, kinds = np.zeros(0, np.int64), np.zeros(0, np.int8)
        return cls(ints, ints, ints, floats, units, ints, floats, kinds, ints)


@dataclass(frozen=True, eq=False)
class Limits:
    """What all items share; infinite where there is no limit.

    `outbound` [site, bucket] in units, `carrier_kg` [site, service, bucket], `lane_m3` [lane,
    bucket], `storage_m3` [site, bucket]. Storage gives way at `overflow_price` per m3 and bucket
    [site]: goods that are there are not turned away. Lanes give way at `lane_price` per m3 [lane],
    where there is one; it is infinite where they do not.
    """

    outbound: Floats
    carrier_kg: Floats
    lane_m3: Floats
    storage_m3: Floats
    overflow_price: Floats
    lane_price: Floats = field(default_factory=lambda: np.zeros(0))

    @cached_property
    def flat(self) -> Floats:
        """All limits one after another, [row]."""
        return np.concatenate(
            [part.ravel() for part in (self.outbound, self.carrier_kg, self.lane_m3)]
            + [self.storage_m3.ravel()]
        )

    @cached_property
    def soft(self) -> Floats:
        """What one more of each limit costs at the most, [row]; infinite where it is hard."""
        buckets = self.storage_m3.shape[1]
        lanes = self.lane_price if len(self.lane_price) else np.full(len(self.lane_m3), np.inf)
        return np.concatenate(
            [
                np.full(self.lane_begin, np.inf),
                np.repeat(lanes, buckets),
                np.repeat(self.overflow_price, buckets),
            ]
        )

    def worth(self, price: Floats) -> float:
        """Returns what all limits are worth at prices, [row]."""
        held = np.isfinite(self.flat)
        return float((price[held] * self.flat[held]).sum())

    @property
    def carrier_begin(self) -> int:
        """The row of the first carrier limit."""
        return self.outbound.size

    @property
    def lane_begin(self) -> int:
        """The row of the first lane limit."""
        return self.outbound.size + self.carrier_kg.size

    @property
    def storage_begin(self) -> int:
        """The row of the first storage limit."""
        return self.lane_begin + self.lane_m3.size


@dataclass(frozen=True, eq=False)
class Consignments:
    """What a departure costs on each lane, beside what its goods pay; arrays [lane].

    All that leaves by a lane in one bucket is one consignment: it pays `fixed_cost`, and
    `container_cost` for each container of `container_m3` that it begins (0: none are used). Without
    lanes nothing is to be paid.
    """

    fixed_cost: Floats
    container_m3: Floats
    container_cost: Floats

    @classmethod
    def none(cls) -> "Consignments":
        """Returns departures that cost nothing."""
        return cls(np.zeros(0), np.zeros(0), np.zeros(0))

    @property
    def any(self) -> bool:
        """Whether any departure costs something."""
        return bool(self.fixed_cost.any() or self.container_cost.any())

    def containers(self, m3: Floats) -> Floats:
        """Returns the containers that volumes [lane, bucket] begin."""
        size = np.where(self.container_m3 > 0, self.container_m3, np.inf)[:, None]
        return np.ceil(m3 / size - FULL)

    def cost(self, m3: Floats, units: Floats) -> Floats:
        """Returns what departures with these volumes and units cost; all are [lane, bucket]."""
        fixed = np.where(units > 0, self.fixed_cost[:, None], 0.0)
        return fixed + self.container_cost[:, None] * np.maximum(self.containers(m3), 0.0)

    def least_per_m3(self, most: Floats) -> Floats:
        """Returns the least that a m3 costs where a departure takes `most`, [lane, bucket].

        Times the volume it is never more than the cost: departures are cheapest by m3 with full
        containers, or as full as they get.
        """
        size = np.where(self.container_m3 > 0, self.container_m3, np.inf)[:, None]
        full = np.floor(most / size + FULL) * np.where(np.isfinite(size), size, 0.0)
        least = np.full(most.shape, np.inf)
        for m3 in (full, most):
            some = m3 > 0
            cost = self.cost(m3, np.ones_like(m3))
            per_m3 = np.divide(cost, m3, out=np.full_like(m3, np.inf), where=some)
            least = np.minimum(least, np.where(np.isinf(m3), 0.0, per_m3))
        return np.where(np.isfinite(least), least, 0.0)


@dataclass(frozen=True, eq=False)
class Problem:
    """Everything that an allocation depends on. Money is in settlement currency.

    `weight_kg` and `value` are [item]. `cheapest` is the least unit cost of any lawful way to each
    demand, also of ways that were left out; infinite where there is none. `fixed_cost` of a site is
    charged where it is open; `decide` flags sites that may stay closed, and then nothing leaves
    them. Departures cost what `consignments` say.
    """

    axes: Axes
    pools: Pools
    demands: Demands
    segments: Segments
    ships: Ships
    transfers: Transfers
    limits: Limits
    cheapest: Floats
    weight_kg: Floats
    value: Floats
    fixed_cost: Floats
    decide: Bools
    consignments: Consignments = field(default_factory=Consignments.none)

    @property
    def items(self) -> int:
        """Number of items."""
        return len(self.axes.items)

    @property
    def columns(self) -> int:
        """Size of the linear program: lawful ways to ship, transfers and segments."""
        used = np.isfinite(self.ships.cost).sum(axis=1)
        shipped = int(used[self.ships.way].sum())
        return shipped + len(self.transfers.cost) + len(self.segments.value)

    def opening_cost(self, is_open: Bools) -> float:
        """Returns what the sites to be decided cost that are open, [site]."""
        return float(self.fixed_cost[self.decide & is_open].sum())

    @cached_property
    def demand_units(self) -> Units:
        """Most units that each demand may ask for, [demand]."""
        return counted(self.segments.demand, self.segments.units, len(self.demands.item))

    @cached_property
    def throughput(self) -> Units:
        """Most units of each item that can be anywhere: all that appear or are bought, [item]."""
        held = counted(self.pools.item, self.pools.units, self.items)
        asked = counted(self.demands.item, self.demand_units, self.items)
        bought = self.transfers.kind == BUY
        item = self.transfers.item[bought]
        return held + counted(
            item, np.minimum(self.transfers.most[bought], asked[item]), self.items
        )

    @cached_property
    def outbound_row(self) -> Ints:
        """The row of the limit of outbound units of each pool, [pool]."""
        buckets = self.limits.outbound.shape[1]
        return np.asarray(self.pools.site * buckets + self.pools.bucket, dtype=np.int32)

    @cached_property
    def carrier_row(self) -> Ints:
        """The row of the carrier limit of each pool's first service, [pool].

        That of service c is `c * carrier_step` further.
        """
        _, services, buckets = self.limits.carrier_kg.shape
        at = self.pools.site * services * buckets + self.pools.bucket
        return np.asarray(self.limits.carrier_begin + at, dtype=np.int32)

    @property
    def carrier_step(self) -> int:
        """Rows between the carrier limits of two services at one site."""
        return int(self.limits.carrier_kg.shape[2])


Rows = TypeVar("Rows", Pools, Demands, Segments, Ships, Transfers)


def only(problem: Problem, items: Ints) -> Problem:
    """Returns the problem of some items, rising, that meet the same limits as all did."""
    item = np.full(problem.items, -1, np.int32)
    item[items] = np.arange(len(items), dtype=np.int32)
    keep_pool, pool = _kept(item[problem.pools.item] >= 0)
    keep_demand, demand = _kept(item[problem.demands.item] >= 0)
    pools, demands = _at(problem.pools, keep_pool), _at(problem.demands, keep_demand)
    segments = _at(problem.segments, np.flatnonzero(demand[problem.segments.demand] >= 0))
    ships = _at(problem.ships, np.flatnonzero(demand[problem.ships.demand] >= 0), whole=("cost",))
    way, ship_way = np.unique(ships.way, return_inverse=True)
    moved = _at(problem.transfers, np.flatnonzero(item[problem.transfers.item] >= 0))
    start, end = (
        np.where(at < 0, np.int32(NOWHERE), pool[at]).astype(np.int32)
        for at in (moved.start, moved.end)
    )
    return replace(
        problem,
        axes=replace(problem.axes, items=tuple(problem.axes.items[at] for at in items)),
        pools=replace(pools, item=item[pools.item]),
        demands=replace(demands, item=item[demands.item]),
        segments=replace(segments, demand=demand[segments.demand]),
        ships=Ships(
            pool[ships.pool], demand[ships.demand], ship_way.astype(np.int32), ships.cost[way]
        ),
        transfers=replace(moved, item=item[moved.item], start=start, end=end),
        cheapest=problem.cheapest[keep_demand],
        weight_kg=problem.weight_kg[items],
        value=problem.value[items],
    )


def _at(part: Rows, rows: NDArray[np.intp], whole: tuple[str, ...] = ()) -> Rows:
    """Returns some rows of each array of a part; those that are `whole` stay as they are."""
    names = [one.name for one in fields(part) if one.name not in whole]
    return replace(part, **{name: getattr(part, name)[rows] for name in names})


def with_limits(problem: Problem, flat: Floats) -> Problem:
    """Returns the problem with other shared limits, [row], not below 0."""
    limits, at, parts = problem.limits, 0, []
    for part in (limits.outbound, limits.carrier_kg, limits.lane_m3, limits.storage_m3):
        parts.append(np.maximum(flat[at : at + part.size], 0.0).reshape(part.shape))
        at += part.size
    outbound, carrier_kg, lane_m3, storage_m3 = parts
    prices = limits.overflow_price, limits.lane_price
    return replace(problem, limits=Limits(outbound, carrier_kg, lane_m3, storage_m3, *prices))


def _kept(flags: Bools) -> tuple[NDArray[np.intp], Ints]:
    """Returns the rows that stay, and where each row goes (-1: nowhere)."""
    rows = np.flatnonzero(flags)
    place = np.full(len(flags), -1, np.int32)
    place[rows] = np.arange(len(rows), dtype=np.int32)
    return rows, place


def counted(at: Ints, units: Units, length: int) -> Units:
    """Returns sums of whole units by position, [length]; exact up to 2 ** 53."""
    return np.bincount(at, weights=units, minlength=length).astype(np.int64)


def summed(at: Ints, amounts: NDArray[np.generic], length: int) -> Floats:
    """Returns sums of amounts by position, [length]."""
    return np.asarray(np.bincount(at, weights=amounts, minlength=length), dtype=np.float64)
