"""Shapes that bodies share: strict models, codes, quantities, money, moments."""

from datetime import UTC
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer

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

Quantity = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
"""Units of an item, at least one; neither text nor fractions."""

Moment = Annotated[
    AwareDatetime,
    AfterValidator(lambda moment: moment.astimezone(UTC)),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
]
"""A moment with an offset (RFC 3339); UTC with `Z` in answers."""


class MoneyBody(Body):
    """Money as it crosses the door: integer minor units and an ISO 4217 code."""

    amount: Annotated[int, Field(strict=True)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

    def money(self) -> Money:
        """Returns the amount; raises `BadInput` for an unknown currency."""
        return Money(self.amount, self.currency)

    @classmethod
    def of(cls, money: Money) -> "MoneyBody":
        """Returns the form of an amount that crosses the door."""
        return cls(amount=money.minor, currency=money.currency)
