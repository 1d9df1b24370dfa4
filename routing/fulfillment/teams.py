"""Teams: sets of ways that serve an order together, and the floors that rule most of them out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from routing.fulfillment.floors import Floor
from routing.fulfillment.options import Way

Floats = NDArray[np.float64]

_CHUNK = 20_000
_SLACK = 1e-9  # relative: values of goods are sums of floats


@lru_cache(maxsize=64)
def _combinations(members: int, size: int) -> NDArray[np.intp]:
    """Every set of positions of a size, shaped [set, size]."""
    flat = np.fromiter(
        (at for team in combinations(range(members), size) for at in team), dtype=np.intp
    )
    return flat.reshape(-1, size)


@dataclass(frozen=True, eq=False)
class Members:
    """The ways of an order, each once for every floor that it may have.

    `way` is the position of each member's way, `fixed` the floor of using it (with the split cost
    of one parcel), `floors` the floor of all served units by member and want (infinite where the
    way has none), `cap` the most that the goods of its consignment may be worth. `goods` are the
    values of the served units by want.
    """

    ways: tuple[Way, ...]
    way: NDArray[np.intp]
    fixed: Floats
    floors: Floats
    cap: Floats
    goods: Floats
    first_parcel: float

    @classmethod
    def of(
        cls,
        ways: Sequence[Way],
        floors_of: Sequence[Sequence[Floor]],
        served: Sequence[int],
        goods: Sequence[float],
        split_cost: float,
    ) -> "Members":
        """Returns the members for the units that are served and what they are worth, by want."""
        listed = [(at, floor) for at, each in enumerate(floors_of) for floor in each]
        units, worth = np.array(served, dtype=float), np.array(goods, dtype=float)
        stock = np.array([ways[at].stock for at, _ in listed])
        cap = np.array([floor.cap for _, floor in listed])
        floors = np.array([floor.unit for _, floor in listed]) * units
        return cls(
            ways=tuple(ways),
            way=np.array([at for at, _ in listed], dtype=np.intp),
            fixed=np.array([floor.fixed + split_cost for _, floor in listed]),
            floors=np.where((stock > 0) | (units == 0), floors, np.inf),
            cap=cap,
            goods=worth,
            first_parcel=split_cost,
        )

    def __len__(self) -> int:
        return len(self.way)

    def least(self, size: int) -> float:
        """Returns a floor of every team of a size; infinite where there are not as many ways."""
        fixed = self._cheapest_ways
        if len(fixed) < size:
            return math.inf
        return float(fixed[:size].sum()) - self.first_parcel + self._all_units(size)

    def hopeful(self, ceiling: float, size: int) -> "Members":
        """Returns the members that some team of a size below a ceiling could have."""
        fixed = self._cheapest_ways
        if len(fixed) < size:
            return self._kept(np.zeros(len(self), dtype=bool))
        others = float(fixed[: size - 1].sum())
        floor = self.fixed + others - self.first_parcel + self._all_units(size)
        swapped = self.fixed < fixed[size - 1]
        floor = np.where(swapped, floor - self.fixed + fixed[size - 1], floor)
        return self._kept(floor < ceiling)

    def _kept(self, kept: NDArray[np.bool_]) -> "Members":
        return Members(
            self.ways, self.way[kept], self.fixed[kept], self.floors[kept], self.cap[kept],
            self.goods, self.first_parcel,
        )  # fmt: skip

    @cached_property
    def _cheapest_ways(self) -> Floats:
        """The lowest floor of using each way, the cheapest first."""
        lowest = np.full(len(self.ways), np.inf)
        np.minimum.at(lowest, self.way, self.fixed)
        return np.sort(lowest[np.isfinite(lowest)])

    def _all_units(self, size: int) -> float:
        """A floor of all units in a team of a size: its capped members carry only so much."""
        capped = np.isfinite(self.cap)
        caps: dict[tuple[str, str], float] = {}
        for at, cap in zip(self.way[capped], self.cap[capped], strict=True):
            consignment = self.ways[at].consignment
            caps[consignment] = max(float(cap), caps.get(consignment, 0.0))
        largest = sorted(caps.values(), reverse=True)[:size]
        return relaxed(self.floors, capped, self.goods, math.fsum(largest))[0]

    def teams(self, size: int) -> tuple[NDArray[np.intp], Floats]:
        """Returns the teams of a size (positions of members) and their floors."""
        teams = _combinations(len(self), size)
        parts = [
            self.fixed[chunk].sum(axis=1) + self.floors[chunk].min(axis=1).sum(axis=1)
            for chunk in np.split(teams, range(_CHUNK, len(teams), _CHUNK))
        ]
        return teams, np.concatenate(parts) - self.first_parcel

    def capacity(self, team: NDArray[np.intp]) -> float:
        """Returns what the goods of a team's capped members may be worth together.

        NaN for a team that cannot be: one way twice, or one consignment under two duties.
        """
        ways = self.way[team]
        caps: dict[tuple[str, str], float] = {}
        for way, cap in zip(ways, self.cap[team], strict=True):
            if caps.setdefault(self.ways[way].consignment, float(cap)) != cap:
                return math.nan
        if len(set(ways.tolist())) < len(team):
            return math.nan
        return math.fsum(cap for cap in caps.values() if math.isfinite(cap))


def relaxed(
    floors: Floats, capped: NDArray[np.bool_], goods: Floats, capacity: float
) -> tuple[float, float]:
    """Returns a floor of serving every want, and the price of capped goods that proves it.

    `floors` is shaped [member, want]. Capped members may carry goods worth `capacity` together.
    The floor is the Lagrangian relaxation of that limit at its best price: units go where they are
    cheapest, capped ones only as far as the limit allows, in order of what they save by value. It
    is infinite where some goods fit nowhere.
    """
    if not capped.any():
        return float(floors.min(axis=0).sum()), 0.0
    inside = floors[capped].min(axis=0)
    outside = floors[~capped].min(axis=0) if not capped.all() else np.full(len(goods), np.inf)
    forced = ~np.isfinite(outside)
    if goods[forced].sum() > capacity * (1 + _SLACK):
        return math.inf, 0.0
    price = _critical_price(inside, outside, goods, forced, capacity)
    paid = np.minimum(inside + price * goods, outside)
    return float(paid.sum()) - price * capacity, price


def _critical_price(
    inside: Floats, outside: Floats, goods: Floats, forced: NDArray[np.bool_], capacity: float
) -> float:
    """What a unit of value saves where the limit begins to bind; 0 where all fits."""
    saves = ~forced & (outside > inside) & (goods > 0)
    density = (outside[saves] - inside[saves]) / goods[saves]
    order = np.argsort(-density, kind="stable")
    filled = goods[forced].sum() + np.cumsum(goods[saves][order])
    beyond = np.flatnonzero(filled > capacity * (1 + _SLACK))
    return float(density[order][beyond[0]]) if len(beyond) else 0.0
