"""Every page renders with nothing loaded and with a small brand, with strict headers."""

import json
import re

import pytest
from starlette.testclient import TestClient

from api.console.assets import STATIC
from api.services.allocation_figures import PARTS
from core.brand import Brand
from tests.console.brands import six_hubs

PAGES = (
    "/", "/forecast", "/allocation", "/scenarios", "/orders", "/shipments", "/stock", "/risk",
    "/suppliers",
)  # fmt: skip


@pytest.fixture
def brand() -> Brand:
    """Six hubs instead of the two sites that other tests load."""
    return six_hubs()


@pytest.mark.parametrize("page", PAGES)
def test_every_page_renders_before_anything_is_loaded(planner: TestClient, page: str) -> None:
    answer = planner.get(page)
    assert answer.status_code == 200
    assert 'class="empty"' in answer.text


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("loaded")
def test_every_page_renders_with_a_brand(planner: TestClient, page: str) -> None:
    answer = planner.get(page)
    assert answer.status_code == 200
    assert f'<a href="{page}" aria-current="page">' in answer.text
    assert "Test brand" in answer.text


@pytest.mark.parametrize("page", PAGES)
def test_no_page_allows_or_holds_anything_inline(planner: TestClient, page: str) -> None:
    answer = planner.get(page)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", answer.text)
    scripts = re.findall(r"<script([^>]*)>", answer.text)
    assert all("src=" in found or "application/json" in found for found in scripts)
    assert not re.search(r"(src|href)=\"(https?:)?//", answer.text)


@pytest.mark.usefixtures("loaded")
def test_the_map_holds_six_hubs_and_sea_lanes_that_bend(planner: TestClient) -> None:
    drawn = planner.get("/console/network.json").json()
    hubs = [site["id"] for site in drawn["sites"] if site["hub"]]
    assert len(hubs) == 6
    sea = [route for route in drawn["routes"] if route["mode"] == "sea"]
    assert len(sea) == 4
    assert all(len(route["path"]) > 10 for route in sea)
    assert {"US-LAX", "DE-HAM"} <= {route["to"] for route in sea}


@pytest.mark.usefixtures("loaded")
def test_stock_narrows_to_a_site(planner: TestClient) -> None:
    page = planner.get("/stock", params={"site": "CN-SZX"}).text
    assert page.count("Harbor mug") == 1
    assert planner.get("/stock").text.count("Harbor mug") == 6


@pytest.mark.usefixtures("loaded")
def test_the_forecast_of_a_market_is_narrower_than_that_of_all(planner: TestClient) -> None:
    def median(page: str) -> float:
        found = re.search(r'id="fan-data">(.*?)</script>', page, re.DOTALL)
        assert found is not None
        return float(json.loads(found[1])["forecast"][0]["p50"])

    everywhere = median(planner.get("/forecast").text)
    germany = median(planner.get("/forecast", params={"region": "DE"}).text)
    assert (everywhere, germany) == (280.0, 40.0)


def test_names_cannot_break_out_of_a_page(planner: TestClient) -> None:
    page = planner.get("/stock", params={"item": '"><script>alert(1)</script>'}).text
    assert "<script>alert" not in page


def test_an_address_that_names_nothing_is_a_page_too(planner: TestClient) -> None:
    answer = planner.get("/orders/pln_unknown")
    assert answer.status_code == 404
    assert "text/html" in answer.headers["content-type"]
    assert "pln_unknown" in answer.text


def test_every_part_of_a_cost_has_a_color_by_day_and_by_night() -> None:
    """Goods bought were once drawn in the color that charts use for want of one."""
    style = (STATIC / "console.css").read_text(encoding="utf-8")
    assert {name: style.count(f"--c-{name}:") for name in PARTS} == dict.fromkeys(PARTS, 2)
