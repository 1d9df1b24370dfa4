"""Front-end files: locked, copied with their licenses, and missed loudly."""

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.console.assets import FILES, copy_assets, missing_assets
from core.errors import NotFound

ROOT = Path(__file__).parents[2]


def test_copying_brings_every_file_and_none_is_missing_then(tmp_path: Path) -> None:
    modules, vendor = tmp_path / "node_modules", tmp_path / "vendor"
    for source in FILES.values():
        path = modules / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    assert len(missing_assets(vendor)) == len(FILES)
    assert len(copy_assets(modules, vendor)) == len(FILES)
    assert missing_assets(vendor) == []
    assert (vendor / "htmx.min.js").read_text() == "htmx.org/dist/htmx.min.js"


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="d3-array"):
        copy_assets(tmp_path, tmp_path / "vendor")


def test_every_package_that_is_copied_brings_its_license() -> None:
    packages = {source.split("/")[0] for source in FILES.values()}
    licensed = {source.split("/")[0] for source in FILES.values() if source.endswith("LICENSE")}
    assert packages == licensed


def test_versions_are_exact_and_the_lock_names_no_registry() -> None:
    package = json.loads((ROOT / "package.json").read_text())
    assert all(version[0].isdigit() for version in package["dependencies"].values())
    lock = (ROOT / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert "://" not in lock
    for name, version in package["dependencies"].items():
        assert json.loads(lock)["packages"][f"node_modules/{name}"]["version"] == version


def test_a_page_says_what_to_run_when_files_are_missing(
    planner: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.console.door.missing_assets", lambda: ["htmx.min.js"])
    page = planner.get("/").text
    assert "python -m api.console.assets" in page
