"""The allocation report: one page that stands alone, and says what the plan says."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from defusedxml import ElementTree

from api.cli import run
from api.reports import world
from api.reports.allocation import allocation_report
from api.reports.world import Projection, as_ring, best_center, land
from api.services.allocation_figures import Made, buckets_of, levels, limits_of, uses_of
from core.brand import Brand
from core.folder.writer import write_brand
from routing.allocation.allocate import allocate
from routing.allocation.results.result import Allocation
from tests.api.reports.test_forecast import Names, plain
from tests.builders import two_sites_one_item
from tests.console.brands import six_hubs


@pytest.fixture(scope="module")
def brand() -> Brand:
    """Six hubs with stock in Shenzhen alone, which packs few units; names that need care."""
    brand = six_hubs()
    stock, sites = brand.table("stock"), brand.table("sites")
    near = sites["site"] == "CN-SZX"
    return (
        brand.with_table("stock", stock.assign(
            on_hand=stock["on_hand"].where(stock["site"] == "CN-SZX", 0) * 4))
        .with_table("sites", sites.assign(
            outbound_units=sites["outbound_units"].where(~near, 15.0),
            storage_m3=sites["storage_m3"].where(~near, 20.0),
            name=sites["name"].where(~near, "Shenzhen <bonded> & more")))
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(brand: Brand) -> Allocation:
    return allocate(brand)


def shown(made: Allocation) -> Made:
    return Made(made.document(), made.flows, made.moves, made.purchases, made.unmet, made.prices)


@pytest.fixture(scope="module")
def page(brand: Brand, made: Allocation) -> str:
    return allocation_report(brand, shown(made))


def test_the_page_asks_for_nothing_and_runs_nothing(page: str) -> None:
    assert not re.search(r"<(script|link|img|iframe)\b|\bsrc=|@import|url\(|https?://", page)
    assert not re.search(r"\son[a-z]+=", page)


def test_every_link_leads_somewhere_and_every_picture_has_a_text(page: str) -> None:
    names = Names()
    names.feed(page)
    assert set(names.links) <= set(names.ids)
    assert len(names.ids) == len(set(names.ids))
    assert names.silent == []


def test_every_drawing_is_well_formed(page: str) -> None:
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(drawings) > 5
    for drawing in drawings:
        ElementTree.fromstring(drawing)
        assert "nan" not in drawing.casefold()


def test_the_page_tells_status_limits_moves_and_reasons(page: str, made: Allocation) -> None:
    text = plain(page)
    assert "optimal, proven within" in text
    assert "Packing at CN-SZX" in text
    assert f"{made.moves['quantity'].sum():,.0f} units in all" in text
    assert set(made.reasons()) & {"capacity", "not enough stock"}
    for reason, units in made.reasons().items():
        assert f"{reason} {units:,.0f}" in re.sub(r"\s+", " ", text)


def test_every_flow_is_drawn(page: str, made: Allocation) -> None:
    pairs = made.flows[["site", "region"]].drop_duplicates()
    assert page.count('<path class="flow"') == len(pairs)


def test_what_people_write_cannot_break_out_of_the_page(page: str) -> None:
    assert "Shenzhen &lt;bonded&gt; &amp; more" in page
    assert "<bonded>" not in page


def test_the_same_values_give_the_same_bytes(brand: Brand, made: Allocation, page: str) -> None:
    assert allocation_report(brand, shown(made)) == page


def test_without_outlines_the_page_shows_flows_alone(
    brand: Brand, made: Allocation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("api.reports.allocation.land", lambda: land(tmp_path / "none.json"))
    bare = allocation_report(brand, shown(made))
    assert 'class="land"' not in bare
    assert '<path class="flow"' in bare


def test_land_is_read_from_a_packed_file(tmp_path: Path) -> None:
    """Two arcs that share an edge, one of them taken backwards; steps of a tenth of a degree."""
    path = tmp_path / "world.json"
    path.write_text(
        '{"transform": {"scale": [0.1, 0.1], "translate": [10, 20]},'
        ' "arcs": [[[0, 0], [10, 0], [0, 10]], [[0, 0], [0, 10], [10, 0]]],'
        ' "objects": {"countries": {"geometries": ['
        '  {"type": "Polygon", "id": "1", "arcs": [[0, -2]]},'
        '  {"type": "MultiPolygon", "id": "010", "arcs": [[[0, -2]]]}]}}}'
    )
    (ring,) = land(path)
    assert ring.tolist() == [[10, 20], [11, 20], [11, 21], [10, 21], [10, 20]]


def test_the_middle_of_the_map_is_in_its_middle() -> None:
    view = Projection(11.0)
    x, y = view.place(as_ring([(11.0, 0.0)]))[0]
    assert x == pytest.approx(world.WIDTH / 2)
    assert 0 < y < view.height
    assert view.place(as_ring([(11.0, world.NORTH)]))[0, 1] == pytest.approx(0.0)
    assert view.place(as_ring([(11.0, world.SOUTH)]))[0, 1] == pytest.approx(view.height, abs=0.1)


def test_a_line_over_the_edge_of_the_map_is_broken_there() -> None:
    """Tokyo to Los Angeles, on a map of the Atlantic and on one of the Pacific."""
    line = as_ring([(140.0, 36.0), (170.0, 48.0), (-160.0, 50.0), (-118.0, 34.0)])
    assert Projection(11.0).path(line).count("M") == 2
    assert Projection(150.0).path(line).count("M") == 1
    assert best_center([line]) == 150.0


def test_buckets_add_up_to_the_whole_plan(brand: Brand, made: Allocation) -> None:
    rows = buckets_of(brand, shown(made))
    assert sum(row.served for row in rows) == made.flows["quantity"].sum()
    assert sum(row.moved for row in rows) == made.moves["quantity"].sum()
    assert sum(row.unmet for row in rows) == pytest.approx(made.units["unmet"])
    assert len(rows) == len(made.prices.buckets)


def test_no_unit_of_stock_is_lost_or_made(brand: Brand, made: Allocation) -> None:
    """What is on hand, less what is shipped, is what lies at sites or has not arrived yet."""
    left = levels(brand, shown(made))["units"]
    assert left.min() >= 0
    on_hand = brand.table("stock")["on_hand"].sum()
    assert left[:, -1].sum() == on_hand - made.flows["quantity"].sum()


def test_limits_that_bind_are_full_and_no_limit_is_exceeded(brand: Brand, made: Allocation) -> None:
    uses = {use.limit: use for use in uses_of(brand, shown(made))}
    assert uses["Packing at CN-SZX"].peak == 1.0
    assert uses["Packing at CN-SZX"].price == pytest.approx(made.prices.outbound.max())
    assert all(use.peak <= 1.0 + 1e-9 for use in uses.values() if not use.limit.startswith("Room"))
    assert uses["Room at CN-SZX"].peak > 0


def test_a_limit_that_binds_in_many_buckets_is_told_once(brand: Brand, made: Allocation) -> None:
    limits = limits_of(brand, shown(made))
    (packing,) = [limit for limit in limits if limit.limit == "Packing at CN-SZX"]
    rows = [row for row in made.binding if row.row.startswith("outbound_units[CN-SZX")]
    assert (packing.buckets, packing.price) == (len(rows), max(row.price for row in rows))
    assert len({limit.limit for limit in limits}) == len(limits)


@pytest.mark.parametrize("empty", ["flows", "moves", "unmet"])
def test_a_plan_without_a_table_has_a_page(brand: Brand, made: Allocation, empty: str) -> None:
    bare = replace(shown(made), **{empty: getattr(made, empty).iloc[:0]})
    assert "nan" not in plain(allocation_report(brand, bare)).casefold().split()


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_brand(two_sites_one_item(), tmp_path / "brand")
    path = tmp_path / "report.html"
    assert run(["allocate", str(tmp_path / "brand"), "--report", str(path), "--json"]) == 0
    assert "Test brand" in path.read_text("utf-8")
    assert str(path) in capsys.readouterr().err.replace("\n", "")


def test_all_numbers_of_the_map_are_finite(page: str) -> None:
    numbers = re.findall(r' (?:cx|cy|r|x|y|stroke-width)="([^"]+)"', page)
    assert np.isfinite([float(number) for number in numbers]).all()
