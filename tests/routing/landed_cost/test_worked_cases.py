"""Landed cost against cases worked out by hand from the law: see `worked_cases.toml`."""

from collections import Counter
from typing import Any

import pytest

from routing.landed_cost import charges, rules
from routing.landed_cost.document import document_of
from tests.routing.landed_cost.cases import BOOK, CASES, answer, question_of

TERMS = ("duty", "tax", "fees", "charges")
PAYERS = ("seller", "checkout", "door")


def minor(amount: str) -> int:
    return int(amount.replace(".", ""))  # every currency of the cases has two decimals


def told(case: dict[str, Any]) -> dict[str, int]:
    """What the program says to a case, in minor units."""
    found = document_of(answer(question_of(case)))
    assert found["totals"]["duty"]["currency"] == case["currency"]
    terms = {term: found["totals"][term]["amount"] for term in TERMS}
    return terms | {payer: found["paid"][payer]["amount"] for payer in PAYERS}


def worked(case: dict[str, Any]) -> dict[str, int]:
    """What was worked out by hand, in minor units."""
    return {name: minor(amount) for name, amount in case["expected"].items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_case_comes_out_as_worked_by_hand(case: dict[str, Any]) -> None:
    assert told(case) == worked(case)


def test_no_row_of_law_could_be_missing_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one row a case comes out wrong, but for rows that decide nothing alone."""
    listed, covered = rules.rules(), {case["to_country"] for case in CASES} | {"EU"}
    unseen = []
    for row in listed:
        without = tuple(other for other in listed if other is not row)
        monkeypatch.setattr(rules, "rules", lambda without=without: without)
        if row.jurisdiction in covered and not _seen():
            unseen.append(row.id)
    assert unseen == [
        "US:duty_relief:2025-08-29",  # a relief of 0
        "TH:duty_relief:2026-01-01",  # a relief of 0
        "SG:duty_relief:2020-01-01",  # Singapore's duty on these goods is 0
        "CN:checkout_tax_limit:cbec:2019-01-01",  # in this scheme the buyer pays all of it anyhow
    ]


def test_no_charge_could_be_missing_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = charges.charges()
    for row in listed:
        without = tuple(other for other in listed if other is not row)
        monkeypatch.setattr(charges, "charges", lambda without=without: without)
        assert _seen(), row.id


def _seen() -> bool:
    return any(told(case) != worked(case) for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_what_is_expected_of_a_case_adds_up(case: dict[str, Any]) -> None:
    """The hand-worked figures themselves: payers pay every term, and the words name the figures."""
    expected = worked(case)
    assert sum(expected[term] for term in TERMS) == sum(expected[payer] for payer in PAYERS)
    assert case["source"]
    words = case["arithmetic"].rstrip(".")
    for term in ("duty", "tax"):
        amount = case["expected"][term]
        assert minor(amount) == 0 or amount.removesuffix(".00") in words, f"{term} {amount}"


def test_the_cases_cover_what_the_service_promises() -> None:
    """At least 40, in every destination, on both sides of every date, by every route and term."""
    countries = Counter(case["id"].partition("-")[0] for case in CASES)
    assert len(CASES) >= 40
    assert set(countries) >= {"EU", "GB", "US", "TH", "AE", "SG", "AU", "CN"}
    assert min(countries.values()) >= 5
    europe = {str(case["on"]) for case in CASES if case["id"].startswith("EU")}
    assert {"2026-06-30", "2026-07-01", "2028-06-30", "2028-07-01"} <= europe
    assert {question_of(case).route for case in CASES} == {
        "domestic", "cross_border", "bonded_release",
    }  # fmt: skip
    assert {case.get("incoterm", "DDP") for case in CASES} == {"DDP", "DAP"}
    assert len({case["id"] for case in CASES}) == len(CASES)
    assert BOOK["duties"]
