"""Landed cost of one consignment: duty, tax and fees, line by line, in exact decimals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from core.errors import BadInput
from core.money import exact
from inventory.items import Item
from routing.landed_cost.regime import CustomsRoute, DutyKind, Regime, TaxPoint, regime_of
from routing.landed_cost.tariffs import DutyRow, Tariffs

ZERO = Decimal(0)
_CATEGORY_DIGITS = 6  # a tariff category is the six-digit subheading that all countries share


def tariff_category(item: Item) -> str:
    """Returns what counts as one tariff category: six digits of the HS code, else the category."""
    return item.hs_code[:_CATEGORY_DIGITS] or item.category


@dataclass(frozen=True, slots=True)
class ConsignmentLine:
    """Units of one item in a consignment; `unit_value` in settlement currency."""

    line: str
    item: Item
    quantity: int
    unit_value: Decimal

    def __post_init__(self) -> None:
        if self.quantity < 1:
            raise BadInput(f"Expected quantity >= 1 on line {self.line}, got {self.quantity}.")
        if not (self.unit_value.is_finite() and self.unit_value >= 0):
            raise BadInput(f"Expected a value >= 0 on line {self.line}, got {self.unit_value}.")

    @property
    def value(self) -> Decimal:
        """Value of the line's goods."""
        return self.quantity * self.unit_value

    @property
    def weight_kg(self) -> Decimal:
        """Weight of the line's goods."""
        return self.quantity * exact(self.item.weight_kg)


@dataclass(frozen=True, slots=True)
class Consignment:
    """Goods that reach customs together; `freight` in settlement currency."""

    country: str
    lines: tuple[ConsignmentLine, ...]
    freight: Decimal = ZERO

    @property
    def goods(self) -> Decimal:
        """Intrinsic value: the goods without freight."""
        return sum((line.value for line in self.lines), ZERO)

    @property
    def categories(self) -> tuple[str, ...]:
        """Distinct tariff categories, in order of appearance."""
        return tuple(dict.fromkeys(tariff_category(line.item) for line in self.lines))


@dataclass(frozen=True, slots=True)
class LineCost:
    """What one line bears, in settlement currency; `rate` is the ad-valorem duty of its row.

    `duty_base` is 0 unless duty falls by the tariff, `tax_base` is 0 where no tax is collected.
    """

    line: str
    item: str
    duty: Decimal
    tax: Decimal
    fees: Decimal
    rate: Decimal
    value: Decimal = ZERO
    freight: Decimal = ZERO
    duty_base: Decimal = ZERO
    tax_base: Decimal = ZERO
    tax_rate: Decimal = ZERO
    tax_point: TaxPoint = "none"
    row: DutyRow | None = None


@dataclass(frozen=True, slots=True)
class LandedCost:
    """Duty, tax and fees of a consignment in settlement currency; always an estimate.

    `basis` says which rule set the duty. Recoverable tax is reported but is no cost of the brand.
    """

    duty: Decimal
    tax: Decimal
    fees: Decimal
    recoverable: bool
    lines: tuple[LineCost, ...]
    basis: str
    sources: tuple[str, ...]
    estimate: bool = True
    kind: DutyKind = "none"

    @property
    def cost(self) -> Decimal:
        """What the brand bears: duty, fees, and the tax that nobody gives back."""
        return self.duty + self.fees + (ZERO if self.recoverable else self.tax)

    @property
    def total(self) -> Decimal:
        """Duty, tax and fees together, whoever bears them."""
        return self.duty + self.tax + self.fees


BASIS: dict[DutyKind, str] = {
    "none": "domestic: duty and tax were paid when the goods entered",
    "relief": "relief: consignment within the duty-free limit",
    "flat": "flat duty per tariff category",
    "tariff": "ad valorem by tariff",
}
"""How duty was found, in words."""


def landed_cost(
    consignment: Consignment, route: CustomsRoute, tariffs: Tariffs, on: date
) -> LandedCost:
    """Returns the landed cost of a consignment on a customs route under the law of a date.

    Duty falls on goods (fob) or on goods and freight (cif), as each row says; tax falls on goods,
    freight, duty and fees. Freight is shared by weight. For goods released from bond, freight to
    the customer is no part of the customs value. The lines add up to the totals exactly.
    """
    return assess(consignment, regime_of(tariffs, consignment.country, route, on), tariffs)


def assess(consignment: Consignment, regime: Regime, tariffs: Tariffs) -> LandedCost:
    """Returns the landed cost of a consignment under a regime at hand."""
    goods, carriage = float(consignment.goods), float(consignment.freight)
    kind = regime.duty_kind(goods, carriage)
    freight = shared(consignment.freight, [line.weight_kg for line in consignment.lines])
    rows = [_row(line, regime, tariffs) for line in consignment.lines]
    bases = _bases(consignment, regime, kind, freight, rows)
    duties = _duties(consignment, regime, kind, bases, rows)
    fees = _fees(consignment, regime, goods)
    rate = exact(regime.tax.rate) * exact(regime.share_of_tax(goods, carriage))
    lines = tuple(
        _line(line, carried, base, duty, fee, row, rate, regime.tax_point(
            goods, carriage, float(line.unit_value)
        ))
        for line, carried, base, duty, fee, row in zip(
            consignment.lines, freight, bases, duties, fees, rows, strict=True
        )
    )  # fmt: skip
    return LandedCost(
        duty=sum((line.duty for line in lines), ZERO),
        tax=sum((line.tax for line in lines), ZERO),
        fees=sum((line.fees for line in lines), ZERO),
        recoverable=regime.recoverable,
        lines=lines,
        basis=_basis(regime, kind, goods),
        sources=_sources(regime, kind, rows),
        kind=kind,
    )


def _line(
    line: ConsignmentLine,
    carried: Decimal,
    base: Decimal,
    duty: Decimal,
    fee: Decimal,
    row: DutyRow | None,
    rate: Decimal,
    point: TaxPoint,
) -> LineCost:
    taxed = ZERO if point == "none" else line.value + carried + duty + fee
    return LineCost(
        line=line.line,
        item=line.item.item,
        duty=duty,
        tax=rate * taxed,
        fees=fee,
        rate=_rate(row),
        value=line.value,
        freight=carried,
        duty_base=base,
        tax_base=taxed,
        tax_rate=ZERO if point == "none" else rate,
        tax_point=point,
        row=row,
    )


def shared(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Returns an amount shared by weight (evenly where all are 0); the parts sum to it exactly."""
    total = sum(weights, ZERO)
    even = Decimal(1) / max(len(weights), 1)
    parts = [amount * (weight / total if total else even) for weight in weights]
    if parts:
        parts[-1] = amount - sum(parts[:-1], ZERO)
    return parts


def _row(line: ConsignmentLine, regime: Regime, tariffs: Tariffs) -> DutyRow | None:
    if regime.route == "domestic":
        return None
    return tariffs.duty_row(regime.country, line.item.origin, line.item.hs_code, regime.on)


def _rate(row: DutyRow | None) -> Decimal:
    return ZERO if row is None else exact(row.rate)


def _bases(
    consignment: Consignment,
    regime: Regime,
    kind: DutyKind,
    freight: Sequence[Decimal],
    rows: Sequence[DutyRow | None],
) -> list[Decimal]:
    """The customs value of each line, on which duty by the tariff falls; else 0."""
    if kind != "tariff":
        return [ZERO for _ in consignment.lines]
    return [
        line.value + (carried if on_freight(row, regime) else ZERO)
        for line, carried, row in zip(consignment.lines, freight, rows, strict=True)
    ]


def _duties(
    consignment: Consignment,
    regime: Regime,
    kind: DutyKind,
    bases: Sequence[Decimal],
    rows: Sequence[DutyRow | None],
) -> list[Decimal]:
    if kind == "flat":
        return _by_category(consignment, exact(regime.flat_duty))
    return [_rate(row) * base for row, base in zip(rows, bases, strict=True)]


def on_freight(row: DutyRow | None, regime: Regime) -> bool:
    """Whether duty falls on freight: a cif row, and goods that freight brings over the border."""
    return row is not None and row.basis == "cif" and regime.route == "cross_border"


def _fees(consignment: Consignment, regime: Regime, goods: float) -> list[Decimal]:
    once, _ = regime.fees(goods, 0)
    _, each = regime.fees(goods, 1)
    whole = shared(exact(once), [line.value for line in consignment.lines])
    by_category = _by_category(consignment, exact(each))
    return [a + b for a, b in zip(whole, by_category, strict=True)]


def _by_category(consignment: Consignment, amount: Decimal) -> list[Decimal]:
    """An amount for each tariff category, shared among the lines of the category by value."""
    charged = [ZERO for _ in consignment.lines]
    for category in consignment.categories:
        members = [
            at
            for at, line in enumerate(consignment.lines)
            if tariff_category(line.item) == category
        ]
        parts = shared(amount, [consignment.lines[at].value for at in members])
        for at, part in zip(members, parts, strict=True):
            charged[at] = part
    return charged


def _basis(regime: Regime, kind: DutyKind, goods: float) -> str:
    said = BASIS[kind]
    if regime.route == "bonded_release":
        said = f"released from bond; {said}"
    collects = regime.collects or not regime.rules
    if collects and regime.route == "cross_border" and 0 < goods <= regime.checkout_tax_limit:
        said = f"{said}; tax collected at checkout"
    return said


def _sources(regime: Regime, kind: DutyKind, rows: Sequence[DutyRow | None]) -> tuple[str, ...]:
    cited = [row.source for row in rows if row is not None and row.source and kind == "tariff"]
    return tuple(dict.fromkeys((*regime.sources, *cited)))
