"""Health: is the process alive, can it reach its database, what has it served."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse
from sqlalchemy import text

from api.dependencies import SessionDep
from api.metrics import Metrics

router = APIRouter(tags=["health"])


@router.get("/healthz")
def alive() -> dict[str, str]:
    """Returns 200 while the process serves."""
    return {"status": "ok"}


@router.get("/readyz")
def ready(session: SessionDep) -> dict[str, str]:
    """Returns 200 when the database answers, a 5xx problem when it does not."""
    session.connection().execute(text("SELECT 1"))
    return {"status": "ok", "database": session.get_bind().dialect.name}


def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(counted: Annotated[Metrics, Depends(_metrics)]) -> str:
    """Returns the counters of this process in the Prometheus text format."""
    return counted.exposition()
