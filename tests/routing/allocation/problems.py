"""Random allocation problems with every feature, and oracles that share no code with us."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from routing.allocation.problem import (
    BUY,
    CARRY,
    LEAVE,
    MOVE,
    NOWHERE,
    RELEASE,
    Axes,
    Consignments,
    Demands,
    Limits,
    Pools,
    Problem,
    Segments,
    Ships,
    Transfers,
)

MANY = 10**9


def named(items: int, sites: int, regions: int, services: int, buckets: int = 1) -> Axes:
    """Axes of that many names each, buckets a week apart."""
    return Axes(
        items=tuple(f"item {at}" for at in range(items)),
        sites=tuple(f"site {at}" for at in range(sites)),
        regions=tuple(f"region {at}" for at in range(regions)),
        services=tuple(f"service {at}" for at in range(services)),
        buckets=tuple(date(2026, 9, 7) + timedelta(weeks=at) for at in range(buckets)),
    )


def random_problem(
    seed: int,
    items: int = 5,
    sites: int = 3,
    regions: int = 4,
    buckets: int = 1,
    most_units: int = 40,
) -> Problem:
    """A small problem: free and bonded pools, tight and missing limits, segments of falling worth.

    With more than one bucket stock waits, moves, is released and bought, and sites fill up.
    """
    rng = np.random.default_rng(seed)
    services = int(rng.integers(1, 4))
    chains = np.argwhere(rng.random((items, sites, 2)) < 0.5)
    asked = np.argwhere(rng.random((items, regions, buckets)) < 0.7)
    pools = _pools(rng, chains, buckets, most_units)
    demands = Demands(*(asked[:, at].astype(np.int32) for at in range(3)))
    segments = _segments(rng, asked, items, most_units)
    ships = _ships(rng, pools, demands, services)
    total = float(segments.units.sum()) / buckets + 1.0
    limits = Limits(
        outbound=_limits(rng, (sites, buckets), total / sites),
        carrier_kg=_limits(rng, (sites, services, buckets), 2.0 * total / sites),
        lane_m3=_limits(rng, (sites, buckets), total / sites),
        storage_m3=_limits(rng, (sites, buckets), total / sites),
        overflow_price=rng.uniform(1, 5, sites),
    )
    transfers = _transfers(rng, chains, pools, buckets, limits)
    axes = named(items, sites, regions, services, buckets)
    return Problem(
        axes=replace(axes, lanes=tuple((f"site {at}", "next", "SEA") for at in range(sites))),
        pools=pools,
        demands=demands,
        segments=segments,
        ships=ships,
        transfers=transfers,
        limits=limits,
        cheapest=_cheapest(demands, ships),
        weight_kg=rng.uniform(0.1, 5, items),
        value=rng.uniform(5, 100, items),
        fixed_cost=np.zeros(sites),
        decide=np.zeros(sites, dtype=bool),
    )


def _pools(rng: np.random.Generator, chains: NDArray[np.int64], buckets: int, most: int) -> Pools:
    chain = np.repeat(np.arange(len(chains)), buckets)
    bucket = np.tile(np.arange(buckets), len(chains))
    units = rng.integers(0, 2 * most, len(chain)) * (rng.random(len(chain)) < 0.6)
    return Pools(
        chains[chain, 0].astype(np.int32),
        chains[chain, 1].astype(np.int32),
        chains[chain, 2].astype(bool),
        bucket.astype(np.int32),
        units.astype(np.int64),
    )


def _segments(
    rng: np.random.Generator, asked: NDArray[np.int64], items: int, most: int
) -> Segments:
    count = rng.integers(1, 4, len(asked))
    row = np.repeat(np.arange(len(asked)), count)
    chance = rng.random(len(row))
    order = np.lexsort((-chance, row))
    penalty = rng.uniform(5, 60, items)
    return Segments(
        row.astype(np.int32),
        rng.integers(1, most, len(row)),
        chance[order],
        penalty[asked[row, 0]] * chance[order],
    )


def _ships(rng: np.random.Generator, pools: Pools, demands: Demands, services: int) -> Ships:
    pair = [
        (pool, row)
        for pool, (item, bucket) in enumerate(zip(pools.item, pools.bucket, strict=True))
        for row in np.flatnonzero((demands.item == item) & (demands.bucket == bucket))
    ]
    rows = np.array(pair, dtype=np.int32).reshape(-1, 2)
    cost = rng.uniform(1, 20, (len(rows), services))
    cost[rng.random(cost.shape) < 0.1] = np.inf
    kept = np.flatnonzero(np.isfinite(cost).any(axis=1))
    return Ships(rows[kept, 0], rows[kept, 1], np.arange(len(kept), dtype=np.int32), cost[kept])


def _limits(rng: np.random.Generator, shape: tuple[int, ...], usual: float) -> NDArray[np.float64]:
    drawn, kind = rng.uniform(0, 2 * usual, shape), rng.random(shape)
    return np.where(kind < 0.3, np.inf, np.where(kind < 0.4, 0.0, drawn))


def _transfers(
    rng: np.random.Generator,
    chains: NDArray[np.int64],
    pools: Pools,
    buckets: int,
    limits: Limits,
) -> Transfers:
    """Waiting and leaving for every pool; moves to the next site, releases and purchases."""
    place = {tuple(chain): at * buckets for at, chain in enumerate(chains.tolist())}
    rows: list[tuple[float, ...]] = []
    for (item, site, bonded), first in place.items():
        for bucket in range(buckets):
            pool, volume = first + bucket, float(rng.uniform(0.1, 1.0))
            stored = limits.storage_begin + site * buckets + bucket if buckets > 1 else -1
            last = bucket == buckets - 1
            cost = float(rng.uniform(0, 0.3)) if buckets > 1 else 0.0
            kind, end = (LEAVE, NOWHERE) if last else (CARRY, pool + 1)
            rows.append((item, pool, end, cost, MANY, stored, volume, kind, -1))
            target = place.get((item, site + 1, bonded))
            if target is not None and not last:
                lane = limits.lane_begin + site * buckets + bucket
                cost = float(rng.uniform(0, 2))
                rows.append((item, pool, target + bucket + 1, cost, MANY, lane, volume, MOVE, site))
            free = place.get((item, site, 0))
            if bonded and free is not None:
                rows.append((item, pool, free + bucket, 2.0, MANY, -1, 0.0, RELEASE, -1))
            if rng.random() < 0.1 and buckets > 1:
                most = int(rng.integers(1, 20))
                cost = float(rng.uniform(3, 20))
                rows.append((item, NOWHERE, pool, cost, most, -1, 0.0, BUY, 0))
    table = np.array(rows, dtype=float).reshape(-1, 9)
    table = table[np.argsort(table[:, 0], kind="stable")]
    ints = [table[:, at].astype(np.int32) for at in (0, 1, 2, 5, 8)]
    return Transfers(
        item=ints[0], start=ints[1], end=ints[2], cost=table[:, 3],
        most=table[:, 4].astype(np.int64), row=ints[3], use=table[:, 6],
        kind=table[:, 7].astype(np.int8), lane=ints[4],
    )  # fmt: skip


def _cheapest(demands: Demands, ships: Ships) -> NDArray[np.float64]:
    least = np.full(len(demands.item), np.inf)
    np.minimum.at(least, ships.demand, ships.cost.min(axis=1, initial=np.inf))
    return least


Column = tuple[float, float, list[tuple[str, int, float]]]
"""Cost, most units, and cells: the kind of a row, its number, and the amount in it."""


def _columns(problem: Problem) -> Iterator[Column]:
    """Every way of every ship, every transfer, segment, and m3 that storage gives way by."""
    outbound, carrier = problem.limits.outbound, problem.limits.carrier_kg
    for pool, demand, way in zip(
        problem.ships.pool, problem.ships.demand, problem.ships.way, strict=True
    ):
        item, site = problem.pools.item[pool], problem.pools.site[pool]
        bucket = problem.pools.bucket[pool]
        for service in np.flatnonzero(np.isfinite(problem.ships.cost[way])):
            out = np.ravel_multi_index((site, bucket), outbound.shape)
            kilos = outbound.size + np.ravel_multi_index((site, service, bucket), carrier.shape)
            cells = [("pool", pool, 1.0), ("demand", demand, 1.0), ("row", out, 1.0),
                     ("row", kilos, problem.weight_kg[item])]  # fmt: skip
            yield problem.ships.cost[way, service], np.inf, cells
    moved = problem.transfers
    for at in range(len(moved.cost)):
        cells = [("pool", moved.start[at], 1.0)] if moved.start[at] >= 0 else []
        cells += [("pool", moved.end[at], -1.0)] if moved.end[at] >= 0 else []
        cells += [("row", moved.row[at], moved.use[at])] if moved.row[at] >= 0 else []
        yield moved.cost[at], float(moved.most[at]), cells
    for at, demand in enumerate(problem.segments.demand):
        unmet = [("demand", demand, 1.0)]
        yield problem.segments.value[at], float(problem.segments.units[at]), unmet
    storage = outbound.size + carrier.size + problem.limits.lane_m3.size
    for at in range(problem.limits.storage_m3.size):
        site = at // outbound.shape[1]
        yield problem.limits.overflow_price[site], np.inf, [("row", storage + at, -1.0)]


def oracle(problem: Problem) -> float:
    """The least cost according to HiGHS in scipy, in parted units, written out unit by unit."""
    limits, columns = problem.limits, list(_columns(problem))
    flat = np.concatenate([limits.outbound.ravel(), limits.carrier_kg.ravel(),
                           limits.lane_m3.ravel(), limits.storage_m3.ravel()])  # fmt: skip
    sizes = {"pool": len(problem.pools.item), "demand": len(problem.demands.item), "row": flat.size}
    made = {name: np.zeros((size, len(columns))) for name, size in sizes.items()}
    for column, (_, _, cells) in enumerate(columns):
        for name, row, amount in cells:
            made[name][row, column] += amount
    asked = np.bincount(problem.segments.demand, problem.segments.units, minlength=sizes["demand"])
    finite = np.isfinite(flat)
    kept = np.concatenate([made["pool"], made["demand"]]), made["row"][finite]
    units = np.concatenate([problem.pools.units, asked])
    cost = np.array([cost for cost, *_ in columns])
    most = np.array([most for _, most, _ in columns])
    if not problem.consignments.any:
        found = linprog(
            cost, A_ub=kept[1], b_ub=flat[finite], A_eq=kept[0], b_eq=units,
            bounds=[(0, limit) for limit in most],
        )  # fmt: skip
        assert found.fun is not None, found.message
        return float(found.fun)
    departures = _departures(problem, len(columns))
    wide = [np.pad(rows, ((0, 0), (0, len(departures.cost)))) for rows in kept]
    whole = milp(
        np.concatenate([cost, departures.cost]),
        constraints=[
            LinearConstraint(wide[0], units, units),
            LinearConstraint(wide[1], ub=flat[finite]),
            LinearConstraint(departures.rows, ub=0.0),
        ],
        bounds=Bounds(0.0, np.concatenate([most, np.full(len(departures.cost), np.inf)])),
        integrality=np.repeat([0, 1], [len(cost), len(departures.cost)]),
    )
    assert whole.fun is not None, whole.message
    return float(whole.fun)


@dataclass(frozen=True, eq=False)
class _Departures:
    """Columns for departures and containers, by lane and bucket, and the rows of both."""

    cost: NDArray[np.float64]
    rows: NDArray[np.float64]


def _departures(problem: Problem, columns: int) -> _Departures:
    """Each departure that carries a unit is one, and holds as much as its containers."""
    lanes, buckets = problem.limits.lane_m3.shape
    begin = columns - len(problem.segments.units) - problem.limits.storage_m3.size
    first = begin - len(problem.transfers.cost)
    size, count = problem.consignments.container_m3, lanes * buckets
    rows = np.zeros((2 * count, columns + 2 * count))
    moved = problem.transfers
    for at in np.flatnonzero(moved.kind == MOVE):
        row = moved.row[at] - problem.limits.lane_begin
        rows[row, first + at] = 1.0
        rows[count + row, first + at] = moved.use[at] if size[moved.lane[at]] > 0 else 0.0
    for row in range(count):
        rows[row, columns + row] = -float(problem.throughput.sum()) - 1.0
        rows[count + row, columns + count + row] = -size[row // buckets]
    of_lane = np.repeat(np.arange(lanes), buckets)
    fixed, container = problem.consignments.fixed_cost, problem.consignments.container_cost
    return _Departures(np.concatenate([fixed[of_lane], container[of_lane]]), rows)


def departing(seed: int, buckets: int = 3, **sizes: int) -> Problem:
    """A random problem in which departures have fixed costs and go in whole containers."""
    problem = random_problem(seed, buckets=buckets, **sizes)
    rng = np.random.default_rng(seed)
    lanes = len(problem.limits.lane_m3)
    size = np.where(rng.random(lanes) < 0.6, rng.uniform(4, 20, lanes), 0.0)
    cost = np.where(size > 0, rng.uniform(5, 40, lanes), 0.0)
    fixed = np.where(rng.random(lanes) < 0.7, rng.uniform(1, 15, lanes), 0.0)
    return replace(problem, consignments=Consignments(fixed, size, cost))


def brute_force(problem: Problem) -> float:
    """The least cost over every whole-unit plan of a tiny one-bucket problem, by trying all."""
    ships = [
        (int(pool), int(demand), int(service), float(problem.ships.cost[way, service]))
        for pool, demand, way in zip(
            problem.ships.pool, problem.ships.demand, problem.ships.way, strict=True
        )
        for service in np.flatnonzero(np.isfinite(problem.ships.cost[way]))
    ]
    most = [int(problem.pools.units[pool]) for pool, *_ in ships]
    best = np.inf
    for units in itertools.product(*(range(limit + 1) for limit in most)):
        cost = _plan_cost(problem, ships, units)
        best = min(best, cost)
    return best


def _plan_cost(
    problem: Problem, ships: list[tuple[int, int, int, float]], units: tuple[int, ...]
) -> float:
    sent = np.zeros(len(problem.pools.item))
    served = np.zeros(len(problem.demands.item))
    out, kilos = np.zeros(problem.limits.outbound.shape), np.zeros(problem.limits.carrier_kg.shape)
    cost = 0.0
    for count, (pool, demand, service, price) in zip(units, ships, strict=True):
        site, item = problem.pools.site[pool], problem.pools.item[pool]
        sent[pool] += count
        served[demand] += count
        out[site, 0] += count
        kilos[site, service, 0] += count * problem.weight_kg[item]
        cost += count * price
    if (sent > problem.pools.units).any() or (out > problem.limits.outbound).any():
        return np.inf
    if (kilos > problem.limits.carrier_kg + 1e-9).any():
        return np.inf
    for demand, value, limit in zip(
        problem.segments.demand, problem.segments.value, problem.segments.units, strict=True
    ):
        kept = min(served[demand], limit)
        served[demand] -= kept
        cost += (limit - kept) * value
    return np.inf if (served > 0).any() else cost


def one_lane(
    demand: int, stock: int, penalty: float = 100.0, cost: float = 4.0, bonded: bool = False
) -> Problem:
    """One item, one site, one region, one service, one bucket."""
    at, one = np.zeros(1, np.int32), np.ones(1)
    nowhere = np.full(1, NOWHERE, np.int32)
    return Problem(
        axes=Axes(("MUG",), ("HAM",), ("DE",), ("POST",), (date(2026, 9, 7),)),
        pools=Pools(at, at, np.array([bonded]), at, np.array([stock])),
        demands=Demands(at, at, at),
        segments=Segments(at, np.array([demand]), one, np.array([penalty])),
        ships=Ships(at, at, at, np.array([[cost]])),
        transfers=Transfers(
            at, at, nowhere, np.zeros(1), np.array([MANY]), nowhere, np.zeros(1),
            np.full(1, LEAVE, np.int8), nowhere,
        ),
        limits=Limits(
            np.array([[np.inf]]), np.array([[[np.inf]]]), np.zeros((0, 1)),
            np.array([[np.inf]]), np.zeros(1),
        ),
        cheapest=np.array([cost]),
        weight_kg=np.array([2.0]), value=np.array([50.0]),
        fixed_cost=np.zeros(1), decide=np.zeros(1, bool),
    )  # fmt: skip


def without_stock(problem: Problem) -> Problem:
    """The same problem with nothing at hand and nothing to come."""
    pools = replace(problem.pools, units=np.zeros_like(problem.pools.units))
    transfers = problem.transfers
    most = np.where(transfers.kind == BUY, 0, transfers.most)
    return replace(problem, pools=pools, transfers=replace(transfers, most=most))


def without_routes(problem: Problem) -> Problem:
    """The same problem with every way forbidden."""
    none = np.zeros(0, np.int32)
    services = len(problem.axes.services)
    return replace(
        problem,
        ships=Ships(none, none, none, np.zeros((0, services))),
        cheapest=np.full(len(problem.demands.item), np.inf),
    )
