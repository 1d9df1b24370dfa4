"""Forecasts: `POST /v1/forecasts` starts one, `GET /v1/forecasts/{id}` shows what came of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from api.bodies import Body, Moment, View
from api.dependencies import ClockDep, EntropyDep, SessionDep, allow
from api.services.forecasts import ForecastView, forecast_view, request_forecast

router = APIRouter(
    prefix="/v1/forecasts", tags=["forecasts"], dependencies=[Depends(allow("planner"))]
)


class ForecastCreate(Body):
    """What to forecast; the horizon of the brand when `weeks` is left out."""

    weeks: Annotated[int, Field(strict=True, ge=1, le=104)] | None = None
    seed: Annotated[int, Field(strict=True, ge=0, le=2**31 - 2)] = 0
    origins: Annotated[int, Field(strict=True, ge=0, le=8)] = Field(
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


@router.get("/{forecast}")
def read(forecast: str, session: SessionDep) -> ForecastRead:
    """Returns a forecast with the state of its job."""
    return _read(forecast_view(session, forecast))


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
