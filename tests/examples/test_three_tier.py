import json
from pathlib import Path

import pandas as pd
import pytest

from api.cli import run
from core.folder.reader import check_folder, read_brand
from core.folder.schema import tables
from examples import three_tier
from routing.lanes import close_passage, lanes_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("three-tier") / "teaware"
    three_tier.write(written)
    return written


def test_the_teaching_network_is_clean(folder: Path) -> None:
    checked = check_folder(folder)
    assert checked.ok, checked.problems


def test_the_teaching_network_uses_every_file_and_every_tier(folder: Path) -> None:
    brand = read_brand(folder)
    assert all(len(brand.table(name)) for name in tables())
    tiers = {"supplier", "port", "bonded", "forward", "central", "return"}
    assert set(brand.table("sites")["tier"]) == tiers
    assert brand.currency == "EUR"


def test_its_readme_names_every_file(folder: Path) -> None:
    readme = (folder / "README.md").read_text(encoding="utf-8")
    for path in folder.rglob("*"):
        if path.is_file():
            assert path.name in readme or path.name == "README.md", path


def test_some_items_cannot_be_served_in_full(folder: Path) -> None:
    """Prices are worth reading only where something is short."""
    brand = read_brand(folder)
    supply = brand.table("stock").groupby("item")["on_hand"].sum()
    supply = supply.add(brand.table("inbound").groupby("item")["quantity"].sum(), fill_value=0)
    asked = brand.table("forecast").groupby("item")["mean"].sum()
    short = supply < asked
    assert short.any()
    assert not short.all()


def test_hubs_together_can_ship_what_is_asked_but_the_central_one_cannot(folder: Path) -> None:
    brand = read_brand(folder)
    sites = brand.table("sites").dropna(subset=["outbound_units"])
    week = brand.table("forecast").groupby("start")["mean"].sum().max()
    central = sites.loc[sites["tier"] == "central", "outbound_units"].sum()
    assert central < week <= sites["outbound_units"].sum()


def test_bonded_units_would_outstay_the_bond_within_the_horizon_nowhere(folder: Path) -> None:
    brand = read_brand(folder)
    stock = brand.table("stock").merge(brand.table("sites")[["site", "bond_days"]], on="site")
    bonded = stock[stock["customs"] == "bonded"]
    held = (pd.Timestamp(brand.today) - bonded["bonded_since"]).dt.days
    assert (held + 7 * brand.horizon_weeks <= bonded["bond_days"]).all()


def test_a_closed_canal_slows_the_lanes_that_name_it(folder: Path) -> None:
    brand = read_brand(folder)
    before = {(lane.from_site, lane.to_site, lane.service): lane for lane in lanes_of(brand)}
    closed = lanes_of(close_passage(brand, "suez"))
    after = {(lane.from_site, lane.to_site, lane.service): lane for lane in closed}
    slower = {key for key in before if after[key].transit_days > before[key].transit_days}
    assert slower == {key for key, lane in before.items() if "suez" in lane.passages}
    assert slower


def test_the_sample_order_names_known_items(folder: Path) -> None:
    brand = read_brand(folder)
    order = json.loads((folder / "ORDER.json").read_text(encoding="utf-8"))
    assert order["region"] in set(brand.table("regions")["region"])
    assert {line["item"] for line in order["lines"]} <= set(brand.table("items")["item"])
    assert order["currency"] == brand.currency


def test_the_command_writes_one_document_and_refuses_to_overwrite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "teaware"
    assert run(["example", "three-tier", str(target), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["folder"] == str(target)
    assert document["counts"]["items"] == 6
    mine = target / "mine.txt"
    mine.write_text("a note")
    assert run(["example", "three-tier", str(target)]) == 1
    assert "--force" in capsys.readouterr().err
    assert mine.exists()
    assert run(["example", "three-tier", str(target), "--force"]) == 0
    assert not mine.exists()


def test_force_never_clears_a_folder_that_is_no_brand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.md").write_text("years of work")
    assert run(["example", "three-tier", str(tmp_path), "--force"]) == 1
    assert "brand.toml" in capsys.readouterr().err
    assert (tmp_path / "thesis.md").exists()


def test_a_file_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert run(["example", "three-tier", str(tmp_path / "file")]) == 2
    assert "is a file" in capsys.readouterr().err
