"""The console's side of a request: routes that answer in pages, and the frame around each page."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from api.console import views
from api.console.assets import missing_assets
from api.console.rendering import render
from api.console.sessions import SignInNeeded, VisitorDep, sign_in_address
from api.dependencies import SessionDep
from api.problems import Refused
from api.queue.events import newest_event
from core.errors import Conflict, EntrepotError, NotFound

MENU: Sequence[tuple[str, Sequence[tuple[str, str]]]] = (
    ("", (("/", "Overview"),)),
    (
        "Plan",
        (("/forecast", "Forecast"), ("/allocation", "Allocation"), ("/scenarios", "Scenarios")),
    ),
    ("Serve", (("/orders", "Orders"), ("/shipments", "Shipments"), ("/stock", "Stock"))),
    ("Supply", (("/risk", "Risk"), ("/suppliers", "Suppliers"))),
)
"""Groups of the main menu: a heading and its (address, label) pairs."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds every page: the brand, the menu, who is signed in, and what is wrong.

    `newest` is the number of the last event before the page was read: its stream starts there.
    """

    brand: str
    today: date | None
    alerts: int
    name: str
    role: str
    csrf: str
    here: str
    missing: Sequence[str]
    newest: int
    problem: str = ""
    menu: Sequence[tuple[str, Sequence[tuple[str, str]]]] = MENU

    def saying(self, problem: str) -> "Frame":
        """Returns the same frame with one sentence about what went wrong."""
        return replace(self, problem=problem)


def frame(request: Request, session: SessionDep, who: VisitorDep) -> Frame:
    """Returns the frame of the page that is asked for."""
    brand = views.brand_or_none(session)
    return Frame(
        brand=brand.name if brand else "",
        today=brand.today if brand else None,
        alerts=views.open_alerts(session),
        name=who.caller.name,
        role=who.caller.role,
        csrf=who.csrf,
        here="/" + request.url.path.split("/")[1],
        missing=missing_assets(),
        newest=newest_event(session),
    )


FrameDep = Annotated[Frame, Depends(frame, scope="function")]


class ConsoleRoute(APIRoute):
    """A route whose failures are pages: to the sign-in, or one sentence and the way back."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Returns the handler of this route, with failures turned into pages."""
        answer = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await answer(request)
            except SignInNeeded as stop:
                return _to_sign_in(request, stop)
            except RequestValidationError as error:
                return _problem_page(422, _first_problem(error))
            except EntrepotError as error:
                return _problem_page(_status(error), str(error))

        return handled


def _to_sign_in(request: Request, stop: SignInNeeded) -> Response:
    address = sign_in_address(stop.wanted)
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"HX-Redirect": address})
    if request.url.path.startswith("/console/"):
        return Response(status_code=401)
    return RedirectResponse(address, status_code=303)


def _problem_page(status: int, sentence: str) -> Response:
    return render("problem.html", status, title="This did not work", sentence=sentence)


def _first_problem(error: RequestValidationError) -> str:
    first = error.errors()[0]
    return f"{first['loc'][-1]}: {first['msg']}."


def _status(error: EntrepotError) -> int:
    if isinstance(error, Refused):
        return error.status
    return {NotFound: 404, Conflict: 409}.get(type(error), 422)
