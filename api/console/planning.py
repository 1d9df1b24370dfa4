"""The forecast page's addresses: the page, its drilling part, and the forms that change demand."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlmodel import Session

from api.bodies import AskedDay
from api.console import demand, views
from api.console.demand import Place
from api.console.door import ConsoleRoute, Frame, FrameDep
from api.console.rendering import render
from api.console.sessions import SenderDep, VisitorDep, sender
from api.dependencies import ClockDep, EntropyDep, SessionDep
from api.services.forecasts import request_forecast
from api.services.overrides import Decision, add_override, withdraw_override
from core.errors import BadInput

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

JUDGED_ORIGINS = 1
"""Past planning dates that judge a forecast started here."""

Name = Annotated[str, Query(max_length=200)]
Glob = Annotated[str, Form(max_length=100)]
Sends = [Depends(sender, scope="function")]


def place(
    region: Name = "",
    category: Name = "",
    item: Name = "",
    search: Name = "",
    page: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> Place:
    """Returns the place that an address names."""
    return Place(region, category, item, search.strip(), page)


PlaceDep = Annotated[Place, Depends(place)]


@router.get("/forecast")
def forecast(session: SessionDep, frame: FrameDep, where: PlaceDep) -> HTMLResponse:
    """Returns the demand ahead, for all markets or one, a category or an item of it."""
    return _page(session, frame, where)


@router.get("/console/parts/demand")
def part(session: SessionDep, _: VisitorDep, where: PlaceDep) -> HTMLResponse:
    """Returns the demand of a place alone."""
    brand = views.brand_or_none(session)
    found = demand.demand_part(session, brand, where) if brand else None
    return render(
        "parts/demand.html", forecast=found, judged=demand.judged(session) if brand else None
    )


@router.post("/forecast", dependencies=Sends)
def start_forecast(
    session: SessionDep,
    clock: ClockDep,
    entropy: EntropyDep,
    weeks: Annotated[int, Form(ge=1, le=104)],
) -> RedirectResponse:
    """Starts a forecast of the current brand."""
    request_forecast(session, weeks, 0, JUDGED_ORIGINS, clock, entropy)
    return _to("/forecast")


@router.post("/forecast/overrides", response_model=None)
def decide(
    session: SessionDep,
    clock: ClockDep,
    entropy: EntropyDep,
    frame: FrameDep,
    who: SenderDep,
    start: Annotated[AskedDay, Form()],
    end: Annotated[AskedDay, Form()],
    amount: Annotated[float, Form(ge=0, le=1e9, allow_inf_nan=False)],
    kind: Annotated[str, Form(pattern="^(factor|units)$")],
    region: Glob = "*",
    category: Glob = "*",
    item: Glob = "*",
    why: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Keeps a decision; returns the page with what is wrong with it otherwise."""
    asked = Decision(
        region or "*", category or "*", item.strip() or "*", start, end,
        amount if kind == "factor" else None, amount if kind == "units" else None, why,
    )  # fmt: skip
    try:
        add_override(session, asked, who.caller.name, clock, entropy)
    except BadInput as error:
        given = _given(asked, kind, amount)
        told = [problem.problem for problem in error.problems]
        return _page(session, frame, Place(), told, given, status=422)
    return _to("/forecast#overrides")


@router.post("/forecast/overrides/{override}/withdraw")
def withdraw(
    override: str, session: SessionDep, clock: ClockDep, who: SenderDep
) -> RedirectResponse:
    """Ends an override for every later forecast."""
    withdraw_override(session, override, who.caller.name, clock)
    return _to("/forecast#overrides")


def _to(page: str) -> RedirectResponse:
    return RedirectResponse(page, status_code=303)


def _given(asked: Decision, kind: str, amount: float) -> Mapping[str, Any]:
    """Returns what a form held, to show it again."""
    return {
        "region": asked.region, "category": asked.category, "item": asked.item.strip("*"),
        "start": asked.start.isoformat(), "end": asked.end.isoformat(), "kind": kind,
        "amount": f"{amount:g}", "why": asked.why,
    }  # fmt: skip


def _blank(where: Place, today: date | None) -> Mapping[str, Any]:
    """Returns what a new form holds: the place that is looked at."""
    return {
        "region": where.region or "*", "category": where.category or "*", "item": where.item,
        "start": today.isoformat() if today else "", "end": "", "kind": "factor", "amount": "",
        "why": "",
    }  # fmt: skip


def _page(
    session: Session,
    frame: Frame,
    where: Place,
    problems: Sequence[str] = (),
    given: Mapping[str, Any] | None = None,
    status: int = 200,
) -> HTMLResponse:
    brand = views.brand_or_none(session)
    standing, withdrawn = demand.override_lines(session, brand) if brand else ((), ())
    return render(
        "forecast.html",
        status,
        frame=frame,
        title="Forecast",
        weeks=brand.horizon_weeks if brand else 13,
        jobs=views.running_jobs(session, "forecast.run"),
        forecast=demand.demand_part(session, brand, where) if brand else None,
        judged=demand.judged(session) if brand else None,
        standing=standing,
        withdrawn=withdrawn,
        choices=_choices(brand) if brand else None,
        problems=problems,
        given=given or _blank(where, frame.today),
    )


def _choices(brand: Any) -> Mapping[str, Sequence[tuple[str, str]]]:
    """Returns the markets and categories that the form offers."""
    regions = brand.table("regions")
    return {
        "regions": list(zip(regions["region"], regions["name"], strict=True)),
        "categories": [
            (name, name) for name in sorted(set(brand.table("items")["category"]) - {""})
        ],
    }
