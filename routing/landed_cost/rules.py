"""Dated rules of law: relief, flat duties and fees by jurisdiction, with their sources."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files
from itertools import pairwise

from core.places import customs_territory

OLD_AFTER = timedelta(days=180)
"""A row that nobody has checked for longer than this counts as old."""

RULES = {
    "duty_relief": "no duty up to this consignment value",
    "tax_relief": "no tax up to this value",
    "flat_duty_limit": "flat duty instead of the tariff up to this consignment value",
    "flat_duty_per_category": "flat duty for each tariff category of a consignment",
    "checkout_tax_limit": "tax is collected at checkout up to this consignment value",
    "fee_per_consignment": "fee for each consignment",
    "fee_per_category": "fee for each tariff category of a consignment",
    "fee_limit": "fees are due up to this consignment value",
}
"""Every rule that the reference file may hold, in words."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of one jurisdiction (country or `EU`) while it holds; `value` in `currency`."""

    jurisdiction: str
    rule: str
    value: Decimal
    unit: str
    currency: str
    valid_from: date
    valid_to: date | None
    status: str
    source: str
    checked_on: date
    note: str

    def holds(self, on: date) -> bool:
        """Whether the rule is in force on a date; both ends count."""
        return self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)

    def old(self, today: date) -> bool:
        """Whether the row was last checked more than `OLD_AFTER` before today."""
        return today - self.checked_on > OLD_AFTER


@cache
def rules() -> tuple[Rule, ...]:
    """Returns every dated rule that the project carries, in the order of its file."""
    text = files("routing.landed_cost.reference").joinpath("rules.csv").read_text(encoding="utf-8")
    return tuple(_rule(row) for row in csv.DictReader(text.splitlines()))


def rule_on(rule: str, country: str, on: date, among: Sequence[Rule] | None = None) -> Rule | None:
    """Returns the rule in force for a country; its own beats that of its customs territory."""
    listed = rules() if among is None else among
    for jurisdiction in dict.fromkeys((country, customs_territory(country))):
        for row in listed:
            if row.rule == rule and row.jurisdiction == jurisdiction and row.holds(on):
                return row
    return None


def overlaps(among: Iterable[Rule]) -> list[tuple[Rule, Rule]]:
    """Returns pairs of rows that claim to hold for one jurisdiction on one day; should be none."""
    rows = sorted(among, key=lambda row: (row.jurisdiction, row.rule, row.valid_from))
    pairs = pairwise(rows)
    return [(a, b) for a, b in pairs if _same(a, b) and a.holds(b.valid_from)]


def _same(a: Rule, b: Rule) -> bool:
    return (a.jurisdiction, a.rule) == (b.jurisdiction, b.rule)


def _rule(row: dict[str, str]) -> Rule:
    if row["rule"] not in RULES:
        raise ValueError(f"Expected one of {', '.join(RULES)}, got {row['rule']!r}.")
    return Rule(
        jurisdiction=row["jurisdiction"],
        rule=row["rule"],
        value=Decimal(row["value"]),
        unit=row["unit"],
        currency=row["currency"],
        valid_from=date.fromisoformat(row["valid_from"]),
        valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
        status=row["status"],
        source=row["source"],
        checked_on=date.fromisoformat(row["checked_on"]),
        note=row["note"],
    )
