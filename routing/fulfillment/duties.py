"""Duties of many consignments at once, in arrays: the same law as `routing.landed_cost.assess`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routing.landed_cost.regime import CustomsRoute, Regime

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

ROUTES: tuple[CustomsRoute, ...] = ("domestic", "bonded_release", "cross_border")


@dataclass(frozen=True, eq=False)
class Regimes:
    """Regimes as arrays, each shaped [regime, 1]; `tax` is 0 where somebody recovers it."""

    abroad: NDArray[np.bool_]
    tax: Floats
    duty_relief: Floats
    tax_relief: Floats
    flat_duty_limit: Floats
    flat_duty: Floats
    fee_per_consignment: Floats
    fee_per_category: Floats
    fee_limit: Floats

    @classmethod
    def of(cls, regimes: Sequence[Regime]) -> "Regimes":
        """Returns some regimes as arrays."""

        def column(name: str) -> Floats:
            return np.array([[getattr(regime, name)] for regime in regimes], dtype=float)

        return cls(
            np.array([[regime.route != "domestic"] for regime in regimes], dtype=bool),
            np.array([[0.0 if each.recoverable else each.tax.rate] for each in regimes]),
            *(column(name) for name in _LIMITS),
        )

    def charges(
        self, at: Places, goods: Floats, categories: Floats, duty: Floats, on_freight: Floats
    ) -> tuple[Floats, Floats]:
        """Returns what the brand bears at customs: a sum, and a share of the freight.

        `at` is the regime of each row; the others are shaped [row, bundle]: value of the goods,
        number of tariff categories, ad-valorem duty on the goods, and the ad-valorem rate on
        freight. The sum is duty and fees, with the tax that nobody recovers on all of it.
        """
        owed, share = self._duty(at, goods, categories, duty, on_freight)
        fees, tax = self._fees(at, goods, categories), self._tax(at, goods)
        return owed + fees + tax * (goods + owed + fees), share + tax * (1 + share)

    def terms(
        self,
        at: Places,
        goods: Floats,
        categories: Floats,
        duty: Floats,
        on_freight: Floats,
        freight: Floats,
    ) -> tuple[Floats, Floats, Floats]:
        """Returns duty, tax that nobody recovers, and fees; `freight` and the rest as `charges`."""
        owed, share = self._duty(at, goods, categories, duty, on_freight)
        owed = owed + share * freight
        fees = self._fees(at, goods, categories)
        return owed, self._tax(at, goods) * (goods + freight + owed + fees), fees

    def _duty(
        self, at: Places, goods: Floats, categories: Floats, duty: Floats, on_freight: Floats
    ) -> tuple[Floats, Floats]:
        """Duty without that on freight, and the share of the freight."""
        taxed = self.abroad[at] & (goods > self.duty_relief[at])
        tariff = taxed & (goods > self.flat_duty_limit[at])
        flat = np.where(taxed, self.flat_duty[at] * categories, 0.0)
        return np.where(tariff, duty, flat), np.where(tariff, on_freight, 0.0)

    def _fees(self, at: Places, goods: Floats, categories: Floats) -> Floats:
        fees = self.fee_per_consignment[at] + self.fee_per_category[at] * categories
        return np.where(self.abroad[at] & (goods <= self.fee_limit[at]), fees, 0.0)

    def _tax(self, at: Places, goods: Floats) -> Floats:
        return np.where(self.abroad[at] & (goods > self.tax_relief[at]), self.tax[at], 0.0)


_LIMITS = (
    "duty_relief",
    "tax_relief",
    "flat_duty_limit",
    "flat_duty",
    "fee_per_consignment",
    "fee_per_category",
    "fee_limit",
)
