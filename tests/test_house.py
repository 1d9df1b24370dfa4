"""The floor plan: the folders at the root are the layers that import-linter holds."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
NOT_ROOMS = {"tests", "docs", "build", "dist", "node_modules"}


def test_every_room_has_its_layer() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contract = project["tool"]["importlinter"]["contracts"][0]
    layers = {room.strip() for layer in contract["layers"] for room in layer.split("|")}
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0].isalpha()}
    assert rooms - NOT_ROOMS == layers
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == layers
