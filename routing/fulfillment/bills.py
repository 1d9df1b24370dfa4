"""Bills of many options at once: every term of the full cost, in arrays.

An option is what leaves for one order; its terms are those of `cost.Bill`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from routing.fulfillment.crowd import Crowd
from routing.fulfillment.measures import by_weight, distinct, summed

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Loads:
    """What leaves, each shaped [load]: for which option, from which row of a crowd, and how.

    `bundle` is numbered as in the splits of the crowd; `price` and `parcels` are those of shipping.
    """

    option: Places
    row: Places
    service: Places
    bundle: Places
    price: Floats
    parcels: Floats

    def of(self, options: Places) -> "Loads":
        """Returns the loads of some options, which are numbered anew in rising order."""
        at = np.searchsorted(options, self.option)
        kept = np.flatnonzero(np.append(options, -1)[at] == self.option)
        return Loads(
            at[kept], self.row[kept], self.service[kept], self.bundle[kept],
            self.price[kept], self.parcels[kept],
        )  # fmt: skip


def terms_of(crowd: Crowd, loads: Loads, options: int) -> Floats:
    """Returns the terms of so many options, [option, term], in the order of `cost.Bill`."""
    return _Bills(crowd, loads, options).terms


@dataclass(frozen=True, eq=False)
class _Bills:
    crowd: Crowd
    loads: Loads
    options: int

    @cached_property
    def terms(self) -> Floats:
        crowd, at = self.crowd, (self.loads.row, self.loads.service)
        number, weight = self._units.sum(axis=1), self._weight
        split_cost = crowd.context.weights.split_cost
        duty, tax, fees = self._customs
        splits = np.maximum(self._of_loads(self.loads.parcels) - 1, 0.0)
        handling = crowd.context.grids.handling[crowd.site[self.loads.row]]
        terms = (
            self._of_loads(self.loads.price),
            self._of_loads(handling * number),
            duty,
            tax,
            fees,
            self._of_loads(crowd.carbon[at] * weight),
            self._of_loads(crowd.late[at] * number),
            split_cost * splits,
            self._of_loads(summed(crowd.of_stock[self.loads.row], self._units)),
            self._of_loads(crowd.slot[at] * number),
            self._of_loads(crowd.kilo[at] * weight),
        )
        return np.stack(terms, axis=1)

    @cached_property
    def _units(self) -> Floats:
        """Units by [load, want]."""
        return self.crowd.splits.bundles[self.loads.bundle].astype(float)

    @cached_property
    def _weight(self) -> Floats:
        return summed(self.crowd.weight_kg[self.crowd.order[self.loads.row]], self._units)

    def _of_loads(self, each: Floats) -> Floats:
        return _added(self.loads.option, each, self.options)

    @cached_property
    def _customs(self) -> tuple[Floats, Floats, Floats]:
        """Duty, tax that nobody recovers, and fees: of consignments, by option."""
        crowd, loads = self.crowd, self.loads
        groups = len(crowd.first)
        keys, at = np.unique(
            loads.option * groups + crowd.group[loads.row], return_inverse=True
        )  # fmt: skip
        option, group = np.divmod(keys, max(groups, 1))
        order = crowd.order[crowd.first[group]]
        bundle = _added(at, loads.bundle, len(keys)).astype(np.intp)  # numbers add up
        units = crowd.splits.bundles[bundle].astype(float)
        rate, on_freight = crowd.duty
        goods, categories, owed = (
            summed(crowd.value[order], units),
            distinct(crowd.context.grids.category[crowd.items[order]], units),
            summed((rate * crowd.value)[order], units),
        )
        shared = by_weight(on_freight[order], crowd.weight_kg[order], units)
        carried = np.where(crowd.abroad[group], shared, 0.0)
        freight = _added(at, loads.price, len(keys))
        column = (slice(None), np.newaxis)
        found = crowd.context.regimes.terms(
            crowd.regime[group], goods[column], categories[column], owed[column],
            carried[column], freight[column],
        )  # fmt: skip
        duty, tax, fees = (_added(option, each[:, 0], self.options) for each in found)
        return duty, tax, fees


def _added(at: Places, each: Floats | Places, count: int) -> Floats:
    """Returns sums by place, shaped [count]."""
    return np.asarray(np.bincount(at, each, count), dtype=np.float64)
