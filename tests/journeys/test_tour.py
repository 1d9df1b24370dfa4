"""The main job from end to end: real orders, real processes, every door."""

import os
import subprocess
import sys
from pathlib import Path

CHAPTERS = (
    "1. Demand forecast",
    "2. Allocation",
    "10 of 10 orders planned, held and confirmed",
    "in_transit",
    "delivered",
    "5. A flood in Thailand",
    "watch",
    "What if: Hamburg at half capacity",
)


def test_the_tour_tells_every_chapter_and_leaves_nothing_running(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "tour", "--once", "--items", "40"],
        env={**os.environ, "ENTREPOT_HOME": str(home)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for chapter in CHAPTERS:
        assert chapter in done.stdout, chapter
    assert "secret" not in done.stdout + done.stderr
    assert not (home / "tour" / "valkey.folder").exists()
    assert not running_with(home)


def running_with(home: Path) -> list[str]:
    """Processes of this machine whose settings name the home folder (where /proc tells)."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            content = environment.read_bytes()
        except OSError:  # it ended, or it is somebody else's
            continue
        if str(home).encode() in content:
            found.append(environment.parent.name)
    return found
