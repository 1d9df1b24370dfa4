"""What holds for every quote: lines add up, payers add up, only thresholds and categories jump."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from core.errors import BadInput
from core.money import Money
from routing.landed_cost.charges import Entry, charges, charges_on
from routing.landed_cost.cost import ConsignmentLine
from routing.landed_cost.document import TERMS, document_of
from routing.landed_cost.quote import Question, Quote
from routing.landed_cost.regime import CustomsRoute, Terms
from tests.routing.landed_cost.cases import CASES, answer, question_of, thing

DAYS = [date.fromisoformat(day) for day in (
    "2022-12-31", "2024-07-05", "2025-08-29", "2025-12-31", "2026-06-30", "2026-07-01",
    "2026-09-01", "2028-06-30", "2028-07-01", "2029-04-01",
)]  # fmt: skip
CURRENCY = {"DE": "EUR", "FR": "EUR", "IT": "EUR", "RO": "EUR", "GB": "GBP", "US": "USD",
            "TH": "THB", "AE": "AED", "SG": "SGD", "AU": "AUD", "CN": "CNY"}  # fmt: skip
GOODS = [("610910", "CN"), ("610910", "VN"), ("691110", "CN"), ("420221", "VN"), ("950300", "DE")]

ROUTES: list[CustomsRoute] = ["cross_border", "cross_border", "bonded_release", "domestic"]

amounts = st.decimals("0", "3000", places=2)


@st.composite
def lines(draw: st.DrawFn) -> tuple[ConsignmentLine, ...]:
    count = draw(st.integers(1, 5))
    return tuple(
        ConsignmentLine(
            str(at),
            thing(*draw(st.sampled_from(GOODS)), draw(st.sampled_from(["0", "0.2", "1.3", "7"]))),
            draw(st.integers(1, 9)),
            draw(amounts | st.decimals("0", "60", places=2)),
        )
        for at in range(count)
    )


@st.composite
def questions(draw: st.DrawFn) -> Question:
    country = draw(st.sampled_from(sorted(CURRENCY)))
    route: CustomsRoute = draw(st.sampled_from(ROUTES))
    channels = ["courier", "post", "freight"] + (["cbec"] if country == "CN" else [])
    return Question(
        from_country="JP" if route == "cross_border" else country,
        to_country=country,
        on=draw(st.sampled_from(DAYS)),
        currency=draw(st.sampled_from([CURRENCY[country], "EUR", "USD"])),
        lines=draw(lines()),
        terms=Terms(draw(st.sampled_from(channels)), draw(st.booleans())),
        freight=draw(st.decimals("0", "90", places=2)),
        incoterm=draw(st.sampled_from(["DDP", "DAP"])),
        carrier=draw(st.sampled_from(["", "Royal Mail", "Deutsche Post", "DHL Express"])),
        stated=route,
    )


def tolls(quote: Quote) -> Decimal:
    return quote.cost.total + quote.charged


def near(a: Decimal, b: Decimal) -> bool:
    """Equal but for the 28 digits to which a share by weight is kept."""
    return abs(a - b) < Decimal("1e-15")


def minors(parts: Sequence[dict[str, Any]]) -> int:
    return sum(part["amount"] for part in parts)


@settings(deadline=None)
@given(questions())
@example(question_of(next(case for case in CASES if case["id"] == "SG-07")))
def test_lines_add_up_to_totals_and_payers_to_what_is_due(asked: Question) -> None:
    quote = answer(asked)
    document = document_of(quote)
    totals, paid = document["totals"], document["paid"]
    for term in TERMS:
        assert minors([line[term] for line in document["lines"]]) == totals[term]["amount"]
    assert minors([totals[term] for term in TERMS]) == totals["total"]["amount"]
    assert minors([line["total"] for line in document["lines"]]) == totals["total"]["amount"]
    due = minors([totals[term] for term in ("duty", "tax", "fees", "charges")])
    assert minors([paid[payer] for payer in ("seller", "checkout", "door")]) == due
    assert (
        minors([charge["amount"] for charge in document["charges"]]) == totals["charges"]["amount"]
    )


@settings(deadline=None)
@given(questions())
def test_a_total_is_its_exact_sum_rounded_once(asked: Question) -> None:
    quote = answer(asked)
    document = document_of(quote)
    exact = {"duty": quote.cost.duty, "tax": quote.cost.tax, "fees": quote.cost.fees}
    for term, amount in exact.items():
        assert document["totals"][term] == Money.of(amount, asked.currency).as_json()
    unit = Decimal(1).scaleb(-2)
    for line, told in zip(quote.cost.lines, document["lines"], strict=True):
        assert abs(line.tax - Decimal(told["tax"]["amount"]).scaleb(-2)) < unit


@settings(deadline=None)
@given(questions(), amounts, st.integers(0, 4))
def test_dearer_goods_never_cost_less_under_the_same_rules(
    asked: Question, more: Decimal, which: int
) -> None:
    """Only a limit that is crossed may make dearer goods cheaper: EUR 3 can exceed a tariff."""
    at = which % len(asked.lines)
    line = asked.lines[at]
    raised = replace(line, unit_value=line.unit_value + more)
    dearer = replace(asked, lines=(*asked.lines[:at], raised, *asked.lines[at + 1 :]))
    before, after = answer(asked), answer(dearer)
    same = [found.applied for found in before.rows] == [found.applied for found in after.rows]
    assume(same and [c.id for c, _ in before.charges] == [c.id for c, _ in after.charges])
    assert after.cost.duty >= before.cost.duty
    assert tolls(after) >= tolls(before)


@settings(deadline=None)
@given(questions(), amounts)
def test_dearer_freight_never_lowers_tax_under_the_same_rules(
    asked: Question, more: Decimal
) -> None:
    before, after = answer(asked), answer(replace(asked, freight=asked.freight + more))
    assume(before.cost.kind == after.cost.kind)
    assume([x.applied for x in before.rows] == [x.applied for x in after.rows])
    assert after.cost.duty >= before.cost.duty
    assert after.cost.tax >= before.cost.tax


@settings(deadline=None)
@given(questions())
def test_who_pays_changes_neither_duty_nor_tax_nor_fees(asked: Question) -> None:
    other = answer(replace(asked, incoterm="DAP" if asked.incoterm == "DDP" else "DDP"))
    found = answer(asked)
    assert (found.cost.duty, found.cost.tax, found.cost.fees) == (
        other.cost.duty, other.cost.tax, other.cost.fees,
    )  # fmt: skip


@settings(deadline=None)
@given(questions(), st.data())
def test_one_line_written_as_two_changes_no_total(asked: Question, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(asked.lines) - 1))
    line = asked.lines[at]
    assume(line.quantity > 1 and line.weight_kg > 0)
    first = data.draw(st.integers(1, line.quantity - 1))
    parts = (
        replace(line, line="first", quantity=first),
        replace(line, line="second", quantity=line.quantity - first),
    )
    split = answer(replace(asked, lines=(*asked.lines[:at], *parts, *asked.lines[at + 1 :])))
    whole = answer(asked)
    assert near(split.cost.duty, whole.cost.duty)
    assert near(split.cost.fees, whole.cost.fees)
    assert near(split.cost.tax, whole.cost.tax)
    assert near(split.charged, whole.charged)


@settings(deadline=None)
@given(questions(), st.data())
def test_a_split_consignment_differs_by_limits_and_categories_only(
    asked: Question, data: st.DataObject
) -> None:
    """By the tariff two parcels bear what one bore; by the flat duty, shared categories twice."""
    assume(len(asked.lines) > 1)
    cut = data.draw(st.integers(1, len(asked.lines) - 1))
    whole = answer(asked)
    halves = [
        answer(
            replace(
                asked,
                lines=asked.lines[part],
                freight=sum((line.freight for line in whole.cost.lines[part]), Decimal(0)),
            )
        )
        for part in (slice(None, cut), slice(cut, None))
    ]
    kinds = {quote.cost.kind for quote in (whole, *halves)}
    assume(len(kinds) == 1)
    duty = sum((quote.cost.duty for quote in halves), Decimal(0))
    if kinds == {"flat"}:
        shared = _categories(asked.lines[:cut]) & _categories(asked.lines[cut:])
        once = whole.cost.duty / len(_categories(asked.lines))
        assert near(duty, whole.cost.duty + once * len(shared))
    else:
        assert near(duty, whole.cost.duty)
    rates = [line.rate for quote in halves for line in quote.cost.lines]
    assert rates == [line.rate for line in whole.cost.lines]


def _categories(among: Sequence[ConsignmentLine]) -> set[str]:
    return {line.item.hs_code[:6] for line in among}


def test_a_route_that_is_not_lawful_is_refused() -> None:
    asked = question_of(CASES[0])
    with pytest.raises(BadInput, match="by cross_border, not by bonded_release"):
        answer(replace(asked, stated="bonded_release"))
    with pytest.raises(BadInput, match="exists for goods to CN only"):
        answer(replace(asked, terms=Terms("cbec")))


def test_what_is_not_certain_is_said() -> None:
    asked = question_of(CASES[0])
    assert len(answer(asked).doubts) == 1
    unlisted = replace(asked.lines[0], item=thing("950300", "CN"), unit_value=Decimal(500))
    found = answer(replace(asked, lines=(unlisted,), carrier="Pigeon"))
    assert any("no row of duties.csv covers" in doubt for doubt in found.doubts)
    assert any("No charges of Pigeon are known" in doubt for doubt in found.doubts)
    assert any("taxes.csv has no row for JP" in doubt for doubt in answer(
        replace(asked, to_country="JP", currency="EUR")
    ).doubts)  # fmt: skip


def test_charges_have_sources_and_no_consignment_bears_one_twice() -> None:
    assert all(row.source and row.checked_on and row.currency for row in charges())
    for day in DAYS:
        for channel in ("courier", "post", "freight"):
            for goods in ("1", "1000", "2500", "2500.01", "9999.99", "10000", "1000000"):
                for country in ("US", "AU", "GB", "DE"):
                    entry = Entry(country, "CN", channel, "DAP", "DHL Express", day,
                                  Decimal(goods), Decimal(50))  # fmt: skip
                    found = charges_on(entry, lambda amount, _: amount)
                    names = [charge.name.partition(" (")[0] for charge, _ in found]
                    assert len(names) == len(set(names)), (entry, names)
