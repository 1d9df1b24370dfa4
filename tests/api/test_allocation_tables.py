"""What a finished allocation keeps, how it explains itself later, and that a stopped one keeps
nothing."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import httpx
import pytest

from api.database import SessionFactory
from api.jobs import allocations, runner
from api.jobs.context import Stop
from api.jobs.runner import Runner
from api.queue import store as queue
from api.services.brands import brand_version
from api.services.prices import current_prices
from core.brand import Brand
from inventory import store as stock
from inventory.stock import Entry, StockKey
from routing.allocation.allocate import Report, allocate
from routing.allocation.results.result import Allocation
from routing.allocation.results.ways import Flow, explained
from simulations.scenarios import apply, scenario_of
from tests.console.brands import six_hubs
from tests.fakes import FakeClock, seeded_entropy

Headers = Mapping[str, str]
URL = "/v1/allocations"
TABLES = ("flows", "moves", "unmet", "prices")
DEARER = {"name": "Dear", "overrides": [{"rate": {"site": "DE-HAM"}, "factor": 3.0}]}


@pytest.fixture
def brand() -> Brand:
    """Six hubs whose stock lies in Shenzhen alone: what others serve has to move there first."""
    brand = six_hubs()
    rows = brand.table("stock")
    units = rows["on_hand"].where(rows["site"] == "CN-SZX", 0) * 4
    return brand.with_table("stock", rows.assign(on_hand=units))


@pytest.fixture
def planner(keys: Mapping[str, Headers]) -> Headers:
    return keys["planner"]


def started(client: httpx.Client, planner: Headers, **body: object) -> str:
    return str(client.post(URL, json=body, headers=planner).json()["id"])


def read(client: httpx.Client, planner: Headers, path: str) -> Any:
    answer = client.get(f"{URL}/{path}", headers=planner)
    assert answer.status_code == 200, answer.text
    return answer.json()


def worked(sessions: SessionFactory, clock: FakeClock) -> None:
    assert Runner(sessions, clock, "tests").run_due() >= 1


@pytest.mark.usefixtures("loaded")
def test_a_finished_allocation_keeps_its_moves(
    client: httpx.Client, planner: Headers, sessions: SessionFactory, clock: FakeClock, brand: Brand
) -> None:
    allocation = started(client, planner)
    worked(sessions, clock)
    expected = allocate(brand).moves
    moves = read(client, planner, f"{allocation}/moves")["data"]
    assert [move["quantity"] for move in moves] == expected["quantity"].tolist()
    to_hamburg = read(client, planner, f"{allocation}/moves?to_site=DE-HAM&item=LAMP")["data"]
    assert 0 < len(to_hamburg) < len(moves)
    assert {(move["from_site"], move["unit_cost"]["currency"]) for move in to_hamburg} == {
        ("CN-SZX", "EUR")
    }


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("scenario", [None, DEARER])
def test_an_allocation_explains_its_flows_whatever_became_of_the_stock(
    client: httpx.Client,
    planner: Headers,
    sessions: SessionFactory,
    clock: FakeClock,
    brand: Brand,
    scenario: dict[str, Any] | None,
) -> None:
    allocation = started(client, planner, scenario=scenario)
    worked(sessions, clock)
    with sessions.begin() as session:
        entry = Entry(clock.now(), "tests", seeded_entropy(9))
        stock.adjust(session, StockKey("CN-SZX", "MUG", "bonded"), -500, entry)
    answer = read(client, planner, f"{allocation}/alternatives?item=MUG&region=US-W")
    seen = brand if scenario is None else apply(brand, scenario_of(scenario))
    made = allocate(seen)
    told = explained(seen, made.prices, made.flows, made.open_sites, Flow("MUG", "US-W"))
    assert answer["ways"] == [pytest.approx(asdict(way)) for way in told.ways]
    assert answer["refused"] == [asdict(one) for one in told.refused]
    assert answer["demand_price"] == pytest.approx(told.demand_price)


@pytest.mark.usefixtures("loaded")
def test_a_flow_that_the_brand_does_not_know_is_refused(
    client: httpx.Client, planner: Headers, sessions: SessionFactory, clock: FakeClock
) -> None:
    allocation = started(client, planner)
    url = f"{URL}/{allocation}/alternatives?region=DE&item="
    assert client.get(f"{url}MUG", headers=planner).status_code == 409
    worked(sessions, clock)
    refused = client.get(f"{url}CUP", headers=planner)
    assert (refused.status_code, "CUP" in refused.text) == (422, True)


@pytest.mark.usefixtures("loaded")
def test_a_cancelled_allocation_ends_as_cancelled_and_keeps_nothing(
    client: httpx.Client,
    planner: Headers,
    sessions: SessionFactory,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is cancelled while it runs; the plan stops at its next word about progress."""
    monkeypatch.setattr(runner, "BEAT", queue.LEASE / 1000)
    allocation = started(client, planner)
    job = read(client, planner, allocation)["job"]

    def cancelled_on_the_way(brand: Brand, *, report: Report, **asked: Any) -> Allocation:
        client.delete(f"/v1/jobs/{job}", headers=planner)
        _until_stopped(report)
        return allocate(brand, report=report, **asked)

    monkeypatch.setattr(allocations, "allocate", cancelled_on_the_way)
    worked(sessions, clock)
    ended = read(client, planner, allocation)
    assert (ended["state"], ended["status"], ended["finished_at"]) == ("cancelled", None, None)
    for table in TABLES:
        answer = client.get(f"{URL}/{allocation}/{table}", headers=planner)
        assert (answer.status_code, answer.json()["code"]) == (409, "not-finished")
    with sessions.begin() as session:
        assert current_prices(session, brand_version(session)) is None


def _until_stopped(report: Report) -> None:
    """Waits until the worker knows that its job must not go on."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            report(0.0, "not yet begun")
        except Stop:
            return


@pytest.mark.usefixtures("loaded")
def test_progress_is_told_while_an_allocation_runs(
    client: httpx.Client,
    planner: Headers,
    sessions: SessionFactory,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "REPORT_EVERY_SECONDS", 0.0)
    allocation = started(client, planner)
    seen: list[tuple[float, str]] = []

    def watched(brand: Brand, *, report: Report, **asked: Any) -> Allocation:
        def told(share: float, doing: str) -> None:
            report(share, doing)
            shown = client.get(f"/v1/jobs/{job}", headers=planner).json()
            seen.append((shown["progress"], shown["doing"]))

        return allocate(brand, report=told, **asked)

    job = read(client, planner, allocation)["job"]
    monkeypatch.setattr(allocations, "allocate", watched)
    worked(sessions, clock)
    shares = [share for share, _ in seen]
    assert 0.0 < shares[0] < shares[-1] < 1.0
    assert shares == sorted(shares)
    assert [doing for _, doing in seen][-1] == "Explaining"
