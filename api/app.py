"""The app: routers, problems, limits and the values that requests are given."""

import os
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from sqlalchemy import Engine
from starlette.staticfiles import StaticFiles
from starlette.types import Lifespan

from api import downloads, idempotency, openapi, posts, problems
from api.console.router import router as console
from api.database import engine_for, session_factory
from api.jobs.doorbell import Doorbell
from api.jobs.relay import Relay
from api.limits import BodyLimit
from api.metrics import Counted, Metrics
from api.routes import (
    allocations,
    availability,
    events,
    forecasts,
    fulfillment,
    health,
    jobs,
    landed_cost,
    overrides,
    reference,
    risk,
    scenarios,
    shipments,
    stock,
    suppliers,
)
from api.settings import Settings
from api.sweeper import Sweeper
from core.clock import Clock, SystemClock
from core.ids import Entropy

ROUTERS: tuple[APIRouter, ...] = (
    allocations.router,
    availability.router,
    downloads.router,
    console,
    events.router,
    forecasts.router,
    fulfillment.router,
    health.router,
    jobs.router,
    landed_cost.router,
    overrides.router,
    reference.router,
    risk.router,
    scenarios.router,
    shipments.router,
    stock.router,
    suppliers.router,
)
"""Every router of the service; a new one is added here."""

STATIC = Path(__file__).parent / "console" / "static"


def create_app(
    settings: Settings,
    engine: Engine | None = None,
    clock: Clock | None = None,
    entropy: Entropy = os.urandom,
    doorbell: Doorbell | None = None,
    sweeps: bool = False,
) -> FastAPI:
    """Returns the service for one deployment; the schema of its database must exist.

    `engine` is taken over instead of `settings.database` and then stays open at shutdown.
    `doorbell` wakes workers up as soon as a job is committed and is closed at shutdown; without one
    they find jobs when they look. Streams of events end once `app.state.stopping` is set: a server
    sets it before it waits for open connections. With `sweeps` the process also ends expired holds
    every minute.
    """
    own = engine if engine is not None else engine_for(settings.database, settings.durable)
    app = FastAPI(
        title="Entrepot",
        summary="Where stock sits, how each order is served, what to change when it goes wrong.",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(doorbell, sweeps, disposes=engine is None),
    )
    app.state.settings, app.state.clock, app.state.entropy = (
        settings,
        clock or SystemClock(),
        entropy,
    )
    app.state.engine = own
    app.state.sessions, app.state.reading = session_factory(own), session_factory(own, reads=True)
    app.state.metrics, app.state.stopping = Metrics(), threading.Event()
    problems.install(app)
    idempotency.install(app)
    posts.install(app)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(Counted, metrics=app.state.metrics)
    for router in ROUTERS:
        app.include_router(router)
    app.state.routes = [
        route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)
    ]
    openapi.install(app, app.state.routes)
    app.add_api_route("/docs", _docs, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False), name="static")
    return app


def _lifespan(doorbell: Doorbell | None, sweeps: bool, disposes: bool) -> Lifespan[FastAPI]:
    """Returns what runs beside the requests of an app, from its start until its shutdown."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        state = app.state
        with ExitStack() as opened:
            opened.callback(state.stopping.set)
            if disposes:
                opened.callback(state.engine.dispose)
            opened.callback(state.committer.close)
            if doorbell is not None:
                opened.enter_context(Relay(state.sessions, doorbell))
            if sweeps:
                opened.enter_context(Sweeper(state.sessions, state.clock, state.entropy))
            yield

    return lifespan


def _docs() -> HTMLResponse:
    """Returns the interactive reference; its scripts come from this server."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Entrepot API",
        swagger_js_url="/static/vendor/swagger-ui/swagger-ui-bundle.js",
        swagger_css_url="/static/vendor/swagger-ui/swagger-ui.css",
        swagger_favicon_url="/static/favicon.svg",
    )
