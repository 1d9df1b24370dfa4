"""Published optima of OR-Library, from the file through the folder to the plan."""

from pathlib import Path

import pytest

from api.cli import run
from core.errors import BadInput
from core.folder.orlib import brand_of, parse, read_orlib
from core.folder.reader import check_folder
from routing.allocation.allocate import allocate

FILES = Path(__file__).parents[2] / "orlib"

OPTIMA = {
    "cap41": 1040444.375,
    "cap64": 1045650.250,
    "cap94": 946051.325,
    "cap134": 928941.750,
}

TINY = "2 1\n10 5\n10 100\n4\n8 2\n"


@pytest.mark.parametrize("name", OPTIMA)
def test_the_published_optimum_is_reached_and_proven(name: str) -> None:
    made = allocate(read_orlib(FILES / f"{name}.txt"))
    assert made.objective == pytest.approx(OPTIMA[name], rel=1e-6)
    assert made.bound == pytest.approx(OPTIMA[name], rel=1e-6)
    assert made.units["unmet"] == 0
    assert made.status == "optimal"


def test_a_tiny_case_is_solved_as_by_hand() -> None:
    """The near warehouse is opened for 5 and serves all for 8; the far one would cost 102."""
    made = allocate(brand_of(parse(TINY, "tiny.txt"), "tiny"))
    assert made.objective == pytest.approx(13.0)
    assert made.open_sites == ("W001",)


def test_the_command_writes_a_folder_that_is_sound(tmp_path: Path) -> None:
    folder = tmp_path / "brand"
    assert run(["import", "orlib", str(FILES / "cap41.txt"), str(folder)]) == 0
    assert check_folder(folder).problems == ()


def test_a_capacity_that_the_file_leaves_open_is_given(tmp_path: Path) -> None:
    """The files capa, capb and capc say `capacity`, as each stands for four problems."""
    path = tmp_path / "capx.txt"
    path.write_text("2 1\ncapacity 5\ncapacity 100\n4\n8 2\n")
    assert allocate(read_orlib(path, 10.0)).objective == pytest.approx(13.0)
    assert run(["import", "orlib", str(path), str(tmp_path / "a"), "--capacity", "10"]) == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "end of the file"),
        ("2 1\n10 5\ncapacity 100\n4\n8 2\n", "bad.txt:3:1: this file leaves the capacity"),
        ("2 1\n10 5\nmuch 100\n4\n8 2\n", "bad.txt:3:1: expected a capacity >= 0, got 'much'"),
        ("2 1\n10 5\n10 100\n4\n8 -2\n", "bad.txt:5:2: expected a cost >= 0"),
        ("2 1\n10 5\n10 100\n4.123456\n8 2\n", "bad.txt:0:0: expected capacities and demands of"),
        ("2 1\n1 5\n2 100\n4\n8 2\n", "bad.txt:0:0: expected capacities that add up to 4"),
        ("2 1\n10 5\n10 100\n4\n8\n", "end of the file"),
        (TINY + "7\n", "bad.txt:6:1: expected the end of the file"),
        ("0 1\n", "whole number of warehouses"),
        ("900000 900000\n", "at most"),
        ("1e300 1\n", r"expected at most 5,000,000 warehouses, got 1e\+300$"),
        ("2 1\n1_0 5\n", "bad.txt:2:1: expected a capacity >= 0, got '1_0'"),
        ("2 1\n10 nan\n", "fixed cost"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        parse(text, "bad.txt")


def test_a_mark_at_the_head_of_a_file_is_no_part_of_its_first_number(tmp_path: Path) -> None:
    path = tmp_path / "marked.txt"
    path.write_text(TINY, encoding="utf-8-sig")
    assert read_orlib(path).table("sites")["site"].tolist() == ["W001", "W002"]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_orlib(tmp_path / "none.txt")


def test_parts_of_units_change_no_cost() -> None:
    """Customers may be served in part: a quarter of a unit here and there is planned exactly."""
    text = "2 2\n3.25 10\n5 10\n4.5\n9 18\n3\n6 12\n"
    brand = brand_of(parse(text, "parts.txt"), "parts")
    made = allocate(brand, gap=0.0)
    assert made.objective == pytest.approx(20 + 2 * 3.25 + 4 * 4.25)
