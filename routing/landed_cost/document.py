"""A landed-cost quote as the doors show it: one JSON document, money in minor units."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from core.fx import Rate
from core.money import Money, apportioned
from routing.landed_cost.charges import Charge
from routing.landed_cost.cost import ZERO, LineCost
from routing.landed_cost.quote import Applied, Payer, Quote, is_law
from routing.landed_cost.rules import RULES, Rule
from routing.landed_cost.tariffs import DutyRow

TERMS = ("goods", "freight", "duty", "tax", "fees", "charges")
"""The terms of a quote; every line bears all of them, and the lines add up to the totals."""

Document = dict[str, Any]
Split = Mapping[str, Sequence[Money]]


def document_of(quote: Quote) -> Document:
    """Returns the document of a quote.

    Each term is rounded once, half-even, and shared among the lines to the minor unit, so lines add
    up to totals and payers add up to what customs and carriers take.
    """
    question, split = quote.question, _split(quote)
    totals = {term: _sum(split[term], question.currency) for term in TERMS}
    return {
        "from_country": question.from_country,
        "to_country": question.to_country,
        "on": question.on.isoformat(),
        "currency": question.currency,
        "incoterm": question.incoterm,
        "channel": question.terms.channel,
        "carrier": question.carrier or None,
        "customs_route": question.route,
        "basis": quote.cost.basis,
        "recoverable_tax": quote.cost.recoverable,
        "estimate": quote.cost.estimate,
        "doubts": list(quote.doubts),
        "lines": [
            _line(line, {term: split[term][at] for term in TERMS}, question.currency)
            for at, line in enumerate(quote.cost.lines)
        ],
        "totals": {
            **{term: money.as_json() for term, money in totals.items()},
            "total": _sum(list(totals.values()), question.currency).as_json(),
        },
        "paid": _paid(quote, split, totals),
        "charges": _charges(quote),
        "rules": [_row(found) for found in quote.rows],
        "exchange": [_rate(rate) for rate in quote.rates],
    }


def _split(quote: Quote) -> Split:
    """Every term by line, in minor units; charges are shared by value."""
    lines, currency = quote.cost.lines, quote.question.currency
    goods = sum((line.value for line in lines), ZERO)
    charges = [_share(quote.charged, line, goods, len(lines)) for line in lines]
    terms = {
        "goods": [line.value for line in lines],
        "freight": [line.freight for line in lines],
        "duty": [line.duty for line in lines],
        "tax": [line.tax for line in lines],
        "fees": [line.fees for line in lines],
        "charges": charges,
    }
    return {term: apportioned(parts, currency) for term, parts in terms.items()}


def _share(charged: Decimal, line: LineCost, goods: Decimal, lines: int) -> Decimal:
    return charged * line.value / goods if goods else charged / lines


def _sum(parts: Sequence[Money], currency: str) -> Money:
    return Money(sum(part.minor for part in parts), currency)


def _line(line: LineCost, terms: Mapping[str, Money], currency: str) -> Document:
    return {
        "line": line.line,
        "item": line.item,
        **{term: money.as_json() for term, money in terms.items()},
        "total": _sum(list(terms.values()), currency).as_json(),
        "duty_base": Money.of(line.duty_base, currency).as_json(),
        "duty_rate": float(line.rate),
        "duty_rule": _duty_id(line.row) if line.row else None,
        "tax_base": Money.of(line.tax_base, currency).as_json(),
        "tax_rate": float(line.tax_rate),
        "tax_point": line.tax_point,
    }


def _paid(quote: Quote, split: Split, totals: Mapping[str, Money]) -> Document:
    """What each pays beyond goods and freight, and who pays which term."""
    points = [line.tax_point for line in quote.cost.lines]
    checkout = sum(
        tax.minor for tax, point in zip(split["tax"], points, strict=True) if point == "checkout"
    )
    border = totals["tax"].minor - checkout
    due = sum(totals[term].minor for term in ("duty", "fees", "charges")) + border
    paid: dict[Payer, int] = {"seller": 0, "checkout": checkout, "door": 0}
    paid[quote.payer] += due
    currency = quote.question.currency
    who = {term: quote.payer for term in ("duty", "fees", "charges") if totals[term].minor}
    taxed = {"tax_at_checkout": "checkout"} if checkout else {}
    at_border = {"tax_at_border": quote.payer} if border else {}
    return {
        **{name: Money(minor, currency).as_json() for name, minor in paid.items()},
        "who": {**who, **taxed, **at_border},
    }


def _charges(quote: Quote) -> list[Document]:
    amounts = apportioned([amount for _, amount in quote.charges], quote.question.currency)
    return [
        {"rule": charge.id, "collector": charge.collector, "name": charge.name,
         "by_law": is_law(charge), "amount": amount.as_json()}
        for (charge, _), amount in zip(quote.charges, amounts, strict=True)
    ]  # fmt: skip


def _rate(rate: Rate) -> Document:
    return {
        "currency": rate.currency,
        "rate": rate.rate,
        "on": None if rate.on is None else rate.on.isoformat(),
        "source": rate.source,
    }


def _row(found: Applied) -> Document:
    row = found.row
    told: Document
    if isinstance(row, Rule):
        told = {"id": row.id, "table": "customs rules", "says": RULES[row.rule],
                "value": str(row.value), "currency": row.currency or None}  # fmt: skip
    elif isinstance(row, Charge):
        told = {"id": row.id, "table": "clearance charges", "says": row.name,
                "value": row.told, "currency": row.currency}  # fmt: skip
    elif isinstance(row, DutyRow):
        told = {"id": _duty_id(row), "table": "duties.csv", "says": f"duty on {row.basis} value",
                "value": str(row.rate), "currency": None}  # fmt: skip
    else:
        told = {"id": f"taxes:{row.country}:{row.scheme}:{row.valid_from.isoformat()}",
                "table": "taxes.csv", "says": f"{row.scheme} on goods, freight, duty and fees",
                "value": str(row.rate), "currency": None}  # fmt: skip
    return {
        **told,
        "applied": found.applied,
        "valid_from": row.valid_from.isoformat(),
        "valid_to": row.valid_to.isoformat() if row.valid_to else None,
        "source": row.source or "the brand",
        "status": row.status if isinstance(row, Rule | Charge) else "brand",
        "checked_on": row.checked_on.isoformat() if isinstance(row, Rule | Charge) else None,
    }


def _duty_id(row: DutyRow) -> str:
    parts = (row.destination, row.origin or "any", row.hs_prefix or "any")
    return ":".join(("duties", *parts, row.valid_from.isoformat()))
