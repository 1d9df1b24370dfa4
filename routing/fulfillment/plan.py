"""The plan of one order: legs, promise, landed cost, what is not served, and why it is so."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache, cached_property
from typing import overload

from core.money import Amounts, Money
from routing.fulfillment.parcels import Parcel
from routing.fulfillment.promise import Delivery
from routing.landed_cost.regime import CustomsRoute

COSTS = ("shipping", "handling", "duty", "tax", "fees")
"""Terms of the landed cost, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class LegLine:
    """Units of one order line that travel with a leg; `price` of one, where the order has it."""

    line: int
    item: str
    quantity: int
    price: Money | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """Landed cost of a leg or of a plan; `tax` whoever bears it."""

    shipping: Money
    handling: Money
    duty: Money
    tax: Money
    fees: Money

    @property
    def total(self) -> Money:
        """The sum of all terms."""
        return Money(sum(term.minor for term in self.terms().values()), self.shipping.currency)

    def terms(self) -> Mapping[str, Money]:
        """Returns the terms by name."""
        return {name: getattr(self, name) for name in COSTS}

    def __add__(self, other: "Cost") -> "Cost":
        pairs = zip(self.terms().values(), other.terms().values(), strict=True)
        return Cost(*(mine + theirs for mine, theirs in pairs))

    @classmethod
    def of(cls, currency: str, *terms: Decimal | float) -> "Cost":
        """Returns a cost rounded to minor units, given its terms in order; missing ones are 0."""
        padded = (*terms, *([0] * (len(COSTS) - len(terms))))
        return cls(*(money_of(term, currency) for term in padded))


def money_of(amount: Decimal | float, currency: str) -> Money:
    """Returns an amount in minor units; most terms of most orders are 0."""
    return Money.of(amount, currency) if amount else _nothing(currency)


@cache
def _nothing(currency: str) -> Money:
    return Money(0, currency)


@dataclass(frozen=True, slots=True)
class Leg:
    """Goods that leave one site by one service; `basis` says how duty was found."""

    site: str
    service: str
    carrier: str
    customs: str
    customs_route: CustomsRoute
    lines: tuple[LegLine, ...]
    parcels: tuple[Parcel, ...]
    cost: Cost
    pickup_at: datetime
    delivery: Delivery
    carbon_kg: float
    basis: str
    tax_recoverable: bool
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unserved:
    """Units of one order line that the plan does not serve."""

    line: int
    item: str
    quantity: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """An option that lost; `cost` is its full cost and `terms` its parts, where it was priced.

    Terms of 0 are left out.
    """

    option: str
    cost: Money | None
    reason: str
    terms: Amounts | None = None


class Told(Sequence[Rejected]):
    """Rejected options that are worked out when somebody reads them, and then kept.

    They follow from frozen values, so they are the same whenever that is.
    """

    def __init__(self, tell: Callable[[], tuple[Rejected, ...]]) -> None:
        self._tell = tell

    @cached_property
    def _told(self) -> tuple[Rejected, ...]:
        return self._tell()

    def __len__(self) -> int:
        return len(self._told)

    def __iter__(self) -> Iterator[Rejected]:
        return iter(self._told)

    @overload
    def __getitem__(self, at: int) -> Rejected: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Rejected, ...]: ...
    def __getitem__(self, at: int | slice) -> Rejected | tuple[Rejected, ...]:
        return self._told[at]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._told == tuple(other)

    def __hash__(self) -> int:
        return hash(self._told)

    def __repr__(self) -> str:
        return repr(self._told)


@dataclass(frozen=True, slots=True)
class Decision:
    """What was considered: options, how far off the answer can be, and what data it saw.

    `gap` is 0 where the answer is proven the cheapest. `objective` holds every term of the full
    cost of the chosen option. `considered` counts the bundles of goods that were priced by some
    service from some site, or the teams of ways where the order is too large for that.
    """

    considered: int
    gap: float
    objective: Amounts
    rejected: Sequence[Rejected]
    prices_version: str
    data_version: str
    rules_date: str


@dataclass(frozen=True, slots=True)
class Promise:
    """The moment promised, and the probability that everything is there by then."""

    by: datetime
    probability: float


@dataclass(frozen=True, slots=True)
class Plan:
    """How one order is served; nothing is reserved by a plan itself."""

    order: str
    region: str
    currency: str
    placed_at: datetime
    legs: tuple[Leg, ...]
    promise: Promise
    landed_cost: Cost
    unserved: tuple[Unserved, ...]
    carbon_kg: float
    decision: Decision

    @property
    def units(self) -> Mapping[tuple[str, str, str], int]:
        """Units that the plan takes, by (site, item, customs)."""
        taken: dict[tuple[str, str, str], int] = {}
        for leg in self.legs:
            for line in leg.lines:
                key = (leg.site, line.item, leg.customs)
                taken[key] = taken.get(key, 0) + line.quantity
        return taken
