"""Orders as they come through the doors: one strict shape for the command line and for HTTP."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError

from api.bodies import INTEGRAL, AskedMoment, Body, Code, MoneyBody, Number
from core.errors import BadInput, Problem
from core.money import exponent
from core.places import countries
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.order import Order, OrderLine, Wishes

MOST_LINES, MOST_HOLD_MINUTES = 500, 24 * 60
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

Personal = Annotated[SecretStr, Field(max_length=200)]
"""Text about a person: read to be refused if malformed, never shown, logged or stored."""


class AddressBody(Body):
    """Where an order goes; planning sees the country and the postcode, nobody keeps the rest."""

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    postcode: Personal = SecretStr("")
    name: Personal = SecretStr("")
    street: Personal = SecretStr("")
    city: Personal = SecretStr("")


class LineBody(Body):
    """Units of one item; `price` is what the customer pays for one."""

    line: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1), INTEGRAL]
    item: Code
    quantity: Annotated[int, Field(strict=True, ge=1, le=1_000_000), INTEGRAL]
    price: MoneyBody | None = None


class OptionsBody(Body):
    """How an order is to be planned; `carbon_price` in settlement currency per tonne.

    `keep_scarce` leaves units unserved that are worth more to later orders. `backorder` adds
    what is promised from goods on their way; it is held as the plan is. `replaces` names a plan of
    the same order whose hold is given up for the new one, if there is a new one.
    """

    reserve: Annotated[bool, Field(strict=True)] = True
    hold_minutes: (
        Annotated[int, Field(strict=True, ge=1, le=MOST_HOLD_MINUTES), INTEGRAL] | None
    ) = None
    allow_split: Annotated[bool, Field(strict=True)] = True
    carbon_price: Annotated[Number, Field(ge=0, le=1e6)] | None = None
    keep_scarce: Annotated[bool, Field(strict=True)] = False
    backorder: Annotated[bool, Field(strict=True)] = False
    replaces: Code | None = None


class OrderBody(Body):
    """An order to plan; it names its region, or gives an address from which the region follows."""

    order: Code
    region: Code | None = None
    address: AddressBody | None = None
    placed_at: AskedMoment | None = None
    promise_by: AskedMoment | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    lines: Annotated[list[LineBody], Field(min_length=1, max_length=MOST_LINES)]
    options: OptionsBody = OptionsBody()


@dataclass(frozen=True, slots=True)
class Asked:
    """An order that fits the brand, and how it is to be planned and held."""

    order: Order
    wishes: Wishes
    reserve: bool
    hold_minutes: int | None


def read_order(path: Path) -> OrderBody:
    """Returns the order in a JSON file; raises `BadInput` with a JSON pointer for every fault."""
    return order_body(read_json(path))


def read_json(path: Path) -> object:
    """Returns the document in a JSON file; raises `BadInput` if there is none."""
    try:
        return json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not JSON: {error}.") from error


def order_body(document: object) -> OrderBody:
    """Returns the order of a JSON document; raises `BadInput` with a pointer for every fault."""
    try:
        return OrderBody.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise BadInput(list(problems_of(error))) from None


def asked_of(body: OrderBody, context: PlanningContext, now: datetime) -> Asked:
    """Returns what a body asks for of the brand; raises `BadInput` with pointers otherwise.

    `now` is the moment of the order where it states none.
    """
    placed_at = body.placed_at or now
    problems = [*_faults(body, context, placed_at)]
    region = _region(body, context, problems)
    if problems:
        raise BadInput(problems)
    order = Order(
        order=body.order,
        region=region,
        placed_at=placed_at,
        promise_by=body.promise_by,
        lines=tuple(_line(line) for line in body.lines),
    )
    options = body.options
    wishes = Wishes(
        options.allow_split, options.carbon_price,
        keep_scarce=options.keep_scarce, backorder=options.backorder,
    )  # fmt: skip
    return Asked(order, wishes, body.options.reserve, body.options.hold_minutes)


def _line(line: LineBody) -> OrderLine:
    price = None if line.price is None else line.price.money().amount
    return OrderLine(line.line, line.item, line.quantity, price)


def problems_of(error: ValidationError) -> Iterator[Problem]:
    """Yields what a shape refused, each with its JSON pointer."""
    for found in error.errors(include_url=False, include_input=False):
        pointer = "".join(f"/{part}" for part in found["loc"])
        yield Problem("", 0, 0, str(found["msg"]), pointer or "/")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _faults(body: OrderBody, context: PlanningContext, placed_at: datetime) -> Iterator[Problem]:
    if body.currency != context.currency:
        said = f"Expected the settlement currency {context.currency}, got {body.currency}."
        yield Problem("", 0, 0, said, "/currency")
    if body.options.replaces is not None and not body.options.reserve:
        said = "Expected reserve to be true: only a new hold replaces another."
        yield Problem("", 0, 0, said, "/options/replaces")
    yield from _bad_moments(body, placed_at)
    seen: set[int] = set()
    for at, line in enumerate(body.lines):
        if line.item not in context.catalog.item:
            said = f"No item is named {line.item!r}."
            yield Problem("", 0, 0, said, f"/lines/{at}/item")
        if line.line in seen:
            yield Problem("", 0, 0, f"Line {line.line} is given twice.", f"/lines/{at}/line")
        seen.add(line.line)
        yield from _bad_price(line, body.currency, f"/lines/{at}/price")


def _bad_moments(body: OrderBody, placed_at: datetime) -> Iterator[Problem]:
    moments: Mapping[str, datetime | None] = {
        "/placed_at": placed_at, "/promise_by": body.promise_by,
    }  # fmt: skip
    for pointer, moment in moments.items():
        if moment is not None and not _EARLIEST <= moment < _LATEST:
            yield Problem("", 0, 0, "Expected a moment from 2000 to 2099.", pointer)
    if body.promise_by is not None and body.promise_by < placed_at:
        yield Problem("", 0, 0, "Expected a moment after placed_at.", "/promise_by")


def _bad_price(line: LineBody, currency: str, pointer: str) -> Iterator[Problem]:
    if line.price is None:
        return
    if line.price.currency != currency:
        said = f"Expected the currency of the order, {currency}, got {line.price.currency}."
        yield Problem("", 0, 0, said, f"{pointer}/currency")
    limit = 10 ** (9 + exponent(currency)) if line.price.currency == currency else 0
    if line.price.amount < 0 or (limit and line.price.amount > limit):
        yield Problem("", 0, 0, "Expected an amount from 0 to a billion.", f"{pointer}/amount")


def _region(body: OrderBody, context: PlanningContext, problems: list[Problem]) -> str:
    """The region that an order names, or that of its address; faults are added to the problems."""
    if (body.region is None) == (body.address is None):
        problems.append(Problem("", 0, 0, "Expected either region or address.", "/region"))
        return ""
    if body.region is not None:
        if body.region not in context.network.region:
            said = (
                f"No region is named {body.region!r}; accepted: {_listed(context.network.region)}."
            )
            problems.append(Problem("", 0, 0, said, "/region"))
        return body.region
    country = body.address.country if body.address else ""
    found = [region.region for region in context.network.regions if region.country == country]
    if len(found) != 1:
        problems.append(Problem("", 0, 0, _no_region(country, found, context), "/address/country"))
        return ""
    return found[0]


def _no_region(country: str, found: Sequence[str], context: PlanningContext) -> str:
    if country not in countries():
        return f"Expected an ISO 3166-1 alpha-2 code, got {country!r}."
    if found:
        return f"{country} has the regions {_listed(found)}; name one of them in region."
    served = sorted({region.country for region in context.network.regions})
    return f"No region serves {country}; accepted countries: {_listed(served)}."


def _listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(names)
