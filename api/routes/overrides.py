"""`/v1/forecast-overrides`: what planners decide about coming demand, and why."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from api.bodies import AskedDay, Body, Moment, Number, Text, View
from api.dependencies import ClockDep, EntropyDep, SessionDep, allow
from api.idempotency import OnceDep
from api.pages import Page, PagingDep
from api.services import overrides as services
from api.services.keys import Caller
from inventory.demand import store
from inventory.demand.records import ForecastOverrideRecord

router = APIRouter(prefix="/v1/forecast-overrides", tags=["forecasts"])

Planner = Annotated[Caller, Depends(allow("planner"))]
Reader = Depends(allow("planner", "auditor"))

Glob = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]
"""A name, or a pattern in which `*` stands for anything."""

Amount = Annotated[Number, Field(ge=0, le=1e9)]


class OverrideCreate(Body):
    """A decision: what it selects, from which day to which, and a factor or units a week."""

    region: Glob = "*"
    category: Glob = "*"
    item: Glob = "*"
    start: AskedDay
    end: AskedDay
    factor: Annotated[Number, Field(ge=0, le=1000)] | None = None
    units: Amount | None = Field(
        None, description="Units a week for all that is selected, shared in proportion"
    )
    why: Text

    def decision(self) -> services.Decision:
        """Returns the decision as the service takes it."""
        return services.Decision(**self.model_dump())


class OverrideRead(View):
    """An override; it stands until `withdrawn_at`."""

    id: str
    region: str
    category: str
    item: str
    start: date
    end: date
    factor: float | None
    units: float | None
    who: str
    made_at: Moment
    why: str
    withdrawn_at: Moment | None
    withdrawn_by: str | None

    @classmethod
    def of(cls, record: ForecastOverrideRecord) -> "OverrideRead":
        """Returns the form of a record that crosses the door."""
        shown = record.model_dump(exclude={"first_day", "last_day"})
        return cls(**shown, start=record.first_day, end=record.last_day)


@router.post("", status_code=201, response_model=OverrideRead)
def create(
    body: OverrideCreate,
    who: Planner,
    session: SessionDep,
    clock: ClockDep,
    entropy: EntropyDep,
    once: OnceDep,
) -> Response:
    """Keeps a decision that every later forecast applies; statistics stay beside it."""
    record = services.add_override(session, body.decision(), who.name, clock, entropy)
    return once.answer(201, OverrideRead.of(record), location=f"/v1/forecast-overrides/{record.id}")


@router.get("", dependencies=[Reader])
def list_overrides(
    session: SessionDep,
    paging: PagingDep,
    standing: Annotated[bool, Query(description="Only those that nobody withdrew")] = False,
) -> Page[OverrideRead]:
    """Returns overrides, newest first."""
    after = paging.after(str)
    rows = store.overrides(
        session, paging.asked, str(after[0]) if after else None, standing=standing
    )
    return paging.page(rows, key=lambda record: (record.id,), show=OverrideRead.of)


@router.get("/{override}", dependencies=[Reader])
def read(override: str, session: SessionDep) -> OverrideRead:
    """Returns one override."""
    return OverrideRead.of(store.override_of(session, override))


@router.post("/{override}/withdraw")
def withdraw(override: str, who: Planner, session: SessionDep, clock: ClockDep) -> OverrideRead:
    """Ends an override for later forecasts; it stays listed, with who withdrew it."""
    return OverrideRead.of(services.withdraw_override(session, override, who.name, clock))
