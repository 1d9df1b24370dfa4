"""The console's forms start real work, and refuse what cannot be meant."""

import json
import re
from html import unescape

import pytest
from fastapi import FastAPI
from sqlalchemy import update
from starlette.testclient import TestClient

from api.database import session_factory
from api.jobs.runner import Runner
from core.brand import Brand
from routing.allocation.records import AllocationRecord
from tests.console.brands import six_hubs
from tests.console.conftest import form_token
from tests.fakes import FakeClock

pytestmark = pytest.mark.usefixtures("loaded")


@pytest.fixture
def brand() -> Brand:
    """Six hubs instead of the two sites that other tests load."""
    return six_hubs()


def work(app: FastAPI, clock: FakeClock) -> int:
    """Works on everything that is due and returns how many jobs there were."""
    return Runner(session_factory(app.state.engine), clock, "test").run_due()


def send(client: TestClient, page: str, **form: str) -> str:
    answer = client.post(page, data={"csrf": form_token(client), **form})
    return str(answer.text)


def test_an_allocation_is_started_and_shown(
    app: FastAPI, planner: TestClient, clock: FakeClock
) -> None:
    assert "<progress" in send(planner, "/allocation")
    assert work(app, clock) == 1
    page = planner.get("/allocation").text
    assert "<progress" not in page
    found = re.search(r'id="cost-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    parts = json.loads(found[1])["parts"]
    costs = {part["name"]: part["value"] for part in parts}
    assert costs["shipping"] > 0
    assert {part["label"] for part in parts} >= {"Shipping", "Unmet demand"}
    run = re.search(r"/console/allocations/(alc_\w+)/map.json", page)
    assert run is not None
    drawn = planner.get(f"/console/allocations/{run[1]}/map.json").json()
    assert len(drawn["sites"]) == 6
    assert sum(route["quantity"] for route in drawn["routes"]) == pytest.approx(
        sum(region["quantity"] for region in drawn["regions"])
    )


def test_a_planner_goes_from_a_run_to_a_flow_to_what_else_could_be_done(
    app: FastAPI, planner: TestClient, clock: FakeClock
) -> None:
    send(planner, "/allocation")
    work(app, clock)
    page = planner.get("/allocation").text
    assert re.search(r'id="proof">optimal, proven within [\d.]+ %<', page)
    buckets = re.findall(r'<option value="(\d{4}-\d\d-\d\d)"', page)
    assert len(buckets) == 4
    links = re.findall(r'href="(/allocation/flows\?[^"]+)"', page)
    narrowed = planner.get(unescape(links[0])).text
    ways = re.findall(r'href="(/allocation/ways\?[^"]+)"', narrowed)
    told = planner.get(unescape(ways[0])).text
    assert "Leave unmet" in told
    used = re.findall(r'<tr class="chosen"><th scope="row">.*?<b>([\d.]+)</b>', told)
    assert used
    assert set(used) == {"0.00"}


def test_the_flows_of_one_bucket_are_those_of_the_plan(
    app: FastAPI, planner: TestClient, clock: FakeClock
) -> None:
    send(planner, "/allocation")
    work(app, clock)
    run = _run(planner)
    whole = _units(planner, f"/console/allocations/{run}/map.json")
    page = planner.get("/allocation").text
    buckets = re.findall(r'<option value="(\d{4}-\d\d-\d\d)"', page)
    parts = [_units(planner, f"/console/allocations/{run}/map.json?bucket={b}") for b in buckets]
    assert sum(parts) == pytest.approx(whole)
    assert min(parts) > 0
    one = planner.get(f"/allocation?id={run}&bucket={buckets[1]}").text
    assert f"map.json?bucket={buckets[1]}" in one


def _units(planner: TestClient, address: str) -> float:
    return float(sum(route["quantity"] for route in planner.get(address).json()["routes"]))


def _run(planner: TestClient) -> str:
    found = re.search(r"/console/allocations/(alc_\w+)/map.json", planner.get("/allocation").text)
    assert found is not None
    return found[1]


def test_the_report_of_a_run_is_a_file_to_keep(
    app: FastAPI, planner: TestClient, clock: FakeClock
) -> None:
    send(planner, "/allocation")
    work(app, clock)
    answer = planner.get(f"/allocation/report?id={_run(planner)}")
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert "proven within" in answer.text
    assert planner.get("/allocation/report?id=alc_none").status_code == 404


def test_a_run_that_kept_too_little_says_so(
    app: FastAPI, planner: TestClient, clock: FakeClock
) -> None:
    """As runs of the first schema did, which knew no moves."""
    send(planner, "/allocation")
    work(app, clock)
    run = _run(planner)
    with session_factory(app.state.engine).begin() as session:
        session.exec(update(AllocationRecord).values(moves=None, stock=None))
    page = planner.get("/allocation")
    assert page.status_code == 200
    assert f"Allocation {run} did not keep its moves." in page.text


def test_a_prepared_scenario_runs_beside_its_base_and_is_compared(
    app: FastAPI, planner: TestClient, clock: FakeClock
) -> None:
    assert "Hamburg closed" in send(planner, "/scenarios", prepared="site-DE-HAM")
    assert work(app, clock) == 1
    page = planner.get("/scenarios").text
    link = re.search(r'href="(/scenarios/compare[^"]+)"', page)
    assert link is not None
    compared = planner.get(link[1].replace("&amp;", "&")).text
    assert "Hamburg closed against base" in compared
    assert "site DE-HAM, status closed" in compared
    chart = re.search(r'id="waterfall-1">(.*?)</script>', compared, re.DOTALL)
    assert chart is not None
    steps = json.loads(chart[1])["steps"]
    moved = sum(step["value"] for step in steps[:-1])
    assert moved == pytest.approx(steps[-1]["value"])


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("name = ", "Line 1"),
        ('name = "x"\n[[override]]\nsite = "ATLANTIS"\nstatus = "closed"', "ATLANTIS"),
        ('name = "x"\n[[override]]\nsite = "DE-HAM"\ncolor = "red"', "color"),
        ("", ""),
    ],
)
def test_a_scenario_that_cannot_be_meant_starts_nothing(
    app: FastAPI, planner: TestClient, clock: FakeClock, toml: str, said: str
) -> None:
    page = send(planner, "/scenarios", toml=toml)
    assert "The scenario cannot be used." in page
    assert said in page
    assert work(app, clock) == 0


def test_comparing_what_does_not_exist_is_a_page_that_says_so(planner: TestClient) -> None:
    answer = planner.get("/scenarios/compare", params={"ids": "run_x"})
    assert answer.status_code == 404
    assert "run_x" in answer.text
    assert planner.get("/scenarios/compare").status_code == 422


@pytest.mark.parametrize("weeks", ["0", "105", "many", ""])
def test_a_forecast_of_an_impossible_horizon_starts_nothing(
    app: FastAPI, planner: TestClient, clock: FakeClock, weeks: str
) -> None:
    answer = planner.post("/forecast", data={"csrf": form_token(planner), "weeks": weeks})
    assert answer.status_code == 422
    assert "weeks" in answer.text
    assert work(app, clock) == 0


@pytest.mark.parametrize(
    "toml", ["a=" + "[" * 20_000, "a=" + "1" * 5_000, 'name="x\\u0000"', 'name="x"\nnote="\\u0000"']
)
def test_a_scenario_that_nothing_can_keep_is_told_on_its_page(
    planner: TestClient, toml: str
) -> None:
    """Depth and long numbers answered 500, and NUL was stored."""
    form = {"csrf": form_token(planner), "toml": toml}
    assert planner.post("/scenarios", data=form).status_code == 422
