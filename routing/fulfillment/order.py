"""Orders: what a customer asked for, and how the order service wants it planned."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from core.errors import BadInput

Availability = Mapping[tuple[str, str, str], int]
"""Units that may be promised, by (site, item, customs); a key that is missing holds none."""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """Units of one item; `price` is what the customer pays for one, in settlement currency.

    Without a price the item's own value counts, for customs too.
    """

    line: int
    item: str
    quantity: int
    price: Decimal | None = None

    def __post_init__(self) -> None:
        if self.quantity < 1:
            raise BadInput(f"Expected quantity >= 1 on line {self.line}, got {self.quantity}.")
        if self.price is not None and not (self.price.is_finite() and self.price >= 0):
            raise BadInput(f"Expected a price >= 0 on line {self.line}, got {self.price}.")


@dataclass(frozen=True, slots=True)
class Order:
    """What one customer asked for; without `promise_by` the promise of the region holds."""

    order: str
    region: str
    placed_at: datetime
    lines: tuple[OrderLine, ...]
    promise_by: datetime | None = None

    def __post_init__(self) -> None:
        if not self.lines:
            raise BadInput(f"Expected at least one line in order {self.order}.")
        names = [line.line for line in self.lines]
        if len(set(names)) < len(names):
            raise BadInput(f"Expected every line of order {self.order} once.")
        if self.placed_at.tzinfo is None:
            raise BadInput(f"Expected placed_at of order {self.order} with its time zone.")
        if self.promise_by is not None and self.promise_by < self.placed_at:
            raise BadInput(f"Expected promise_by of order {self.order} after placed_at.")


@dataclass(frozen=True, slots=True)
class Effort:
    """How long the search may go on before it answers with a gap instead of a proof.

    `options` limits the teams of ways that are bounded, `work` the steps inside teams: one for
    each branch, and one for each line of a team that is tried or of an option that is priced.
    """

    options: int = 20_000
    work: int = 20_000


@dataclass(frozen=True, slots=True)
class Wishes:
    """How one order is to be planned.

    `allow_split` lets several legs serve it; `carbon_price_per_tonne` replaces the brand's.
    `keep_scarce` leaves units unserved that are worth more to later orders, by the shadow prices.
    `backorder` promises what no stock serves from goods that are on their way.
    """

    allow_split: bool = True
    carbon_price_per_tonne: float | None = None
    effort: Effort = field(default_factory=Effort)
    keep_scarce: bool = False
    backorder: bool = False
