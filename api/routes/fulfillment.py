"""`/v1/fulfillment-plans`: an order in, a plan and its reservation out."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.bodies import INTEGRAL, Body
from api.dependencies import ClockDep, EntropyDep, SessionDep, SettingsDep, allow
from api.idempotency import NamedDep, OnceDep
from api.openapi import conflicts
from api.posts import Made, Post, posted
from api.services import fulfillment as services
from api.services.keys import Caller
from api.services.orders import MOST_HOLD_MINUTES, OrderBody
from api.services.planning import Ask, Service
from core.errors import BadInput, EntrepotError

router = APIRouter(prefix="/v1/fulfillment-plans", tags=["fulfillment plans"])

OrderService = Annotated[Caller, Depends(allow("order-service"))]


class PlanView(BaseModel):
    """A plan: legs, promise, landed cost, what is not served, and why it was decided so.

    Where the order asks for it, `backorders` tells what is promised from goods on their way.
    """

    model_config = ConfigDict(extra="allow")

    id: str
    status: str = Field(description="planned, reserved, confirmed, cancelled or expired")
    order: str
    region: str
    currency: str
    legs: list[dict[str, Any]]
    promise: dict[str, Any]
    landed_cost: dict[str, Any]
    unserved: list[dict[str, Any]] = Field(
        description="Lines that the plan does not serve, each with its code and its reason; with"
        " `available_from`, the first promise of a unit from goods on their way, or null"
    )
    carbon_kg: float
    reservation: dict[str, str] | None
    decision: dict[str, Any]


class BatchCreate(Body):
    """Orders to plan together; each has the shape of a single order."""

    orders: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=services.LARGEST_BATCH)]


class ExtendCreate(Body):
    """How long a plan is to hold its units, from now."""

    hold_minutes: Annotated[int, Field(strict=True, ge=1, le=MOST_HOLD_MINUTES), INTEGRAL]


class ResultView(BaseModel):
    """The result of one order of a batch: a plan, or what was wrong."""

    index: int
    status: int
    plan: PlanView | None = None
    problem: dict[str, Any] | None = None


class BatchView(BaseModel):
    """Results in the order in which the orders were given."""

    data: list[ResultView]


def _service(
    who: OrderService,
    session: SessionDep,
    clock: ClockDep,
    entropy: EntropyDep,
    settings: SettingsDep,
) -> Service:
    return Service(session, clock, entropy, f"key:{who.key}", settings.hold_minutes)


ServiceDep = Annotated[Service, Depends(_service, scope="function")]


@router.post(
    "",
    status_code=201,
    response_model=PlanView,
    responses=conflicts("insufficient-stock", "no-feasible-plan"),
)
async def create_plan(
    request: Request, body: OrderBody, who: OrderService, named: NamedDep
) -> Response:
    """Plans an order at the lowest full cost and holds its units; nothing is oversold."""
    return await posted(request.app, Post(named, (Ask(body, f"key:{who.key}"),), _one))


@router.post("/batch", response_model=BatchView)
async def create_plans(
    request: Request, body: BatchCreate, who: OrderService, named: NamedDep
) -> Response:
    """Plans up to 500 orders, each with its own result."""
    asks = services.asks_of(body.orders, f"key:{who.key}")
    good = tuple(ask for ask in asks if isinstance(ask, Ask))
    return await posted(request.app, Post(named, good, partial(_each, asks)))


def _one(made: Sequence[Made]) -> tuple[int, dict[str, Any], str]:
    (document,) = made
    if isinstance(document, EntrepotError):
        raise document
    return 201, document, f"{router.prefix}/{document['id']}"


def _each(asks: Sequence[Ask | BadInput], made: Sequence[Made]) -> tuple[int, dict[str, Any], str]:
    return 200, {"data": services.results_of(made, asks)}, ""


@router.get("/{plan_id}", response_model=PlanView, dependencies=[Depends(allow("order-service"))])
def read_plan(plan_id: str, session: SessionDep, clock: ClockDep) -> dict[str, Any]:
    """Returns a plan with its status as of now."""
    return services.show_plan(session, plan_id, clock.now())


@router.post(
    "/{plan_id}/confirm",
    response_model=PlanView,
    responses=conflicts("reservation-expired", "plan-planned", "plan-cancelled", "order-confirmed"),
)
def confirm_plan(plan_id: str, service: ServiceDep, once: OnceDep) -> Response:
    """Turns the hold into a fulfillment order and shipments; an expired hold answers 409.

    Goods on their way stay held, and leave with a shipment of their own when they have come in.
    """
    return once.answer(200, services.confirm_plan(service, plan_id))


@router.post(
    "/{plan_id}/extend",
    response_model=PlanView,
    responses=conflicts("reservation-expired"),
)
def extend_plan(plan_id: str, body: ExtendCreate, service: ServiceDep, once: OnceDep) -> Response:
    """Holds the units for so many minutes from now; a hold that lasts longer stays as it is."""
    return once.answer(200, services.extend_plan(service, plan_id, body.hold_minutes))


@router.post("/{plan_id}/cancel", response_model=PlanView, responses=conflicts("plan-confirmed"))
def cancel_plan(plan_id: str, service: ServiceDep, once: OnceDep) -> Response:
    """Gives the plan up and its units free."""
    return once.answer(200, services.cancel_plan(service, plan_id))
