"""A landed-cost quote: what goods cost on arrival, by which rules, and who pays which part when."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Literal

from core.errors import BadInput, Problem
from core.fx import Rate
from core.money import exact
from routing.landed_cost.charges import CUSTOMS, Charge, Entry, carriers_known, charges_on
from routing.landed_cost.cost import ZERO, Consignment, ConsignmentLine, LandedCost, assess
from routing.landed_cost.regime import CustomsRoute, Regime, Terms, customs_route, regime_of
from routing.landed_cost.rules import Rule
from routing.landed_cost.tariffs import DutyRow, Tariffs, TaxRow

Incoterm = Literal["DDP", "DAP"]
"""Who pays customs: the seller (delivered, duty paid) or the customer (delivered at place)."""

Payer = Literal["seller", "checkout", "door"]
"""Who pays a term, and when: the seller, the customer with the order, the customer on delivery."""

Rates = Callable[[str, date], Rate]
"""The rate of a currency on a date in settlement currency, with its day and source."""

STALE_AFTER = timedelta(days=7)
"""A rate of exchange older than this on the day of the quote makes it less certain."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a quote is asked for; every amount in `currency`.

    `stated` is the customs route that was named, if any; `carrier` "" means that its charges are
    not asked for. `priced_in` are the currencies from which values and freight were converted.
    """

    from_country: str
    to_country: str
    on: date
    currency: str
    lines: tuple[ConsignmentLine, ...]
    terms: Terms
    freight: Decimal = ZERO
    incoterm: Incoterm = "DDP"
    carrier: str = ""
    stated: CustomsRoute | None = None
    priced_in: tuple[str, ...] = ()

    @property
    def route(self) -> CustomsRoute:
        """The customs route: the one that was named, else that of free stock."""
        return self.stated or customs_route(self.from_country, self.to_country, "free")


@dataclass(frozen=True, slots=True)
class Applied:
    """A dated row that the quote looked at, and whether it decided anything."""

    row: Rule | DutyRow | TaxRow | Charge
    applied: bool


@dataclass(frozen=True, slots=True)
class Quote:
    """The answer: landed cost by line, charges for clearing, rows, rates, and what is uncertain."""

    question: Question
    cost: LandedCost
    charges: tuple[tuple[Charge, Decimal], ...]
    rows: tuple[Applied, ...]
    rates: tuple[Rate, ...]
    doubts: tuple[str, ...]

    @property
    def charged(self) -> Decimal:
        """All charges for clearing together."""
        return sum((amount for _, amount in self.charges), ZERO)

    @property
    def payer(self) -> Payer:
        """Who pays what falls due at the border.

        Goods leave bond in the seller's name before they travel; in China's scheme for retail the
        platform withholds all of it from the buyer.
        """
        if self.question.terms.channel == "cbec":
            return "checkout"
        if self.question.route == "bonded_release":
            return "seller"
        return "seller" if self.question.incoterm == "DDP" else "door"

    def tax_at(self, point: str) -> Decimal:
        """Returns the tax that is collected at a point (`checkout` or `border`)."""
        return sum((line.tax for line in self.cost.lines if line.tax_point == point), ZERO)


def quote(question: Question, tariffs: Tariffs, rates: Rates) -> Quote:
    """Returns the landed cost of a consignment under the law of a day, in the question's currency.

    The cascade is exact: duty on goods (and freight, where the row says cif), law fees by tariff
    category, tax on all of these; charges for clearing lie outside of the tax. Raises `BadInput`
    for a customs route that is not lawful and where a rate of exchange is missing.
    """
    _check(question)
    own = tariffs.settling_in(question.currency)
    consignment = Consignment(question.to_country, question.lines, question.freight)
    regime = regime_of(own, question.to_country, question.route, question.on, question.terms)
    cost = assess(consignment, regime, own)
    charged = _charges(question, cost, own)
    rows = (*_rows(regime, cost), *(Applied(charge, applied=True) for charge, _ in charged))
    used = _rates(question, rows, rates)
    doubts = (*_uncertain(question, regime, cost), *_unproven(question, rows, used))
    return Quote(question, cost, charged, rows, used, doubts)


def _check(question: Question) -> None:
    lawful = {
        customs_route(question.from_country, question.to_country, state)
        for state in ("free", "bonded")
    }
    if question.route not in lawful:
        raise BadInput([Problem("", 0, 0, (
            f"Goods go from {question.from_country} to {question.to_country} by "
            f"{' or '.join(sorted(lawful))}, not by {question.route}."
        ), "/customs_route")])  # fmt: skip
    if question.terms.channel == "cbec" and question.to_country != "CN":
        said = "The channel cbec exists for goods to CN only; expected courier, post or freight."
        raise BadInput([Problem("", 0, 0, said, "/channel")])


def _charges(
    question: Question, cost: LandedCost, tariffs: Tariffs
) -> tuple[tuple[Charge, Decimal], ...]:
    if question.route != "cross_border":
        return ()
    at_border = (line.tax for line in cost.lines if line.tax_point == "border")
    entry = Entry(
        country=question.to_country,
        sent_from=question.from_country,
        channel=question.terms.channel,
        incoterm=question.incoterm,
        carrier=question.carrier,
        on=question.on,
        goods=sum((line.value for line in question.lines), ZERO),
        advanced=cost.duty + cost.fees + sum(at_border, ZERO),
        relieved=cost.kind == "relief",
    )
    return charges_on(entry, partial(_converted, tariffs, question.on))


def _converted(tariffs: Tariffs, on: date, amount: Decimal, currency: str) -> Decimal:
    return amount * exact(tariffs.exchange(currency, on)) if amount else amount


def _rows(regime: Regime, cost: LandedCost) -> Iterator[Applied]:
    """The rows of law and of the brand that the quote looked at, those that decided marked.

    A threshold that the brand states in taxes.csv takes the place of the law's.
    """
    decided = _decided(regime, cost)
    for rule in regime.rules:
        yield Applied(rule, rule.rule in decided)
    duty_rows = dict.fromkeys(line.row for line in cost.lines if line.row is not None)
    for duty in duty_rows:
        yield Applied(duty, cost.kind == "tariff")
    taxed = any(line.tax_point != "none" for line in cost.lines)
    for tax in regime.tax.rows:
        relieves = cost.kind == "relief" and tax.de_minimis_duty > 0
        yield Applied(tax, taxed or relieves)


def _decided(regime: Regime, cost: LandedCost) -> frozenset[str]:
    points = {line.tax_point for line in cost.lines}
    goods = float(sum((line.value for line in cost.lines), ZERO))
    share = regime.share_of_tax(goods, float(sum((line.freight for line in cost.lines), ZERO)))
    stated = any(row.de_minimis_duty > 0 for row in regime.tax.rows)
    facts = {
        "duty_relief": cost.kind == "relief" and not stated,
        "flat_duty_limit": cost.kind == "flat",
        "flat_duty_per_category": cost.kind == "flat",
        "checkout_tax_limit": "checkout" in points,
        "tax_relief": points == {"none"} and regime.tax_relief > 0,
        "border_tax_relief": "none" in points and regime.border_relief > 0,
        "tax_share": share != 1,
        "tax_share_limit": share != 1,
        "fee_per_consignment": cost.fees > 0,
        "fee_per_category": cost.fees > 0,
        "fee_limit": cost.fees > 0,
    }
    return frozenset(name for name, fact in facts.items() if fact)


def _rates(question: Question, rows: Sequence[Applied], rates: Rates) -> tuple[Rate, ...]:
    """The rates between the currencies of values and rows and that of the quote."""
    rows_in = (name for name in (_priced(found.row) for found in rows) if name is not None)
    others = dict.fromkeys((*question.priced_in, *rows_in))
    others.pop(question.currency, None)
    if not others:
        return ()
    found = dict.fromkeys(rates(name, question.on) for name in (*others, question.currency))
    return tuple(rate for rate in found if rate.on is not None)


def _priced(row: Rule | DutyRow | TaxRow | Charge) -> str | None:
    """The currency of the amounts of a row; None where it has none."""
    match row:
        case Rule():
            return row.currency if row.value and row.currency else None
        case Charge():
            return row.currency
        case TaxRow():
            return row.currency if row.de_minimis_duty or row.de_minimis_tax else None
        case DutyRow():
            return None


def _uncertain(question: Question, regime: Regime, cost: LandedCost) -> Iterator[str]:
    """Why the quote is no more than an estimate: what was declared, and what no row covers."""
    yield "Customs decide on classification, origin and value; here they are as declared."
    if question.route == "domestic":
        return
    for line in cost.lines:
        if line.row is None and cost.kind == "tariff":
            yield f"Line {line.line}: no row of duties.csv covers the goods; duty was taken as 0."
    if not regime.tax.rows:
        yield f"taxes.csv has no row for {question.to_country} on {question.on}; tax is 0."
    if question.to_country == "CN" and question.terms.channel == "post":
        yield "China's tax on personal parcels by post is not modeled; general trade was taken."


def _unproven(question: Question, rows: Sequence[Applied], rates: Sequence[Rate]) -> Iterator[str]:
    """Rows and rates that nobody vouches for on the day of the quote."""
    for found in rows:
        row = found.row
        if isinstance(row, Rule | Charge) and found.applied and row.status != "confirmed":
            yield f"{row.id} is not confirmed: {row.source}."
    for rate in rates:
        if rate.on is not None and question.on - rate.on > STALE_AFTER:
            yield f"The rate of {rate.currency} is that of {rate.on}, the last known."
    if question.carrier and question.carrier not in carriers_known():
        yield f"No charges of {question.carrier} are known; known: {', '.join(carriers_known())}."


def is_law(charge: Charge) -> bool:
    """Whether customs take a charge, not a carrier."""
    return charge.collector == CUSTOMS
