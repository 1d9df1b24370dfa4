"""The console's forms: each starts or changes one thing and leads back to its page."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Response
from fastapi.responses import RedirectResponse

from api.console.door import ConsoleRoute, FrameDep
from api.console.pages import scenario_page
from api.console.prepared import prepared_toml
from api.console.sessions import SenderDep, Visitor, sender
from api.dependencies import ClockDep, EntropyDep, SessionDep
from api.services import risk
from api.services.allocations import request_allocation
from api.services.brands import current_brand
from api.services.scenarios import create_scenario, request_run
from core.errors import BadInput, Problem
from routing.allocation.allocate import GAP
from simulations.scenarios import parse_scenario

router = APIRouter(
    route_class=ConsoleRoute,
    include_in_schema=False,
    dependencies=[Depends(sender, scope="function")],
)


def _to(page: str) -> RedirectResponse:
    """Returns the way to a page after a form did its work (303: the browser asks with GET)."""
    return RedirectResponse(page, status_code=303)


@router.post("/allocation")
def start_allocation(session: SessionDep, clock: ClockDep, entropy: EntropyDep) -> RedirectResponse:
    """Starts an allocation of the current brand."""
    request_allocation(session, None, GAP, 0, clock, entropy)
    return _to("/allocation")


@router.post("/scenarios", response_model=None)
def start_scenario(
    session: SessionDep,
    clock: ClockDep,
    entropy: EntropyDep,
    frame: FrameDep,
    prepared: Annotated[str, Form(max_length=200)] = "",
    toml: Annotated[str, Form(max_length=100_000)] = "",
) -> Response:
    """Starts a scenario, a prepared one or one's own; returns the page with what is wrong else."""
    brand = current_brand(session)
    text = (prepared_toml(brand, prepared) if prepared else toml).replace("\r\n", "\n")
    try:
        scenario = parse_scenario(text)
        record = create_scenario(session, scenario.document(), clock, entropy)
    except BadInput as error:
        told = [_line(problem) for problem in error.problems]
        return scenario_page(session, frame, told, toml, status=422)
    request_run(session, record.id, 0, clock, entropy)
    return _to("/scenarios")


def _line(problem: Problem) -> str:
    """Returns a problem of a pasted text: the line where it stands, and what is wrong."""
    where = f"Line {problem.line}: " if problem.line else ""
    return f"{where}{problem.problem}"


@router.post("/risk/{alert}/acknowledge")
def acknowledge(
    alert: str, session: SessionDep, clock: ClockDep, who: SenderDep
) -> RedirectResponse:
    """Says that somebody has seen an alert."""
    risk.step(session, alert, "acknowledge", _actor(who), clock, snoozed_until=None)
    return _to(f"/risk#{alert}")


@router.post("/risk/{alert}/apply")
def place_drafts(
    alert: str, session: SessionDep, clock: ClockDep, entropy: EntropyDep, who: SenderDep
) -> RedirectResponse:
    """Turns the drafts of an alert into purchase orders; sent twice, it places them once."""
    risk.apply(session, alert, _actor(who), clock, entropy)
    return _to(f"/risk#{alert}")


def _actor(who: Visitor) -> str:
    """Returns the name under which the ledger of an alert knows somebody."""
    return f"key:{who.caller.key}"
