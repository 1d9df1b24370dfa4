"""Commands that cannot do their work say why in one sentence, before they begin."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from api.cli import run
from core.folder.writer import write_brand
from tests.builders import two_sites_one_item

SCENARIO = 'name = "More"\n[[override]]\ndemand = "DE"\nfactor = 1.5\n'


@pytest.fixture
def folder(tmp_path: Path) -> str:
    write_brand(two_sites_one_item(), tmp_path / "brand")
    (tmp_path / "more.toml").write_text(SCENARIO)
    return str(tmp_path / "brand")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENTREPOT_CARRIER_SECRETS", '{"a": ["topsecret"]}'),
        ("ENTREPOT_CARRIER_SECRETS", '{"topsecret": 1}'),
        ("ENTREPOT_CARRIER_SECRETS", "topsecret"),
        ("ENTREPOT_MAX_BODY_BYTES", "topsecret"),
        ("ENTREPOT_DURABLE", "topsecret"),
        ("ENTREPOT_DATABASE_URL", "mysql://me:topsecret@localhost/name"),
        ("ENTREPOT_DATABASE_URL", "postgresql+none://me:topsecret@localhost/name"),
        ("ENTREPOT_DATABASE_URL", "postgresql://me:topsecret@localhost:port/name"),
    ],
)
def test_a_bad_variable_is_named_and_its_value_never_shown(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    value: str,
) -> None:
    """Pydantic quoted the refused value, and so a carrier's secret, on stderr."""
    monkeypatch.setenv("ENTREPOT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(name, value)
    assert run(["reconcile"]) == 2
    said = capsys.readouterr().err
    assert name in said
    assert "topsecret" not in said
    assert len(said.splitlines()) == 1


def test_every_bad_variable_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One clear line for each, not the first alone."""
    monkeypatch.setenv("ENTREPOT_HOLD_MINUTES", "0")
    monkeypatch.setenv("ENTREPOT_MAX_BODY_BYTES", "many")
    assert run(["reconcile"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in said] == [
        "ENTREPOT_MAX_BODY_BYTES",
        "ENTREPOT_HOLD_MINUTES",
    ]


@pytest.mark.parametrize("below", ["", "/home"])
def test_a_home_that_is_a_file_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, below: str
) -> None:
    """A home that is a file, or lies below one, ended as a raw FileExistsError."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ENTREPOT_HOME", f"{tmp_path}/file{below}")
    assert run(["reconcile"]) == 2
    assert capsys.readouterr().err.startswith("ENTREPOT_HOME ")


def test_a_database_file_of_junk_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Junk in entrepot.sqlite ended as a raw DatabaseError of SQLAlchemy."""
    (tmp_path / "entrepot.sqlite").write_bytes(b"junk" * 1000)
    monkeypatch.setenv("ENTREPOT_HOME", str(tmp_path))
    assert run(["reconcile"]) == 2
    assert capsys.readouterr().err == f"{tmp_path}/entrepot.sqlite:0:0: file is not a database\n"


@pytest.mark.parametrize("place", ["/proc", "{file}"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["forecast", "{brand}", "--out", "{place}/x.parquet"],
        ["allocate", "{brand}", "--out", "{place}/x"],
        ["scenario", "run", "{brand}", "{brand}/../more.toml", "--out", "{place}/x"],
        ["example", "three-tier", "{place}/x"],
        ["example", "online-retail", "{place}/x"],
        ["import", "template", "{place}/x.xlsx"],
        ["import", "excel", "{file}", "{place}/x"],
    ],
    ids=lambda arguments: "-".join(arguments[:2]),
)
def test_a_result_that_cannot_be_written_is_told_before_the_work(
    folder: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    place: str,
) -> None:
    """Long work was done first, and a raw OSError then lost it."""
    (tmp_path / "file").write_text("")
    file = str(tmp_path / "file")
    place = place.format(file=file)
    given = [each.format(brand=folder, place=place, file=file) for each in arguments]
    assert run(given) == 2
    assert "Nothing can be written in" in capsys.readouterr().err


def test_a_file_is_not_written_below_a_folder_that_is_missing(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`forecast --out /nope/x.parquet` forecast first and then raised a FileNotFoundError."""
    assert run(["forecast", folder, "--out", f"{folder}/nope/x.parquet"]) == 2
    assert "No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("gap", ["nan", "inf", "-1", "1.1"])
def test_a_gap_that_is_no_share_is_refused(folder: str, gap: str) -> None:
    """nan passes every comparison of a range and was accepted."""
    assert run(["allocate", folder, "--gap", gap]) == 2


@pytest.mark.parametrize("seed", ["-1", "99999999999999"])
def test_a_seed_beyond_its_range_is_refused(
    folder: str, seed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`scenario run` alone took any seed, and numpy failed on it later or never."""
    assert run(["scenario", "run", folder, f"{folder}/../more.toml", "--seed", seed]) == 2
    assert "range" in capsys.readouterr().err


def test_a_command_runs_with_stdout_closed(folder: str) -> None:
    """With stdout closed, asking it whether it is a terminal ended as an AttributeError."""
    done = subprocess.run(
        ["/bin/sh", "-c", '"$0" -m api.cli score "$1" >&-', sys.executable, folder],
        env=dict(os.environ), stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_under_stdout_is_one_sentence(folder: str) -> None:
    """What no command foresaw was told as a class of Python; here the last net tells the reason."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "api.cli", "score", folder],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.stderr.splitlines()[0] == "No space left on device"
