"""Allocations: `POST /v1/allocations` starts one; its summary, its tables, and its reasons."""

from collections.abc import Callable, Hashable, Mapping
from datetime import date
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field
from sqlmodel import Session

from api.bodies import INTEGRAL, Body, Code, Moment, MoneyBody, Number, View
from api.dependencies import ClockDep, EntropyDep, SessionDep, allow
from api.openapi import conflicts
from api.pages import Page, Paging, PagingDep
from api.queue.store import job_of
from api.services.allocations import (
    AllocationView,
    allocation_table,
    allocation_view,
    explained_flow,
    request_allocation,
)
from core.money import Money
from routing.allocation import store
from routing.allocation.allocate import GAP, MOST_GAP
from routing.allocation.results.ways import Flow

router = APIRouter(
    prefix="/v1/allocations", tags=["allocations"], dependencies=[Depends(allow("planner"))]
)

Filter = Annotated[Code | None, Query()]
Shown = TypeVar("Shown", bound=View)


class AllocationCreate(Body):
    """What to allocate: the brand as it is, or a what-if of it."""

    scenario: dict[str, Any] | None = Field(
        None, description='A what-if: {"name", "note", "overrides": [...]}; null for the base'
    )
    gap: Annotated[Number, Field(ge=0, le=MOST_GAP)] = Field(
        GAP, description="How far from the best plan is near enough, as a share of its cost"
    )
    seed: Annotated[int, Field(strict=True, ge=0, le=2**31 - 2), INTEGRAL] = 0


class AllocationRead(View):
    """An allocation: `state` is its job's, the figures are null until it has succeeded.

    `kpis`, the prices in `binding` and the costs in `departures` are in settlement currency, with
    decimals.
    """

    id: str
    job: str
    state: str
    progress: float
    error: str
    brand_version: str
    currency: str
    scenario: dict[str, Any] | None
    created_at: Moment
    finished_at: Moment | None
    status: str | None = None
    method: str | None = None
    objective: MoneyBody | None = None
    bound: MoneyBody | None = None
    gap: float | None = None
    seconds: dict[str, float] | None = None
    units: dict[str, float] | None = None
    costs: dict[str, MoneyBody] | None = None
    kpis: dict[str, float] | None = None
    open_sites: list[str] | None = None
    purchases: dict[str, int] | None = None
    departures: list[dict[str, Any]] | None = None
    binding: list[dict[str, Any]] | None = None
    prices_version: str | None = None


class FlowView(View):
    """Units of an item that a site ships to a region by a service over the horizon."""

    bucket: date
    site: str
    region: str
    service: str
    item: str
    customs: str
    quantity: float
    unit_cost: MoneyBody


class MoveView(View):
    """Units of an item that leave a site for another one in a bucket."""

    bucket: date
    from_site: str
    to_site: str
    service: str
    item: str
    quantity: float
    unit_cost: MoneyBody


class WayView(View):
    """A way to serve one unit, in settlement currency with decimals; without a site: leave unmet.

    `outbound`, `carrier` and `stock` are what the way pays for what others want, too;
    `reduced_cost` is by how much it is worse than the best way, 0 where it is used or as good.
    """

    site: str
    customs: str
    service: str
    unit_cost: float
    outbound: float
    carrier: float
    stock: float
    reduced_cost: float
    units: float


class RefusedView(View):
    """A way that cannot be taken, and why; without a service it holds for all of a site."""

    site: str
    service: str
    reason: str


class AlternativesView(View):
    """Every way to serve an item in a region and bucket, the best first.

    `demand_price` is what one unit more would cost at the best.
    """

    item: str
    region: str
    bucket: date
    currency: str
    demand_price: float
    ways: list[WayView]
    refused: list[RefusedView]


class PurchaseView(View):
    """An order that is proposed: what the plan needs, rounded up to what the supplier takes."""

    supplier: str
    item: str
    site: str
    order_by: date
    due: date
    needed: int
    quantity: int
    unit_cost: MoneyBody
    total: MoneyBody


class UnmetView(View):
    """Units of an item that a region does not get, and why."""

    bucket: date
    region: str
    item: str
    quantity: float
    penalty: MoneyBody
    reason: str


class PriceView(View):
    """What one more unit (kilogram, m3) would save, in settlement currency, with decimals.

    `kind` is `stock`, `outbound`, `carrier_kg`, `lane_m3` or `storage_m3`; names that a kind is not
    of are empty. Prices that are 0 are left out.
    """

    kind: str
    bucket: date
    item: str
    site: str
    to_site: str
    service: str
    price: float
    currency: str


@router.post("", status_code=202)
def create(
    body: AllocationCreate,
    session: SessionDep,
    clock: ClockDep,
    entropy: EntropyDep,
    response: Response,
) -> AllocationRead:
    """Starts an allocation of the current brand and returns it with its job."""
    made = request_allocation(session, body.scenario, body.gap, body.seed, clock, entropy)
    response.headers["Location"] = f"/v1/allocations/{made.allocation.id}"
    return _read(made)


@router.get("")
def list_allocations(session: SessionDep, paging: PagingDep) -> Page[AllocationRead]:
    """Returns allocations, newest first."""
    after = paging.after(str)
    records = store.allocations(session, paging.asked, str(after[0]) if after else None)
    views = [AllocationView(record, job_of(session, record.job)) for record in records]
    return paging.page(views, key=lambda view: (view.allocation.id,), show=_read)


@router.get("/{allocation}")
def read(allocation: str, session: SessionDep) -> AllocationRead:
    """Returns an allocation with the state of its job."""
    return _read(allocation_view(session, allocation))


@router.get("/{allocation}/flows", responses=conflicts("not-finished"))
def read_flows(
    allocation: str,
    session: SessionDep,
    paging: PagingDep,
    site: Filter = None,
    region: Filter = None,
    service: Filter = None,
    item: Filter = None,
) -> Page[FlowView]:
    """Returns the flows of an allocation."""
    wanted = {"site": site, "region": region, "service": service, "item": item}
    return _page(session, allocation, "flows", paging, wanted, _flow)


@router.get("/{allocation}/moves", responses=conflicts("not-finished"))
def read_moves(
    allocation: str,
    session: SessionDep,
    paging: PagingDep,
    from_site: Filter = None,
    to_site: Filter = None,
    item: Filter = None,
) -> Page[MoveView]:
    """Returns what an allocation moves between sites."""
    wanted = {"from_site": from_site, "to_site": to_site, "item": item}
    return _page(session, allocation, "moves", paging, wanted, _move)


@router.get("/{allocation}/alternatives", responses=conflicts("not-finished"))
def read_alternatives(
    allocation: str, session: SessionDep, item: Code, region: Code, bucket: date | None = None
) -> AlternativesView:
    """Returns every way to serve an item in a region, in the first bucket unless one is given."""
    told = explained_flow(session, allocation, Flow(item, region, bucket))
    currency = store.allocation_of(session, allocation).currency
    return AlternativesView(**told.document(), currency=currency)


@router.get("/{allocation}/purchases", responses=conflicts("not-finished"))
def read_purchases(
    allocation: str,
    session: SessionDep,
    paging: PagingDep,
    supplier: Filter = None,
    site: Filter = None,
    item: Filter = None,
) -> Page[PurchaseView]:
    """Returns the orders that an allocation proposes, by the day to place them; none is placed."""
    wanted = {"supplier": supplier, "site": site, "item": item}
    return _page(session, allocation, "purchases", paging, wanted, _purchase)


@router.get("/{allocation}/unmet", responses=conflicts("not-finished"))
def read_unmet(
    allocation: str,
    session: SessionDep,
    paging: PagingDep,
    region: Filter = None,
    item: Filter = None,
) -> Page[UnmetView]:
    """Returns the demand that an allocation leaves unmet, with one reason each."""
    wanted = {"region": region, "item": item}
    return _page(session, allocation, "unmet", paging, wanted, _unmet)


@router.get("/{allocation}/prices", responses=conflicts("not-finished"))
def read_prices(
    allocation: str,
    session: SessionDep,
    paging: PagingDep,
    kind: Filter = None,
    site: Filter = None,
    item: Filter = None,
) -> Page[PriceView]:
    """Returns the shadow prices of an allocation above 0, of every kind and bucket."""
    wanted = {"kind": kind, "site": site, "item": item}
    return _page(session, allocation, "prices", paging, wanted, _price)


Wanted = Mapping[str, str | None]
Row = dict[str, Any]


def _page(
    session: Session,
    allocation: str,
    table: str,
    paging: Paging,
    wanted: Wanted,
    show: Callable[[Row, str], Shown],
) -> Page[Shown]:
    """Returns one page of the rows of a table that match, shown in the allocation's currency.

    A result never changes, so its rows are numbered.
    """
    frame = allocation_table(session, allocation, table)
    currency = store.allocation_of(session, allocation).currency
    after = paging.after(int)
    for column, value in wanted.items():
        if value is not None:
            frame = frame[frame[column] == value]
    rest = frame[frame.index > int(after[0])] if after else frame
    page = rest.head(paging.asked)
    rows = list(zip(page.index.tolist(), page.to_dict("records"), strict=True))
    return paging.page(
        rows, key=lambda row: (row[0],), show=lambda row: show(_text_keys(row[1]), currency)
    )


def _text_keys(row: Mapping[Hashable, Any]) -> Row:
    return {str(name): cell for name, cell in row.items()}


def _flow(row: Row, currency: str) -> FlowView:
    cost = _money(row.pop("unit_cost"), currency)
    return FlowView(**row | {"bucket": row["bucket"].date()}, unit_cost=cost)


def _move(row: Row, currency: str) -> MoveView:
    cost = _money(row.pop("unit_cost"), currency)
    return MoveView(**row | {"bucket": row["bucket"].date()}, unit_cost=cost)


def _purchase(row: Row, _: str) -> PurchaseView:
    """Money of an order is in the currency of its offer."""
    currency = row.pop("currency")
    money = {
        name: MoneyBody.of(Money(row.pop(f"{name}_minor"), currency))
        for name in ("unit_cost", "total")
    }
    days = {name: row[name].date() for name in ("order_by", "due")}
    return PurchaseView(**row | days | money)


def _unmet(row: Row, currency: str) -> UnmetView:
    penalty = _money(row.pop("penalty"), currency)
    return UnmetView(**row | {"bucket": row["bucket"].date()}, penalty=penalty)


def _price(row: Row, currency: str) -> PriceView:
    return PriceView(**row | {"bucket": row["bucket"].date()}, currency=currency)


def _money(amount: float, currency: str) -> MoneyBody:
    return MoneyBody.of(Money.of(amount, currency))


def _read(view: AllocationView) -> AllocationRead:
    record, job = view.allocation, view.job
    return AllocationRead(
        id=record.id,
        job=job.id,
        state=job.state,
        progress=job.progress,
        error=job.error,
        brand_version=record.brand_version,
        currency=record.currency,
        scenario=record.scenario,
        created_at=record.created_at,
        finished_at=record.finished_at,
        **_figures(record.result, record.currency),
    )


def _figures(result: Row | None, currency: str) -> Row:
    """The figures of a result, totals as money; nothing before there is one."""
    if result is None:
        return {}
    totals = {name: _money(result[name], currency) for name in ("objective", "bound")}
    costs = {name: _money(amount, currency) for name, amount in result["costs"].items()}
    return result | totals | {"costs": costs}
