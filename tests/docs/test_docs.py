"""The documentation: drawn pages are current, links lead somewhere, examples run as printed."""

import re
import subprocess
import sys
from os import environ, pathsep
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, REFERENCE

ROOT = Path(__file__).parent.parent.parent
PROSE = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CONSOLE = re.compile(r"^```console\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


@pytest.mark.parametrize("name", PAGES)
def test_a_drawn_page_is_current(name: str) -> None:
    """`make format` writes the page again after a change of the tables that it is drawn from."""
    assert (REFERENCE / name).read_text(encoding="utf-8") == PAGES[name]()


@pytest.mark.parametrize("page", PROSE, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def told(page: Path) -> list[tuple[str, str]]:
    """The commands of a page in their order, each with the output that the page shows for it."""
    steps: list[tuple[str, str]] = []
    for block in CONSOLE.findall(page.read_text(encoding="utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            steps.append((command, output))
    return steps


RUN = [page for page in PROSE if told(page)]


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_run_as_the_page_shows(page: Path, tmp_path: Path) -> None:
    """Commands of one page run one after another in one folder; `...` stands for anything."""
    scripts = str(Path(sys.executable).parent)
    env = {
        **environ,
        "PATH": f"{scripts}{pathsep}{environ['PATH']}",
        "ENTREPOT_HOME": str(tmp_path / "home"),
        "COLUMNS": "100",
    }
    for command, output in told(page):
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip
        assert done.returncode in (0, 2), f"{command}\n{done.stderr}"
        shown = done.stdout + done.stderr
        if output.strip():
            pattern = re.escape(output.strip()).replace(r"\.\.\.", ".*")
            assert re.search(pattern, shown, flags=re.DOTALL), f"{command}\n{shown}"
