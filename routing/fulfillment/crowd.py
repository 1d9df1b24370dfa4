"""A crowd: orders that ask for as many units of as many items, priced together in arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from routing.fulfillment.context import PlanningContext
from routing.fulfillment.departures import Moments, pickups, ticks
from routing.fulfillment.duties import Regimes
from routing.fulfillment.options import Deal
from routing.fulfillment.order import Availability, Order, Wishes
from routing.fulfillment.parcels import shipping_price
from routing.fulfillment.splits import Splits, splits_of
from routing.fulfillment.wants import Want
from routing.landed_cost.cost import tariff_category
from routing.landed_cost.regime import CustomsRoute

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

CUSTOMS = ("free", "bonded")
ROUTES: tuple[CustomsRoute, ...] = ("domestic", "bonded_release", "cross_border")
_DAY_TICKS = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One order ready to be planned: what it wants, most units first, and what holds for it."""

    order: Order
    wishes: Wishes
    wants: tuple[Want, ...]
    deal: Deal


def held_of(
    asked: Asked, availability: Availability, context: PlanningContext
) -> NDArray[np.int64]:
    """Returns the units that an order may take, by [site, customs, want]."""
    held = [
        [
            [max(availability.get((site, want.item.item, customs), 0), 0) for want in asked.wants]
            for customs in CUSTOMS
        ]
        for site in context.rates.sites
    ]
    return np.array(held, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Crowd:
    """Orders with the same numbers of units, and everything that their bundles cost.

    A row is a source: one order, one site, one customs state, where any unit wanted lies. A group
    is the rows of one order and site on one customs route: they are one consignment. Bundles are
    numbered as in `splits`. `held` has units by [order, site, customs, want].
    """

    context: PlanningContext
    asked: Sequence[Asked]
    splits: Splits
    held: NDArray[np.int64]

    @classmethod
    def of(
        cls, asked: Sequence[Asked], availability: Availability, context: PlanningContext
    ) -> "Crowd":
        """Returns a crowd; raises `ValueError` for orders of different numbers of units."""
        units = {tuple(want.units for want in each.wants) for each in asked}
        (shape,) = units
        held = np.stack([held_of(each, availability, context) for each in asked])
        return cls(context, asked, splits_of(shape), held)

    # Orders

    @cached_property
    def items(self) -> Places:
        """Position of each item wanted, [order, want]."""
        index = self.context.catalog.index
        return np.array([[index[want.item.item] for want in each.wants] for each in self.asked])

    @cached_property
    def region(self) -> Places:
        """Position of each order's region."""
        index = self.context.region_at
        return np.array([index[each.order.region] for each in self.asked])

    @cached_property
    def _units(self) -> Floats:
        return self.splits.bundles.astype(float)

    @cached_property
    def weight(self) -> Floats:
        """Actual weight of each bundle, [order, bundle]."""
        return self._summed(self.context.grids.weight_kg[self.items])

    @cached_property
    def goods(self) -> Floats:
        """Value of each bundle, [order, bundle]."""
        return self._summed(self._values)

    @cached_property
    def _values(self) -> Floats:
        return np.array([[want.value for want in each.wants] for each in self.asked])

    def _summed(self, each: Floats) -> Floats:
        """A measure of bundles from that of one unit, [row, want]; in one order of sums always."""
        total = each[:, :1] * self._units[:, 0]
        for want in range(1, each.shape[1]):
            total += each[:, want, np.newaxis] * self._units[:, want]
        return total

    @cached_property
    def pickups(self) -> Moments:
        """When services take the orders over, [order, site, service]."""
        sites = [self.context.network.site[site] for site in self.context.rates.sites]
        placed = np.array([ticks(each.order.placed_at) for each in self.asked], dtype=np.int64)
        return pickups(sites, self.context.services, placed)

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
    def stock(self) -> NDArray[np.int64]:
        """Units by [row, want]."""
        return self.held[self._rows]

    @cached_property
    def refuses(self) -> NDArray[np.bool_]:
        """Whether a service does not take a want from a row's site, [row, service, want]."""
        order = self.order
        return self.context.grids.refuses(self.site, self.region[order], self.items[order])

    @cached_property
    def takes(self) -> list[list[list[int]]]:
        """Units that a service takes from a row, [row][service][want]."""
        taken: list[list[list[int]]] = np.where(self.refuses, 0, self.stock[:, np.newaxis]).tolist()
        return taken

    @cached_property
    def usable(self) -> NDArray[np.int64]:
        """Units that some service takes, [row, want]."""
        return np.where(self.refuses.all(axis=1), 0, self.stock)

    @cached_property
    def closed(self) -> NDArray[np.bool_]:
        """Whether a bundle cannot leave, [row, service, bundle]; the empty one never does."""
        bundles = self.splits.bundles
        short = np.zeros((len(self.order), self.splits.count), dtype=bool)
        closed = np.zeros((*self.refuses.shape[:2], self.splits.count), dtype=bool)
        for want in range(bundles.shape[1]):
            short |= bundles[:, want] > self.stock[:, want, np.newaxis]
            closed |= self.refuses[:, :, want, np.newaxis] & (bundles[:, want] > 0)
        closed[..., 0] = True
        return closed | short[:, np.newaxis]

    @cached_property
    def shipping(self) -> tuple[Floats, Floats]:
        """Price and number of parcels by [row, service, bundle]; infinite where it is closed."""
        grids, order = self.context.grids, self.order
        volume = self._summed(grids.volume_m3[self.items])
        units = np.broadcast_to(self._units.sum(axis=1), self.weight.shape)
        price, fits = grids.parcels(
            self.site, self.region[order], self.weight[order], volume[order], units[order]
        )
        parcels = np.ones(price.shape)
        for row, service, bundle in np.argwhere(~fits & ~self.closed).tolist():
            found = self._packed(row, service, bundle)
            price[row, service, bundle], parcels[row, service, bundle] = found
        return np.where(self.closed, np.inf, price), parcels

    def _packed(self, row: int, service: int, bundle: int) -> tuple[float, int]:
        """Price and number of the parcels of a bundle that is too much for one."""
        asked = self.asked[self.order[row]]
        lane = self.context.lane(
            asked.order.region, self.context.rates.sites[self.site[row]],
            self.context.services[service].service,
        )  # fmt: skip
        units = self.splits.bundles[bundle].tolist()
        goods = [want.of(n) for want, n in zip(asked.wants, units, strict=True) if n]
        return shipping_price(goods, lane.card)

    @cached_property
    def lines(self) -> Floats:
        """What grows with units and kilograms, and splits: by [row, service, bundle]."""
        context, order, site = self.context, self.order, self.site
        grids, region = context.grids, self.region[self.order]
        latest = np.array([ticks(each.deal.latest) for each in self.asked])
        days = (latest[order, np.newaxis] - self.pickups[order, site]) / _DAY_TICKS
        late = grids.late_days(site, region, days) * context.weights.lateness_cost_per_day
        carbon = np.array([each.deal.carbon_price for each in self.asked])[order, np.newaxis]
        placed = np.array([each.deal.placed for each in self.asked])[order]
        sent = context.price_buckets(self.pickups[order, site])
        by_unit = grids.handling[site, np.newaxis] + late + context.shadows.of_slot(site, sent)
        by_kilo = grids.carbon_kg_per_kg[site, region] * carbon
        by_kilo = by_kilo + context.shadows.of_kilo(site, sent)
        priced = context.shadows.of_stock(self.items[order], site, placed)
        total: Floats = by_unit[..., np.newaxis] * self._units.sum(axis=1)
        total += by_kilo[..., np.newaxis] * self.weight[order][:, np.newaxis]
        total += self._summed(priced)[:, np.newaxis]
        total += context.weights.split_cost * self.shipping[1]
        return total

    # Groups

    @cached_property
    def route(self) -> Places:
        """The customs route of each row, a position in `ROUTES`."""
        crosses = self.context.grids.crosses[self.site, self.region[self.order]]
        return np.where(crosses, ROUTES.index("cross_border"), self.customs)

    @cached_property
    def first(self) -> Places:
        """The first row of each group."""
        order, site, route = self.order, self.site, self.route
        begins = np.ones(len(order), dtype=bool)
        begins[1:] = (np.diff(order) != 0) | (np.diff(site) != 0) | (np.diff(route) != 0)
        return np.flatnonzero(begins)

    @cached_property
    def group(self) -> Places:
        """The group of each row."""
        begins = np.zeros(len(self.order), dtype=np.intp)
        begins[self.first] = 1
        return np.cumsum(begins) - 1

    @cached_property
    def charges(self) -> tuple[Floats, Floats]:
        """What customs take from a bundle, by [group, bundle]: a sum, and a share of freight."""
        order, first = self.order[self.first], self.first
        keys = self.region[order] * len(ROUTES) + self.route[first]
        known, at = np.unique(keys, return_inverse=True)
        regions = self.context.network.regions
        regimes = Regimes.of([
            self.context.regime(regions[key // len(ROUTES)].country, ROUTES[key % len(ROUTES)])
            for key in known.tolist()
        ])  # fmt: skip
        rate, on_freight = self._rates
        abroad = self.route[first] == ROUTES.index("cross_border")
        duty = self._summed(rate * self._values)
        return regimes.charges(
            at, self.goods[order], self._categories[order], duty[order],
            np.where(abroad[:, np.newaxis], self._by_weight(on_freight)[order], 0.0),
        )  # fmt: skip

    @cached_property
    def _rates(self) -> tuple[Floats, Floats]:
        """Duty rates on goods, and on freight that crosses a border, by [order, want]."""
        rows = [
            self.context.duty_row(each.deal.region.country, want.item)
            for each in self.asked
            for want in each.wants
        ]
        rate = np.array([row.rate if row else 0.0 for row in rows]).reshape(self.items.shape)
        cif = np.array([bool(row and row.basis == "cif") for row in rows])
        return rate, np.where(cif.reshape(rate.shape), rate, 0.0)

    def _by_weight(self, rate: Floats) -> Floats:
        """The rate on freight of each bundle: rates shared by weight, by want where none weighs."""
        kilos = self._summed(rate * self.context.grids.weight_kg[self.items])
        wants = (self.splits.bundles > 0).astype(float)
        plain = np.zeros(kilos.shape)
        for want in range(rate.shape[1]):
            plain += rate[:, want, np.newaxis] * wants[:, want]
        weighs = self.weight > 0
        shared = kilos / np.where(weighs, self.weight, 1.0)
        return np.where(weighs, shared, plain / np.maximum(wants.sum(axis=1), 1.0))

    @cached_property
    def _categories(self) -> Floats:
        """Distinct tariff categories of each bundle, [order, bundle]."""
        names = [[tariff_category(want.item) for want in each.wants] for each in self.asked]
        some = self.splits.bundles > 0
        count = np.zeros(self.goods.shape)
        for want in range(some.shape[1]):
            new = np.broadcast_to(some[:, want], count.shape)
            for other in range(want):
                same = np.array([each[other] == each[want] for each in names])
                new = new & ~(same[:, np.newaxis] & some[:, other])
            count += new
        return count
