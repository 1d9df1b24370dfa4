"""Landed-cost quotes as they come through the doors: one strict shape, for HTTP and commands."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from sqlmodel import Session

from api.bodies import INTEGRAL, AskedDay, Body, Code, MoneyBody
from api.services.brands import brand_version, current_brand
from api.services.orders import MOST_LINES, problems_of, read_json
from core.brand import Brand
from core.errors import BadInput, Problem
from core.fx import rate_found
from core.money import Money, currencies, exact, exponent
from core.places import countries
from inventory.items import Catalog, Item
from routing.landed_cost.cost import ConsignmentLine
from routing.landed_cost.document import document_of
from routing.landed_cost.quote import Question, quote
from routing.landed_cost.regime import Terms
from routing.landed_cost.tariffs import Tariffs

Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Into = Callable[[Decimal, str], Decimal]
MOST_KG = 100_000
_MOST_WHOLE, _RATES_KEPT = 10**9, 10_000

UNLISTED = Item(
    item="", name="", category="", weight_kg=0.0, length_cm=0.0, width_cm=0.0, height_cm=0.0,
    volume_m3=0.0, value=0.0, hs_code="", origin="", hazard="none", bulky=False,
    key_material=False, unmet_penalty=0.0,
)  # fmt: skip
"""Goods that the catalog of the brand does not hold, before a line says what they are."""


class GoodsBody(Body):
    """Units of one item of the brand, or of goods described by what customs ask for.

    `value` is what one unit is sold for; what a line leaves out comes from the item.
    """

    line: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1), INTEGRAL]
    item: Code | None = None
    hs_code: Annotated[str, Field(pattern=r"^[0-9]{4,12}$")] | None = None
    origin: Country | None = None
    quantity: Annotated[int, Field(strict=True, ge=1, le=1_000_000), INTEGRAL]
    value: MoneyBody | None = None
    weight_kg: Annotated[float, Field(ge=0, le=MOST_KG, allow_inf_nan=False)] | None = None


class QuoteBody(Body):
    """A consignment to quote; `on` is the day whose law applies.

    `tax_at_checkout` says whether the seller is registered where a country collects tax with the
    order (IOSS and the like); `carrier` asks for what a carrier takes for paying customs first.
    """

    from_country: Country
    to_country: Country
    on: AskedDay | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    incoterm: Literal["DDP", "DAP"] = "DDP"
    channel: Literal["courier", "post", "freight", "cbec"] = "courier"
    carrier: Code | None = None
    customs_route: Literal["domestic", "bonded_release", "cross_border"] | None = None
    tax_at_checkout: Annotated[bool, Field(strict=True)] = True
    freight: MoneyBody | None = None
    lines: Annotated[list[GoodsBody], Field(min_length=1, max_length=MOST_LINES)]


def read_question(path: Path) -> QuoteBody:
    """Returns the question in a JSON file; raises `BadInput` with pointers to every fault."""
    try:
        return QuoteBody.model_validate_json(json.dumps(read_json(path)))
    except ValidationError as error:
        raise BadInput(list(problems_of(error))) from None


@dataclass(frozen=True)
class Quoter:
    """A brand ready to quote: its items, its tariffs, and every rate of exchange asked for once."""

    brand: Brand
    catalog: Catalog
    tariffs: Tariffs

    @classmethod
    def of(cls, brand: Brand) -> "Quoter":
        """Returns the quoter of a brand; raises `BadInput` where two rows of it contradict."""
        tariffs = Tariffs.of(brand)
        remembered = lru_cache(maxsize=_RATES_KEPT)(tariffs.exchange)
        return cls(brand, Catalog.of(brand), replace(tariffs, exchange=remembered))

    def quoted(self, body: QuoteBody, today: date) -> dict[str, Any]:
        """Returns the document of a quote; `today` is the day of law where the body names none.

        Raises `BadInput` with pointers for what does not fit the brand, for a customs route that is
        not lawful, and where a rate of exchange is missing.
        """
        problems = list(_faults(body, self.catalog))
        if problems:
            raise BadInput(problems)
        question = self._question(body, body.on or today)
        return document_of(quote(question, self.tariffs, partial(rate_found, self.brand)))

    def _question(self, body: QuoteBody, on: date) -> Question:
        home = self.brand.currency
        currency = body.currency or home
        exchange = self.tariffs.settling_in(currency).exchange

        def into(amount: Decimal, priced: str) -> Decimal:
            return amount if priced == currency else amount * exact(exchange(priced, on))

        priced = [line.value.currency if line.value else home for line in body.lines]
        freight = body.freight.money() if body.freight else Money(0, currency)
        return Question(
            from_country=body.from_country,
            to_country=body.to_country,
            on=on,
            currency=currency,
            lines=tuple(
                _line(line, self.catalog, into, name)
                for line, name in zip(body.lines, priced, strict=True)
            ),
            terms=Terms(body.channel, body.tax_at_checkout),
            freight=into(freight.amount, freight.currency),
            incoterm=body.incoterm,
            carrier=body.carrier or "",
            stated=body.customs_route,
            priced_in=tuple(dict.fromkeys((*priced, freight.currency))),
        )


@dataclass(slots=True)
class _Cache:
    """The quoter built last; versions name content, so it is never stale."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: tuple[str, Quoter] | None = None


_cache = _Cache()


def quoter(session: Session) -> Quoter:
    """Returns the quoter of the current brand."""
    version = brand_version(session)
    with _cache.lock:
        if _cache.kept is None or _cache.kept[0] != version:
            _cache.kept = (version, Quoter.of(current_brand(session)))
        return _cache.kept[1]


def _line(line: GoodsBody, catalog: Catalog, into: Into, priced: str) -> ConsignmentLine:
    item = _item(line, catalog)
    value = exact(item.value) if line.value is None else line.value.money().amount
    return ConsignmentLine(str(line.line), item, line.quantity, into(value, priced))


def _item(line: GoodsBody, catalog: Catalog) -> Item:
    """The item of a line, with what the line says otherwise."""
    item = catalog.item[line.item] if line.item else UNLISTED
    return replace(
        item,
        hs_code=line.hs_code or item.hs_code,
        origin=line.origin or item.origin,
        weight_kg=item.weight_kg if line.weight_kg is None else line.weight_kg,
    )


def _faults(body: QuoteBody, catalog: Catalog) -> Iterator[Problem]:
    for name in ("from_country", "to_country"):
        yield from _bad_country(getattr(body, name), f"/{name}")
    if body.currency is not None and body.currency not in currencies():
        yield Problem("", 0, 0, f"Expected an ISO 4217 code, got {body.currency}.", "/currency")
    yield from _bad_money(body.freight, "/freight")
    seen: set[int] = set()
    for at, line in enumerate(body.lines):
        if line.line in seen:
            yield Problem("", 0, 0, f"Line {line.line} is given twice.", f"/lines/{at}/line")
        seen.add(line.line)
        yield from _bad_line(line, catalog, f"/lines/{at}")


def _bad_line(line: GoodsBody, catalog: Catalog, pointer: str) -> Iterator[Problem]:
    if line.item is not None and line.item not in catalog.item:
        yield Problem("", 0, 0, f"No item is named {line.item!r}.", f"{pointer}/item")
    if line.item is None:
        missing = [
            name for name in ("hs_code", "origin", "value", "weight_kg")
            if getattr(line, name) is None
        ]  # fmt: skip
        if missing:
            said = f"Expected an item, or goods with {', '.join(missing)}."
            yield Problem("", 0, 0, said, pointer)
    yield from _bad_country(line.origin, f"{pointer}/origin")
    yield from _bad_money(line.value, f"{pointer}/value")


def _bad_country(country: str | None, pointer: str) -> Iterator[Problem]:
    if country is not None and country not in countries():
        said = f"Expected an ISO 3166-1 alpha-2 code, got {country!r}."
        yield Problem("", 0, 0, said, pointer)


def _bad_money(money: MoneyBody | None, pointer: str) -> Iterator[Problem]:
    if money is None:
        return
    if money.currency not in currencies():
        said = f"Expected an ISO 4217 code, got {money.currency}."
        yield Problem("", 0, 0, said, f"{pointer}/currency")
    elif not 0 <= money.amount <= _MOST_WHOLE * 10 ** exponent(money.currency):
        yield Problem("", 0, 0, "Expected an amount from 0 to a billion.", f"{pointer}/amount")
