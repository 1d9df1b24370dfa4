"""Landed cost against cases worked out by hand from the law: see `worked_cases.toml`."""

from collections import Counter
from typing import Any

import pytest

from routing.landed_cost.document import document_of
from tests.routing.landed_cost.cases import BOOK, CASES, answer, question_of

TERMS = ("duty", "tax", "fees", "charges")
PAYERS = ("seller", "checkout", "door")


def minor(amount: str) -> int:
    return int(amount.replace(".", ""))  # every currency of the cases has two decimals


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_case_comes_out_as_worked_by_hand(case: dict[str, Any]) -> None:
    found = document_of(answer(question_of(case)))
    told = {term: found["totals"][term]["amount"] for term in TERMS}
    told |= {payer: found["paid"][payer]["amount"] for payer in PAYERS}
    assert told == {name: minor(amount) for name, amount in case["expected"].items()}
    assert found["totals"]["duty"]["currency"] == case["currency"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_what_is_expected_of_a_case_adds_up(case: dict[str, Any]) -> None:
    """The hand-worked figures themselves: payers pay every term, and the words name the figures."""
    expected = {name: minor(amount) for name, amount in case["expected"].items()}
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
