"""What every bundle of every order of a crowd costs, by whatever service from wherever it lies."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from routing.fulfillment.crowd import Crowd
from routing.fulfillment.measures import by_weight, distinct, summed
from routing.fulfillment.parcels import shipping_price

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bundles:
    """Costs by bundle; arrays are large, so nobody keeps them once an order is decided."""

    crowd: Crowd

    @cached_property
    def _units(self) -> Floats:
        """Units by [1, bundle, want]."""
        return self.crowd.splits.bundles.astype(float)[np.newaxis]

    def _summed(self, each: Floats) -> Floats:
        return summed(each[:, np.newaxis], self._units)

    @cached_property
    def weight(self) -> Floats:
        """Actual weight of each bundle, [order, bundle]."""
        return self._summed(self.crowd.weight_kg)

    @cached_property
    def open(self) -> NDArray[np.bool_]:
        """Whether a bundle is of units that an order wants, [order, bundle]; the empty one is."""
        bundles = self.crowd.splits.bundles
        return np.asarray((bundles <= self.crowd.wanted[:, np.newaxis]).all(axis=2))

    @cached_property
    def beyond(self) -> NDArray[np.bool_]:
        """Whether a bundle is more than a source has or an order wants, by [row, bundle]."""
        bundles, stock = self.crowd.splits.bundles, self.crowd.stock
        beyond = ~self.open[self.crowd.order]
        for want in range(bundles.shape[1]):
            beyond |= bundles[:, want] > stock[:, want, np.newaxis]
        return beyond

    @cached_property
    def closed(self) -> NDArray[np.bool_]:
        """Whether a bundle cannot leave, [row, service, bundle]; the empty one never does."""
        bundles, refuses = self.crowd.splits.bundles, self.crowd.refuses
        closed = np.repeat(self.beyond[:, np.newaxis], refuses.shape[1], axis=1)
        for want in range(bundles.shape[1]):
            closed |= refuses[:, :, want, np.newaxis] & (bundles[:, want] > 0)
        closed[..., 0] = True
        return closed

    @cached_property
    def shipping(self) -> tuple[Floats, Floats]:
        """Price and number of parcels by [row, service, bundle]; infinite where it is closed."""
        crowd, grids, order = self.crowd, self.crowd.context.grids, self.crowd.order
        volume = self._summed(grids.volume_m3[crowd.items])
        units = np.broadcast_to(self._units.sum(axis=2), self.weight.shape)
        price, fits = grids.parcels(
            crowd.site, crowd.region[order], self.weight[order], volume[order], units[order]
        )
        parcels = np.ones(price.shape)
        unfit = ~(fits | self.closed)
        if unfit.any():
            for row, service, bundle in np.argwhere(unfit).tolist():
                found = self._packed(row, service, bundle)
                price[row, service, bundle], parcels[row, service, bundle] = found
        price[self.closed] = np.inf
        return price, parcels

    def _packed(self, row: int, service: int, bundle: int) -> tuple[float, int]:
        """Price and number of the parcels of a bundle that is too much for one."""
        crowd, context = self.crowd, self.crowd.context
        asked = crowd.asked[crowd.order[row]]
        lane = context.lane(
            asked.order.region, context.rates.sites[crowd.site[row]],
            context.services[service].service,
        )  # fmt: skip
        units = crowd.splits.bundles[bundle].tolist()
        goods = [want.of(n) for want, n in zip(asked.wants, units, strict=True) if n]
        return shipping_price(goods, lane.card)

    @cached_property
    def lines(self) -> Floats:
        """What grows with units and kilograms, and splits: by [row, service, bundle]."""
        crowd, context, site = self.crowd, self.crowd.context, self.crowd.site
        by_unit = context.grids.handling[site, np.newaxis] + crowd.late + crowd.slot
        by_kilo = crowd.carbon + crowd.kilo
        total: Floats = by_unit[..., np.newaxis] * self._units.sum(axis=2)[0]
        total += by_kilo[..., np.newaxis] * self.weight[crowd.order][:, np.newaxis]
        total += self._summed(crowd.of_stock)[:, np.newaxis]
        total += context.weights.split_cost * self.shipping[1]
        return total

    @cached_property
    def charges(self) -> tuple[Floats, Floats]:
        """What customs take from a bundle, by [group, bundle]: a sum, and a share of freight."""
        crowd = self.crowd
        order = crowd.order[crowd.first]
        rate, on_freight = crowd.duty
        categories = crowd.context.grids.category[crowd.items]
        shared = by_weight(
            on_freight[:, np.newaxis], crowd.weight_kg[:, np.newaxis], self._units
        )[order]  # fmt: skip
        return crowd.context.regimes.charges(
            crowd.regime,
            goods=self._summed(crowd.value)[order],
            categories=distinct(categories[:, np.newaxis], self._units)[order],
            duty=self._summed(rate * crowd.value)[order],
            on_freight=np.where(crowd.abroad[:, np.newaxis], shared, 0.0),
        )
