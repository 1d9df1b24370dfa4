"""Purchase orders: what was ordered from whom, for where, by when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from core.errors import BadInput, Problem
from core.money import Money
from inventory.suppliers.offers import Market, Offer


@dataclass(frozen=True, slots=True)
class PurchaseLine:
    """Units of one item at the price of the supplier's offer."""

    item: str
    quantity: int
    unit_cost: Money


@dataclass(frozen=True, slots=True)
class PurchaseOrder:
    """One order to one supplier for one site, in one currency.

    `order_by` is the day on which it has to be placed, `arrives` the day of receipt. `reference`
    names what it cures, such as an alert; "" for nothing.
    """

    id: str
    supplier: str
    site: str
    order_by: date
    arrives: date
    reference: str
    actor: str
    created_at: datetime
    lines: tuple[PurchaseLine, ...]
    state: str = "open"

    def __post_init__(self) -> None:
        if not self.lines:
            raise BadInput("Expected a purchase order with at least one line.")
        if len({line.unit_cost.currency for line in self.lines}) > 1:
            raise BadInput("Expected one currency in a purchase order.")
        if self.arrives < self.order_by:
            raise BadInput("Expected goods to arrive after they are ordered.")

    @property
    def total(self) -> Money:
        """What all lines cost."""
        currency = self.lines[0].unit_cost.currency
        return Money(sum(line.quantity * line.unit_cost.minor for line in self.lines), currency)


@dataclass(frozen=True, slots=True)
class OpenLine:
    """Units of an item that an open order brings to a site, as they were ordered."""

    order: str
    supplier: str
    site: str
    item: str
    quantity: int
    arrives: date


@dataclass(frozen=True, slots=True)
class Terms:
    """What the offers of a supplier make of the lines that somebody wants."""

    lines: tuple[PurchaseLine, ...]
    lead_days: float


def terms(market: Market, supplier: str, wanted: Sequence[tuple[str, int]]) -> Terms:
    """Returns lines of (item, quantity) priced by the supplier's offers, and the longest lead time.

    Raises `BadInput` with a pointer for each line that the offer does not allow.
    """
    offers = {offer.item: offer for offer in market.offers if offer.supplier == supplier}
    if supplier not in market.supplier:
        raise BadInput([_problem("/supplier", f"No supplier is named {supplier!r}.")])
    problems = [
        found
        for at, (item, quantity) in enumerate(wanted)
        for found in _line_problems(at, item, quantity, offers)
    ]
    repeated = [at for at, (item, _) in enumerate(wanted) if item in dict(wanted[:at])]
    problems += [_problem(f"/lines/{at}/item", "The item stands twice.") for at in repeated]
    if problems:
        raise BadInput(problems)
    lines = tuple(
        PurchaseLine(item, quantity, Money.of(offers[item].price, offers[item].currency))
        for item, quantity in wanted
    )
    if len({line.unit_cost.currency for line in lines}) > 1:
        raise BadInput([_problem("/lines", "The offers are in several currencies; split them.")])
    return Terms(lines, max(offers[item].lead_days for item, _ in wanted))


def day_after(day: date, lead_days: float) -> date:
    """Returns the day on which goods ordered on a day arrive."""
    return day + timedelta(-int(-lead_days // 1))


def _line_problems(at: int, item: str, quantity: int, offers: Mapping[str, Offer]) -> list[Problem]:
    offer = offers.get(item)
    if offer is None:
        return [_problem(f"/lines/{at}/item", f"The supplier does not offer {item!r}.")]
    if not offer.qualified:
        return [_problem(f"/lines/{at}/item", f"The supplier is not qualified for {item!r}.")]
    if quantity < offer.moq or quantity % offer.multiple:
        asked = f"Expected at least {offer.moq} units in multiples of {offer.multiple}."
        return [_problem(f"/lines/{at}/quantity", asked)]
    return []


def _problem(pointer: str, text: str) -> Problem:
    return Problem("", 0, 0, text, pointer)
