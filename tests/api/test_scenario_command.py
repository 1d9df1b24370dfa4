"""`entrepot scenario` on a folder and `entrepot worker --burst` on a database."""

import json
from pathlib import Path

import pytest

from api.cli import run
from api.commands.opening import open_database
from api.database import session_factory
from api.queue import store
from api.services import scenarios
from api.services.brands import load_brand
from api.settings import Settings
from core.clock import SystemClock
from core.folder.writer import write_brand
from core.ids import Entropy
from tests.builders import two_sites_one_item

MORE = 'name = "More"\n[[override]]\ndemand = "DE"\nfactor = 1.5\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_brand(two_sites_one_item(), tmp_path / "brand")
    (tmp_path / "more.toml").write_text(MORE)
    return tmp_path


def test_scenarios_run_with_their_base_and_compare_again_from_their_files(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "out"
    command = ["scenario", "run", str(folder / "brand"), str(folder / "more.toml"), "--json"]
    assert run([*command, "--out", str(out)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["scenario"]["name"] for each in document["outcomes"]] == ["base", "More"]
    assert sorted(path.name for path in out.iterdir()) == [
        "00-base.json", "00-base.prices.parquet", "01-more.json", "01-more.prices.parquet",
    ]  # fmt: skip
    results = [str(out / "00-base.json"), str(out / "01-more.json")]
    assert run(["scenario", "compare", *results, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == document["comparison"]
    assert run(command) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["outcomes"] == document["outcomes"]


def test_tables_are_for_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scenario", "run", str(folder / "brand"), str(folder / "more.toml")]) == 0
    shown = capsys.readouterr().out
    assert "what pays for the difference" in shown
    assert "More" in shown


def test_a_faulty_scenario_ends_with_2_and_its_place(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "more.toml").write_text(MORE.replace('"DE"', '"FR"'))
    assert run(["scenario", "run", str(folder / "brand"), str(folder / "more.toml")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("more.toml:3:0: demand 'FR' matches nothing")


@pytest.mark.parametrize("content", ["[", "{}", "3"])
def test_a_file_that_is_no_outcome_is_bad_input(
    folder: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "result.json"
    path.write_text(content)
    assert run(["scenario", "compare", str(path), str(path)]) == 2
    assert capsys.readouterr().err.startswith("result.json:0:0: ")


def test_a_worker_in_burst_mode_ends_when_no_job_is_due(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    entropy: Entropy,
) -> None:
    monkeypatch.setenv("ENTREPOT_HOME", str(tmp_path / "home"))
    clock = SystemClock()
    with open_database(Settings()) as engine:
        sessions = session_factory(engine)
        with sessions.begin() as session:
            load_brand(session, two_sites_one_item(), clock, entropy)
            made = scenarios.create_scenario(session, {"name": "x"}, clock, entropy).id
            job = scenarios.request_run(session, made, 0, clock, entropy).job.id
        assert run(["worker", "--burst", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["jobs"] == 1
        with sessions.begin() as session:
            assert store.job_of(session, job).state == "succeeded"


@pytest.mark.parametrize(
    "text",
    ["a=" + "[" * 20_000, "a=" + "1" * 5_000, MORE + "note=07:32:00", MORE + "x=1" + "0" * 400],
)
def test_a_scenario_that_nothing_can_keep_ends_with_2_and_writes_nothing(
    folder: Path, text: str
) -> None:
    """Such files ended in a traceback, the one with a time after everything was computed."""
    (folder / "more.toml").write_text(text)
    files = [str(folder / "brand"), str(folder / "more.toml")]
    assert run(["scenario", "run", *files, "--out", str(folder / "out")]) == 2
    assert not (folder / "out").exists()
