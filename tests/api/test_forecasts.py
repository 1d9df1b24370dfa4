"""Forecasts: `entrepot forecast` on a folder, and the job behind `POST /v1/forecasts`."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from starlette.testclient import TestClient

from api.cli import run
from api.database import SessionFactory
from api.jobs.runner import Runner
from api.services.brands import brand_version, load_brand
from api.services.forecasts import latest_forecast
from core.brand import Brand
from core.folder.columns import blank
from core.folder.schema import schemas
from core.folder.writer import write_brand
from tests.conftest import Headers
from tests.fakes import FakeClock, seeded_entropy
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
    assert set(document) == {"series", "seconds", "series_per_minute", "models"}
    assert document["series"] == 4
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


@pytest.mark.parametrize("bad", [["--weeks", "0"], ["--seed", "-1"], ["--backtest", "0"]])
def test_bad_options_are_bad_input(folder: Path, bad: list[str]) -> None:
    assert run(["forecast", str(folder), *bad]) == 2


def test_more_origins_than_history_is_bad_input(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["forecast", str(folder), "--backtest", "9"]) == 2
    assert "do not fit" in capsys.readouterr().err


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


def test_before_a_brand_is_loaded_there_is_nothing_to_forecast(
    client: TestClient, keys: Mapping[str, Headers]
) -> None:
    assert client.post("/v1/forecasts", json={}, headers=keys["planner"]).status_code == 404


@pytest.mark.usefixtures("loaded")
def test_only_planners_forecast(client: TestClient, keys: Mapping[str, Headers]) -> None:
    assert client.post("/v1/forecasts", json={}, headers=keys["order-service"]).status_code == 403
    assert client.get("/v1/forecasts/fct_x", headers=keys["planner"]).status_code == 404
