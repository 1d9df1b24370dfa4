"""The commands that work on the database: load, keys, the books, the sweep."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from api.cli import run
from api.database import engine_for, session_factory
from api.services.keys import authenticate
from api.settings import Settings
from core.folder.writer import write_brand
from tests.builders import two_sites_one_item


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home folder of its own for each test."""
    monkeypatch.setenv("ENTREPOT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path) -> str:
    write_brand(two_sites_one_item(), tmp_path / "brand")
    return str(tmp_path / "brand")


class Told:
    """Runs a command with `--json` and returns its document and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys, self.code = capsys, 0

    def __call__(self, *arguments: str) -> dict[str, Any]:
        self.code = run([*arguments, "--json"])
        document: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        return document


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    return Told(capsys)


def sql(statement: str) -> Sequence[Any]:
    engine = engine_for(Settings().database)
    with engine.begin() as connection:
        done = connection.execute(text(statement))
        rows = done.all() if done.returns_rows else []
    engine.dispose()
    return rows


def test_the_first_command_prepares_an_empty_database(told: Told, folder: str) -> None:
    loaded = told("load", folder)
    assert (loaded["brand"], loaded["changed"], loaded["movements"]) == ("Test brand", True, 2)
    assert loaded["counts"]["sites"] == 2
    again = told("load", folder)
    assert (again["changed"], again["movements"]) == (False, 0)
    same = told("migrate")
    assert same["from"] == same["to"]


def test_a_folder_with_problems_loads_nothing(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(folder) / "stock.csv"
    path.write_text(path.read_text().replace("50", "-50"))
    assert run(["load", folder]) == 2
    assert "stock.csv:2:" in capsys.readouterr().err


def test_a_key_is_printed_once_and_opens_until_it_is_revoked(told: Told) -> None:
    made = told("key", "create", "--role", "planner", "--name", "Ada")
    engine = engine_for(Settings().database)
    with session_factory(engine)() as session:
        assert authenticate(session, made["token"]) is not None
    listed = told("key", "list")["keys"]
    assert [(key["id"], key["name"], key["revoked"]) for key in listed] == [
        (made["id"], "Ada", False)
    ]
    assert made["token"].split("_")[2] not in json.dumps(listed)
    told("key", "revoke", made["id"])
    with session_factory(engine)() as session:
        assert authenticate(session, made["token"]) is None
    engine.dispose()


def test_an_unknown_role_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["key", "create", "--role", "king", "--name", "Ada"]) == 2
    assert "king" in capsys.readouterr().err


def test_reconcile_finds_and_repairs_drift(told: Told, folder: str) -> None:
    told("load", folder)
    assert told("reconcile") == {
        "ok": True, "repaired": False, "drift": [], "claims": [],
    }  # fmt: skip
    sql("UPDATE stock SET on_hand = 49 WHERE site = 'DE-HAM'")
    found = told("reconcile")
    assert (told.code, found["ok"], found["drift"][0]["ledger_on_hand"]) == (1, False, 50)
    assert told("reconcile", "--repair")["repaired"]
    assert (told("reconcile")["ok"], told.code) == (True, 0)


def test_a_sweep_of_a_clean_database_ends_nothing(told: Told) -> None:
    assert set(told("sweep").values()) == {0}


@pytest.mark.parametrize(
    ("url", "code"), [("nonsense", 2), ("postgresql://nobody@/nothing?host=/nowhere", 1)]
)
def test_a_database_that_cannot_be_used_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, code: int
) -> None:
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", url)
    assert run(["sweep"]) == code
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "Traceback" not in said


def test_a_database_of_another_schema_is_not_touched(capsys: pytest.CaptureFixture[str]) -> None:
    sql("CREATE TABLE something (id INTEGER)")
    assert run(["sweep"]) == 1
    assert "entrepot migrate" in capsys.readouterr().err
