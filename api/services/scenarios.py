"""Scenarios and their runs: asked for at a door, done by a job, compared and promoted."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlmodel import Session

from api.queue.records import JobRecord
from api.queue.store import enqueue, job_of
from api.services.brands import brand_of_version, brand_version, current_brand
from api.services.forecasts import latest_forecast
from core.brand import Brand
from core.clock import Clock
from core.errors import BadInput, Conflict
from core.folder.writer import complete
from core.ids import Entropy, mint
from routing.allocation.prices import prices_bytes
from simulations import store
from simulations.comparison import Comparison, compare
from simulations.outcome import Outcome, outcome_of
from simulations.records import RunRecord, ScenarioRecord
from simulations.scenarios import BASE, Scenario, apply, scenario_of

KIND = "scenario.run"


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with the scenario and the job behind it; the base has no scenario of its own."""

    run: RunRecord
    name: str
    job: JobRecord


@dataclass(frozen=True, slots=True)
class RunInputs:
    """What a job computes: the brand with its forecast if there is one yet, and the scenarios.

    `scenarios` goes by run id and holds the base, too, while that has no outcome.
    """

    brand: Brand
    seed: int
    base: str
    scenarios: Mapping[str, Scenario]


def create_scenario(
    session: Session, document: Mapping[str, Any], clock: Clock, entropy: Entropy
) -> ScenarioRecord:
    """Returns a new scenario; raises `BadInput` for one that does not fit the current brand."""
    scenario = scenario_of(document)
    apply(current_brand(session), scenario)
    record = ScenarioRecord(
        id=mint("scn", clock.now(), entropy),
        name=scenario.name,
        document=scenario.document(),
        created_at=clock.now(),
    )
    store.add_scenario(session, record)
    return record


def request_run(
    session: Session, scenario: str, seed: int, clock: Clock, entropy: Entropy
) -> RunView:
    """Returns a run of a scenario on the brand as it is now; a job will do it.

    The first run on a version of the brand brings the run of its base along.
    """
    name = store.scenario_record(session, scenario).name
    version = brand_version(session)
    run = mint("run", clock.now(), entropy)
    job = enqueue(session, KIND, run, {}, clock, entropy)
    base = store.base_run(session, version, seed)
    if base is None:
        base = RunRecord(
            id=mint("run", clock.now(), entropy),
            brand_version=version,
            seed=seed,
            job=job.id,
            created_at=clock.now(),
        )
        store.add_run(session, base)
    record = RunRecord(
        id=run,
        scenario=scenario,
        base=base.id,
        brand_version=version,
        seed=seed,
        job=job.id,
        created_at=clock.now(),
    )
    store.add_run(session, record)
    return RunView(record, name, job)


def run_view(session: Session, run: str) -> RunView:
    """Returns a run with its job; raises `NotFound`."""
    return _view(session, store.run_record(session, run))


def run_views(
    session: Session, limit: int, after: str | None = None, scenario: str | None = None
) -> list[RunView]:
    """Returns runs, newest first; those of one scenario where it is given."""
    return [_view(session, record) for record in store.run_records(session, limit, after, scenario)]


def _view(session: Session, record: RunRecord) -> RunView:
    known = record.scenario is not None
    name = store.scenario_record(session, str(record.scenario)).name if known else BASE.name
    return RunView(record, name, job_of(session, record.job))


def run_inputs(session: Session, run: str) -> RunInputs:
    """Returns what the job of a run has to compute, on the brand of the moment it was asked."""
    record = store.run_record(session, run)
    base = store.run_record(session, str(record.base))
    written = store.scenario_record(session, str(record.scenario)).document
    scenarios = {record.id: scenario_of(written)}
    if base.outcome is None:
        scenarios = {base.id: BASE, **scenarios}
    brand = brand_of_version(session, record.brand_version)
    return RunInputs(
        _with_forecast(session, brand, base, record.brand_version),
        record.seed,
        base.id,
        scenarios,
    )


def _with_forecast(session: Session, brand: Brand, base: RunRecord, version: str) -> Brand:
    """Returns the brand with the forecast that the base used, or will use if one is there."""
    if len(brand.table("forecast")):
        return brand
    if base.forecast is not None:
        frame: pd.DataFrame | None = pd.read_parquet(io.BytesIO(base.forecast))
    else:
        frame = latest_forecast(session, version)
    return brand if frame is None else brand.with_table("forecast", complete("forecast", frame))


def keep_outcomes(
    session: Session,
    inputs: RunInputs,
    brand: Brand,
    outcomes: Sequence[Outcome],
    clock: Clock,
) -> None:
    """Saves the outcomes of a job in its last transaction; `brand` carries the shared forecast."""
    forecast = brand.table("forecast").to_parquet(None, index=False, compression="zstd")
    for run, outcome in zip(inputs.scenarios, outcomes, strict=True):
        if outcome.prices is None:
            raise ValueError("Expected an outcome with its prices.")
        store.finish_run(
            session,
            run,
            outcome.document(),
            prices_bytes(outcome.prices),
            clock.now(),
            bytes(forecast or b"") if run == inputs.base else None,
        )


def compare_runs(session: Session, runs: Sequence[str]) -> Comparison:
    """Returns how runs differ from the first of them; a single run is compared with its base.

    Raises `NotFound`, `Conflict` while one of them has no outcome yet, and `BadInput` where they
    are of different versions of the brand.
    """
    records = [store.run_record(session, run) for run in dict.fromkeys(runs)]
    if len(records) == 1 and records[0].base is not None:
        records.insert(0, store.run_record(session, records[0].base))
    if len({record.brand_version for record in records}) > 1:
        raise BadInput("Expected runs on one version of the brand.")
    return compare([_outcome(record) for record in records])


def promote(session: Session, run: str, clock: Clock) -> RunView:
    """Returns a run after making its prices the current ones.

    Raises `Conflict` before it has ended, and where a newer brand has been loaded since.
    """
    record = store.run_record(session, run)
    _outcome(record)
    if record.brand_version != brand_version(session):
        raise Conflict(f"Run {run} is of an older version of the brand.", "run-outdated")
    record.promoted_at = clock.now()
    session.add(record)
    session.flush()
    return _view(session, record)


def _outcome(record: RunRecord) -> Outcome:
    if record.outcome is None:
        raise Conflict(f"Run {record.id} has no outcome yet.", "run-not-finished")
    return outcome_of(record.outcome)
