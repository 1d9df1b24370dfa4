"""The search for the cheapest option: sites, services and splits, with a proof or a gap."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from routing.fulfillment.cost import Bill, Costing, Load, Loads
from routing.fulfillment.order import Effort
from routing.fulfillment.teams import Members, relaxed

Pattern = tuple[tuple[int, int], ...]
"""How the units of one want travel: (position of the way, units)."""

_TOLERANCE = 1e-9  # relative; below it two costs are the same
_ALL_ORDERS = 4
_ALL_DIVISIONS = 64


@dataclass(frozen=True, slots=True)
class Priced:
    """An option and its bill."""

    loads: Loads
    bill: Bill
    cost: float

    @property
    def team(self) -> tuple[int, ...]:
        """The positions of the ways that it uses."""
        return tuple(way for way, _ in self.loads)


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a search; `best` is None where nothing can be served.

    No option costs less than `bound`. `considered` counts the teams of ways that were priced or
    ruled out by a floor; `covered` are the units of each want that are served. `short` lists ways
    that alone serve fewer units, with their units.
    """

    best: Priced | None
    bound: float
    considered: int
    covered: tuple[int, ...]
    others: tuple[Priced, ...]
    short: tuple[tuple[int, int], ...] = ()

    @property
    def gap(self) -> float:
        """How much cheaper another option might be at most, as a share of the best cost."""
        if self.best is None or self.best.cost <= 0:
            return 0.0
        gap = (self.best.cost - self.bound) / self.best.cost
        return gap if gap > _TOLERANCE else 0.0


def search(costing: Costing, allow_split: bool, effort: Effort) -> Found:
    """Returns the cheapest option among those that serve the most units.

    Single ways are priced first, then teams of two and more as long as their floor leaves a
    chance. Within a team the units of an item are divided in every way that its stock allows, as
    long as these are few; else the item travels by one way that holds all of it, or from one way
    after the other: in every order for up to four ways, the fullest first for more. `bound` says
    how far off the answer can be where `effort` ended first or not every division was tried.
    """
    if not costing.ways:
        return Found(None, 0.0, 0, tuple(0 for _ in costing.wants), ())
    return _Search(costing, effort).split() if allow_split else _Search(costing, effort).single()


@dataclass
class _Search:
    """One search: what is known so far about the cheapest option."""

    costing: Costing
    effort: Effort
    best: Priced | None = None
    open_bound: float = math.inf
    considered: int = 0
    work: int = 0
    priced: dict[Loads, Priced] = field(default_factory=dict)

    @cached_property
    def stock(self) -> list[tuple[int, ...]]:
        """Units by way and want."""
        return [way.stock for way in self.costing.ways]

    @cached_property
    def sources(self) -> list[tuple[str, str]]:
        """Where the units of each way are counted."""
        return [way.source for way in self.costing.ways]

    @cached_property
    def covered(self) -> tuple[int, ...]:
        """Units of each want that all sources together can serve."""
        return self.reach(range(len(self.costing.ways)))

    @cached_property
    def served(self) -> tuple[int, ...]:
        """Positions of the wants of which something is served."""
        return tuple(want for want, units in enumerate(self.covered) if units)

    def single(self) -> Found:
        """Returns the cheapest way that alone serves as many units as any."""
        reached = [self.reach([way]) for way in range(len(self.costing.ways))]
        self.considered = len(reached)
        most = max(sum(units) for units in reached)
        for way, units in enumerate(reached):
            if sum(units) == most:
                self.price(((way, _load(units)),))
        covered = reached[self.best.team[0]] if self.best else tuple(0 for _ in reached[0])
        return self._found(covered, reached)

    def split(self) -> Found:
        """Returns the cheapest option that serves every unit that can be served."""
        reached = [self.reach([way]) for way in range(len(self.costing.ways))]
        self.considered = len(reached)
        for way, units in enumerate(reached):
            if units == self.covered:
                self.price(((way, _load(units)),))
        self._fill(range(len(self.costing.ways)))
        if self.best is None:
            self._fill_greedily()
        self._improve()
        self._try_sizes()
        return self._found(self.covered, reached)

    def _try_sizes(self) -> None:
        """Tries teams of rising size, as long as the floor of a size leaves a chance."""
        members = self._members()
        for size in range(2, self._largest + 1):
            if members.least(size) >= self.ceiling():
                continue
            hopeful = members.hopeful(self.ceiling(), size)
            if self.considered + math.comb(len(hopeful), size) > self.effort.options:
                self.open_bound = min(self.open_bound, members.least(size))
                continue
            self._try_teams(hopeful, size)

    @property
    def _largest(self) -> int:
        """The most ways that an option can use: no more than it has units."""
        held = [sum(units[want] > 0 for units in self.stock) for want in self.served]
        parts = sum(min(self.covered[want], n) for want, n in zip(self.served, held, strict=True))
        return min(parts, len(self.stock))

    def _members(self) -> Members:
        goods = [
            units * float(want.unit_value)
            for units, want in zip(self.covered, self.costing.wants, strict=True)
        ]
        split_cost = self.costing.context.weights.split_cost
        costing = self.costing
        return Members.of(costing.ways, costing.floors, self.covered, goods, split_cost)

    def _found(self, covered: tuple[int, ...], reached: Sequence[tuple[int, ...]]) -> Found:
        others = sorted(
            (priced for priced in self.priced.values() if priced is not self.best),
            key=lambda priced: (priced.cost, priced.loads),
        )
        cost = self.best.cost if self.best else 0.0
        short = [(way, sum(units)) for way, units in enumerate(reached)
                 if sum(units) < sum(covered)]  # fmt: skip
        bound = max(0.0, min(cost, self.open_bound))
        return Found(
            self.best, bound, self.considered, covered, tuple(others), tuple(short)
        )  # fmt: skip

    def ceiling(self) -> float:
        """Returns the floor from which on there is no chance."""
        if self.best is None:
            return math.inf
        return self.best.cost - _TOLERANCE * max(1.0, abs(self.best.cost))

    def _try_teams(self, members: Members, size: int) -> None:
        teams, floors = members.teams(size)
        self.considered += len(teams)
        for at in np.argsort(floors, kind="stable"):
            if floors[at] >= self.ceiling():
                break
            if self.work > self.effort.work:
                self.open_bound = min(self.open_bound, float(floors[at]))
                break
            self.work += len(self.served)
            capacity = members.capacity(teams[at])
            if not math.isnan(capacity):
                self._try_team(members, teams[at], capacity)

    def _try_team(self, members: Members, team: NDArray[np.intp], capacity: float) -> None:
        """Prices the cheapest option of a team by its floors, then branches if that is no proof."""
        ways = members.way[team].tolist()
        floors, capped = members.floors[team], np.isfinite(members.cap[team])
        served = list(self.served)
        units_floor, price = relaxed(floors[:, served], capped, members.goods[served], capacity)
        base = float(members.fixed[team].sum()) - members.first_parcel
        if base + units_floor >= self.ceiling() or self.reach(ways) != self.covered:
            return
        if not all(self._few(ways, want) for want in served):
            self.open_bound = min(self.open_bound, base + units_floor)
        paid = floors + np.where(capped[:, np.newaxis], price * members.goods, 0.0)
        branching = _Branching(self, base - price * capacity, self._ranked(ways, paid.tolist()))
        branching.run()

    def _ranked(
        self, ways: Sequence[int], paid: Sequence[Sequence[float]]
    ) -> list[list[tuple[float, Pattern]]]:
        """Patterns of each served want with their floors, the cheapest first."""
        ranked = []
        for want in self.served:
            units = self.covered[want]
            each = {way: paid[at][want] / units for at, way in enumerate(ways)}
            patterns = self.patterns(ways, want)
            ranked.append(sorted(
                (sum(taken * each[way] for way, taken in pattern), pattern)
                for pattern in patterns
            ))  # fmt: skip
        return ranked

    def reach(self, team: Sequence[int]) -> tuple[int, ...]:
        """Returns the units of each want that ways can serve; services share stock of a site."""
        held: dict[tuple[str, str], list[tuple[int, ...]]] = {}
        for way in team:
            held.setdefault(self.sources[way], []).append(self.stock[way])
        by_source = [[max(units) for units in zip(*rows, strict=True)] for rows in held.values()]
        return tuple(
            min(want.units, sum(units))
            for want, units in zip(self.costing.wants, zip(*by_source, strict=True), strict=True)
        )

    def patterns(self, team: Sequence[int], want: int) -> list[Pattern]:
        """Returns how a team can serve the units of one want: every way to, or the plain ones."""
        units = self.covered[want]
        able = [way for way in team if self.stock[way][want] > 0]
        if self._few(team, want):
            return list(self._divided(able, want, units, {}))
        whole: list[Pattern] = [((way, units),) for way in able if self.stock[way][want] >= units]
        if whole:
            return whole
        found = (self._filled(order, want, units) for order in self._orders(able, want))
        return list(dict.fromkeys(pattern for pattern in found if pattern))

    def _few(self, team: Sequence[int], want: int) -> bool:
        """Whether the divisions of a want's units among a team are few enough to try them all."""
        able = sum(self.stock[way][want] > 0 for way in team)
        return math.comb(self.covered[want] + able - 1, max(able - 1, 0)) <= _ALL_DIVISIONS

    def _divided(
        self, able: Sequence[int], want: int, units: int, used: dict[tuple[str, str], int]
    ) -> Iterator[Pattern]:
        """Yields every division of some units among ways, within the stock of each source."""
        if not units:
            yield ()
        if not (units and able):
            return
        way, source = able[0], self.sources[able[0]]
        taken = used.get(source, 0)
        for take in range(min(units, self.stock[way][want] - taken), -1, -1):
            rest = self._divided(able[1:], want, units - take, {**used, source: taken + take})
            own = ((way, take),) if take else ()
            yield from ((*own, *others) for others in rest)

    def _orders(self, able: Sequence[int], want: int) -> Iterator[tuple[int, ...]]:
        """Orders in which ways are emptied."""
        if len(able) <= _ALL_ORDERS:
            return permutations(able)
        return iter([tuple(sorted(able, key=lambda way: (-self.stock[way][want], way)))])

    def _filled(self, order: Sequence[int], want: int, units: int) -> Pattern:
        """Units taken from one way after the other; () where they do not suffice."""
        taken: dict[int, int] = {}
        used: dict[tuple[str, str], int] = {}
        left = units
        for way in order:
            source = self.sources[way]
            take = min(left, self.stock[way][want] - used.get(source, 0))
            if take > 0:
                taken[way] = take
                used[source] = used.get(source, 0) + take
                left -= take
        return () if left else tuple(sorted(taken.items()))

    def _fill_greedily(self) -> None:
        """Prices the team that grows by the way that adds the most units, until all are served."""
        team: list[int] = []
        everyone = range(len(self.costing.ways))
        while not team or self.reach(team) != self.covered:
            gains = [(-sum(self.reach([*team, way])), self.costing.floors[way][0].fixed, way)
                     for way in everyone if way not in team]  # fmt: skip
            team.append(min(gains)[2])
        self._fill(team)

    def _fill(self, team: Sequence[int]) -> None:
        """Prices the option in which each want takes the cheapest of its patterns in a team."""
        self.considered += 1
        patterns = [self.patterns(team, want) for want in self.served]
        if all(patterns):
            pairs = zip(patterns, self.served, strict=True)
            chosen = [min(known, key=self._cheapest(want)) for known, want in pairs]
            self.price(loads_of(chosen, self.served))

    def _improve(self) -> None:
        """Prices teams that lack one way of the best, or have another in its place, while it pays.

        A good first option keeps the proof short: whatever cannot be cheaper is never looked at.
        """
        before = None
        while self.best is not None and self.best is not before:
            before = self.best
            for way in before.team:
                rest = [other for other in before.team if other != way]
                for team in [rest, *([*rest, other] for other in self._others(before.team))]:
                    if team and self.reach(team) == self.covered:
                        self._fill(team)

    def _others(self, team: Sequence[int]) -> Iterator[int]:
        return (way for way in range(len(self.costing.ways)) if way not in team)

    def _cheapest(self, want: int) -> "_Floored":
        return _Floored(self, want)

    def price(self, loads: Loads) -> None:
        """Ensures that an option is priced, and remembered if it is the cheapest."""
        if loads in self.priced:
            return
        bill = self.costing.bill(loads)
        option = Priced(loads, bill, bill.total)
        self.priced[loads] = option
        if math.isfinite(option.cost) and (self.best is None or option.cost < self.ceiling()):
            self.best = option


@dataclass(frozen=True, slots=True)
class _Floored:
    """The order of the patterns of a want by their first floor."""

    search: _Search
    want: int

    def __call__(self, pattern: Pattern) -> tuple[float, Pattern]:
        floors = self.search.costing.floors
        floor = sum(units * floors[way][0].unit[self.want] for way, units in pattern)
        return floor, pattern


@dataclass
class _Branching:
    """Depth first through the choices of one team, cut where the floor leaves no chance.

    `ranked` has the patterns of each served want, the cheapest floor first. Wants whose choice
    matters most come first.
    """

    search: _Search
    base: float
    ranked: list[list[tuple[float, Pattern]]]

    def run(self) -> None:
        """Ensures that no option of the team is cheaper than the best, or notes the open bound."""
        search = self.search
        order = sorted(range(len(self.ranked)), key=self._regret)
        ranked = [self.ranked[at] for at in order]
        wants = [search.served[at] for at in order]
        rest = [*np.cumsum([choices[0][0] for choices in reversed(ranked)])[::-1].tolist(), 0.0]
        stack: list[tuple[float, tuple[Pattern, ...]]] = [(self.base, ())]
        while stack:
            floor, chosen = stack.pop()
            depth = len(chosen)
            search.work += 1
            if floor + rest[depth] >= search.ceiling():
                continue
            if search.work > search.effort.work:
                left = [floor + rest[depth], *(f + rest[len(c)] for f, c in stack)]
                search.open_bound = min(search.open_bound, *left)
                return
            if depth == len(ranked):
                search.work += len(wants)
                search.price(loads_of(chosen, wants))
                continue
            for cost, pattern in reversed(ranked[depth]):
                stack.append((floor + cost, (*chosen, pattern)))

    def _regret(self, at: int) -> float:
        choices = self.ranked[at]
        return choices[0][0] - choices[1][0] if len(choices) > 1 else 0.0


def loads_of(chosen: Sequence[Pattern], wants: Sequence[int]) -> Loads:
    """Returns the option in which each of some wants travels by its pattern."""
    loads: dict[int, list[tuple[int, int]]] = {}
    for want, pattern in sorted(zip(wants, chosen, strict=True)):
        for way, units in pattern:
            loads.setdefault(way, []).append((want, units))
    return tuple((way, tuple(loads[way])) for way in sorted(loads))


def _load(units: Sequence[int]) -> Load:
    return tuple((want, taken) for want, taken in enumerate(units) if taken)
