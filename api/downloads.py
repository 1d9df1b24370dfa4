"""Pages to keep: reports that a console page offers, as files."""

from fastapi import APIRouter, Depends, Response

from api.console.allocations import Asked
from api.console.door import ConsoleRoute
from api.console.rendering import HEADERS
from api.console.sessions import visitor
from api.dependencies import SessionDep
from api.reports.allocation import allocation_report
from api.services.allocations import made_allocation

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@router.get("/allocation/report", dependencies=[Depends(visitor)])
def allocation_page(session: SessionDep, run: Asked) -> Response:
    """Returns an allocation as a page to keep, which needs no network."""
    brand, made = made_allocation(session, run)
    name = f"allocation-{brand.today}-{run}.html"
    return Response(
        allocation_report(brand, made),
        media_type="text/html; charset=utf-8",
        headers=HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'},
    )
