"""Bounds on networks: what each site costs at the least, open and closed, at given prices.

When a unit of every demand, of every pool and of every shared limit has a price, sites no longer
depend on each other: a site alone ships what earns more than it costs, from its own stock and
within its own limits, or it is closed and ships nothing. The sum over sites, for any choice of open
ones, is a cost that no plan with that choice undercuts (Lagrange; as a function of the choice it is
a cut of Benders, "Partitioning procedures for solving mixed-variables programming problems", 1962).
All of it is arithmetic on the prices, so it holds for any of them, wherever they come from.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from routing.allocation.networks import lean_type
from routing.allocation.problem import (
    BUY,
    CARRY,
    LEAVE,
    MOVE,
    NOWHERE,
    RELEASE,
    Floats,
    Ints,
    Problem,
    summed,
)
from routing.allocation.solver.flows import service_costs, transfer_costs

FREE, CLOSED, OPEN = -1, 0, 1
"""What is known of a site: not decided yet, closed, open."""


@dataclass(frozen=True, eq=False)
class Prices:
    """What a unit is worth at each demand [demand], in each pool [pool], of each limit [row]."""

    demand: Floats
    pool: Floats
    row: Floats


@dataclass(frozen=True, eq=False)
class Cut:
    """A bound on every choice: `base`, and what each site adds where `closed` and `open`, [site].

    `prices` are those that it comes from; fixed costs of sites to be decided are within `open`.
    """

    base: float
    closed: Floats
    open: Floats
    prices: Prices

    @property
    def gain(self) -> Floats:
        """What opening a site adds to the bound, [site]; below 0 where the site seems to pay."""
        return self.open - self.closed

    def least(self, state: Ints, fewest: int = 0) -> float:
        """Returns what plans cost at the least where sites are in a state, [site].

        At least the `fewest` sites are open.
        """
        known = np.where(state == OPEN, self.open, self.closed).sum()
        return float(self.base + known + self._freely(state, fewest).sum())

    def last(self, state: Ints, fewest: int) -> float:
        """Returns what the dearest site adds that is open only because so many have to be."""
        taken = self._freely(state, fewest)
        return max(float(taken.max(initial=0.0)), 0.0)

    def _freely(self, state: Ints, fewest: int) -> Floats:
        """Returns the gains of the free sites that are opened in the cheapest choice."""
        gain = np.sort(self.gain[state == FREE])
        needed = fewest - int((state == OPEN).sum())
        return gain[: max(int((gain < 0).sum()), needed, 0)]


@dataclass(frozen=True, eq=False)
class _Offers:
    """What can leave pools, dearest first: value, most units, chain, outbound row or NOWHERE."""

    value: Floats
    most: Floats
    chain: Ints
    row: Ints


@dataclass(frozen=True, eq=False)
class _Guess:
    """Prices that a site may choose for itself: of pools, of its outbound units, of its kilos."""

    pool: Floats
    row: Floats


class SiteBounds:
    """What the sites of one problem cost at the least, at any prices."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        limits = problem.limits
        self._sites = len(problem.axes.sites)
        self._chain = _chains(problem)
        self._stock = summed(self._chain, problem.pools.units, len(self._chain))
        self._room = problem.throughput[problem.transfers.item].astype(float)
        self._most = np.minimum(problem.transfers.most, self._room)
        self._ship_site = problem.pools.site[problem.ships.pool]
        self._own_rows = np.arange(limits.lane_begin)
        outbound = np.repeat(np.arange(self._sites), limits.outbound.shape[1])
        per_site = int(np.prod(limits.carrier_kg.shape[1:]))
        self._row_site = np.concatenate([outbound, np.repeat(np.arange(self._sites), per_site)])
        self._finite = np.isfinite(limits.flat)
        self._fixed = np.where(problem.decide, problem.fixed_cost, 0.0)

    def cut(self, prices: Prices) -> Cut:
        """Returns the bound at these prices; each site takes the best of a few of its own."""
        problem = self.problem
        prices = _finite_prices(prices)
        row = np.where(self._finite, np.clip(prices.row, 0.0, problem.limits.soft), 0.0)
        moving = self._at_least(prices.pool, row, (CARRY, RELEASE, MOVE))
        handed = self._handed_over(moving, row)
        closed, opened = np.full(self._sites, -np.inf), np.full(self._sites, -np.inf)
        for guess in self._guesses(prices, moving, row, handed):
            own, sent = self._costs(prices.demand, guess, handed)
            closed = np.maximum(closed, own)
            opened = np.maximum(opened, own + sent)
        opened = opened + self._fixed
        closed = np.where(problem.decide, closed, opened)
        return Cut(self._base(prices.demand, row), closed, opened, prices)

    def _base(self, demand: Floats, row: Floats) -> float:
        """Returns what demands cost at their prices, less what lanes and storage are worth."""
        problem, limits = self.problem, self.problem.limits
        segments = problem.segments
        unmet = np.minimum(segments.value - demand[segments.demand], 0.0) * segments.units
        shared = np.flatnonzero(self._finite)
        shared = shared[shared >= limits.lane_begin]
        paid = float((row[shared] * limits.flat[shared]).sum())
        return float((demand * problem.demand_units).sum() + unmet.sum()) - paid

    def _at_least(self, pool: Floats, row: Floats, kinds: tuple[int, ...]) -> Floats:
        """Returns the worth of a unit in each pool, no less than where it can go, [pool].

        What is told as worth nothing may have a cost: of waiting, and of leaving at last.
        """
        transfers = self.problem.transfers
        paid = self._transfer_costs(row)
        idle = self.idle_costs(row)
        worth = np.where(pool > 0, pool, -idle)
        goes = np.isin(transfers.kind, kinds) & (transfers.start >= 0) & (transfers.end >= 0)
        at = np.flatnonzero(goes)
        for _ in range(len(self.problem.axes.buckets) + 1):
            before = worth.copy()
            np.maximum.at(worth, transfers.start[at], worth[transfers.end[at]] - paid[at])
            if (worth == before).all():
                break
        return worth

    def _handed_over(self, pool: Floats, row: Floats) -> Floats:
        """Returns the price at which a site hands a moved unit over to the next one, [transfer].

        That is what the unit is worth there, or what it cost here where that is more.
        """
        transfers = self.problem.transfers
        paid = self._transfer_costs(row)
        start = np.where(transfers.start >= 0, pool[transfers.start], 0.0)
        end = np.where(transfers.end >= 0, pool[transfers.end], 0.0)
        return np.maximum(paid + start, end)

    def _transfer_costs(self, row: Floats) -> Floats:
        return transfer_costs(self.problem, slice(None), row)

    def _ship_costs(self, row: Floats) -> Floats:
        """Returns what each ship costs by its cheapest service, kilos paid, [ship]."""
        cost = service_costs(self.problem, slice(None), row)
        return np.asarray(cost.min(axis=1, initial=np.inf))

    def _guesses(
        self, prices: Prices, moving: Floats, row: Floats, handed: Floats
    ) -> Iterator[_Guess]:
        """Yields the prices as they are, and those of sites that use their stock and limits best.

        The former with moves and without; the latter with kilos at their price, and free.
        """
        yield _Guess(moving, row)
        yield _Guess(self._at_least(prices.pool, row, (CARRY, RELEASE)), row)
        yield self._alone(prices.demand, row, handed)
        free = row.copy()
        free[self.problem.limits.carrier_begin : self.problem.limits.lane_begin] = 0.0
        if (free != row).any():
            yield self._alone(prices.demand, free, handed)

    def _alone(self, demand: Floats, row: Floats, handed: Floats) -> _Guess:
        """Returns prices of stock and of outbound units at which a site alone does its best.

        Exact in one bucket, where a unit leaves one pool of one site: there the greatest values
        within the stock, and of these within the limit, are taken.
        """
        idle = self.idle_costs(row)
        offers = self._offers(demand, row, handed, idle)
        used = taken(offers.chain, offers.most, self._stock)
        own = np.zeros(len(row))
        shipped = np.flatnonzero(offers.row >= 0)
        own[: self.problem.limits.carrier_begin] = _marginal(
            offers.row[shipped],
            offers.value[shipped],
            used[shipped],
            self.problem.limits.outbound.ravel(),
        )
        left = offers.value - np.where(offers.row >= 0, own[offers.row], 0.0)
        worth = self._sourced(_marginal(offers.chain, left, offers.most, self._stock), idle, handed)
        alone = row.copy()
        first = self.problem.limits.carrier_begin
        alone[:first] = np.where(self._finite[:first], own[:first], 0.0)
        return _Guess(worth[self._chain] - idle, alone)

    def idle_costs(self, row: Floats) -> Floats:
        """Returns what a unit in each pool costs that is never shipped, [pool]."""
        problem, transfers = self.problem, self.problem.transfers
        paid = self._transfer_costs(row)
        cost = np.full(len(problem.pools.item), np.inf)
        leave = np.flatnonzero((transfers.kind == LEAVE) & (transfers.start >= 0))
        np.minimum.at(cost, transfers.start[leave], paid[leave])
        stay = np.flatnonzero(np.isin(transfers.kind, (CARRY, RELEASE)) & (transfers.end >= 0))
        for _ in range(len(problem.axes.buckets) + 1):
            before = cost.copy()
            onward = paid[stay] + cost[transfers.end[stay]]
            np.minimum.at(cost, transfers.start[stay], onward)
            if (cost == before).all():
                break
        return np.where(np.isfinite(cost), cost, 0.0)

    def alone_costs(self, row: Floats) -> tuple[Floats, Floats, Floats]:
        """Returns the cost of each ship [ship], of idle units [pool], and what kilos pay [site].

        `row` are prices of shared limits, as in `Prices`.
        """
        limits = self.problem.limits
        row = np.where(self._finite, np.clip(row, 0.0, limits.soft), 0.0)
        rows = np.flatnonzero(self._finite[: limits.lane_begin])
        rows = rows[rows >= limits.carrier_begin]
        paid = summed(self._row_site[rows], row[rows] * limits.flat[rows], self._sites)
        return self._ship_costs(row), self.idle_costs(row), paid

    def _offers(self, demand: Floats, row: Floats, handed: Floats, idle: Floats) -> _Offers:
        """Returns what may leave pools at a gain: ships, and moves at the price of handing over."""
        problem, ships, transfers = self.problem, self.problem.ships, self.problem.transfers
        moves = np.flatnonzero((transfers.kind == MOVE) & (transfers.start >= 0))
        start = transfers.start[moves]
        gained = demand[ships.demand] - self._ship_costs(row) + idle[ships.pool]
        moved = (handed - self._transfer_costs(row))[moves] + idle[start]
        value = np.concatenate([gained, moved])
        most = np.concatenate([problem.demand_units[ships.demand], self._most[moves]])
        pool = np.concatenate([ships.pool, start])
        outbound = np.full(len(value), NOWHERE)
        outbound[: len(gained)] = problem.outbound_row[ships.pool]
        paying = np.flatnonzero(value > 0)
        paying = paying[dearest_first(value[paying])]
        return _Offers(
            value[paying],
            most[paying].astype(float),
            self._chain[pool[paying]],
            outbound[paying],
        )

    def _sourced(self, worth: Floats, idle: Floats, handed: Floats) -> Floats:
        """Returns the worth of stock by chain, no more than what a unit costs that comes in."""
        transfers = self.problem.transfers
        made = worth.copy()
        came = np.flatnonzero(np.isin(transfers.kind, (BUY, MOVE)) & (transfers.end >= 0))
        asked = np.where(transfers.kind == MOVE, handed, transfers.cost)[came]
        end = transfers.end[came]
        np.minimum.at(made, self._chain[end], np.maximum(asked + idle[end], 0.0))
        freed = np.flatnonzero((transfers.kind == RELEASE) & (transfers.start >= 0))
        start, end = transfers.start[freed], transfers.end[freed]
        spent = transfers.cost[freed] + idle[end] - idle[start]
        np.maximum.at(made, self._chain[start], made[self._chain[end]] - spent)
        return made

    def _costs(self, demand: Floats, guess: _Guess, handed: Floats) -> tuple[Floats, Floats]:
        """Returns what stock that stays costs each site at the least, and what all that leaves."""
        problem, ships, transfers = self.problem, self.problem.ships, self.problem.transfers
        site, sites = problem.pools.site, self._sites
        paid = self._transfer_costs(guess.row)
        start = np.where(transfers.start >= 0, guess.pool[transfers.start], 0.0)
        end = np.where(transfers.end >= 0, guess.pool[transfers.end], 0.0)
        moves = transfers.kind == MOVE
        of_start = site[np.maximum(transfers.start, 0)]
        of_end = site[np.maximum(transfers.end, 0)]
        place = np.where(transfers.start >= 0, of_start, of_end)
        stays = np.minimum(np.where(moves, 0.0, paid + start - end), 0.0) * self._most
        comes = np.minimum(np.where(moves, handed - end, 0.0), 0.0) * self._most
        goes = np.minimum(np.where(moves, paid + start - handed, 0.0), 0.0) * self._most
        own = summed(site, -guess.pool * problem.pools.units, sites)
        own += summed(place, stays, sites) + summed(of_end, comes, sites)
        cost = self._ship_costs(guess.row) + guess.row[problem.outbound_row[ships.pool]]
        reduced = np.minimum(cost + guess.pool[ships.pool] - demand[ships.demand], 0.0)
        sent = summed(self._ship_site, reduced * problem.demand_units[ships.demand], sites)
        rows = self._own_rows[self._finite[self._own_rows]]
        limit = guess.row[rows] * problem.limits.flat[rows]
        return own, sent + summed(place, goes, sites) - summed(self._row_site[rows], limit, sites)


def _finite_prices(prices: Prices) -> Prices:
    """Returns prices with 0 where nothing could be worth anything: any price gives a bound."""
    parts = (prices.demand, prices.pool, prices.row)
    return Prices(*(np.where(np.isfinite(part), part, 0.0) for part in parts))


def _chains(problem: Problem) -> Ints:
    """Returns the last pool that stock of each pool can wait for, [pool]."""
    transfers = problem.transfers
    chain = np.arange(len(problem.pools.item))
    waits = np.flatnonzero((transfers.kind == CARRY) & (transfers.end >= 0))
    onward = chain.copy()
    onward[transfers.start[waits]] = transfers.end[waits]
    for _ in range(len(problem.axes.buckets)):
        chain = onward[chain]
    return chain


def dearest_first(value: Floats) -> Ints:
    """Returns the order of offers by value, the dearest first."""
    return np.argsort(-value, kind="stable")


def taken(group: Ints, units: Floats, most: Floats) -> Floats:
    """Returns the units of each offer that are taken within what its group has, [group].

    Offers come dearest first.
    """
    order, before = _queue(group, units)
    used = np.empty(len(units))
    used[order] = np.clip(most[group[order]] - before, 0.0, units[order])
    return used


def _marginal(group: Ints, value: Floats, units: Floats, most: Floats) -> Floats:
    """Returns the value of the first unit of each group that is left over, never below 0."""
    first = dearest_first(value)
    group, value, units = group[first], value[first], units[first]
    order, before = _queue(group, units)
    beyond = order[before + units[order] > most[group[order]]]
    price = np.zeros(len(most))
    np.maximum.at(price, group[beyond], value[beyond])
    return price


def _queue(group: Ints, units: Floats) -> tuple[Ints, Floats]:
    """Returns the order of offers by group, as they come, and the units before each of them."""
    narrow = group.astype(lean_type(int(group.max(initial=0))))
    order = np.argsort(narrow, kind="stable")
    queued, total = group[order], np.concatenate([[0.0], np.cumsum(units[order])])
    begins = np.flatnonzero(np.diff(queued, prepend=-1))
    lengths = np.diff(begins, append=len(queued))
    return order, total[:-1] - np.repeat(total[begins], lengths)
