"""The worked cases as questions: one brand with their duties, taxes and rates, and each case."""

import tomllib
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from typing import Any

from core.fx import rate_found
from core.money import exact
from inventory.items import Catalog, Item
from routing.landed_cost.cost import ConsignmentLine
from routing.landed_cost.quote import Question, Quote, quote
from routing.landed_cost.regime import Terms
from routing.landed_cost.tariffs import Tariffs
from tests.builders import brand_of

BOOK: dict[str, Any] = tomllib.loads(
    (Path(__file__).parent / "worked_cases.toml").read_text(encoding="utf-8")
)
CASES: list[dict[str, Any]] = BOOK["case"]
BRAND = brand_of(
    items=[{"item": "THING", "weight_kg": 1, "value": 1}],
    duties=BOOK["duties"],
    taxes=BOOK["taxes"],
    fx=BOOK["fx"],
)
_TABLES = Tariffs.of(BRAND)
TARIFFS = replace(_TABLES, exchange=cache(_TABLES.exchange))
THING = Catalog.of(BRAND).item["THING"]
RATES = cache(partial(rate_found, BRAND))


def thing(hs_code: str, origin: str, weight_kg: str = "1") -> Item:
    """Goods by what customs ask for."""
    return replace(THING, hs_code=hs_code, origin=origin, weight_kg=float(weight_kg))


def question_of(case: dict[str, Any]) -> Question:
    """What a case asks."""
    on, currency = case["on"], case["currency"]
    foreign = [line["value_currency"] for line in case["lines"] if "value_currency" in line]
    return Question(
        from_country=case["from_country"],
        to_country=case["to_country"],
        on=on,
        currency=currency,
        lines=tuple(
            ConsignmentLine(
                str(at),
                thing(line["hs_code"], line["origin"], line["weight_kg"]),
                line["quantity"],
                Decimal(line["value"]) * _rate(line.get("value_currency", currency), currency, on),
            )
            for at, line in enumerate(case["lines"], 1)
        ),
        terms=Terms(case.get("channel", "courier"), case.get("tax_at_checkout", True)),
        freight=Decimal(case["freight"]),
        incoterm=case.get("incoterm", "DDP"),
        carrier=case.get("carrier", ""),
        stated=case.get("customs_route"),
        priced_in=tuple(foreign),
    )


def answer(question: Question) -> Quote:
    """The quote under the law and the rates of the cases."""
    return quote(question, TARIFFS, RATES)


def _rate(currency: str, into: str, on: date) -> Decimal:
    return exact(TARIFFS.settling_in(into).exchange(currency, on))
