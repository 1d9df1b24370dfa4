"""Large forecasts: partitions as jobs that begin where an earlier attempt stood, files in parts."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlmodel import select
from starlette.testclient import TestClient

from api.cli import run
from api.database import SessionFactory
from api.jobs.runner import Runner
from api.services.brands import brand_version, load_brand
from api.services.forecast_files import PartsFile
from api.services.forecasts import latest_forecast, request_forecast
from core.brand import Brand
from core.folder.columns import blank
from core.folder.writer import write_brand
from inventory.demand import partition, parts, steps, store
from inventory.demand.forecast import forecast
from inventory.demand.parts import ForecastPart, by_name
from inventory.demand.records import ForecastPartitionRecord
from tests.conftest import Headers
from tests.fakes import FakeClock, seeded_entropy
from tests.inventory.demand.market import brand_with, noisy

ITEMS = ("I3", "I1", "I0", "I2")
PARTS = 2
KEYS = ["start", "region", "item"]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A brand of 8 series is large, in 2 partitions."""
    monkeypatch.setattr(parts, "LARGE_SERIES", 7)
    monkeypatch.setattr(parts, "JUDGED_SERIES", 4)
    monkeypatch.setattr(partition, "PARTITION_SERIES", 4)


@pytest.fixture
def brand() -> Brand:
    return brand_with(noisy(8), date(2026, 6, 1), date(2026, 9, 6), ITEMS)


@pytest.fixture
def folder(brand: Brand, tmp_path: Path) -> Path:
    written = tmp_path / "brand"
    write_brand(brand, written)
    return written


@pytest.fixture
def worker(sessions: SessionFactory, clock: FakeClock) -> Runner:
    return Runner(sessions, clock, "only")


@pytest.fixture
def asked(sessions: SessionFactory, brand: Brand, clock: FakeClock) -> tuple[str, str]:
    """A forecast of the large brand that nobody works on yet, and its job."""
    with sessions.begin() as session:
        load_brand(session, brand, clock, seeded_entropy(2))
        view = request_forecast(session, 3, 0, 1, clock, seeded_entropy(3))
    return view.forecast.id, view.job.id


class Failing:
    """Works so many partitions, then breaks; counts what it worked."""

    def __init__(self, good: int) -> None:
        self.good, self.worked = good, 0

    def __call__(
        self, step: str, partition: Any, shared: tuple[Any, ...], own: tuple[Any, ...]
    ) -> Any:
        if self.worked >= self.good:
            raise RuntimeError("broken")
        self.worked += 1
        return steps.STEPS[step](partition, *shared, *own)


def partitions(sessions: SessionFactory) -> Sequence[ForecastPartitionRecord]:
    with sessions.begin() as session:
        return session.exec(select(ForecastPartitionRecord)).all()


def statements(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(KEYS, ignore_index=True)


def saved(sessions: SessionFactory) -> pd.DataFrame:
    with sessions.begin() as session:
        frame = latest_forecast(session, brand_version(session))
    assert frame is not None
    assert frame.dtypes.to_dict() == blank("forecast").dtypes.to_dict()
    return statements(frame)


def expected(brand: Brand) -> pd.DataFrame:
    return statements(forecast(by_name(brand), 3).frame)


def test_one_worker_alone_ends_a_large_forecast(
    sessions: SessionFactory, worker: Runner, brand: Brand, asked: tuple[str, str]
) -> None:
    """Those who were called to help come too late, find nothing to do, and do no harm."""
    assert worker.run_due() == 2
    pd.testing.assert_frame_equal(saved(sessions), expected(brand), rtol=1e-6)
    told = [one for one in partitions(sessions) if one.step in (steps.LEVELS, steps.CELLS)]
    assert [(one.claims, one.computed, one.state) for one in told] == [(1, 1, "done")] * 4
    assert all(one.input is None and one.result is None for one in partitions(sessions))
    with sessions.begin() as session:
        found = store.forecast_of(session, asked[0])
        assert found.result is not None
        assert found.result["series"] == 8
        assert found.accuracy is not None
        assert [name.last for name in store.parts_of(session, asked[0])] == ["I1", "I3"]


def test_a_second_attempt_works_only_what_the_first_did_not(
    sessions: SessionFactory,
    worker: Runner,
    clock: FakeClock,
    asked: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = Failing(1), Failing(100)
    monkeypatch.setattr(steps, "work", first)
    worker.run(asked[1])
    clock.pass_(minutes=1)
    monkeypatch.setattr(steps, "work", second)
    worker.run(asked[1])
    assert (first.worked, second.worked) == (1, 2 * PARTS - 1)
    assert [one.computed for one in partitions(sessions) if one.step == "top"] == [1]


@pytest.mark.parametrize("worked", [1, PARTS + 1], ids=["levels", "cells"])
def test_a_second_attempt_at_another_brand_uses_nothing_of_the_first(
    sessions: SessionFactory,
    worker: Runner,
    brand: Brand,
    clock: FakeClock,
    asked: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    worked: int,
) -> None:
    """A new folder, with more items, is loaded between two attempts."""
    monkeypatch.setattr(steps, "work", Failing(worked))
    worker.run(asked[1])
    other = brand_with(noisy(9), date(2026, 6, 1), date(2026, 9, 6), (*ITEMS, "I4", "I5"))
    with sessions.begin() as session:
        load_brand(session, other, clock, seeded_entropy(4))
    clock.pass_(minutes=1)
    counted = Failing(100)
    monkeypatch.setattr(steps, "work", counted)
    worker.run(asked[1])
    assert counted.worked == 2 * (PARTS + 1)
    pd.testing.assert_frame_equal(saved(sessions), expected(other), rtol=1e-6)


def test_who_wakes_up_late_writes_nothing(
    sessions: SessionFactory, clock: FakeClock, asked: tuple[str, str]
) -> None:
    """A claim is lost to a later one, and to another question at the same place."""
    until = clock.now() + timedelta(seconds=10)

    def put(question: str) -> None:
        store.put_partition(
            session,
            ForecastPartitionRecord(
                forecast=asked[0], step="levels", number=0, asked=question, input=b"arrays"
            ),
        )

    with sessions.begin() as session:
        put("one")
        first = store.claim_partition(session, asked[0], "slow", clock.now(), until)
        assert store.claim_partition(session, asked[0], "quick", clock.now(), until) is None
        clock.pass_(minutes=1)
        second = store.claim_partition(session, asked[0], "quick", clock.now(), until)
        assert first is not None
        assert second is not None
        assert not store.finish_partition(session, first, b"late")
        put("two")
        third = store.claim_partition(session, asked[0], "quick", clock.now(), until)
        assert third is not None
        assert third.claim == first.claim
        for held in (first, second):
            assert not store.finish_partition(session, held, b"of another question")
        assert store.finish_partition(session, third, b"good")
        assert store.partition_result(session, asked[0], "levels", 0, "two") == b"good"
        assert store.partition_result(session, asked[0], "levels", 0, "one") is None


def test_what_a_failed_forecast_left_behind_goes_with_the_next(
    sessions: SessionFactory,
    worker: Runner,
    clock: FakeClock,
    asked: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(steps, "work", Failing(1))
    for _ in range(3):
        worker.run(asked[1])
        clock.pass_(minutes=1)
    assert any(one.input for one in partitions(sessions))
    monkeypatch.undo()
    with sessions.begin() as session:
        again = request_forecast(session, 3, 0, 0, clock, seeded_entropy(5))
    worker.run(again.job.id)
    assert {one.forecast for one in partitions(sessions)} <= {again.forecast.id}


def test_pages_of_items_cross_parts_without_a_gap_or_a_repeat(
    client: TestClient, keys: Mapping[str, Headers], worker: Runner, asked: tuple[str, str]
) -> None:
    worker.run(asked[1])
    address: str | None = f"/v1/forecasts/{asked[0]}/series?limit=5"
    rows: list[dict[str, Any]] = []
    while address:
        page = client.get(address, headers=keys["planner"])
        assert page.status_code == 200, page.text
        rows += page.json()["data"]
        address = page.links.get("next", {}).get("url")
    found = [(row["region"], row["item"], row["start"]) for row in rows]
    assert found == sorted(set(found))
    assert len(found) == 8 * 3
    one = client.get(
        f"/v1/forecasts/{asked[0]}/lead-time?item=I2&region=TH&weeks=3", headers=keys["planner"]
    ).json()
    mine = [row["mean"] for row in rows if (row["region"], row["item"]) == ("TH", "I2")]
    assert one["mean"] == pytest.approx(sum(mine))


def test_any_number_of_processes_writes_the_same_file_in_parts(
    folder: Path, tmp_path: Path, brand: Brand
) -> None:
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    assert run(["forecast", str(folder), "--weeks", "3", "--out", str(one)]) == 0
    again = ["--workers", "2", "--out", str(two)]
    assert run(["forecast", str(folder), "--weeks", "3", *again]) == 0
    assert one.read_bytes() == two.read_bytes()
    frame = statements(pd.read_parquet(one))
    pd.testing.assert_frame_equal(frame, expected(brand), rtol=1e-6, check_dtype=False)
    one.rename(folder / "forecast.parquet")
    assert run(["check", str(folder)]) == 0


def test_a_state_is_written_once_and_added_to_later(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state.parquet"
    asked = ["forecast", str(folder), "--weeks", "3", "--state", str(state), "--json"]
    assert run(asked) == 0
    first = capsys.readouterr()
    assert "Fitted every series" in first.err
    assert len(pd.read_parquet(state)) == 8
    assert run(asked) == 0
    second = capsys.readouterr()
    assert "Added 0 new lines" in second.err
    assert json.loads(second.out)["models"] == json.loads(first.out)["models"]


def test_a_state_that_is_none_is_bad_input(folder: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.parquet"
    state.write_text("nothing")
    assert run(["forecast", str(folder), "--state", str(state)]) == 2
    assert state.read_text() == "nothing"


def break_off(path: Path, part: ForecastPart) -> None:
    with PartsFile(path) as file:
        file.write(part)
        raise KeyboardInterrupt


def test_a_file_that_is_not_finished_does_not_appear(tmp_path: Path) -> None:
    frame = blank("forecast").assign(method="naive")
    with pytest.raises(KeyboardInterrupt):
        break_off(tmp_path / "out.parquet", ForecastPart(0, "A", "B", 1, frame))
    assert list(tmp_path.iterdir()) == []
