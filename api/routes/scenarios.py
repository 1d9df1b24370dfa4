"""`/v1/scenarios` and `/v1/runs`: what-if, run in the background, compared and promoted."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from api.bodies import INTEGRAL, Body, Moment, View
from api.dependencies import ClockDep, EntropyDep, SessionDep, allow
from api.openapi import conflicts
from api.pages import Page, PagingDep
from api.services import scenarios as services
from api.services.scenarios import RunView
from simulations import store
from simulations.records import ScenarioRecord

router = APIRouter(prefix="/v1", tags=["scenarios"], dependencies=[Depends(allow("planner"))])

_Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
_Note = Annotated[str, Field(max_length=5000, pattern=r"^[^\x00]*$")]


class ScenarioCreate(Body):
    """A scenario to keep: overrides as in a scenario file, in their order."""

    name: _Name
    note: _Note = ""
    overrides: Annotated[list[dict[str, Any]], Field(max_length=1000)] = Field(
        default_factory=list,
        examples=[[{"demand": {"region": "US-*"}, "factor": 1.3}]],
    )


class ScenarioRead(View):
    """A scenario as it was written."""

    id: str
    name: str
    note: str
    overrides: list[dict[str, Any]]
    created_at: Moment


class RunCreate(Body):
    """How to run a scenario."""

    seed: Annotated[int, Field(strict=True, ge=0, le=2**31 - 2), INTEGRAL] = 0


class RunRead(View):
    """A run: `state` and `progress` are its job's, `outcome` is null until it has ended."""

    id: str
    name: str
    scenario: str | None
    base: str | None
    brand_version: str
    seed: int
    job: str
    state: str
    progress: float
    doing: str
    error: str
    outcome: dict[str, Any] | None
    created_at: Moment
    finished_at: Moment | None
    promoted_at: Moment | None


@router.post("/scenarios", status_code=201)
def create_scenario(
    body: ScenarioCreate,
    session: SessionDep,
    clock: ClockDep,
    entropy: EntropyDep,
    response: Response,
) -> ScenarioRead:
    """Keeps a scenario that fits the current brand and returns it."""
    record = services.create_scenario(session, body.model_dump(), clock, entropy)
    response.headers["Location"] = f"/v1/scenarios/{record.id}"
    return _scenario(record)


@router.get("/scenarios")
def list_scenarios(session: SessionDep, paging: PagingDep) -> Page[ScenarioRead]:
    """Returns scenarios, newest first."""
    after = paging.after(str)
    rows = store.scenario_records(session, paging.asked, str(after[0]) if after else None)
    return paging.page(rows, key=lambda record: (record.id,), show=_scenario)


@router.get("/scenarios/{scenario}")
def read_scenario(scenario: str, session: SessionDep) -> ScenarioRead:
    """Returns a scenario."""
    return _scenario(store.scenario_record(session, scenario))


@router.post("/scenarios/{scenario}/runs", status_code=202)
def create_run(
    scenario: str,
    session: SessionDep,
    clock: ClockDep,
    entropy: EntropyDep,
    response: Response,
    body: RunCreate | None = None,
) -> RunRead:
    """Starts a run of a scenario on the brand as it is now; the base is run along once."""
    seed = body.seed if body else 0
    made = services.request_run(session, scenario, seed, clock, entropy)
    response.headers["Location"] = f"/v1/runs/{made.run.id}"
    return _run(made)


@router.get("/runs")
def list_runs(
    session: SessionDep,
    paging: PagingDep,
    scenario: Annotated[str | None, Query(max_length=100)] = None,
) -> Page[RunRead]:
    """Returns runs, newest first, without their outcomes."""
    after = paging.after(str)
    views = services.run_views(session, paging.asked, str(after[0]) if after else None, scenario)
    return paging.page(views, key=lambda view: (view.run.id,), show=_listed)


@router.get("/runs/compare", responses=conflicts("run-not-finished"))
def compare_runs(
    session: SessionDep,
    ids: Annotated[str, Query(max_length=2000, description="Run ids separated by commas")],
) -> dict[str, Any]:
    """Returns how runs differ from the first; one id alone is compared with its base."""
    names = [name for name in (part.strip() for part in ids.split(",")) if name]
    return services.compare_runs(session, names[:20]).document()


@router.get("/runs/{run}")
def read_run(run: str, session: SessionDep) -> RunRead:
    """Returns a run, with its outcome once it has ended."""
    return _run(services.run_view(session, run))


@router.post("/runs/{run}/promote")
def promote_run(run: str, session: SessionDep, clock: ClockDep) -> RunRead:
    """Makes the prices of a run the current ones, by which orders are planned."""
    return _run(services.promote(session, run, clock))


def _scenario(record: ScenarioRecord) -> ScenarioRead:
    return ScenarioRead.model_validate(
        {"id": record.id, "created_at": record.created_at, **record.document}
    )


def _run(view: RunView) -> RunRead:
    shown = view.run.model_dump(exclude={"prices", "forecast"})
    return RunRead.model_validate({**shown, "name": view.name, **_job(view)})


def _listed(view: RunView) -> RunRead:
    return _run(view).model_copy(update={"outcome": None})


def _job(view: RunView) -> dict[str, Any]:
    job = view.job
    return {name: getattr(job, name) for name in ("state", "progress", "doing", "error")}
