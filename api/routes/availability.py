"""`/v1/availability`: what could be promised now, before an order is placed."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.bodies import Code, Moment, View
from api.dependencies import ClockDep, SessionDep, allow
from api.services import availability as services

router = APIRouter(prefix="/v1/availability", tags=["fulfillment plans"])


class EarliestView(View):
    """The way by which one unit ordered now would be there first."""

    site: str
    service: str
    customs_route: str
    p50: Moment
    p95: Moment


class IncomingView(EarliestView):
    """The lot on its way by which one unit would be there first; nothing is held for it.

    `probability` is that of being there by `p95`; `kind` is inbound or planned.
    """

    probability: float
    kind: str
    due: date
    purchase_orders: list[str]


class SellableView(View):
    """Units of an item that may be promised to the region now.

    `incoming` is there where no stock is, and goods are on their way.
    """

    item: str
    units: int
    earliest: EarliestView | None
    incoming: IncomingView | None


class AvailabilityView(View):
    """One row for each item asked for, in the order of the question."""

    region: str
    data: list[SellableView]
    next: str | None = None


@router.get("", dependencies=[Depends(allow("order-service"))])
def read_availability(
    session: SessionDep,
    clock: ClockDep,
    region: Code,
    items: Annotated[
        list[Annotated[str, Query(max_length=2_000)]],
        Query(description="Up to 100 item ids, in up to 20 lists with commas", max_length=20),
    ],
) -> AvailabilityView:
    """Returns sellable units and the earliest promise of each item."""
    names = list(dict.fromkeys(name for part in items for name in part.split(",") if name))
    rows = services.sellable(session, names, region, clock.now())
    return AvailabilityView(region=region, data=[SellableView.model_validate(row) for row in rows])
