"""The forecast page: drilling, searching, what a run says of itself, and decisions by form."""

import json
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.database import session_factory
from api.services.forecasts import (
    accuracy_document,
    kept_frame,
    request_forecast,
    result_document,
)
from api.services.overrides import with_overrides
from core.brand import Brand
from inventory.demand import store
from tests.console.conftest import form_token
from tests.fakes import FakeClock, seeded_entropy
from tests.inventory.demand.made import accuracy_made, forecast_made
from tests.inventory.demand.market import brand_with, noisy

MANY = tuple(f"MUG-{at:02}" for at in range(30))
OVERRIDE = {
    "region": "DE", "category": "*", "item": "MUG-00", "start": "2026-09-14", "end": "2026-09-20",
    "kind": "factor", "amount": "2", "why": "A fair",
}  # fmt: skip


@pytest.fixture(scope="module")
def brand() -> Brand:
    """Thirty items of one category in two markets."""
    return brand_with(noisy(3), date(2026, 8, 1), date(2026, 9, 7), items=MANY)


@pytest.fixture
def made(app: FastAPI, loaded: Brand, clock: FakeClock) -> None:
    """A finished forecast of the brand and of the overrides that stand."""
    keep(app, loaded, clock)


def keep(app: FastAPI, brand: Brand, clock: FakeClock) -> None:
    with session_factory(app.state.engine).begin() as session:
        asked = request_forecast(session, 3, 0, 1, clock, seeded_entropy(9)).forecast
        known = with_overrides(session, brand)
        said, accuracy = forecast_made(known), accuracy_made(known)
        store.save_result(
            session,
            asked.id,
            brand_version=asked.brand_version,
            result=result_document(known, said, accuracy),
            accuracy=accuracy_document(accuracy),
            frame=kept_frame(said),
            now=datetime(2026, 9, 7, 9, tzinfo=UTC),
        )


def chart(page: str) -> dict[str, Any]:
    found = re.search(r'id="fan-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    document: dict[str, Any] = json.loads(found[1])
    return document


def listed(page: str) -> list[str]:
    """Ids of the items that a page lists."""
    return re.findall(r'<br><span class="id soft">([^<]+)</span>', page)


def decide(client: TestClient, **changed: str) -> Any:
    form = {"csrf": form_token(client), **OVERRIDE, **changed}
    return client.post("/forecast/overrides", data=form)


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("address", ["/forecast", "/console/parts/demand"])
def test_items_add_up_to_their_category_and_market(planner: TestClient, address: str) -> None:
    def means(**place: str) -> list[float]:
        rows = chart(planner.get(address, params=place).text)["forecast"]
        return [row["mean"] for row in rows]

    whole = [10.0 * sum(range(1, 31))] * 3
    assert means(region="DE") == means(region="DE", category="kitchen") == whole
    assert means() == [2 * units for units in whole]
    assert means(region="DE", category="kitchen", item="MUG-04") == [50.0] * 3


@pytest.mark.usefixtures("made")
def test_an_item_tells_its_method_and_what_that_saves(planner: TestClient) -> None:
    def header(item: str, region: str) -> str:
        place = {"region": region, "category": "kitchen", "item": item}
        return str(planner.get("/forecast", params=place).text)

    assert "by smoothing; saves 10% of the naive P90 loss" in header("MUG-07", "TH")
    assert "by smoothing; not judged" in header("MUG-00", "DE")


@pytest.mark.usefixtures("made")
def test_a_category_has_a_mean_and_no_width(planner: TestClient) -> None:
    page = planner.get("/forecast", params={"region": "DE", "category": "kitchen"}).text
    assert {row["p05"] for row in chart(page)["forecast"]} == {None}
    assert "quantiles of items do not add up" in page


@pytest.mark.usefixtures("made")
def test_items_come_page_by_page_the_largest_first(planner: TestClient) -> None:
    place = {"region": "DE", "category": "kitchen"}
    pages = [
        listed(planner.get("/forecast", params={**place, "page": str(at)}).text) for at in range(3)
    ]
    assert [len(page) for page in pages] == [12, 12, 6]
    assert pages[0] + pages[1] + pages[2] == sorted(MANY, reverse=True)


@pytest.mark.usefixtures("made")
def test_a_search_narrows_the_items(planner: TestClient) -> None:
    place = {"region": "DE", "category": "kitchen", "search": "mug-1"}
    assert len(listed(planner.get("/forecast", params=place).text)) == 10
    nothing = planner.get("/forecast", params={**place, "search": "teapot"}).text
    assert "Nothing by that name" in nothing


@pytest.mark.usefixtures("made")
def test_a_place_that_is_not_there_means_the_one_above(planner: TestClient) -> None:
    page = planner.get("/forecast", params={"region": "DE", "category": "x", "item": "y"}).text
    assert '<h2 id="fan-title">DE' in page
    page = planner.get("/forecast", params={"region": "ATLANTIS", "item": "MUG-01"}).text
    assert '<h2 id="fan-title">All markets' in page
    assert planner.get("/forecast", params={"page": "-1"}).status_code == 422


@pytest.mark.usefixtures("made")
def test_the_newest_run_tells_accuracy_alarms_events_and_findings(planner: TestClient) -> None:
    page = planner.get("/forecast", params={"region": "DE"}).text
    assert "A quarter too high." in page
    assert "Harvest fair 14 Sep 2026" in page
    assert re.search(r"seasonal naive</td><td class=\"number\">70.0 %", page)
    assert "Found: clipped" in page
    assert chart(page)["events"][0]["event"] == "Harvest fair"


def test_a_decision_is_listed_and_the_next_forecast_shows_what_it_changed(
    app: FastAPI, planner: TestClient, loaded: Brand, clock: FakeClock
) -> None:
    page = decide(planner)
    assert page.status_code == 200
    assert "planner key, 7 Sep 2026" in page.text
    assert "A fair" in page.text
    keep(app, loaded, clock)
    (dot,) = chart(planner.get("/forecast", params={"region": "DE"}).text)["dots"]
    assert dot["mean"] - dot["statistical"] == pytest.approx(10.0)
    assert chart(planner.get("/forecast", params={"region": "TH"}).text)["dots"] == []


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"item": "MUG-000"}, "did you mean &#39;MUG-00&#39;?"),
        ({"end": "2026-09-13"}, "on or after the start"),
        ({"why": " "}, "Expected the reason"),
    ],
)
def test_a_decision_without_sense_is_shown_again_with_what_is_wrong(
    planner: TestClient, changed: dict[str, str], said: str
) -> None:
    answer = decide(planner, **changed)
    assert answer.status_code == 422
    assert said in answer.text
    assert 'value="2026-09-14"' in answer.text
    assert "No override" in planner.get("/forecast").text


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    "changed", [{"amount": "many"}, {"amount": "-1"}, {"kind": "wish"}, {"start": "yesterday"}]
)
def test_a_form_that_nobody_filled_in_keeps_nothing(
    planner: TestClient, changed: dict[str, str]
) -> None:
    assert decide(planner, **changed).status_code == 422
    assert "No override" in planner.get("/forecast").text


@pytest.mark.usefixtures("loaded")
def test_a_decision_of_another_site_is_refused(planner: TestClient) -> None:
    assert decide(planner, csrf="0").status_code == 403
    made = re.search(r'data-override="(ovr_\w+)"', decide(planner).text)
    assert made is not None
    withdrawn = planner.post(f"/forecast/overrides/{made[1]}/withdraw", data={"csrf": "0"})
    assert withdrawn.status_code == 403
    assert made[1] in planner.get("/forecast").text
