"""The console's pages of allocations: a run, its flows by item, and what else could be done."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BeforeValidator

from api.console import network, placement, views
from api.console.door import ConsoleRoute, FrameDep
from api.console.rendering import render
from api.console.sessions import visitor
from api.dependencies import ClockDep, SessionDep
from api.services.allocations import explained_flow
from api.services.brands import current_brand
from core.errors import Conflict
from routing.allocation.results.ways import Flow, refused_by_reason
from routing.allocation.store import allocation_of

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

Asked = Annotated[str, Query(alias="id")]
Start = Annotated[date | None, BeforeValidator(lambda text: text or None), Query()]
"""The first day of a bucket; a form that asks for all of them sends nothing in its place."""


@router.get("/allocation")
def allocation(
    session: SessionDep, frame: FrameDep, run: Asked = "", bucket: Start = None
) -> HTMLResponse:
    """Returns one finished allocation, the newest unless another is asked for."""
    runs = placement.finished_runs(session)
    chosen = run or (runs[0].id if runs else "")
    page, problem = None, ""
    try:
        page = placement.run_page(session, chosen, bucket) if chosen else None
    except Conflict as lacking:
        problem = f"{lacking} Start another one to see it here."
    return render(
        "allocation.html",
        frame=frame.saying(problem) if problem else frame,
        title="Allocation",
        jobs=views.running_jobs(session, "allocation.run"),
        runs=runs,
        run=page,
    )


@router.get("/allocation/flows")
def allocation_flows(
    session: SessionDep,
    frame: FrameDep,
    run: Asked,
    site: str = "",
    region: str = "",
    service: str = "",
    item: str = "",
    bucket: Start = None,
) -> HTMLResponse:
    """Returns the largest flows of single items, narrowed on request."""
    wanted = {"site": site, "region": region, "service": service, "item": item}
    rows, found = placement.flow_rows(session, run, wanted, bucket)
    return render(
        "allocation_flows.html",
        frame=frame,
        title="Flows of items",
        run=run,
        currency=allocation_of(session, run).currency,
        wanted=wanted | {"bucket": bucket.isoformat() if bucket else ""},
        rows=rows,
        found=found,
    )


@router.get("/allocation/ways")
def allocation_ways(
    session: SessionDep, frame: FrameDep, run: Asked, item: str, region: str, bucket: Start = None
) -> HTMLResponse:
    """Returns every way to serve an item in a market, and by how much each is worse."""
    told = explained_flow(session, run, Flow(item, region, bucket))
    return render(
        "allocation_ways.html",
        frame=frame,
        title=f"{item} for {region}",
        run=run,
        currency=allocation_of(session, run).currency,
        told=told,
        refused=refused_by_reason(told),
    )


@router.get("/console/allocations/{run}/map.json", dependencies=[Depends(visitor)])
def allocation_map(
    run: str, session: SessionDep, clock: ClockDep, bucket: Start = None
) -> JSONResponse:
    """Returns the document that draws an allocation's flows on the map."""
    flows = placement.flows_of(session, run, bucket)[: placement.FLOWS_SHOWN]
    stock_now = views.units_by_site(session, clock.now())
    document = network.flow_document(current_brand(session), flows, stock_now)
    return JSONResponse(document, headers={"Cache-Control": "no-store"})
