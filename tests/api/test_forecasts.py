"""Forecasts: `entrepot forecast` on a folder, and the job behind `POST /v1/forecasts`."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from starlette.testclient import TestClient

from api.cli import run
from api.database import SessionFactory
from api.jobs.runner import Runner
from api.services.brands import brand_version, load_brand
from api.services.forecasts import (
    accuracy_document,
    forecast_inputs,
    item_frame,
    kept_frame,
    latest_forecast,
    result_document,
)
from core.brand import Brand
from core.folder.columns import blank
from core.folder.schema import schemas
from core.folder.writer import write_brand
from inventory.demand import store
from inventory.demand.overrides import of_brand
from tests.conftest import Headers
from tests.fakes import FakeClock, seeded_entropy
from tests.inventory.demand.made import accuracy_made, forecast_made
from tests.inventory.demand.market import brand_with, noisy

SCORES = {
    "wape", "bias", "pinball_p50", "pinball_p90", "pinball_p95", "p90_hit", "fva_share",
}  # fmt: skip


@pytest.fixture
def brand() -> Brand:
    """A quarter of a year of random demand for two items in two markets."""
    return brand_with(noisy(8), date(2026, 6, 1), date(2026, 9, 6))


@pytest.fixture
def folder(brand: Brand, tmp_path: Path) -> Path:
    written = tmp_path / "brand"
    write_brand(brand, written)
    return written


@pytest.fixture
def worker(sessions: SessionFactory, clock: FakeClock) -> Runner:
    return Runner(sessions, clock, "only")


def test_the_command_prints_one_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["forecast", str(folder), "--weeks", "3", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {
        "series", "seconds", "series_per_minute", "models", "findings", "overrides", "value_added",
    }  # fmt: skip
    assert document["series"] == 4
    assert document["overrides"] == []
    assert set(document["value_added"]) == {"judged", "no_worse", "share"}
    assert sum(count for name, count in document["models"].items() if "region" not in name) == 4


def test_a_backtest_adds_accuracy_beside_its_peers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["forecast", str(folder), "--backtest", "1", "--json"]) == 0
    accuracy = json.loads(capsys.readouterr().out)["accuracy"]
    assert set(accuracy) == {"item_region", "region", "naive", "seasonal_naive"}
    assert set(accuracy["item_region"]) == set(accuracy["naive"]["region"]) == SCORES


def test_the_file_written_is_a_forecast_of_the_folder(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "forecast.parquet"
    assert run(["forecast", str(folder), "--weeks", "3", "--out", str(out)]) == 0
    frame = pd.read_parquet(out)
    assert tuple(frame.columns) == schemas()["forecast"].columns
    assert len(frame) == 3 * 4
    out.rename(folder / "forecast.parquet")
    assert run(["check", str(folder)]) == 0


def with_override(folder: Path, **changed: str) -> None:
    """Writes an override that doubles the mugs of one week in Germany."""
    row = {
        "override": "FAIR", "region": "DE", "item": "MUG", "start": "2026-09-07",
        "end": "2026-09-13", "factor": "2", "who": "Pia", "made": "2026-09-01", "why": "A fair",
    }  # fmt: skip
    table = pd.DataFrame([row | changed])
    table.to_csv(folder / "overrides.csv", index=False)


def test_overrides_of_the_folder_are_applied_and_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_override(folder)
    decided, plain = tmp_path / "decided.parquet", tmp_path / "plain.parquet"
    assert run(["forecast", str(folder), "--weeks", "2", "--out", str(decided), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["overrides"]
    without = ["--no-overrides", "--out", str(plain), "--json"]
    assert run(["forecast", str(folder), "--weeks", "2", *without]) == 0
    assert json.loads(capsys.readouterr().out)["overrides"] == []
    before, after = pd.read_parquet(plain)["mean"], pd.read_parquet(decided)["mean"]
    (changed,) = (after != before).to_numpy().nonzero()[0]
    assert after[changed] == pytest.approx(2 * before[changed])
    assert (told["cells"], told["who"], told["why"]) == (1, "Pia", "A fair")
    assert told["mean"] == pytest.approx(2 * told["statistical"])


def test_an_override_of_an_item_that_is_not_there_is_told_its_nearest(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_override(folder, item="MUGG")
    assert run(["forecast", str(folder), "--weeks", "2", "--json"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "overrides.csv:2:3" in told.err
    assert "did you mean MUG?" in told.err


def test_tables_fit_80_columns_and_break_no_word(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with_override(folder)
    assert run(["forecast", str(folder), "--weeks", "2", "--backtest", "1"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    for word in ("seasonal", "P90 loss", "statistics", "in all", "items in regions"):
        assert word in shown


def test_the_report_is_one_page_beside_the_document(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    assert run(["forecast", str(folder), "--weeks", "2", "--report", str(page), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["series"] == 4
    text = page.read_text(encoding="utf-8")
    assert text.lstrip().startswith("<!doctype html>")
    assert text.rstrip().endswith("</html>")


def test_without_out_nothing_is_written(folder: Path) -> None:
    before = sorted(folder.iterdir())
    assert run(["forecast", str(folder), "--weeks", "2"]) == 0
    assert sorted(folder.iterdir()) == before


def test_the_same_seed_writes_the_same_forecast(folder: Path, tmp_path: Path) -> None:
    frames = []
    for name in ("first.parquet", "second.parquet"):
        run(["forecast", str(folder), "--weeks", "3", "--seed", "5", "--out", str(tmp_path / name)])
        frames.append(pd.read_parquet(tmp_path / name))
    pd.testing.assert_frame_equal(frames[0], frames[1])


def test_a_folder_without_demand_is_told_which_file_is_missing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "demand.parquet").unlink()
    assert run(["forecast", str(folder), "--json"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "demand.parquet:0:0: file is missing" in told.err


@pytest.mark.parametrize(
    "bad", [["--weeks", "0"], ["--seed", "-1"], ["--backtest", "0"], ["--workers", "0"]]
)
def test_bad_options_are_bad_input(folder: Path, bad: list[str]) -> None:
    assert run(["forecast", str(folder), *bad]) == 2


def test_more_origins_than_history_is_bad_input(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["forecast", str(folder), "--backtest", "9"]) == 2
    told = capsys.readouterr().err
    assert "demand.parquet:0:0: Expected at least 1 origin" in told
    assert "do not fit" in told


@pytest.mark.usefixtures("loaded")
def test_a_forecast_is_a_job_whose_result_planners_read(
    client: TestClient, keys: Mapping[str, Headers], worker: Runner, sessions: SessionFactory
) -> None:
    asked = client.post("/v1/forecasts", json={"weeks": 3}, headers=keys["planner"])
    assert asked.status_code == 202, asked.text
    address = asked.headers["Location"]
    waiting = client.get(address, headers=keys["planner"]).json()
    assert (waiting["state"], waiting["result"]) == ("queued", None)
    with sessions.begin() as session:
        assert latest_forecast(session, brand_version(session)) is None

    worker.run(asked.json()["job"])

    made = client.get(address, headers=keys["planner"]).json()
    assert (made["state"], made["error"]) == ("succeeded", "")
    assert made["result"]["series"] == 4
    assert set(made["accuracy"]["region"]) == SCORES
    with sessions.begin() as session:
        frame = latest_forecast(session, brand_version(session))
    assert frame is not None
    assert frame.dtypes.to_dict() == blank("forecast").dtypes.to_dict()
    assert len(frame) == 3 * 4


@pytest.mark.usefixtures("loaded")
def test_a_forecast_belongs_to_the_brand_that_was_forecast(
    client: TestClient,
    keys: Mapping[str, Headers],
    worker: Runner,
    sessions: SessionFactory,
    brand: Brand,
    clock: FakeClock,
) -> None:
    """A new folder is loaded while the job waits: its result is filed under the new version."""
    asked = client.post("/v1/forecasts", json={"origins": 0}, headers=keys["planner"]).json()
    fewer = brand.with_table("demand", brand.table("demand").iloc[:-1])
    with sessions.begin() as session:
        load_brand(session, fewer, clock, seeded_entropy(3))
    worker.run(asked["job"])
    made = client.get(f"/v1/forecasts/{asked['id']}", headers=keys["planner"]).json()
    assert made["brand_version"] != asked["brand_version"]
    assert made["accuracy"] is None


@pytest.fixture
def kept(
    client: TestClient, keys: Mapping[str, Headers], sessions: SessionFactory, loaded: Brand
) -> str:
    """A finished forecast of three weeks, written without a job."""
    asked = client.post("/v1/forecasts", json={"weeks": 3}, headers=keys["planner"]).json()
    made = forecast_made(loaded)
    with sessions.begin() as session:
        store.save_result(
            session,
            asked["id"],
            brand_version=asked["brand_version"],
            result=result_document(loaded, made, accuracy_made(loaded)),
            accuracy=accuracy_document(accuracy_made(loaded)),
            frame=kept_frame(made),
            now=datetime(2026, 9, 7, 9, tzinfo=UTC),
        )
    return str(asked["id"])


def test_what_is_kept_of_a_forecast_is_read_back(
    client: TestClient, keys: Mapping[str, Headers], kept: str
) -> None:
    shown = client.get(f"/v1/forecasts/{kept}", headers=keys["planner"]).json()
    assert len(shown["result"]["regions"]) == 3 * 2
    assert len(shown["result"]["categories"]) == 3 * 2
    assert shown["result"]["finding_counts"] == {"clipped": 1, "dead": 1}
    assert shown["result"]["value_added"] == {"judged": 3, "no_worse": 2, "share": 2 / 3}
    assert shown["accuracy"]["by_region"][1]["wape_naive"] is None
    assert shown["accuracy"]["alarms"][0]["text"] == "A quarter too high."


def test_forecasts_are_listed_newest_first_without_their_results(
    client: TestClient, keys: Mapping[str, Headers], kept: str, clock: FakeClock
) -> None:
    clock.pass_(seconds=1)
    second = client.post("/v1/forecasts", json={}, headers=keys["planner"]).json()["id"]
    first = client.get("/v1/forecasts?limit=1", headers=keys["planner"])
    rest = client.get(first.links["next"]["url"], headers=keys["planner"]).json()
    listed = first.json()["data"] + rest["data"]
    assert [row["id"] for row in listed] == [second, kept]
    assert {row["result"] for row in listed} == {None}


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ("", 3 * 2 * 2), ("region=DE", 3 * 2), ("item=MUG", 3 * 2), ("region=DE&item=MUG", 3),
        ("level=region", 3 * 2), ("level=region&region=TH", 3), ("level=category", 3 * 2),
        ("region=NOWHERE", 0), ("level=category&region=NOWHERE", 0),
    ],
)  # fmt: skip
def test_series_are_read_page_by_page_without_a_gap_or_a_repeat(
    client: TestClient, keys: Mapping[str, Headers], kept: str, asked: str, count: int
) -> None:
    address: str | None = f"/v1/forecasts/{kept}/series?limit=4&{asked}"
    rows: list[dict[str, object]] = []
    while address:
        answer = client.get(address, headers=keys["planner"])
        assert answer.status_code == 200, answer.text
        rows += answer.json()["data"]
        address = answer.links["next"]["url"] if answer.links else None
    places = [(row["region"], row["category"], row["item"], row["start"]) for row in rows]
    assert len(set(places)) == len(rows) == count


def test_a_series_has_its_quantiles_and_a_category_has_none(
    client: TestClient, keys: Mapping[str, Headers], kept: str
) -> None:
    address = f"/v1/forecasts/{kept}/series?region=DE"
    item = client.get(f"{address}&item=CUP", headers=keys["planner"]).json()["data"][0]
    assert item == {
        "start": "2026-09-14", "region": "DE", "category": None, "item": "CUP", "mean": 20.0,
        "p05": 4.0, "p25": 14.0, "p50": 20.0, "p75": 26.0, "p90": 32.0, "p95": 36.0,
    }  # fmt: skip
    category = client.get(f"{address}&level=category", headers=keys["planner"]).json()["data"][0]
    assert (category["category"], category["mean"], category["p50"]) == ("kitchen", 30.0, None)


def test_a_lead_time_is_narrower_than_its_weeks_added_up(
    client: TestClient, keys: Mapping[str, Headers], kept: str
) -> None:
    address = f"/v1/forecasts/{kept}/lead-time?item=CUP&region=DE"
    one = client.get(f"{address}&weeks=1", headers=keys["planner"]).json()
    three = client.get(f"{address}&weeks=3", headers=keys["planner"]).json()
    assert three["mean"] == pytest.approx(3 * one["mean"])
    tails = [three[name] for name in ("p05", "p25", "p50", "p75", "p90", "p95")]
    assert tails == sorted(tails)
    assert tails[-1] < 3 * 36.0
    assert client.get(f"{address}&weeks=3", headers=keys["planner"]).json() == three


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        ("series?level=planet", 422), ("series?cursor=x", 422),
        ("series?level=region&item=MUG", 422),
        ("series?cursor=WyJERSIsIk1VRyIsIm5ldmVyIl0", 422), ("lead-time?item=MUG&region=DE", 422),
        ("lead-time?item=MUG&region=DE&weeks=4", 422), ("lead-time?item=X&region=DE&weeks=1", 404),
    ],
)  # fmt: skip
def test_what_was_not_forecast_is_refused(
    client: TestClient, keys: Mapping[str, Headers], kept: str, rest: str, status: int
) -> None:
    answer = client.get(f"/v1/forecasts/{kept}/{rest}", headers=keys["planner"])
    assert answer.status_code == status, answer.text


def test_what_is_kept_of_each_series_stays_out_of_the_forecast_that_plans_read(
    sessions: SessionFactory, kept: str
) -> None:
    with sessions.begin() as session:
        frame = latest_forecast(session, brand_version(session))
        rows = item_frame(session, kept, "TH", ["CUP"])
    assert frame is not None
    assert frame.dtypes.to_dict() == blank("forecast").dtypes.to_dict()
    assert (
        rows[["method", "alpha", "value_added"]].to_numpy().tolist()
        == [["smoothing", 0.1, 0.1]] * 3
    )


@pytest.mark.usefixtures("loaded")
def test_before_the_job_has_ended_there_are_no_series(
    client: TestClient, keys: Mapping[str, Headers]
) -> None:
    asked = client.post("/v1/forecasts", json={}, headers=keys["planner"]).json()["id"]
    for rest in ("series", "series?level=region", "lead-time?item=MUG&region=DE&weeks=1"):
        answer = client.get(f"/v1/forecasts/{asked}/{rest}", headers=keys["planner"])
        assert (answer.status_code, answer.json()["code"]) == (409, "forecast-not-finished")
    assert client.get("/v1/forecasts/fct_x/series", headers=keys["planner"]).status_code == 404


def test_a_job_forecasts_with_the_overrides_that_stand(
    client: TestClient, keys: Mapping[str, Headers], sessions: SessionFactory, kept: str
) -> None:
    body = {"region": "DE", "start": "2026-09-07", "end": "2026-09-20", "factor": 2, "why": "Fair"}
    headers = {**keys["planner"], "Idempotency-Key": "k"}
    made = client.post("/v1/forecast-overrides", json=body, headers=headers).json()["id"]
    with sessions.begin() as session:
        inputs = forecast_inputs(session, kept)
        assert [one.id for one in of_brand(inputs.brand)] == [made]
        assert inputs.asked.id == kept
        document = result_document(inputs.brand, forecast_made(inputs.brand), None)
    assert document["overrides"][0]["cells"] == 2
    assert {row["region"] for row in document["shifts"]} == {"DE"}


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    "body",
    [{"weeks": 0}, {"weeks": 105}, {"weeks": "4"}, {"seed": -1}, {"origins": 9}, {"model": "x"}],
)
def test_a_bad_request_starts_nothing(
    client: TestClient, keys: Mapping[str, Headers], body: dict[str, object]
) -> None:
    assert client.post("/v1/forecasts", json=body, headers=keys["planner"]).status_code == 422
    jobs = client.get("/v1/jobs", headers=keys["planner"]).json()
    assert jobs["data"] == []


@pytest.mark.usefixtures("loaded")
def test_asking_for_a_forecast_reads_no_table(
    client: TestClient, keys: Mapping[str, Headers], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A brand of a million series took three seconds and 1.4 GB to be asked for its horizon."""
    monkeypatch.setattr("api.store.brand_tables", lambda *_: pytest.fail("read a table"))
    monkeypatch.setattr("api.services.brands._cache.kept", None)
    made = client.post("/v1/forecasts", json={}, headers=keys["planner"])
    assert (made.status_code, made.json()["weeks"]) == (202, 4)


def test_before_a_brand_is_loaded_there_is_nothing_to_forecast(
    client: TestClient, keys: Mapping[str, Headers]
) -> None:
    assert client.post("/v1/forecasts", json={}, headers=keys["planner"]).status_code == 404


@pytest.mark.usefixtures("loaded")
def test_only_planners_forecast(client: TestClient, keys: Mapping[str, Headers]) -> None:
    assert client.post("/v1/forecasts", json={}, headers=keys["order-service"]).status_code == 403
    assert client.get("/v1/forecasts/fct_x", headers=keys["planner"]).status_code == 404
