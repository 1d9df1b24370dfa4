"""Duties of many consignments at once, in arrays: the same law as `routing.landed_cost.assess`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routing.landed_cost.regime import Regime

Floats = NDArray[np.float64]


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
        self, at: NDArray[np.intp], goods: Floats, categories: Floats, duty: Floats, freight: Floats
    ) -> tuple[Floats, Floats]:
        """Returns what the brand bears at customs: a sum, and a share of the freight.

        `at` is the regime of each row; the others are shaped [row, bundle]: value of the goods,
        number of tariff categories, ad-valorem duty on the goods, and the ad-valorem rate on
        freight. The sum is duty and fees, with the tax that nobody recovers on all of it.
        """
        tariff = self.abroad[at] & (goods > np.maximum(self.duty_relief, self.flat_duty_limit)[at])
        flat = self.abroad[at] & (goods > self.duty_relief[at]) & ~tariff
        owed = np.where(tariff, duty, np.where(flat, self.flat_duty[at] * categories, 0.0))
        fees = self.fee_per_consignment[at] + self.fee_per_category[at] * categories
        fees = np.where(goods > self.fee_limit[at], 0.0, fees)
        taxed = self.abroad[at] & (goods > self.tax_relief[at])
        tax = np.where(taxed, self.tax[at], 0.0)
        share = np.where(tariff, freight, 0.0)
        return owed + fees + tax * (goods + owed + fees), share + tax * (1 + share)


_LIMITS = (
    "duty_relief",
    "tax_relief",
    "flat_duty_limit",
    "flat_duty",
    "fee_per_consignment",
    "fee_per_category",
    "fee_limit",
)
