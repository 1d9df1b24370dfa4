"""A crowd: orders of as many items, where each of their units lies, and how it could leave."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from routing.fulfillment.context import PlanningContext
from routing.fulfillment.departures import Moments, pickups, ticks
from routing.fulfillment.duties import ROUTES
from routing.fulfillment.options import Deal
from routing.fulfillment.order import Availability, Order, Wishes
from routing.fulfillment.splits import Splits, splits_of
from routing.fulfillment.wants import Want

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Units = NDArray[np.int64]

CUSTOMS = ("free", "bonded")
_DAY_TICKS = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One order ready to be planned: what it wants, most units first, and what holds for it."""

    order: Order
    wishes: Wishes
    wants: tuple[Want, ...]
    deal: Deal


def held_of(asked: Sequence[Asked], availability: Availability, context: PlanningContext) -> Units:
    """Returns the units that orders of as many wants may take, [order, site, customs, want]."""
    items = [[want.item.item for want in each.wants] for each in asked]
    held = {
        item: [
            [max(availability.get((site, item, customs), 0), 0) for customs in CUSTOMS]
            for site in context.rates.sites
        ]
        for item in {item for wanted in items for item in wanted}
    }
    by_want = np.array([[held[item] for item in wanted] for wanted in items], dtype=np.int64)
    return by_want.transpose(0, 2, 3, 1)


@dataclass(frozen=True, eq=False)
class Crowd:
    """Orders of as many wants, and what holds for each of their units.

    A row is a source: one order, one site, one customs state, where any unit wanted lies. A group
    is the rows of one order and site on one customs route: they are one consignment. Bundles are
    numbered as in `splits`, which has the most units that any order wants of each. `held` has units
    by [order, site, customs, want].
    """

    context: PlanningContext
    asked: Sequence[Asked]
    splits: Splits
    held: Units

    @classmethod
    def of(
        cls, asked: Sequence[Asked], availability: Availability, context: PlanningContext
    ) -> "Crowd":
        """Returns a crowd; raises `ValueError` for orders of different numbers of wants."""
        units = [[want.units for want in each.wants] for each in asked]
        most = tuple(max(column) for column in zip(*units, strict=True))
        return cls(context, asked, splits_of(most), held_of(asked, availability, context))

    # Orders

    @cached_property
    def wanted(self) -> Units:
        """Units of each want, [order, want]."""
        return np.array([[want.units for want in each.wants] for each in self.asked])

    @cached_property
    def items(self) -> Places:
        """Position of each item wanted, [order, want]."""
        index = self.context.catalog.index
        return np.array([[index[want.item.item] for want in each.wants] for each in self.asked])

    @cached_property
    def weight_kg(self) -> Floats:
        """Weight of one unit, [order, want]."""
        return self.context.grids.weight_kg[self.items]

    @cached_property
    def value(self) -> Floats:
        """Value of one unit, [order, want]."""
        return np.array([[want.value for want in each.wants] for each in self.asked])

    @cached_property
    def unmet_penalty(self) -> Floats:
        """Penalty of one unit that nobody serves, [order, want]."""
        return np.array([[want.item.unmet_penalty for want in each.wants] for each in self.asked])

    @cached_property
    def keeps(self) -> NDArray[np.bool_]:
        """Whether an order leaves scarce goods to later ones, [order]; never without prices."""
        priced = self.context.prices is not None
        return np.array([priced and each.wishes.keep_scarce for each in self.asked])

    @cached_property
    def region(self) -> Places:
        """Position of each order's region."""
        index = self.context.region_at
        return np.array([index[each.order.region] for each in self.asked])

    @cached_property
    def pickups(self) -> Moments:
        """When services take the orders over, [order, site, service]."""
        sites = [self.context.network.site[site] for site in self.context.rates.sites]
        placed = np.array([ticks(each.order.placed_at) for each in self.asked], dtype=np.int64)
        return pickups(sites, self.context.services, placed)

    @cached_property
    def duty(self) -> tuple[Floats, Floats]:
        """Duty rates on goods, and on freight that crosses a border, by [order, want]."""
        rows = [
            self.context.duty_row(each.deal.region.country, want.item)
            for each in self.asked
            for want in each.wants
        ]
        rate = np.array([row.rate if row else 0.0 for row in rows]).reshape(self.items.shape)
        cif = np.array([bool(row and row.basis == "cif") for row in rows])
        return rate, np.where(cif.reshape(rate.shape), rate, 0.0)

    # Rows

    @cached_property
    def _rows(self) -> tuple[Places, Places, Places]:
        reached = self.context.grids.reached[:, self.region].T
        rows = np.any(self.held, axis=3) & np.asarray(reached)[:, :, np.newaxis]
        order, site, customs = np.nonzero(rows)
        return order, site, customs

    @property
    def order(self) -> Places:
        """The order of each row."""
        return self._rows[0]

    @property
    def site(self) -> Places:
        """The site of each row."""
        return self._rows[1]

    @property
    def customs(self) -> Places:
        """The customs state of each row."""
        return self._rows[2]

    @cached_property
    def begins(self) -> Places:
        """The first row of each order, and their number at the end."""
        return np.searchsorted(self.order, np.arange(len(self.asked) + 1))

    @cached_property
    def exists(self) -> NDArray[np.bool_]:
        """Whether there is a lane, [row, service]."""
        return self.context.grids.exists[self.site, self.region[self.order]]

    @cached_property
    def stock(self) -> Units:
        """Units by [row, want]."""
        return self.held[self._rows]

    @cached_property
    def refuses(self) -> NDArray[np.bool_]:
        """Whether a service does not take a want from a row's site, [row, service, want]."""
        order = self.order
        return self.context.grids.refuses(self.site, self.region[order], self.items[order])

    @cached_property
    def takes(self) -> Units:
        """Units that a service takes from a row, [row, service, want]."""
        return np.where(self.refuses, 0, self.stock[:, np.newaxis])

    # Prices of a unit or a kilogram, by [row, service]

    @cached_property
    def late(self) -> Floats:
        """Expected cost of the lateness of a unit."""
        latest = np.array([ticks(each.deal.latest) for each in self.asked])
        days = (latest[self.order, np.newaxis] - self._picked) / _DAY_TICKS
        late: Floats = self.context.grids.late_days(self.site, self.region[self.order], days)
        return late * self.context.weights.lateness_cost_per_day

    @cached_property
    def carbon(self) -> Floats:
        """Price of the emissions of a kilogram."""
        price = np.array([each.deal.carbon_price for each in self.asked])[self.order]
        emitted = self.context.grids.carbon_kg_per_kg[self.site, self.region[self.order]]
        return np.asarray(emitted * price[:, np.newaxis])

    @cached_property
    def slot(self) -> Floats:
        """Shadow price of packing a unit."""
        return self.context.shadows.of_slot(self.site, self._sent)

    @cached_property
    def kilo(self) -> Floats:
        """Shadow price of a kilogram of the service."""
        return self.context.shadows.of_kilo(self.site, self._sent)

    @cached_property
    def of_stock(self) -> Floats:
        """Shadow price of a unit, [row, want]."""
        placed = np.array([each.deal.placed for each in self.asked])[self.order]
        return self.context.shadows.of_stock(self.items[self.order], self.site, placed)

    @cached_property
    def _picked(self) -> Moments:
        return self.pickups[self.order, self.site]

    @cached_property
    def _sent(self) -> Places:
        return self.context.price_buckets(self._picked)

    # Groups

    @cached_property
    def route(self) -> Places:
        """The customs route of each row, a position in `ROUTES`."""
        crosses = self.context.grids.crosses[self.site, self.region[self.order]]
        return np.where(crosses, ROUTES.index("cross_border"), self.customs)

    @cached_property
    def _opens(self) -> NDArray[np.bool_]:
        order, site, route = self.order, self.site, self.route
        opens = np.ones(len(order), dtype=bool)
        opens[1:] = (order[1:] != order[:-1]) | (site[1:] != site[:-1]) | (route[1:] != route[:-1])
        return opens

    @cached_property
    def first(self) -> Places:
        """The first row of each group."""
        return np.flatnonzero(self._opens)

    @cached_property
    def second(self) -> Places:
        """The other row of each group, or -1; none has more than two, one by customs state."""
        second = self.first + 1
        ends = np.append(self.first[1:], len(self.order))
        return np.where(second < ends, second, -1)

    @cached_property
    def group(self) -> Places:
        """The group of each row."""
        return np.cumsum(self._opens) - 1

    @cached_property
    def regime(self) -> Places:
        """The regime of each group, a position in `PlanningContext.regimes`."""
        return self.region[self.order[self.first]] * len(ROUTES) + self.route[self.first]

    @cached_property
    def abroad(self) -> NDArray[np.bool_]:
        """Whether a group crosses a border."""
        return np.asarray(self.route[self.first] == ROUTES.index("cross_border"))
