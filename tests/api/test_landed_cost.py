"""Landed-cost quotes through both doors: the same document, clear refusals, roles."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from api.cli import run
from api.database import session_factory
from api.services.brands import load_brand
from core.brand import Brand
from core.folder.writer import complete, write_brand
from core.ids import Entropy
from tests.builders import brand_of
from tests.fakes import FakeClock

URL = "/v1/landed-cost-quotes"
Headers = Mapping[str, str]
Document = dict[str, Any]

BRAND = brand_of(
    items=[
        {"item": "SHIRT", "weight_kg": 0.2, "value": 20, "hs_code": "61091000", "origin": "CN"},
        {"item": "MUG", "weight_kg": 0.5, "value": 15, "hs_code": "691110", "origin": "CN"},
    ],
    sites=[{"site": "CN-SZX", "tier": "bonded", "country": "CN", "latitude": 22.5,
            "longitude": 114.0}],
    regions=[{"region": "DE", "country": "DE", "latitude": 52.5, "longitude": 13.4}],
    duties=[{"destination": "EU", "hs_prefix": "6109", "duty_rate": 0.12,
             "valid_from": "2020-01-01", "source": "TARIC"}],
    taxes=[{"country": "DE", "rate": 0.19, "valid_from": "2021-01-01", "source": "UStG"}],
    fx=[{"currency": "USD", "date": "2026-08-01", "rate": 0.9}],
)  # fmt: skip


def body(**changes: Any) -> Document:
    return {
        "from_country": "CN", "to_country": "DE", "freight": {"amount": 500, "currency": "EUR"},
        "lines": [{"line": 1, "item": "SHIRT", "quantity": 1},
                  {"line": 2, "item": "MUG", "quantity": 1}],
        **changes,
    }  # fmt: skip


@pytest.fixture
def ask(client: TestClient, engine: Engine, entropy: Entropy, keys: Mapping[str, Headers]) -> Any:
    with session_factory(engine)() as session:
        load_brand(session, BRAND, FakeClock(), entropy)
        session.commit()
    return lambda sent: client.post(URL, json=sent, headers=keys["order-service"])


def test_a_quote_names_every_term_its_rows_and_who_pays(ask: Any) -> None:
    """A shirt and a mug on 2026-09-07: EUR 3 twice; VAT 19 % of 35 + 5 + 6 = 8.74 at checkout."""
    response = ask(body())
    assert response.status_code == 200, response.text
    quote = response.json()
    totals = {term: money["amount"] for term, money in quote["totals"].items()}
    assert totals == {"goods": 3500, "freight": 500, "duty": 600, "tax": 874, "fees": 0,
                      "charges": 0, "total": 5474}  # fmt: skip
    assert [line["duty"]["amount"] for line in quote["lines"]] == [300, 300]
    assert quote["paid"] == {
        "seller": {"amount": 600, "currency": "EUR"},
        "checkout": {"amount": 874, "currency": "EUR"},
        "door": {"amount": 0, "currency": "EUR"},
        "who": {"duty": "seller", "tax_at_checkout": "checkout"},
    }
    applied = {row["id"]: row for row in quote["rules"] if row["applied"]}
    flat = applied["EU:flat_duty_per_category:2026-07-01"]
    assert (flat["valid_to"], flat["checked_on"]) == ("2028-06-30", "2026-11-27")
    assert "2026/382" in flat["source"]
    assert applied["taxes:DE:vat:2021-01-01"]["source"] == "UStG"
    assert quote["estimate"] is True
    assert quote["on"] == "2026-09-07"


def test_the_day_and_the_terms_change_the_answer(ask: Any) -> None:
    later = ask(body(on="2028-07-01", incoterm="DAP", tax_at_checkout=False)).json()
    assert later["basis"] == "ad valorem by tariff"
    assert later["lines"][0]["duty_rule"] == "duties:EU:any:6109:2020-01-01"
    assert later["lines"][1]["duty_rule"] is None
    assert any("Line 2" in doubt for doubt in later["doubts"])
    due = sum(later["totals"][term]["amount"] for term in ("duty", "tax", "fees", "charges"))
    assert later["paid"]["door"]["amount"] == due > 0


def test_goods_that_the_brand_does_not_list_are_described(ask: Any) -> None:
    """USD 100 at 0.9 is EUR 90, the rate is that of 1 August, more than a week old in September."""
    line = {"line": 1, "hs_code": "420221", "origin": "VN", "quantity": 1, "weight_kg": 1.5,
            "value": {"amount": 10000, "currency": "USD"}}  # fmt: skip
    quote = ask(body(lines=[line])).json()
    assert quote["totals"]["goods"] == {"amount": 9000, "currency": "EUR"}
    assert quote["exchange"] == [
        {"currency": "USD", "rate": 0.9, "on": "2026-08-01", "source": "fx.csv"}
    ]
    assert "The rate of USD is that of 2026-08-01, the last known." in quote["doubts"]
    in_dollars = ask(body(lines=[line], currency="USD")).json()
    assert in_dollars["totals"]["duty"] == {"amount": 333, "currency": "USD"}


REFUSED: list[tuple[Document, str]] = [
    ({"customs_route": "domestic"}, "/customs_route"),
    ({"channel": "cbec"}, "/channel"),
    ({"to_country": "XX"}, "/to_country"),
    ({"currency": "ABC"}, "/currency"),
    ({"lines": [{"line": 1, "item": "NONE", "quantity": 1}]}, "/lines/0/item"),
    ({"lines": [{"line": 1, "hs_code": "6109", "quantity": 1}]}, "/lines/0"),
    ({"lines": [{"line": 1, "item": "MUG", "quantity": 1}] * 2}, "/lines/1/line"),
    ({"freight": {"amount": -1, "currency": "EUR"}}, "/freight/amount"),
    ({"incoterm": "EXW"}, "/incoterm"),
    ({"weight": 1}, "/weight"),
]


def test_what_does_not_fit_is_refused_at_its_place(ask: Any) -> None:
    for changes, pointer in REFUSED:
        response = ask(body(**changes))
        assert response.status_code == 422, changes
        assert pointer in [error["pointer"] for error in response.json()["errors"]], changes


def test_a_day_before_any_rate_is_refused_with_what_would_help(ask: Any) -> None:
    line = {"line": 1, "hs_code": "4202", "origin": "VN", "quantity": 1, "weight_kg": 1,
            "value": {"amount": 100, "currency": "VND"}}  # fmt: skip
    response = ask(body(lines=[line]))
    assert response.status_code == 422
    assert "add a row to fx.csv with currency VND" in response.json()["detail"]


def test_only_the_order_service_may_ask(
    client: TestClient, loaded: Brand, keys: Mapping[str, Headers]
) -> None:
    assert client.post(URL, json=body(), headers=keys["carrier"]).status_code == 403
    assert client.post(URL, json=body()).status_code == 401


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "brand"
    path.mkdir()
    write_brand(BRAND.with_table("fx", complete("fx", BRAND.table("fx"))), path)
    return path


def test_the_command_prints_the_document_that_the_service_answers(
    folder: Path, tmp_path: Path, ask: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    question = tmp_path / "quote.json"
    question.write_text(json.dumps(body(on="2026-09-07")), encoding="utf-8")
    assert run(["landed-cost", str(folder), str(question), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ask(body()).json()


def test_people_see_terms_payers_and_rows(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    question = tmp_path / "quote.json"
    question.write_text(json.dumps(body()), encoding="utf-8")
    assert run(["landed-cost", str(folder), str(question)]) == 0
    shown = capsys.readouterr().out
    for expected in (
        "54.74",
        "customer at checkout",
        "EU:flat_duty_per_category",
        "Customs decide",
    ):
        assert expected in shown
    question.write_text("[]", encoding="utf-8")
    assert run(["landed-cost", str(folder), str(question)]) == 2
