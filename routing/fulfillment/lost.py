"""The decision records of a crowd: what lost against the choice of each order, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.money import Amounts, Money, minor_units
from routing.fulfillment.bills import Loads, terms_of
from routing.fulfillment.choice import Choice, Sent, choose
from routing.fulfillment.context import Lane
from routing.fulfillment.cost import TERMS
from routing.fulfillment.crowd import CUSTOMS, Crowd
from routing.fulfillment.duties import ROUTES
from routing.fulfillment.options import NO_SERVICE, NOT_HELD, label_of, refusal
from routing.fulfillment.plan import Rejected
from routing.fulfillment.record import SHOWN_OPTIONS, dearer, lacks, short_of
from routing.fulfillment.wants import Want

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_NAMES = np.array(TERMS, dtype=object)


@dataclass(frozen=True, eq=False)
class Lost:
    """What lost, worked out for all orders of a crowd when the first of them is read.

    `terms` are those of the chosen options, [order, term].
    """

    crowd: Crowd
    choice: Choice
    terms: Floats

    def of(self, order: int) -> tuple[Rejected, ...]:
        """Returns what lost against the choice of one order.

        Every way that alone serves as much, and, where several loads won, the cheapest option
        without each of their sites; then the ways that alone serve less, and what cannot serve at
        all.
        """
        return (*self._dearer[order], *self._short[order], *self._refused[order])

    # Options that serve as much

    @cached_property
    def _dearer(self) -> list[list[Rejected]]:
        found = [*self._alone.told(self.terms), *self._without.told(self.terms)]
        found.sort(key=lambda option: option[1])
        kept = self._by_order()
        for order, _, lost in found:
            if len(kept[order]) < SHOWN_OPTIONS:
                kept[order].append(lost)
        return kept

    @cached_property
    def _alone(self) -> "_Options":
        """The cheapest ways that alone serve as much."""
        crowd, cost = self.crowd, self.choice.alone.copy()
        for chosen in self.choice.sent:
            if len(chosen) == 1:
                cost[chosen[0].row, chosen[0].service] = np.inf
        row, service = np.nonzero(np.isfinite(cost))
        by_cost = np.lexsort((cost[row, service], crowd.order[row]))
        row, service = row[by_cost], service[by_cost]
        order = crowd.order[row]
        rank = np.arange(len(order)) - np.searchsorted(order, order)
        row, service, order = (each[rank < SHOWN_OPTIONS] for each in (row, service, order))
        number = np.arange(len(row))
        sent = [[Sent(at, by, 0)] for at, by in zip(row.tolist(), service.tolist(), strict=True)]
        return _Options(
            crowd, order, sent, self.choice.load_alone(crowd, number, row, service)
        )  # fmt: skip

    @cached_property
    def _without(self) -> "_Options":
        """The cheapest options of several loads without each site of the chosen one."""
        crowd = self.crowd
        pairs = sorted({
            (order, int(crowd.site[one.row]))
            for order, sent in enumerate(self.choice.sent) if len(sent) > 1
            for one in sent
        })  # fmt: skip
        if not pairs:
            nobody = np.zeros(0, dtype=np.intp)
            return _Options(crowd, nobody, [], self.choice.loads.of(nobody))
        orders, sites = np.array(pairs, dtype=np.intp).T
        held = crowd.held[orders]
        held[np.arange(len(orders)), sites] = 0
        left = Crowd(crowd.context, [crowd.asked[at] for at in orders], crowd.splits, held)
        choice, seen, kept = choose(left), set[object](), []
        for at, (order, sent) in enumerate(zip(orders.tolist(), choice.sent, strict=True)):
            team = (order, *sorted(_key(left, one) for one in sent))
            as_much = choice.target[at] == self.choice.target[order]
            if as_much and len(sent) > 1 and team not in seen:
                seen.add(team)
                kept.append(at)
        at_all = np.array(kept, dtype=np.intp)
        sent_by = [choice.sent[at] for at in kept]
        return _Options(left, orders[at_all], sent_by, choice.loads.of(at_all))

    # Ways that serve less, and what serves nothing

    @cached_property
    def _short(self) -> list[list[Rejected]]:
        crowd, found = self.crowd, self._by_order()
        targets = crowd.splits.bundles[self.choice.target].tolist()
        row, service = np.nonzero(self._some & ~np.isfinite(self.choice.alone))
        for at, by, order, held in zip(
            row.tolist(), service.tolist(), crowd.order[row].tolist(),
            crowd.takes[row, service].tolist(), strict=True,
        ):  # fmt: skip
            lane = _lane(crowd, at, by)
            missing = zip(crowd.asked[order].wants, held, targets[order], strict=True)
            reasons = [
                lacks(want.item, lane, taken, units) for want, taken, units in missing
                if taken < units
            ]  # fmt: skip
            found[order].append(Rejected(_label(crowd, at, by), None, short_of(reasons)))
        return found

    @cached_property
    def _refused(self) -> list[list[Rejected]]:
        """Services that take nothing of what a site holds, and sites that hold nothing."""
        crowd, found = self.crowd, self._by_order()
        opens = np.ones(len(crowd.order), dtype=bool)
        opens[1:] = (np.diff(crowd.order) != 0) | (np.diff(crowd.site) != 0)
        first = np.flatnonzero(opens)
        some = np.logical_or.reduceat(self._some, first) if len(first) else self._some
        held = np.add.reduceat(crowd.stock, first) if len(first) else crowd.stock
        place, service = np.nonzero(crowd.exists[first] & ~some)
        row = first[place]
        for at, by, order, units in zip(
            row.tolist(), service.tolist(), crowd.order[row].tolist(), held[place].tolist(),
            strict=True,
        ):  # fmt: skip
            found[order].append(_refusal(_lane(crowd, at, by), crowd.asked[order].wants, units))
        sites, holds = crowd.context.rates.sites, np.any(crowd.held, axis=(2, 3))
        used = np.zeros(holds.shape, dtype=bool)
        used[crowd.order, crowd.site] = True
        for order, at in np.argwhere(~used).tolist():
            reason = NO_SERVICE if holds[order, at] else NOT_HELD
            found[order].append(Rejected(sites[at], None, reason))
        return found

    @cached_property
    def _some(self) -> NDArray[np.bool_]:
        """Whether a service takes anything of a row, [row, service]."""
        return np.asarray(np.any(self.crowd.takes, axis=2))

    def _by_order(self) -> list[list[Rejected]]:
        return [[] for _ in self.crowd.asked]


@dataclass(frozen=True, eq=False)
class _Options:
    """Options of some orders of a crowd: what each would send, and all of that as loads."""

    crowd: Crowd
    order: Places
    sent: Sequence[Sequence[Sent]]
    loads: Loads

    def told(self, chosen: Floats) -> Iterator[tuple[int, float, Rejected]]:
        """Yields the order of each option, its cost, and how it lost against what was chosen."""
        terms = terms_of(self.crowd, self.loads, len(self.sent))
        changes = terms - chosen[self.order]
        most = np.argsort(-np.abs(changes), axis=1, kind="stable")
        currency = self.crowd.context.currency
        cost, more = terms.sum(axis=1), changes.sum(axis=1)
        minor = minor_units(np.column_stack([cost, more, terms]), currency).tolist()
        for order, sent, true, (whole, beyond, *parts), change, names in zip(
            self.order.tolist(), self.sent, cost.tolist(), minor,
            np.take_along_axis(changes, most, axis=1).tolist(), _NAMES[most].tolist(), strict=True,
        ):  # fmt: skip
            label = " + ".join(_label(self.crowd, one.row, one.service) for one in sent)
            paid = {name: part for name, part in zip(TERMS, parts, strict=True) if part}
            yield order, true, dearer(
                label, Money(whole, currency), Money(beyond, currency), Amounts(paid, currency),
                zip(names, change, strict=True),
            )  # fmt: skip


def _refusal(lane: Lane, wants: Sequence[Want], held: Sequence[int]) -> Rejected:
    """Why a service takes nothing of the units that a site holds."""
    said = dict.fromkeys(
        refusal(want.item, lane) for want, units in zip(wants, held, strict=True) if units
    )
    return Rejected(f"{lane.site.site} {lane.service.service}", None, "; ".join(said))


def _key(crowd: Crowd, sent: Sent) -> tuple[int, int, int]:
    return int(crowd.site[sent.row]), sent.service, int(crowd.customs[sent.row])


def _lane(crowd: Crowd, row: int, service: int) -> Lane:
    context = crowd.context
    region = crowd.asked[crowd.order[row]].order.region
    site = context.rates.sites[crowd.site[row]]
    return context.lane(region, site, context.services[service].service)


def _label(crowd: Crowd, row: int, service: int) -> str:
    context = crowd.context
    site, by = context.rates.sites[crowd.site[row]], context.services[service].service
    return label_of(site, by, ROUTES[crowd.route[row]], CUSTOMS[crowd.customs[row]])
