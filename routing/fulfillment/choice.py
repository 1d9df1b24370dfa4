"""The exact choice: the cheapest division of each order's units among sites, services and routes.

The cost of an order is the sum of the costs of its consignments: no term but the number of parcels
knows of two of them, and that is a sum too. So the cheapest way to serve a bundle by some sites is
the cheapest division of it between one site and the others, site by site; and inside a site
service by service. Every split of every unit is covered, whatever steps prices and duties have.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from routing.fulfillment.bills import Loads
from routing.fulfillment.bundles import Bundles
from routing.fulfillment.crowd import Crowd
from routing.fulfillment.measures import summed
from routing.fulfillment.splits import Splits

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_TOLERANCE = 1e-9  # relative; a division must save more than this


@dataclass(frozen=True, slots=True)
class Sent:
    """A bundle that leaves: source (row of the crowd), service, and number of the bundle."""

    row: int
    service: int
    bundle: int


@dataclass(frozen=True, eq=False)
class Choice:
    """The cheapest options of a crowd.

    `target` is the bundle that each order gets, `able` the one that it could get if it kept nothing
    for later orders, `cost` the full cost, `sent` what leaves where; `considered` counts the
    bundles that were priced for each order. `loads` are all of `sent` by order. `alone`, by
    [row, service], is what one way would cost that serves the target by itself, and `price` and
    `parcels` are those of its shipping; infinite where it cannot.
    """

    target: Places
    able: Places
    cost: Floats
    sent: tuple[tuple[Sent, ...], ...]
    considered: Places
    loads: Loads
    alone: Floats
    price: Floats
    parcels: Floats

    def load_alone(self, crowd: Crowd, option: Places, row: Places, service: Places) -> Loads:
        """Returns targets that leave by one way each."""
        price, parcels = self.price[row, service], self.parcels[row, service]
        return Loads(option, row, service, self.target[crowd.order[row]], price, parcels)


def choose(crowd: Crowd) -> Choice:
    """Returns the cheapest option that serves the most units of each order; always proven.

    An order that may not be split is served by the one service of one source that serves most. One
    that keeps scarce goods for later orders serves the units that make its full cost, shadow prices
    and the penalties of units not served included, least; without prices nothing is kept.
    """
    bundles = Bundles(crowd)
    alone, aims = _Alone.of(bundles), _Aims(crowd)
    counts = np.isfinite(alone.cost[:, :, 1:]).sum(axis=(1, 2))
    considered = np.bincount(crowd.order, counts, len(crowd.asked)).astype(np.intp)
    target = np.zeros(len(crowd.asked), dtype=np.intp)
    able, cost = target.copy(), np.zeros(len(crowd.asked))
    sent: list[tuple[Sent, ...]] = [() for _ in crowd.asked]
    if len(crowd.order):
        splits = np.array([each.wishes.allow_split for each in crowd.asked])
        found = {at: _single(crowd, alone, at, aims) for at in np.flatnonzero(~splits).tolist()}
        if splits.any():
            found |= _Tables.of(bundles, alone).best(aims, np.flatnonzero(splits))
        for order, answer in found.items():
            able[order], target[order], cost[order], sent[order] = answer
    cost[target > 0] -= crowd.context.weights.split_cost  # the first parcel is no split
    return _choice(bundles, alone, target, able, cost, sent, considered)


def _choice(
    bundles: Bundles,
    alone: "_Alone",
    target: Places,
    able: Places,
    cost: Floats,
    sent: Sequence[tuple[Sent, ...]],
    considered: Places,
) -> Choice:
    crowd, (price, parcels) = bundles.crowd, bundles.shipping
    leaves = [(order, one.row, one.service, one.bundle)
              for order, all_sent in enumerate(sent) for one in all_sent]  # fmt: skip
    option, row, service, bundle = np.array(leaves, dtype=np.intp).reshape(-1, 4).T
    at, wanted = (row, service, bundle), target[crowd.order]
    at_target = np.arange(len(wanted)), slice(None), wanted
    return Choice(
        target, able, cost, tuple(sent), considered,
        Loads(option, *at, price=price[at], parcels=parcels[at]),
        alone.cost[at_target], price[at_target], parcels[at_target],
    )  # fmt: skip


Found = tuple[int, int, float, tuple[Sent, ...]]
"""The bundle that could be served, the one that is, its cost with a split too many, and `sent`."""


@dataclass(frozen=True, eq=False)
class _Aims:
    """Which bundle an order is to get: the most that can be served, or what is worth it."""

    crowd: Crowd

    def bundle(self, order: int, cost: Floats) -> int:
        """Returns the bundle to serve, given what each of them costs an order."""
        if not self.crowd.keeps[order]:
            return int(self.most[order])
        whole = cost + self._left[order]
        whole[0] = self._left[order, 0] + self.crowd.context.weights.split_cost
        least = whole.min()
        return int(np.flatnonzero(whole <= least + _TOLERANCE * max(abs(least), 1.0))[-1])

    @cached_property
    def most(self) -> Places:
        """The bundle of all units that can be served at all, [order]."""
        crowd = self.crowd
        units = np.zeros(crowd.wanted.shape, dtype=np.int64)
        np.add.at(units, crowd.order, crowd.takes.max(axis=1))
        return crowd.splits.number(np.minimum(units, crowd.wanted))

    @cached_property
    def _left(self) -> Floats:
        """The penalties of the units that a bundle leaves, [order, bundle]; else infinite."""
        missing = self.crowd.wanted[:, np.newaxis] - self.crowd.splits.bundles
        penalty = summed(self.crowd.unmet_penalty[:, np.newaxis], missing.astype(float))
        return np.where((missing >= 0).all(axis=2), penalty, np.inf)


def _single(crowd: Crowd, alone: "_Alone", order: int, aims: _Aims) -> Found:
    """The cheapest service that alone sends what an order is to get."""
    rows = slice(crowd.begins[order], crowd.begins[order + 1])
    cost, units = alone.cost[rows], np.minimum(crowd.takes[rows], crowd.wanted[order])
    number = crowd.splits.number(units)
    most = (units.sum(axis=2) == units.sum(axis=2).max(initial=0)) & (number > 0)
    own = np.take_along_axis(cost, number[..., np.newaxis], axis=2)[..., 0]
    own = np.where(most, own, np.inf)
    if not own.size or not np.isfinite(own).any():
        return 0, 0, 0.0, ()
    able = served = int(number.flat[own.argmin()])
    if crowd.keeps[order]:
        served = aims.bundle(order, cost.min(axis=(0, 1)))
        own = cost[..., served]
    if not served:
        return able, 0, 0.0, ()
    row, service = (int(at) for at in np.unravel_index(int(own.argmin()), own.shape))
    return able, served, float(own[row, service]), (Sent(int(rows.start) + row, service, served),)


@dataclass(frozen=True, eq=False)
class _Alone:
    """What a bundle costs when nothing else of its consignment travels: [row, service, bundle]."""

    cost: Floats

    @classmethod
    def of(cls, bundles: Bundles) -> "_Alone":
        price, _ = bundles.shipping
        charge, share = bundles.charges
        at = bundles.crowd.group
        cost = (1 + share[at])[:, np.newaxis] * price
        cost += bundles.lines
        cost += charge[at][:, np.newaxis]
        return cls(cost)


@dataclass(frozen=True, eq=False)
class _Tables:
    """The least cost of each bundle by [group, bundle], and which of them may be less than true.

    Customs take a share of freight that depends on the whole consignment. Where it differs between
    bundles, a consignment of two services is priced with the least share: a floor. True prices
    replace the floors that an answer rests on, until it rests on none.
    """

    bundles: Bundles
    alone: _Alone
    whole: Floats
    cost: Floats
    divided: NDArray[np.bool_]
    floor: NDArray[np.bool_]

    @classmethod
    def of(cls, bundles: Bundles, alone: _Alone) -> "_Tables":
        crowd, (charge, share) = bundles.crowd, bundles.charges
        first = crowd.first
        least = np.where(bundles.open[crowd.order[first]], share, np.inf)[:, 1:].min(axis=1)
        whole = np.minimum.reduceat(alone.cost.min(axis=1), first, axis=0)
        parts = _within(bundles, np.arange(len(first)), least) + charge
        divided = _less(parts, whole)
        cost = np.where(divided, parts, whole)
        return cls(
            bundles, alone, whole, cost, divided, divided & (share > least[:, np.newaxis])
        )  # fmt: skip

    def best(self, aims: _Aims, chosen: Places) -> dict[int, Found]:
        """Returns the cheapest way to what chosen orders are to get."""
        found: dict[int, Found] = {}
        while len(chosen := chosen[[order not in found for order in chosen.tolist()]]):
            levels = _Levels(self._by_order(chosen), self.bundles.crowd.splits)
            floors: list[tuple[int, int]] = []
            for at, order in enumerate(chosen.tolist()):
                bundle = aims.bundle(order, levels.cost[-1][at])
                able = int(aims.most[order])
                if not bundle:
                    found[order] = able, 0, 0.0, ()
                    continue
                begin = int(self._begins[order])
                groups = [(begin + place, part) for place, part in levels.shares(at, bundle)]
                resting = [group for group in groups if self.floor[group]]
                floors += resting
                if not resting:
                    sent = tuple(one for group in groups for one in self._sent(*group))
                    found[order] = able, bundle, float(levels.cost[-1][at, bundle]), sent
            if floors:
                self._sharpen(*np.array(floors, dtype=np.intp).T)
        return found

    def _sharpen(self, group: Places, bundle: Places) -> None:
        """Ensures that the costs of some bundles of some groups are true."""
        charge, share = (each[group, bundle] for each in self.bundles.charges)
        parts = _within(self.bundles, group, share)[np.arange(len(group)), bundle] + charge
        whole = self.whole[group, bundle]
        divided = _less(parts, whole)
        self.cost[group, bundle] = np.where(divided, parts, whole)
        self.divided[group, bundle] = divided
        self.floor[group, bundle] = False

    @cached_property
    def _begins(self) -> Places:
        """The first group of each order."""
        crowd = self.bundles.crowd
        return np.searchsorted(crowd.order[crowd.first], np.arange(len(crowd.asked)))

    def _by_order(self, chosen: Places) -> Floats:
        """The tables of orders by [order, place among its groups, bundle]; else infinite."""
        ends = np.append(self._begins[1:], len(self.cost))
        count = (ends - self._begins)[chosen]
        place = np.arange(int(count.max(initial=1)))
        there = place < count[:, np.newaxis]
        groups = np.where(there, self._begins[chosen][:, np.newaxis] + place, 0)
        return np.where(there[..., np.newaxis], self.cost[groups], np.inf)

    def _sent(self, group: int, bundle: int) -> Iterator[Sent]:
        """What leaves by each service when a group sends a bundle."""
        crowd = self.bundles.crowd
        first = crowd.first
        end = first[group + 1] if group + 1 < len(first) else len(crowd.order)
        rows = range(int(first[group]), int(end))
        if not self.divided[group, bundle]:
            cost = self.alone.cost[rows.start : rows.stop, :, bundle]
            row, service = divmod(int(cost.argmin()), cost.shape[1])
            yield Sent(rows[row], service, bundle)
            return
        share = self.bundles.charges[1][group, bundle]
        yield from _divided(self.bundles, rows, float(share), bundle)


def _less(parts: Floats, whole: Floats) -> NDArray[np.bool_]:
    """Whether a division is cheaper than the whole by more than rounding; equal is not."""
    scale = np.maximum(np.where(np.isfinite(whole), np.abs(whole), 1.0), 1.0)
    return np.asarray(parts < np.where(np.isfinite(whole), whole - _TOLERANCE * scale, np.inf))


def _within(bundles: Bundles, groups: Places, share: Floats) -> Floats:
    """The least cost, before customs, of sending bundles of groups in two loads or more.

    `share` is what customs take of the freight of each group; the answer is [group, bundle].
    """
    crowd = bundles.crowd
    one, more = _in_loads(bundles, crowd.first[groups], share)
    both = np.flatnonzero(crowd.second[groups] >= 0)
    if len(both):
        other, others = _in_loads(bundles, crowd.second[groups[both]], share[both])
        here, there = np.minimum(one[both], more[both]), np.minimum(other, others)
        shared = crowd.splits.least(here, there)
        more[both] = np.minimum(np.minimum(more[both], others), shared)
    return more


def _in_loads(bundles: Bundles, rows: Places, share: Floats) -> tuple[Floats, Floats]:
    """The least cost, before customs, of bundles of sources in one load, and in two or more."""
    splits = bundles.crowd.splits
    cost = (1 + share)[:, np.newaxis, np.newaxis] * bundles.shipping[0][rows]
    cost += bundles.lines[rows]
    one, more = cost[:, 0], np.full(cost[:, 0].shape, np.inf)
    for service in range(1, cost.shape[1]):
        more = np.minimum(more, splits.least(np.minimum(one, more), cost[:, service]))
        one = np.minimum(one, cost[:, service])
    return one, np.where(bundles.beyond[rows], np.inf, more)


def _divided(bundles: Bundles, rows: range, share: float, bundle: int) -> Iterator[Sent]:
    """The cheapest division of a bundle among the services of one or two sources."""
    splits, own = bundles.crowd.splits, slice(rows.start, rows.stop)
    cost = (1 + share) * bundles.shipping[0][own] + bundles.lines[own]
    beyond = bundles.beyond[own]
    tops = [_Chain.of(splits, *both) for both in zip(cost, beyond, strict=True)]
    sources = _Chain.of(splits, [top.least for top in tops], np.zeros(len(beyond[0]), bool))
    for source, part in sources.shares(bundle):
        for service, load in tops[source].shares(part):
            yield Sent(rows[source], service, load)


@dataclass(frozen=True, eq=False)
class _Chain:
    """Least costs of bundles by the first so many of some parties, and what each sends."""

    splits: Splits
    parties: Sequence[Floats] | Floats
    levels: Sequence[Floats]

    @classmethod
    def of(
        cls, splits: Splits, parties: Sequence[Floats] | Floats, beyond: NDArray[np.bool_]
    ) -> "_Chain":
        """Returns the chain of parties that each know what a bundle costs."""
        levels = [np.where(beyond, np.inf, parties[0])]
        for party in parties[1:]:
            whole = np.minimum(levels[-1], party)
            parts = splits.least(levels[-1][np.newaxis], party[np.newaxis])[0]
            levels.append(np.where(beyond, np.inf, np.where(_less(parts, whole), parts, whole)))
        return cls(splits, parties, levels)

    @property
    def least(self) -> Floats:
        """The least cost of each bundle."""
        return self.levels[-1]

    def shares(self, bundle: int) -> list[tuple[int, int]]:
        """Returns what each party sends of a bundle, where it sends something."""
        return _backward(self.splits, self.levels, self.parties, bundle)


@dataclass(frozen=True, eq=False)
class _Levels:
    """Chains of many orders at once: `parties` are shaped [order, party, bundle]."""

    parties: Floats
    splits: Splits

    @cached_property
    def cost(self) -> list[Floats]:
        """Least costs of bundles by the first so many parties, each [order, bundle]."""
        levels = [self.parties[:, 0]]
        for at in range(1, self.parties.shape[1]):
            party = self.parties[:, at]
            whole = np.minimum(levels[-1], party)
            parts = self.splits.least(levels[-1], party)
            levels.append(np.where(_less(parts, whole), parts, whole))
        return levels

    def shares(self, order: int, bundle: int) -> list[tuple[int, int]]:
        """Returns what each party of an order sends of a bundle, where it sends something."""
        levels = [level[order] for level in self.cost]
        return _backward(self.splits, levels, self.parties[order], bundle)


def _backward(
    splits: Splits, levels: Sequence[Floats], parties: Sequence[Floats] | Floats, bundle: int
) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for at in range(len(parties) - 1, 0, -1):
        cost, before, own = levels[at][bundle], levels[at - 1], parties[at]
        if before[bundle] == cost:
            continue
        if own[bundle] == cost:
            return [(at, bundle), *found]
        bundle, rest = splits.division(before, own, bundle)
        found.insert(0, (at, rest))
    return [(0, bundle), *found]
