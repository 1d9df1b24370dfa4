"""Shapes that bodies share: strict models, codes, quantities, money, moments."""

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
)

from core.clock import rfc3339
from core.money import Money


class Body(BaseModel):
    """A request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class View(BaseModel):
    """An answer; built from values by attribute: `StockView.model_validate(level)`."""

    model_config = ConfigDict(from_attributes=True)


Code = Annotated[
    str, Field(min_length=1, max_length=100, pattern=r"^[^\s;*\x00-\x1f][^;*\x00-\x1f]*$")
]
"""An id of the brand folder or of a caller's own system."""

Text = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
"""Free text."""


def _integral(value: object) -> object:
    """JSON has one kind of number: 3.0 is the integer 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


INTEGRAL = BeforeValidator(_integral)
"""Stands after `Field(strict=True, ...)` of a whole number: neither text nor truth nor fraction."""

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A number; neither text nor a truth value."""

Quantity = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000), INTEGRAL]
"""Units of an item, at least one; neither text nor fractions."""

_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # the offset leads before the year 1 or after 9999
        raise ValueError("expected a moment that the calendar has in UTC") from None


def _of_our_time(moment: datetime) -> datetime:
    if not _EARLIEST <= moment < _LATEST:
        raise ValueError("expected a moment from 2000 to 2199")
    return moment


def _day_of_our_time(day: date) -> date:
    if not _EARLIEST.date() <= day < _LATEST.date():
        raise ValueError("expected a day from 2000 to 2199")
    return day


Moment = Annotated[
    AwareDatetime,
    AfterValidator(_in_utc),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
]
"""A moment with an offset (RFC 3339); UTC with `Z` in answers."""

AskedMoment = Annotated[Moment, AfterValidator(_of_our_time)]
"""A moment that a request names; from 2000 to 2199, so that days can be added to it."""

AskedDay = Annotated[date, AfterValidator(_day_of_our_time)]
"""A day that a request names; from 2000 to 2199, so that days can be added to it."""


class MoneyBody(Body):
    """Money as it crosses the door: integer minor units and an ISO 4217 code."""

    amount: Annotated[int, Field(strict=True), INTEGRAL]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

    def money(self) -> Money:
        """Returns the amount; raises `BadInput` for an unknown currency."""
        return Money(self.amount, self.currency)

    @classmethod
    def of(cls, money: Money) -> "MoneyBody":
        """Returns the form of an amount that crosses the door."""
        return cls(amount=money.minor, currency=money.currency)
