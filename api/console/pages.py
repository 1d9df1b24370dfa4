"""The console's pages: each reads, arranges and renders; forms are in `actions`."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Header, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, StreamingResponse
from sqlmodel import Session

from api.console import live, network, orders, risk, shipping, views, whatif
from api.console.door import ConsoleRoute, Frame, FrameDep
from api.console.figures import overview_tiles
from api.console.prepared import prepared_scenarios
from api.console.rendering import render
from api.console.sessions import (
    COOKIE,
    ROLE,
    SenderDep,
    VisitorDep,
    drop_cookie,
    refuse_other_sites,
    safe_page,
    set_cookie,
    visiting,
    visitor,
)
from api.dependencies import ClockDep, EntropyDep, SessionDep
from api.queue.events import newest_event
from api.services import keys
from api.services.brands import current_brand
from api.services.scenarios import compare_runs
from inventory import store as stock_store
from inventory.suppliers.scorecard import WEIGHTS, scores

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@router.get("/sign-in")
def sign_in_page(wanted: Annotated[str, Query(alias="next")] = "/") -> HTMLResponse:
    """Returns the form that asks for a key."""
    return render("sign_in.html", next=safe_page(wanted), problem="")


@router.post("/sign-in")
def sign_in(
    request: Request,
    session: SessionDep,
    clock: ClockDep,
    entropy: EntropyDep,
    key: Annotated[str, Form(max_length=200)],
    wanted: Annotated[str, Form(alias="next", max_length=2000)] = "/",
) -> Response:
    """Returns the way to the page that was wanted, with the cookie; the form again otherwise."""
    refuse_other_sites(request)
    found = keys.sign_in(session, key.strip(), clock.now(), entropy)
    if found is None:
        return _refused(wanted, "This key is unknown or revoked.")
    cookie, caller = found
    if not caller.may(ROLE):
        keys.sign_out(session, cookie)
        return _refused(wanted, f"The console needs a planner or admin key; this is {caller.role}.")
    answer = RedirectResponse(safe_page(wanted), status_code=303)
    set_cookie(answer, request, cookie)
    return answer


def _refused(wanted: str, problem: str) -> HTMLResponse:
    return render("sign_in.html", 403, next=safe_page(wanted), problem=problem)


@router.post("/sign-out")
def sign_out(request: Request, session: SessionDep, _: SenderDep) -> Response:
    """Returns the way to the sign-in after ending this one."""
    keys.sign_out(session, request.cookies[COOKIE])
    answer = RedirectResponse("/sign-in", status_code=303)
    drop_cookie(answer)
    return answer


@router.get("/")
def overview(session: SessionDep, clock: ClockDep, frame: FrameDep) -> HTMLResponse:
    """Returns the map of the network with the figures of the day and what happened last."""
    brand = views.brand_or_none(session)
    return render(
        "overview.html",
        frame=frame,
        title="Overview",
        network=network.network_summary(brand) if brand else None,
        tiles=overview_tiles(session, clock.now()),
        events=views.latest_events(session, frame.role),
        jobs=views.running_jobs(session),
    )


@router.get("/scenarios")
def scenarios(session: SessionDep, frame: FrameDep) -> HTMLResponse:
    """Returns runs with their progress, and the form that starts one."""
    return scenario_page(session, frame)


def scenario_page(
    session: Session,
    frame: Frame,
    problems: Sequence[str] = (),
    toml: str = "",
    status: int = 200,
) -> HTMLResponse:
    """Returns the page of scenarios; with what was wrong with a text, which stays in its form."""
    brand = views.brand_or_none(session)
    going, rows = whatif.run_rows(session)
    return render(
        "scenarios.html",
        status,
        frame=frame,
        title="Scenarios",
        jobs=going,
        runs=rows,
        prepared=prepared_scenarios(brand) if brand else (),
        problems=problems,
        toml=toml,
    )


@router.get("/console/parts/runs")
def runs(session: SessionDep, _: VisitorDep) -> HTMLResponse:
    """Returns the runs alone."""
    jobs_now, rows = whatif.run_rows(session)
    return render("parts/runs.html", jobs=jobs_now, runs=rows)


@router.get("/scenarios/compare")
def compare_scenarios(
    session: SessionDep, frame: FrameDep, ids: Annotated[list[str], Query(max_length=8)]
) -> HTMLResponse:
    """Returns what differs between runs; `ids` may repeat or hold several, comma-separated."""
    asked = [one for group in ids for one in group.split(",") if one]
    comparison = whatif.comparison_page(compare_runs(session, asked))
    return render("scenario_compare.html", frame=frame, title="Comparison", comparison=comparison)


@router.get("/orders")
def order_plans(
    session: SessionDep,
    clock: ClockDep,
    frame: FrameDep,
    order: Annotated[str, Query(max_length=100)] = "",
) -> HTMLResponse:
    """Returns the newest order plans, or those of the orders that begin as asked."""
    sought = order.strip()
    plans = orders.plan_rows(session, clock.now(), sought)
    return render("orders.html", frame=frame, title="Orders", plans=plans, sought=sought)


@router.get("/orders/{plan}")
def order_plan(plan: str, session: SessionDep, clock: ClockDep, frame: FrameDep) -> HTMLResponse:
    """Returns the decision record of one plan."""
    page = orders.plan_page(session, plan, clock.now())
    return render(
        "order.html",
        frame=frame,
        title=f"Order {page.plan['order']}",
        plan=page.plan,
        page=page,
    )


@router.get("/console/orders/{plan}/map.json", dependencies=[Depends(visitor)])
def order_map(plan: str, session: SessionDep, clock: ClockDep) -> JSONResponse:
    """Returns the document that draws the legs of a plan on the map."""
    return _data(orders.plan_map(session, plan, current_brand(session), clock.now()))


@router.get("/shipments")
def shipments(session: SessionDep, clock: ClockDep, frame: FrameDep) -> HTMLResponse:
    """Returns what is on its way, late ones first."""
    rows = shipping.shipment_rows(session, clock.now())
    return render(
        "shipments.html",
        frame=frame,
        title="Shipments",
        shipments=rows,
        counts=shipping.counts(rows),
    )


@router.get("/risk")
def risks(session: SessionDep, clock: ClockDep, frame: FrameDep) -> HTMLResponse:
    """Returns alerts with what would cure them, and open purchase orders."""
    return render(
        "risk.html",
        frame=frame,
        title="Risk",
        alerts=risk.alert_cards(session, clock.now()),
        orders=risk.open_orders(session),
    )


@router.get("/suppliers")
def suppliers(session: SessionDep, frame: FrameDep) -> HTMLResponse:
    """Returns the scores of all suppliers, lowest first."""
    brand = views.brand_or_none(session)
    scored = scores(brand) if brand else ()
    return render(
        "suppliers.html",
        frame=frame,
        title="Suppliers",
        dimensions=list(WEIGHTS),
        suppliers=sorted(scored, key=lambda score: score.score),
    )


@router.get("/stock")
def stock(
    session: SessionDep, clock: ClockDep, frame: FrameDep, site: str = "", item: str = ""
) -> HTMLResponse:
    """Returns what lies where; narrowed to a site or an item on request."""
    brand = views.brand_or_none(session)
    levels = stock_store.levels(
        session, clock.now(), [site] if site else None, [item] if item else None
    )
    return render(
        "stock.html",
        frame=frame,
        title="Stock",
        site=site,
        item=item,
        sites=list(brand.table("sites")["site"]) if brand else [],
        totals=views.stock_by_site(levels),
        rows=views.largest_stock(levels, brand) if brand else [],
    )


@router.get("/console/network.json", dependencies=[Depends(visitor)])
def network_document(session: SessionDep, clock: ClockDep) -> JSONResponse:
    """Returns the document that draws the map of sites and lanes."""
    brand = current_brand(session)
    return _data(network.network_document(brand, views.units_by_site(session, clock.now())))


@router.get("/console/parts/tiles")
def tiles(session: SessionDep, clock: ClockDep, _: VisitorDep) -> HTMLResponse:
    """Returns the figures of the overview alone."""
    return render("parts/tiles.html", tiles=overview_tiles(session, clock.now()))


@router.get("/console/parts/jobs")
def jobs(session: SessionDep, _: VisitorDep) -> HTMLResponse:
    """Returns the work in progress alone."""
    return render("parts/jobs.html", jobs=views.running_jobs(session))


@router.get("/console/events")
def events(
    request: Request,
    session: SessionDep,
    clock: ClockDep,
    who: VisitorDep,
    after: Annotated[int | None, Query(ge=0)] = None,
    last: Annotated[int | None, Header(alias="last-event-id", ge=0)] = None,
) -> StreamingResponse:
    """Returns the stream of what happens, from an event on or from now on."""
    given = last if last is not None else after
    start = given if given is not None else newest_event(session)
    state = request.app.state
    credential = partial(visiting, cookie=request.cookies.get(COOKIE, ""), clock=clock)
    told = live.stream(live.Watch(state.reading, clock, state.stopping, credential), start)
    return StreamingResponse(
        told, media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )  # fmt: skip


def _data(document: dict[str, Any]) -> JSONResponse:
    return JSONResponse(document, headers={"Cache-Control": "no-store"})
