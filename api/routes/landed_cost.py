"""`/v1/landed-cost-quotes`: duty, tax, fees and charges of a consignment, and who pays them."""

from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from api.bodies import MoneyBody
from api.dependencies import ClockDep, SessionDep, allow
from api.services import landed_cost as services
from api.services.landed_cost import QuoteBody

router = APIRouter(prefix="/v1/landed-cost-quotes", tags=["landed cost"])


class CostView(BaseModel):
    """The terms of a line or of all lines; `fees` are set by law, `charges` are for clearing."""

    goods: MoneyBody
    freight: MoneyBody
    duty: MoneyBody
    tax: MoneyBody
    fees: MoneyBody
    charges: MoneyBody
    total: MoneyBody


class LineView(CostView):
    """One line: its terms, the bases and rates they come from, where its tax is collected."""

    line: str
    item: str
    duty_base: MoneyBody
    duty_rate: float
    duty_rule: str | None
    tax_base: MoneyBody
    tax_rate: float
    tax_point: str


class PaidView(BaseModel):
    """What each pays beyond goods and freight, and who pays which term."""

    seller: MoneyBody
    checkout: MoneyBody
    door: MoneyBody
    who: dict[str, str]


class RuleView(BaseModel):
    """A dated row that was looked at; `applied` where it decided something."""

    id: str
    table: str
    says: str
    value: str
    currency: str | None
    applied: bool
    valid_from: str
    valid_to: str | None
    source: str
    status: str
    checked_on: str | None


class RateView(BaseModel):
    """A rate of exchange in settlement currency, the day whose rate it is, and its source."""

    currency: str
    rate: float
    on: str | None
    source: str


class ChargeView(BaseModel):
    """One charge for clearing, of customs (`by_law`) or of the carrier."""

    rule: str
    collector: str
    name: str
    by_law: bool
    amount: MoneyBody


class QuoteView(BaseModel):
    """A landed-cost quote; always an estimate, with the reasons in `doubts`."""

    from_country: str
    to_country: str
    on: str
    currency: str
    incoterm: str
    channel: str
    carrier: str | None
    customs_route: str
    basis: str
    recoverable_tax: bool
    estimate: bool
    doubts: list[str]
    lines: list[LineView]
    totals: CostView
    paid: PaidView
    charges: list[ChargeView]
    rules: list[RuleView]
    exchange: list[RateView]


@router.post("", response_model=QuoteView, dependencies=[Depends(allow("order-service"))])
def create_quote(body: QuoteBody, session: SessionDep, clock: ClockDep) -> dict[str, Any]:
    """Quotes a consignment under the law of a day: each term by line, the rows, who pays.

    Nothing is stored, so it takes no idempotency key. Without `on` the law of today applies.
    """
    return services.quoter(session).quoted(body, clock.now().date())
