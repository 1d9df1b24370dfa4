"""Explanations: what binds and what it costs, why demand stays unmet, and what else could be done.

At the prices of what items share each item alone is a min-cost flow, and the potentials of that
flow say what a unit is worth in each place. So what another way would cost follows from the prices
alone; nothing is solved again but the flow of that one item.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInput
from routing.allocation.networks import blocks_of
from routing.allocation.plan import Plan
from routing.allocation.problem import BUY, Floats, Problem, only, summed
from routing.allocation.solver.answers import TOLERANCE
from routing.allocation.solver.departures.consignments import by_volume
from routing.allocation.solver.flows import (
    cheapest_flow,
    potentials,
    price_scale,
    priced,
    service_costs,
)
from routing.allocation.solver.solve import Solution

NO_STOCK = "no stock anywhere"
NO_ROUTE = "no lawful or possible route"
TOO_DEAR = "dearer than the penalty"
CAPACITY = "capacity"
STOCK_USED_UP = "not enough stock"

REASONS = (NO_STOCK, NO_ROUTE, TOO_DEAR, CAPACITY, STOCK_USED_UP)
"""Every reason for unmet demand; the first that holds is given.

"dearer than the penalty" also holds for units that are asked for too rarely to be worth a way, and
"not enough stock" means that every unit in reach serves demand that gains more from it.
"""

_TOLERANCE = 1e-6

_LEAST_TOLD = 1e-6
"""Gaps are told no finer than sums are rounded."""


def proof_told(status: str, gap: float) -> str:
    """Returns what a status means, with the gap that is proven.

    >>> proof_told("optimal", 0.00068)
    'optimal, proven within 0.068 %'
    >>> proof_told("stopped", 0.0312)
    'stopped when its time was over, at most 3.2 % above the best plan'
    """
    share = f"{_rounded_up(100 * max(gap, _LEAST_TOLD)):g} %"
    told = {
        "optimal": f"optimal, proven within {share}",
        "feasible": f"feasible, at most {share} above the best plan, which is more than was asked",
        "stopped": f"stopped when its time was over, at most {share} above the best plan",
    }
    return told.get(status, f"{status}, at most {share} above the best plan")


def _rounded_up(percent: float) -> float:
    """Returns a figure of two digits that is not smaller."""
    step = 10.0 ** (math.floor(math.log10(percent)) - 1)
    return math.ceil(percent / step - 1e-9) * step


@dataclass(frozen=True, slots=True)
class BindingRow:
    """A capacity that binds; `price` is what one more unit, kilogram or m3 of it would save."""

    row: str
    price: float


@dataclass(frozen=True, slots=True)
class Way:
    """One way to serve a unit, or to leave it unmet (then `site` is empty), per unit.

    `unit_cost` is what the way itself costs, or the penalty; `outbound`, `carrier` and `stock` are
    what it pays for what others want, too. `stock` is below 0 where keeping the unit would cost
    more than it gains. `reduced_cost` says by how much a unit is worse served this way than at
    best: 0 for ways that are used or as good. `units` go this way.
    """

    site: str
    customs: str
    service: str
    unit_cost: float
    outbound: float
    carrier: float
    stock: float
    reduced_cost: float
    units: float

    @property
    def paid(self) -> float:
        """All that a unit costs this way, with what it takes from others."""
        return self.unit_cost + self.outbound + self.carrier + self.stock


@dataclass(frozen=True, slots=True)
class Refused:
    """A way that cannot be taken, and why; without a service it holds for all of a site."""

    site: str
    service: str
    reason: str


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Every way to serve an item in a region and bucket, the best first, and those refused.

    `demand_price` is what one unit more would cost at the best, in settlement currency.
    """

    item: str
    region: str
    bucket: date
    demand_price: float
    ways: tuple[Way, ...]
    refused: tuple[Refused, ...]

    def document(self) -> dict[str, Any]:
        """Returns all of it as JSON."""
        return asdict(self) | {"bucket": self.bucket.isoformat()}


@dataclass(frozen=True, eq=False)
class Offers:
    """What services ask for a unit from some places, [place, service], and units taken there.

    Places are sites in one customs state, `bonded` or not; `cost` is infinite where no service may.
    """

    site: NDArray[np.intp]
    bonded: NDArray[np.bool_]
    cost: Floats
    units: Floats


def alternatives(
    problem: Problem, solution: Solution, item: str, region: str, bucket: date | None = None
) -> Alternatives:
    """Returns the ways of a problem to serve an item in a region and bucket, at its prices.

    Without a bucket the first one counts in which the region asks for the item. Ways that a
    problem leaves out, as they cost more than any unit is worth, are not told. Raises `BadInput`
    where nobody asks.
    """
    problem = by_volume(problem) if problem.consignments.any else problem
    items = np.array([_position(problem.axes.items, item, "item")], dtype=np.int32)
    one, plan = only(problem, items), solution.plan.of_items(problem, items)
    demand = demand_of(one, region, bucket)
    offers = _offers(one, demand, plan)
    closed = np.flatnonzero(one.decide & ~solution.is_open)
    return weighed(one, solution.price, demand, offers, frozenset(closed.tolist()))


def _offers(problem: Problem, demand: int, plan: Plan) -> Offers:
    """Returns the ways of a problem to a demand; pools of one place and state count as one."""
    ships = np.flatnonzero(problem.ships.demand == demand)
    pool = problem.ships.pool[ships]
    states = np.stack([problem.pools.site[pool], problem.pools.bonded[pool]])
    places, place = np.unique(states, axis=1, return_inverse=True)
    cost = np.full((places.shape[1], len(problem.axes.services)), np.inf)
    units = np.zeros(cost.shape)
    np.minimum.at(cost, place, problem.ships.cost[problem.ships.way[ships]])
    np.add.at(units, place, plan.shipped[ships])
    return Offers(places[0].astype(np.intp), places[1].astype(bool), cost, units)


def demand_of(problem: Problem, region: str, bucket: date | None) -> int:
    """Returns the demand of a region in the problem of one item; raises `BadInput` for none."""
    axes, demands = problem.axes, problem.demands
    rows = np.flatnonzero(demands.region == _position(axes.regions, region, "region"))
    starts = [axes.buckets[at] for at in demands.bucket[rows]]
    if not starts:
        asking = sorted({axes.regions[at] for at in demands.region})
        told = f"; {', '.join(asking)} do" if asking else ""
        raise BadInput(f"Region {region} does not ask for {axes.items[0]}{told}.")
    wanted = min(starts) if bucket is None else _begin(axes.buckets, bucket)
    if wanted not in starts:
        days = ", ".join(str(start) for start in sorted(starts))
        raise BadInput(f"Region {region} asks for {axes.items[0]} in {days}, not in {bucket}.")
    return int(rows[starts.index(wanted)])


def _begin(buckets: Sequence[date], day: date) -> date:
    """Returns the first day of the bucket that holds a day, or the day itself outside of all.

    The last bucket is as long as the one before it; a bucket alone lasts a week at the most.
    """
    length = buckets[-1] - buckets[-2] if len(buckets) > 1 else timedelta(days=7)
    if day >= buckets[-1] + length:
        return day
    return max((start for start in buckets if start <= day), default=day)


def _position(names: tuple[str, ...], name: str, what: str) -> int:
    if name not in names:
        raise BadInput(f"Expected one of the {what}s of the plan, got {name}.")
    return names.index(name)


def weighed(
    problem: Problem,
    price: Floats,
    demand: int,
    offers: Offers,
    closed: frozenset[int] = frozenset(),
) -> Alternatives:
    """Returns the offers to a demand in the problem of one item, weighed at shared prices [row].

    Sites that stay `closed` offer nothing.
    """
    axes, demands = problem.axes, problem.demands
    worth = _Worth.of(problem, price, demand)
    ways = list(_ways(problem, price, demand, offers, worth, closed))
    best = min([worth.demand, *(way.paid for way in ways)])
    told = [
        _leave(problem, demand, float(offers.units.sum()), best),
        *(replace(way, reduced_cost=way.paid - best) for way in ways),
    ]
    return Alternatives(
        item=axes.items[0],
        region=axes.regions[demands.region[demand]],
        bucket=axes.buckets[demands.bucket[demand]],
        demand_price=best,
        ways=tuple(sorted(told, key=_order)),
        refused=(),
    )


def _order(way: Way) -> tuple[float, float, str, str, str]:
    """Used ways first among those as good to a millionth, then by name."""
    return round(way.reduced_cost, 6), -way.units, way.site, way.customs, way.service


@dataclass(frozen=True, eq=False)
class _Worth:
    """What a unit of the one item is worth at shared prices: in places in one bucket, to a demand.

    Places are a site and whether in bond; where units differ only by the end of their bond, the
    cheaper one counts. Where nothing is served, a unit is worth its penalty to the demand.
    """

    place: Mapping[tuple[int, bool], float]
    demand: float

    @classmethod
    def of(cls, problem: Problem, price: Floats, demand: int) -> "_Worth":
        """Returns the potentials of the flow that is best at these prices."""
        (block,) = blocks_of(problem)
        cost, scale = priced(problem, block, price).cost, price_scale(problem)
        _, flow = cheapest_flow(block, cost, np.ones(1, dtype=bool), scale)
        found = potentials(block, cost, flow, TOLERANCE / scale, rounds=len(block.supply)).at
        pools, bucket = problem.pools, problem.demands.bucket[demand]
        known = np.isfinite(found[: len(pools.item)]) & (pools.bucket == bucket)
        place: dict[tuple[int, bool], float] = {}
        for pool in np.flatnonzero(known):
            where = int(pools.site[pool]), bool(pools.bonded[pool])
            place[where] = min(place.get(where, np.inf), float(found[pool]))
        rows = problem.segments.demand == demand
        unmet = int(flow[block.first_segment :][rows].sum())
        if unmet == problem.demand_units[demand]:
            return cls(place, float(problem.segments.value[rows].max()))
        return cls(place, float(found[len(pools.item) + demand]))


def _ways(
    problem: Problem,
    price: Floats,
    demand: int,
    offers: Offers,
    worth: _Worth,
    closed: frozenset[int],
) -> Iterator[Way]:
    """Yields the lawful ways from places where stock is or can be by then."""
    bucket, axes, limits = int(problem.demands.bucket[demand]), problem.axes, problem.limits
    carrier = price[limits.carrier_begin : limits.lane_begin].reshape(limits.carrier_kg.shape)
    outbound = price[: limits.carrier_begin].reshape(limits.outbound.shape)
    for at, service in np.argwhere(np.isfinite(offers.cost)).tolist():
        place = site, bonded = int(offers.site[at]), bool(offers.bonded[at])
        if site in closed or place not in worth.place:
            continue
        yield Way(
            site=axes.sites[site],
            customs="bonded" if bonded else "free",
            service=axes.services[service],
            unit_cost=float(offers.cost[at, service]),
            outbound=float(outbound[site, bucket]),
            carrier=float(carrier[site, service, bucket] * problem.weight_kg[0]),
            stock=worth.place[place],
            reduced_cost=0.0,
            units=float(offers.units[at, service]),
        )


def _leave(problem: Problem, demand: int, served: float, best: float) -> Way:
    """Returns leaving a unit unmet: the best one that is left, or else the last one served.

    Units are served in the order of their worth. Those that are left are worth less than serving
    them costs; that is no fault, so it counts as 0.
    """
    rows = np.flatnonzero(problem.segments.demand == demand)
    ends = np.cumsum(problem.segments.units[rows])
    left = max(float(ends[-1]) - served, 0.0)
    at = np.searchsorted(ends, min(served, ends[-1] - 1), side="right")
    penalty = float(problem.segments.value[rows[at]])
    worse = max(penalty - best, 0.0) if left > 0 else penalty - best
    return Way("", "", "", penalty, 0.0, 0.0, 0.0, worse, left)


def unmet_reasons(problem: Problem, solution: Solution) -> NDArray[np.object_]:
    """Returns one reason for each demand, meaningful where units stay unmet.

    The prices tell: a way whose own cost is below the worth of a unit fails only because what it
    would use up is worth more elsewhere. If shared capacity alone closes the gap on every way,
    capacity is the reason, else stock.
    """
    worth = _worth_of_unmet(problem, solution)
    bought = (problem.transfers.kind == BUY) * solution.plan.moved
    there = summed(problem.pools.item, problem.pools.units, problem.items)
    stocked = there + summed(problem.transfers.item, bought, problem.items) > 0
    gain = worth - _cheapest_with_capacity(problem, solution)
    reasons = np.full(len(worth), STOCK_USED_UP, dtype=object)
    reasons[gain <= _TOLERANCE * np.maximum(worth, 1.0)] = CAPACITY
    reasons[problem.cheapest >= worth] = TOO_DEAR
    reasons[np.isinf(problem.cheapest)] = NO_ROUTE
    reasons[~stocked[problem.demands.item]] = NO_STOCK
    return reasons


def _worth_of_unmet(problem: Problem, solution: Solution) -> Floats:
    """Returns what the best unit that is not served would be worth, [demand]."""
    worth = np.zeros(len(problem.demands.item))
    left = np.flatnonzero(solution.plan.unmet > 0)
    np.maximum.at(worth, problem.segments.demand[left], problem.segments.value[left])
    return worth


def _cheapest_with_capacity(problem: Problem, solution: Solution) -> Floats:
    """The least cost of serving a unit of each demand if only shared capacity had a price."""
    ships, price = problem.ships, solution.price
    paid = service_costs(problem, slice(None), price)
    least = np.full(len(problem.demands.item), np.inf)
    best = paid.min(axis=1, initial=np.inf) + price[problem.outbound_row[ships.pool]]
    np.minimum.at(least, ships.demand, best)
    return least


def binding_rows(problem: Problem, solution: Solution, stock_rows: int) -> tuple[BindingRow, ...]:
    """Returns the capacities with a price: all shared ones, then the dearest stock rows.

    Each kind is sorted by price, the highest first.
    """
    priced = np.flatnonzero(solution.price > _TOLERANCE)
    shared = [BindingRow(row_name(problem, int(at)), float(solution.price[at])) for at in priced]
    stock = _stock(problem, solution, stock_rows)
    return (*sorted(shared, key=lambda row: (-row.price, row.row)), *stock)


def row_name(problem: Problem, row: int) -> str:
    """Returns the name of a shared limit, with its bucket where there is more than one."""
    limits, axes = problem.limits, problem.axes
    buckets = limits.outbound.shape[1]
    at, bucket = divmod(row, buckets)
    when = f",{axes.buckets[bucket]}" if buckets > 1 else ""
    sites, services, lanes = len(axes.sites), len(axes.services), len(axes.lanes)
    if at < sites:
        return f"outbound_units[{axes.sites[at]}{when}]"
    at -= sites
    if at < sites * services:
        site, service = divmod(at, services)
        return f"kg_per_week[{axes.sites[site]},{axes.services[service]}{when}]"
    at -= sites * services
    if at < lanes:
        start, end, service_name = axes.lanes[at]
        return f"capacity_m3[{start},{end},{service_name}{when}]"
    return f"storage_m3[{axes.sites[at - lanes]}{when}]"


def _stock(problem: Problem, solution: Solution, most: int) -> list[BindingRow]:
    """The dearest pools that hold stock in the first bucket."""
    pools = problem.pools
    held = np.flatnonzero((pools.bucket == 0) & (pools.units > 0))
    price = solution.stock_price[held]
    dearest = np.argsort(-price, kind="stable")[:most]
    return [
        BindingRow(_stock_row(problem, int(held[at])), float(price[at]))
        for at in dearest
        if price[at] > _TOLERANCE
    ]


def _stock_row(problem: Problem, pool: int) -> str:
    site = problem.axes.sites[problem.pools.site[pool]]
    item = problem.axes.items[problem.pools.item[pool]]
    state = ",bonded" if problem.pools.bonded[pool] else ""
    return f"stock[{site},{item}{state}]"
