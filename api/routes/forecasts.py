"""Forecasts: `POST /v1/forecasts` starts one, the others show what came of it."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from api.bodies import INTEGRAL, Body, Code, Moment, View
from api.dependencies import ClockDep, EntropyDep, SessionDep, allow
from api.openapi import conflicts
from api.pages import Page, PagingDep
from api.problems import Refused
from api.services import forecasts as services
from api.services.forecasts import ForecastView, forecast_view, request_forecast

router = APIRouter(
    prefix="/v1/forecasts", tags=["forecasts"], dependencies=[Depends(allow("planner"))]
)


class ForecastCreate(Body):
    """What to forecast; the horizon of the brand when `weeks` is left out."""

    weeks: Annotated[int, Field(strict=True, ge=1, le=104), INTEGRAL] | None = None
    seed: Annotated[int, Field(strict=True, ge=0, le=2**31 - 2), INTEGRAL] = 0
    origins: Annotated[int, Field(strict=True, ge=0, le=8), INTEGRAL] = Field(
        1, description="Past planning dates that judge the forecast; 0 skips that"
    )


class ForecastRead(View):
    """A forecast: `state` is its job's, `result` and `accuracy` are null until it has ended."""

    id: str
    job: str
    state: str
    progress: float
    error: str
    brand_version: str
    weeks: int
    seed: int
    created_at: Moment
    finished_at: Moment | None
    result: dict[str, Any] | None
    accuracy: dict[str, Any] | None


class Quantiles(BaseModel):
    """Units that may be asked for: the mean, and quantiles where they are known."""

    mean: float
    p05: float | None
    p25: float | None
    p50: float | None
    p75: float | None
    p90: float | None
    p95: float | None


class SeriesRow(Quantiles):
    """One week of one series: of an item, of a category, or of a whole region."""

    start: date
    region: str
    category: str | None
    item: str | None


class LeadTimeRead(Quantiles):
    """Units over several weeks together: narrower than quantiles added up, which move apart."""

    region: str
    item: str
    weeks: int


@router.post("", status_code=202)
def create(
    body: ForecastCreate,
    session: SessionDep,
    clock: ClockDep,
    entropy: EntropyDep,
    response: Response,
) -> ForecastRead:
    """Starts a forecast of the current brand and returns it with its job."""
    made = request_forecast(session, body.weeks, body.seed, body.origins, clock, entropy)
    response.headers["Location"] = f"/v1/forecasts/{made.forecast.id}"
    return _read(made)


@router.get("")
def list_forecasts(session: SessionDep, paging: PagingDep) -> Page[ForecastRead]:
    """Returns forecasts, newest first, without their results."""
    after = paging.after(str)
    views = services.forecast_views(session, paging.asked, str(after[0]) if after else None)
    return paging.page(views, key=lambda view: (view.forecast.id,), show=_listed)


@router.get("/{forecast}")
def read(forecast: str, session: SessionDep) -> ForecastRead:
    """Returns a forecast with the state of its job."""
    return _read(forecast_view(session, forecast))


@router.get("/{forecast}/series", responses=conflicts("forecast-not-finished"))
def list_series(
    forecast: str,
    session: SessionDep,
    paging: PagingDep,
    level: Literal["item", "category", "region"] = "item",
    region: Code | None = None,
    item: Code | None = None,
) -> Page[SeriesRow]:
    """Returns weeks with quantiles, series by series; name a region or an item of a large brand."""
    if item is not None and level != "item":
        raise _refused("item", "Only the level of items has an item.")
    after = paging.after(str, str, str)
    key = (str(after[0]), str(after[1]), _day(str(after[2]))) if after else None
    rows = services.series_rows(session, forecast, level, region, item, key, paging.asked)
    return paging.page(
        rows, key=lambda row: services.series_key(level, row), show=SeriesRow.model_validate
    )


@router.get("/{forecast}/lead-time", responses=conflicts("forecast-not-finished"))
def read_lead_time(
    forecast: str,
    session: SessionDep,
    item: Code,
    region: Code,
    weeks: Annotated[int, Query(ge=1, le=104)],
) -> LeadTimeRead:
    """Returns how much is asked for over the first weeks together, drawn jointly."""
    found = services.lead_time(session, forecast, item, region, weeks)
    return LeadTimeRead(region=region, item=item, weeks=weeks, **found)


def _refused(parameter: str, detail: str) -> Refused:
    return Refused(422, detail, "bad-input", [{"parameter": parameter, "detail": detail}])


def _day(text: str) -> str:
    """Returns the day of a cursor; refuses one that no calendar has."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        detail = "The cursor is not one that this list gave."
        raise Refused(
            422, detail, "bad-cursor", [{"parameter": "cursor", "detail": detail}]
        ) from None


def _listed(view: ForecastView) -> ForecastRead:
    return _read(view).model_copy(update={"result": None, "accuracy": None})


def _read(view: ForecastView) -> ForecastRead:
    record, job = view.forecast, view.job
    return ForecastRead(
        id=record.id,
        job=job.id,
        state=job.state,
        progress=job.progress,
        error=job.error,
        brand_version=record.brand_version,
        weeks=record.weeks,
        seed=record.seed,
        created_at=record.created_at,
        finished_at=record.finished_at,
        result=record.result,
        accuracy=record.accuracy,
    )
