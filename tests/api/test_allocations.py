"""Allocations at the doors: HTTP with its job, and the command line."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import httpx
import pandas as pd
import pytest

from api.cli import run
from api.database import SessionFactory
from api.jobs.runner import Runner
from api.services.brands import brand_version, load_brand
from api.services.prices import current_prices
from core.brand import Brand
from core.folder.columns import blank
from core.folder.writer import complete, write_brand
from inventory import store as stock
from inventory.stock import Entry, StockKey
from routing.allocation.allocate import allocate
from routing.allocation.solver import solve
from routing.allocation.store import allocation_of
from tests.builders import two_sites_one_item
from tests.console.brands import six_hubs
from tests.fakes import FakeClock, seeded_entropy
from tests.routing.allocation.test_purchases import buying

Headers = Mapping[str, str]
URL = "/v1/allocations"
MORE_GERMANS = {
    "name": "More demand",
    "overrides": [{"demand": {"region": "DE"}, "factor": 2.0}],
}
SCARCE = {"name": "Scarce", "overrides": [{"stock": {"item": "MUG"}, "factor": 0.1}]}


@pytest.fixture
def planner(keys: Mapping[str, Headers]) -> Headers:
    return keys["planner"]


def started(client: httpx.Client, planner: Headers, **body: object) -> str:
    response = client.post(URL, json=body, headers=planner)
    assert response.status_code == 202, response.text
    assert response.headers["Location"] == f"{URL}/{response.json()['id']}"
    return str(response.json()["id"])


def worked(sessions: SessionFactory, clock: FakeClock) -> None:
    assert Runner(sessions, clock, "tests").run_due() >= 1


@pytest.mark.usefixtures("loaded")
def test_a_planner_starts_an_allocation_and_reads_plan_and_prices(
    client: httpx.Client, planner: Headers, sessions: SessionFactory, clock: FakeClock, brand: Brand
) -> None:
    allocation = started(client, planner)
    waiting = client.get(f"{URL}/{allocation}", headers=planner).json()
    assert (waiting["state"], waiting["status"], waiting["objective"]) == ("queued", None, None)
    worked(sessions, clock)
    done = client.get(f"{URL}/{allocation}", headers=planner).json()
    expected = allocate(brand)
    assert (done["state"], done["status"], done["method"]) == ("succeeded", "optimal", "exact")
    assert done["objective"] == {"amount": round(expected.objective * 100), "currency": "EUR"}
    assert sum(cost["amount"] for cost in done["costs"].values()) == done["objective"]["amount"]
    assert done["units"]["served"] + done["units"]["unmet"] == done["units"]["demand"]
    flows = client.get(f"{URL}/{allocation}/flows", headers=planner).json()["data"]
    assert [(flow["site"], flow["quantity"]) for flow in flows] == [("DE-HAM", 30), ("TH-BKK", 20)]
    assert flows[0]["unit_cost"] == {"amount": 440, "currency": "EUR"}
    prices = client.get(f"{URL}/{allocation}/prices", headers=planner).json()["data"]
    assert prices == []  # nothing is scarce


@pytest.mark.usefixtures("loaded")
def test_a_what_if_changes_the_plan_but_not_the_prices_that_orders_see(
    client: httpx.Client, planner: Headers, sessions: SessionFactory, clock: FakeClock
) -> None:
    base = started(client, planner)
    what_if = started(client, planner, scenario=MORE_GERMANS)
    worked(sessions, clock)
    documents = [client.get(f"{URL}/{each}", headers=planner).json() for each in (base, what_if)]
    assert [document["units"]["demand"] for document in documents] == [50.0, 80.0]
    assert documents[1]["scenario"]["name"] == "More demand"
    with sessions.begin() as session:
        prices = current_prices(session, brand_version(session))
    assert prices is not None
    assert prices.version == documents[0]["prices_version"]


@pytest.mark.usefixtures("loaded")
def test_an_allocation_sees_the_stock_of_the_ledger(
    client: httpx.Client, planner: Headers, sessions: SessionFactory, clock: FakeClock
) -> None:
    with sessions.begin() as session:
        entry = Entry(clock.now(), "tests", seeded_entropy(9))
        for site, units in (("DE-HAM", 50), ("TH-BKK", 30)):
            stock.adjust(session, StockKey(site, "MUG", "free"), -units, entry)
    allocation = started(client, planner)
    worked(sessions, clock)
    unmet = client.get(f"{URL}/{allocation}/unmet", headers=planner).json()["data"]
    assert {row["reason"] for row in unmet} == {"no stock anywhere"}


def test_orders_that_a_plan_proposes_are_read_as_money_of_their_offer(
    client: httpx.Client, planner: Headers, sessions: SessionFactory, clock: FakeClock
) -> None:
    with sessions.begin() as session:
        load_brand(session, buying({"2026-09-21": 30}, moq=48), clock, seeded_entropy(2))
    allocation = started(client, planner)
    waiting = client.get(f"{URL}/{allocation}/purchases", headers=planner)
    assert waiting.status_code == 409
    worked(sessions, clock)
    done = client.get(f"{URL}/{allocation}", headers=planner).json()
    assert done["purchases"] == {"orders": 1, "needed": 30, "quantity": 48}
    (order,) = client.get(f"{URL}/{allocation}/purchases", headers=planner).json()["data"]
    assert (order["supplier"], order["needed"], order["quantity"]) == ("KILN", 30, 48)
    assert order["unit_cost"] == {"amount": 400, "currency": "EUR"}
    assert order["total"] == {"amount": 19_200, "currency": "EUR"}
    with sessions.begin() as session:
        allocation_of(session, allocation).purchases = None
    older = client.get(f"{URL}/{allocation}/purchases", headers=planner)
    assert older.json()["data"] == []


@pytest.mark.usefixtures("loaded")
def test_stock_that_is_scarce_has_a_price_with_its_bucket(
    client: httpx.Client, planner: Headers, sessions: SessionFactory, clock: FakeClock
) -> None:
    allocation = started(client, planner, scenario=SCARCE)
    worked(sessions, clock)
    url = f"{URL}/{allocation}/prices?kind=stock&site=DE-HAM"
    price, *_ = client.get(url, headers=planner).json()["data"]
    bucket = client.get(f"{URL}/{allocation}/unmet", headers=planner).json()["data"][0]["bucket"]
    assert price.pop("price") > 0
    assert price == {
        "kind": "stock", "bucket": bucket, "item": "MUG", "site": "DE-HAM", "to_site": "",
        "service": "", "currency": "EUR",
    }  # fmt: skip


@pytest.mark.usefixtures("loaded")
def test_lists_go_page_by_page(
    client: httpx.Client, planner: Headers, sessions: SessionFactory, clock: FakeClock
) -> None:
    first = started(client, planner)
    clock.pass_(seconds=1)
    second = started(client, planner)
    worked(sessions, clock)
    page = client.get(f"{URL}?limit=1", headers=planner).json()
    assert [each["id"] for each in page["data"]] == [second]
    rest = client.get(f"{URL}?cursor={page['next']}", headers=planner).json()
    assert [each["id"] for each in rest["data"]] == [first]
    flows = client.get(f"{URL}/{first}/flows?limit=1", headers=planner).json()
    after = client.get(f"{URL}/{first}/flows?cursor={flows['next']}", headers=planner).json()
    assert (flows["data"][0]["site"], after["data"][0]["site"]) == ("DE-HAM", "TH-BKK")
    assert after["next"] is None


@pytest.mark.usefixtures("loaded")
def test_a_result_that_is_not_there_yet_is_a_conflict(
    client: httpx.Client, planner: Headers
) -> None:
    allocation = started(client, planner)
    answer = client.get(f"{URL}/{allocation}/flows", headers=planner)
    assert (answer.status_code, answer.json()["code"]) == (409, "not-finished")


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    "body",
    [
        {"gap": -0.1},
        {"gap": 0.21},
        {"gap": "wide"},
        {"colour": "red"},
        {"seed": -1},
        {"scenario": {"name": "Empty", "overrides": [{"site": "NOWHERE", "status": "closed"}]}},
        {"scenario": {"overrides": []}},
    ],
)
def test_a_request_that_means_nothing_is_refused_and_starts_no_job(
    client: httpx.Client, planner: Headers, body: Mapping[str, object]
) -> None:
    assert client.post(URL, json=body, headers=planner).status_code == 422
    assert client.get(URL, headers=planner).json()["data"] == []


@pytest.mark.usefixtures("loaded")
def test_only_planners_allocate(client: httpx.Client, keys: Mapping[str, Headers]) -> None:
    assert client.post(URL, json={}).status_code == 401
    assert client.post(URL, json={}, headers=keys["order-service"]).status_code == 403
    unknown = client.get(f"{URL}/alc_unknown", headers=keys["planner"])
    assert unknown.status_code == 404


def test_without_a_brand_there_is_nothing_to_allocate(
    client: httpx.Client, planner: Headers
) -> None:
    assert client.post(URL, json={}, headers=planner).status_code == 404


def test_the_command_prints_one_document_and_writes_five_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_brand(two_sites_one_item(), tmp_path / "brand")
    out = tmp_path / "out"
    arguments = ["allocate", str(tmp_path / "brand"), "--out", str(out), "--workers", "2"]
    assert run([*arguments, "--gap", "0.001", "--seed", "3", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) >= {
        "status", "objective", "bound", "gap", "method", "seconds", "units", "costs", "kpis",
        "open_sites", "binding",
    }  # fmt: skip
    assert set(document["seconds"]) == {"build", "solve", "total"}
    assert set(document["units"]) == {"demand", "served", "unmet"}
    assert set(document["costs"]) == {
        "shipping", "handling", "duty", "tax", "lateness", "carbon", "storage", "moves",
        "purchases", "fixed", "unmet",
    }  # fmt: skip
    assert sum(document["costs"].values()) == pytest.approx(document["objective"])
    assert (document["status"], document["open_sites"]) == ("optimal", ["DE-HAM", "TH-BKK"])
    names = {path.name for path in out.iterdir()}
    tables = ("flows", "moves", "purchases", "unmet", "prices")
    assert names == {f"{table}.parquet" for table in tables}
    assert pd.read_parquet(out / "flows.parquet")["quantity"].sum() == 50.0


def test_the_command_applies_a_scenario(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_brand(two_sites_one_item(), tmp_path / "brand")
    scenario = tmp_path / "more.toml"
    scenario.write_text(
        'name = "More"\n[[override]]\ndemand = { region = "DE" }\nfactor = 2.0\n', "utf-8"
    )
    assert run(["allocate", str(tmp_path / "brand"), "--scenario", str(scenario), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["units"]["demand"] == 80.0


def test_people_read_costs_figures_and_limits_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names in brackets are not taken for markup, and parts of the cost add up before the eye."""
    brand = two_sites_one_item()
    small = brand.table("stock").assign(on_hand=[5, 5])
    items = brand.table("items").assign(name="Mug [large]")
    brand = brand.with_table("stock", small).with_table("items", items)
    write_brand(brand, tmp_path / "brand")
    assert run(["allocate", str(tmp_path / "brand")]) == 0
    shown = capsys.readouterr().out
    assert "Mug [large] at DE-HAM" in shown
    assert "not enough stock" in shown
    assert re.search(r"Fill +[\d.]+ +% of units asked for", shown)
    total = re.search(r"(?m)^ *In all +([\d,.]+) *$", shown)
    proof = re.search(r"%: ([\d,.]+) EUR", shown)
    assert total
    assert proof
    assert figure(total[1]) == pytest.approx(figure(proof[1]), abs=0.5)


def figure(text: str) -> float:
    return float(text.replace(",", ""))


@pytest.mark.parametrize("count", [3, 20])
def test_a_departure_is_told_with_all_it_costs_and_a_title_counts_only_what_it_hides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    """Goods pay 2 a unit and the departure 10: a table once told the 10 alone."""
    days = [date(2026, 9, 7) + timedelta(weeks=week) for week in range(count + 1)]
    brand = two_sites_one_item()
    brand = replace(brand, horizon_weeks=count + 1)
    lane = {"from_site": "DE-HAM", "to_site": "TH-BKK", "service": "EXPRESS", "transit_days": 2,
            "cost_per_unit": 2.0, "fixed_cost": 10.0, "capacity_m3": 0.005}  # fmt: skip
    asked = [{"start": day, "region": "TH", "item": "MUG", "mean": 5.0} for day in days[1:]]
    rates = brand.table("rates")
    for name, rows in (("lanes", [lane]), ("forecast", asked),
                       ("stock", [{"site": "DE-HAM", "item": "MUG", "on_hand": 500}])):  # fmt: skip
        brand = brand.with_table(name, complete(name, pd.DataFrame(rows)))
    brand = brand.with_table("rates", rates[rates["site"] == rates["region"].map(
        {"DE": "DE-HAM", "TH": "TH-BKK"})])  # fmt: skip
    items = brand.table("items").assign(unmet_penalty=90.0)
    brand = brand.with_table("items", items).with_table("duties", blank("duties"))
    write_brand(brand, tmp_path / "brand")
    assert run(["allocate", str(tmp_path / "brand")]) == 0
    shown = capsys.readouterr().out
    assert ("Departures between sites, the first 15 of" in shown) == (count > 15)
    assert re.search(r"DE-HAM +TH-BKK +EXPRESS +5 +[\d.]+ +20\.00", shown)


def test_people_are_told_which_sites_open_and_which_stay_closed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which sites to open is the answer to the question; it once stood in the document alone."""
    brand = two_sites_one_item()
    sites = brand.table("sites").assign(status="decide", fixed_cost=[1.0, 100_000.0])
    write_brand(brand.with_table("sites", sites), tmp_path / "brand")
    page = tmp_path / "page.html"
    assert run(["allocate", str(tmp_path / "brand"), "--report", str(page)]) == 0
    told = "The plan opens DE-HAM and leaves closed TH-BKK."
    assert told in capsys.readouterr().out
    assert told in page.read_text(encoding="utf-8")


def test_the_prices_of_an_earlier_run_are_where_the_next_one_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it begins, the bound of one run holds for the plan of the other."""
    monkeypatch.setattr(solve, "EXACT_COLUMNS", 0)
    write_brand(six_hubs(), tmp_path / "brand")
    arguments = ["allocate", str(tmp_path / "brand"), "--json"]
    assert run([*arguments, "--out", str(tmp_path / "out")]) == 0
    first = json.loads(capsys.readouterr().out)
    assert run([*arguments, "--prices", str(tmp_path / "out" / "prices.parquet")]) == 0
    second = json.loads(capsys.readouterr().out)
    assert first["method"] == second["method"] == "decomposition"
    assert first["bound"] <= second["objective"] + 1e-6
    assert second["bound"] <= first["objective"] + 1e-6


def test_a_flow_is_explained_in_the_document_and_as_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    brand = two_sites_one_item()
    small = brand.table("stock").assign(on_hand=[5, 5])
    write_brand(brand.with_table("stock", small), tmp_path / "brand")
    arguments = ["allocate", str(tmp_path / "brand"), "--explain", "MUG/DE"]
    assert run([*arguments, "--explain", "MUG/TH", "--json"]) == 0
    german, thai = json.loads(capsys.readouterr().out)["alternatives"]
    assert (german["region"], thai["region"]) == ("DE", "TH")
    assert german["ways"][0]["reduced_cost"] == pytest.approx(0.0)
    assert {way["site"] for way in german["ways"]} == {"DE-HAM", "TH-BKK", ""}
    assert run(arguments) == 0
    shown = capsys.readouterr().out
    assert "leave unmet" in shown
    assert "DE-HAM EXPRESS" in shown


@pytest.mark.parametrize(
    ("flow", "named"),
    [("MUG", "MUG"), ("CUP/DE", "CUP"), ("MUG/FR", "FR"), ("MUG/DE/2030-01-01", "2030-01-01")],
)
def test_a_flow_that_nobody_knows_exits_with_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flow: str, named: str
) -> None:
    write_brand(two_sites_one_item(), tmp_path / "brand")
    assert run(["allocate", str(tmp_path / "brand"), "--explain", flow, "--json"]) == 2
    assert named in capsys.readouterr().err


def test_people_are_told_what_is_proven(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_brand(two_sites_one_item(), tmp_path / "brand")
    assert run(["allocate", str(tmp_path / "brand"), "--gap", "0.2"]) == 0
    assert "optimal, proven within 0.0001 %" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--scenario", "nowhere.toml"], ["--gap", "0.21"], ["--gap", "-0.1"], ["--gap", "nan"],
        ["--workers", "0"], ["--what"], ["--prices", "nowhere.parquet"],
    ],
)  # fmt: skip
def test_bad_arguments_exit_with_two(tmp_path: Path, arguments: list[str]) -> None:
    write_brand(two_sites_one_item(), tmp_path / "brand")
    assert run(["allocate", str(tmp_path / "brand"), *arguments, "--json"]) == 2


def test_a_folder_that_is_not_there_exits_with_two(tmp_path: Path) -> None:
    assert run(["allocate", str(tmp_path / "nowhere")]) == 2
