"""`entrepot score` and `entrepot signals` on a brand folder, with no database."""

import json
from pathlib import Path
from typing import Any

import pytest

from api.cli import run
from core.folder.writer import write_brand
from tests.routing.disruptions.scenes import EXAMPLES, lamps_from_ayutthaya
from tests.routing.disruptions.scenes import FEEDS as RECORDED

FLOOD = EXAMPLES / "thailand-flood-2011.cap.xml"
CENTROID = EXAMPLES / "thailand-flood-2011.gdacs.xml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the brand whose lamps come from Ayutthaya."""
    write_brand(lamps_from_ayutthaya(), tmp_path / "lamps")
    return tmp_path / "lamps"


def printed(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> Any:
    assert run([str(argument) for argument in arguments]) == code
    return json.loads(capsys.readouterr().out)


def test_suppliers_are_scored(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = printed(capsys, "score", folder, "--json")
    row = document["suppliers"][0]
    assert set(row) >= {"supplier", "score", "interval", "dimensions", "evidence", "state"}
    assert row["interval"][0] <= row["score"] <= row["interval"][1]
    assert run(["score", str(folder), "--strict-drop"]) == 0


@pytest.mark.parametrize(
    ("feed", "file", "signals"),
    [
        ("cap", "canada.cap", 2),
        ("cap", "weather.cap", 1),
        ("gdacs", "gdacs-rss-small.xml", 4),
        ("nws", "alerts_active_zone_20191220.json", 1),
        ("usgs", "earthquakes-small.json", 3),
    ],
)
def test_every_feed_is_parsed(
    feed: str, file: str, signals: int, capsys: pytest.CaptureFixture[str]
) -> None:
    document = printed(capsys, "signals", "parse", feed, RECORDED / feed / file, "--json")
    assert len(document["signals"]) == signals
    assert document["refused"] == []
    keys = ("source", "source_id", "version", "kind", "title", "onset", "expires", "status",
            "geometry", "precision", "countries", "severity", "certainty")  # fmt: skip
    assert set(document["signals"][0]) >= set(keys)


@pytest.mark.parametrize("file", ["invalid.cap", "xee.cap"])
def test_what_must_be_refused_is_listed_and_exits_2(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    document = printed(capsys, "signals", "parse", "cap", RECORDED / "cap" / file, "--json", code=2)
    assert document["signals"] == []
    assert len(document["refused"]) == 1


def test_broken_xml_is_a_clear_problem(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.cap"
    broken.write_text("<alert>\n<info></alert>")
    assert run(["signals", "impact", str(folder), "cap", str(broken)]) == 2
    assert capsys.readouterr().err.startswith("broken.cap:2:9: Expected well-formed XML")
    assert run(["signals", "parse", "cap", str(tmp_path / "missing.cap")]) == 2


def test_a_flood_drafts_orders_at_the_second_supplier(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = printed(capsys, "signals", "impact", folder, "cap", FLOOD, "--json")
    (alert,) = document["alerts"]
    assert (alert["severity"], alert["sites"], alert["suppliers"]) == (
        "critical", ["TH-AYT"], ["AYUTTHAYA"],
    )  # fmt: skip
    assert (alert["items"], alert["regions"]) == (["LAMP"], ["DE", "TH"])
    assert alert["revenue_at_risk"]["currency"] == "EUR"
    assert [draft["supplier"] for draft in document["drafts"]] == ["NINGBO"]
    assert document["incidents"][0]["precision"] == "polygon"
    assert run(["signals", "impact", str(folder), "cap", str(FLOOD)]) == 0


def test_a_centroid_only_raises_a_watch(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = printed(capsys, "signals", "impact", folder, "gdacs", CENTROID, "--json")
    assert [alert["severity"] for alert in document["alerts"]] == ["watch"]
    assert document["drafts"] == []
