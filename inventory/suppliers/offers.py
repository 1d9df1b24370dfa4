"""Suppliers and what they offer, with prices in settlement currency."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from core.brand import Brand, Row, number
from core.fx import rate_for


@dataclass(frozen=True, slots=True)
class Supplier:
    """One supplier; the days of recovery are NaN where nobody has stated them."""

    supplier: str
    name: str
    parent: str
    site: str
    key_account: bool
    recover_days_low: float
    recover_days_likely: float
    recover_days_high: float

    @property
    def owner(self) -> str:
        """The company behind the supplier; suppliers of one owner are not independent."""
        return self.parent or self.supplier


@dataclass(frozen=True, slots=True)
class Offer:
    """What one supplier asks for one item.

    `unit_cost` is in settlement currency, `price` in `currency`. `capacity_per_week` is infinite
    where the folder gives none.
    """

    supplier: str
    item: str
    unit_cost: float
    price: float
    currency: str
    moq: int
    multiple: int
    lead_days: float
    capacity_per_week: float
    qualified: bool
    share: float

    @property
    def smallest_order(self) -> int:
        """The fewest units that can be ordered: the minimum, rounded up to whole multiples."""
        return -(-self.moq // self.multiple) * self.multiple


@dataclass(frozen=True)
class Market:
    """All suppliers and offers of a brand, in the order of its folder."""

    suppliers: tuple[Supplier, ...]
    offers: tuple[Offer, ...]

    @cached_property
    def supplier(self) -> Mapping[str, Supplier]:
        """Suppliers by id."""
        return MappingProxyType({supplier.supplier: supplier for supplier in self.suppliers})

    @cached_property
    def by_item(self) -> Mapping[str, tuple[Offer, ...]]:
        """Offers of each item that has any."""
        grouped: dict[str, list[Offer]] = {}
        for offer in self.offers:
            grouped.setdefault(offer.item, []).append(offer)
        return MappingProxyType({item: tuple(offers) for item, offers in grouped.items()})

    def shares(self, item: str) -> dict[str, float]:
        """Returns how an item's volume is spread over its suppliers today; sums to 1.

        The shares of the folder, scaled to 1; where all are 0, qualified offers share equally.
        """
        offers = self.by_item.get(item, ())
        stated = sum(offer.share for offer in offers)
        if stated > 0:
            return {offer.supplier: offer.share / stated for offer in offers if offer.share > 0}
        qualified = [offer.supplier for offer in offers if offer.qualified]
        return {supplier: 1 / len(qualified) for supplier in qualified}

    @classmethod
    def of(cls, brand: Brand) -> "Market":
        """Returns the suppliers and offers of a brand; prices are converted on its `today`."""
        rows = brand.table("offers").to_dict("records")
        rates = {
            currency: rate_for(brand, currency, brand.today, "offers")
            for currency in {str(row["currency"]) for row in rows}
        }
        suppliers = tuple(_supplier(row) for row in brand.table("suppliers").to_dict("records"))
        return cls(suppliers, tuple(_offer(row, rates, brand.currency) for row in rows))


def _supplier(row: Row) -> Supplier:
    nothing = float("nan")
    return Supplier(
        supplier=str(row["supplier"]),
        name=str(row["name"]) or str(row["supplier"]),
        parent=str(row["parent"]),
        site=str(row["site"]),
        key_account=bool(row["key_account"]),
        recover_days_low=number(row["recover_days_low"], empty=nothing),
        recover_days_likely=number(row["recover_days_likely"], empty=nothing),
        recover_days_high=number(row["recover_days_high"], empty=nothing),
    )


def _offer(row: Row, rates: Mapping[str, float], settlement: str) -> Offer:
    price, currency = number(row["unit_cost"]), str(row["currency"])
    return Offer(
        supplier=str(row["supplier"]),
        item=str(row["item"]),
        unit_cost=price * rates[currency],
        price=price,
        currency=currency or settlement,
        moq=int(row["moq"]),
        multiple=int(row["multiple"]),
        lead_days=number(row["lead_days"]),
        capacity_per_week=number(row["capacity_per_week"], empty=float("inf")),
        qualified=bool(row["qualified"]),
        share=number(row["share"]),
    )
