"""`entrepot plan` and `entrepot reference` on folders and files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from api.cli import run
from core.folder.writer import write_brand
from routing.allocation.prices import save_prices
from tests.builders import two_sites_one_item
from tests.routing.fulfillment.test_planning import dear_stock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "brand"
    path.mkdir()
    write_brand(two_sites_one_item(), path)
    return path


def written(tmp_path: Path, **changes: Any) -> str:
    body = {"order": "O", "region": "DE", "currency": "EUR",
            "lines": [{"line": 1, "item": "MUG", "quantity": 2}], **changes}  # fmt: skip
    path = tmp_path / "order.json"
    path.write_text(json.dumps(body), encoding="utf-8")
    return str(path)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Mapping[str, Any]:
    assert run([*arguments, "--json"]) == 0
    found: Mapping[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_an_order_is_planned_when_the_planning_date_begins(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = told(capsys, "plan", str(folder), written(tmp_path))
    assert (made["id"], made["status"], made["reservation"]) == (None, "planned", None)
    assert made["placed_at"] == "2026-09-07T00:00:00Z"
    assert made["legs"][0]["site"] == "DE-HAM"


def test_prices_of_an_allocation_change_the_plan(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_prices(dear_stock("DE-HAM", 500.0), tmp_path / "prices.parquet")
    order = written(tmp_path)
    made = told(capsys, "plan", str(folder), order, "--prices", str(tmp_path / "prices.parquet"))
    assert made["legs"][0]["site"] == "TH-BKK"


def test_people_see_legs_costs_and_the_options_that_lost(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", str(folder), written(tmp_path)]) == 0
    shown = capsys.readouterr().out
    for part in ("DE-HAM", "proven the cheapest", "shipping", "why they lost", "dearer"):
        assert part in shown


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"currency": "USD"}, "/currency: Expected the settlement currency EUR"),
        ({"colour": "red"}, "/colour: Extra inputs are not permitted"),
        ({"lines": [{"line": 1, "item": "CUP", "quantity": 1}]}, "/lines/0/item: No item"),
        ({"lines": [{"line": 1, "item": "MUG", "quantity": -1}]}, "/lines/0/quantity: "),
        ({"address": {"country": "DE"}}, "/region: Expected either region or address"),
        ({"placed_at": "9999-12-31T23:59:59-12:00"}, "/placed_at: Value error, expected a moment"),
        ({"promise_by": "0001-01-01T00:00:00+14:00"}, "/promise_by: Value error, expected"),
    ],
)
def test_a_bad_order_ends_with_two_and_names_the_place(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any], said: str,
) -> None:  # fmt: skip
    assert run(["plan", str(folder), written(tmp_path, **changes), "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err


@pytest.mark.parametrize("content", ["{", "[1]", "NaN", '"text"', "[" * 100_000])
def test_a_file_that_is_no_order_ends_with_two(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    path = tmp_path / "order.json"
    path.write_text(content, encoding="utf-8")
    assert run(["plan", str(folder), str(path)]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert run(["plan", str(folder), str(tmp_path / "missing.json")]) == 2


def test_rows_that_nobody_checked_for_half_a_year_are_old(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fresh = told(capsys, "reference", "--today", "2026-11-22")
    rules = next(t for t in fresh["tables"] if t["table"] == "customs rules")
    assert (rules["old"], rules["rows"] > 20) == (0, True)
    late = told(capsys, "reference", "--today", "2027-06-01")
    assert late["old"] == len(late["rows"])
    assert all(row["source"] for row in late["rows"])
    assert run(["reference"]) == 0
