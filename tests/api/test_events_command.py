"""`entrepot events` on a brand folder, with no database."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from api.cli import run
from core.folder.writer import write_brand
from tests.builders import brand_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Dubai and Bangkok before the Lunar New Year of 2027, with a supplier in Shenzhen."""
    brand = brand_of(
        sites=[
            {"site": "CN-SZX", "tier": "supplier", "country": "CN", "latitude": 22,
             "longitude": 114},
        ],
        regions=[
            {"region": "AE", "country": "AE", "latitude": 25, "longitude": 55},
            {"region": "TH", "country": "TH", "latitude": 14, "longitude": 100},
        ],
        items=[{"item": "MUG", "weight_kg": 1, "value": 1}],
        events=[{"event": "Founders' sale", "start": "2027-02-01", "region": "TH"}],
    )  # fmt: skip
    write_brand(replace(brand, today=date(2027, 1, 20)), tmp_path / "brand")
    return tmp_path / "brand"


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert run(["events", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_document_holds_events_and_shutdowns(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = printed(capsys, folder, "--weeks", 8)
    assert set(document) == {"version", "events", "shutdowns"}
    assert {
        "region": "TH", "event": "Founders' sale", "start": "2027-02-01", "end": "2027-02-01",
        "estimated": False, "source": "events.csv",
    } in document["events"]  # fmt: skip
    eid = [row for row in document["events"] if row["event"] == "Eid al-Fitr"]
    assert [(row["region"], row["start"], row["estimated"]) for row in eid] == [
        ("AE", "2027-03-09", True)
    ]
    assert document["shutdowns"] == [
        {"site": "CN-SZX", "event": "Lunar New Year shutdown", "start": "2027-01-30",
         "end": "2027-02-14"},
    ]  # fmt: skip


def test_the_horizon_of_the_brand_is_the_default(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four weeks from Monday 25 January end on 21 February, before Eid."""
    last = max(row["start"] for row in printed(capsys, folder)["events"])
    assert "2027-02-01" <= last <= "2027-02-21"


def test_one_region_can_be_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = printed(capsys, folder, "--region", "TH")
    assert {row["region"] for row in document["events"]} == {"TH"}


def test_an_unknown_region_is_bad_input(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["events", str(folder), "--region", "MARS"]) == 2
    assert "AE, TH" in capsys.readouterr().err


def test_the_table_fits_a_narrow_screen(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["events", str(folder), "--weeks", "26"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines]
    assert ["AE", "Eid", "al-Fitr", "2027-03-09", "2027-03-11", "estimated"] in rows
    assert ["TH", "Founders'", "sale", "2027-02-01", "2027-02-01", "yours"] in rows
    assert ["CN-SZX", "Lunar", "New", "Year", "shutdown", "2027-01-30", "2027-02-14"] in rows
