"""Dated rules of law: relief, flat duties and fees by jurisdiction, with their sources."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from itertools import pairwise

from core.places import customs_territory
from routing.landed_cost.dated import Dated

RULES = {
    "duty_relief": "no duty up to this consignment value",
    "tax_relief": "no tax up to this value",
    "flat_duty_limit": "flat duty instead of the tariff up to this consignment value",
    "flat_duty_per_category": "flat duty for each tariff category of a consignment",
    "border_tax_relief": "no tax at the border up to this value where none is due at checkout",
    "checkout_tax_limit": "tax is collected at checkout up to this value",
    "tax_share": "share of the tax that is due in a scheme",
    "tax_share_limit": "only that share of the tax is due up to this consignment value",
    "fee_per_consignment": "fee for each consignment",
    "fee_per_category": "fee for each tariff category of a consignment",
    "fee_limit": "fees are due up to this consignment value",
}
"""Every rule that the reference file may hold, in words."""

BASES = ("", "goods", "goods and freight", "unit")
"""What a limit is compared with: goods alone (FOB), goods and freight (CIF), one unit's value."""

CHANNELS = ("courier", "post", "freight", "cbec")
"""How goods come in; `cbec` is China's scheme for retail by cross-border e-commerce."""


@dataclass(frozen=True, slots=True)
class Rule(Dated):
    """One rule of one jurisdiction (country or `EU`) while it holds; `value` in `currency`.

    A rule with a `channel` is only for goods that come in by it; `basis` says what the value of a
    limit is compared with.
    """

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
    channel: str = ""
    basis: str = "goods"

    @property
    def id(self) -> str:
        """What names the row: jurisdiction, rule, channel if any, and first day."""
        parts = (self.jurisdiction, self.rule, self.channel, self.valid_from.isoformat())
        return ":".join(part for part in parts if part)


@cache
def rules() -> tuple[Rule, ...]:
    """Returns every dated rule that the project carries, in the order of its file."""
    text = files("routing.landed_cost.reference").joinpath("rules.csv").read_text(encoding="utf-8")
    return tuple(_rule(row) for row in csv.DictReader(text.splitlines()))


def rule_on(
    rule: str, country: str, on: date, among: Sequence[Rule] | None = None, channel: str = ""
) -> Rule | None:
    """Returns the rule in force for a country; its own beats that of its customs territory.

    A rule of the channel beats one that holds for all. Without a channel only the latter count.
    """
    listed = rules() if among is None else among
    for jurisdiction in dict.fromkeys((country, customs_territory(country))):
        for by in dict.fromkeys((channel, "")):
            for row in listed:
                named = (row.rule, row.jurisdiction, row.channel) == (rule, jurisdiction, by)
                if named and row.holds(on):
                    return row
    return None


def overlaps(among: Iterable[Rule]) -> list[tuple[Rule, Rule]]:
    """Returns pairs of rows that claim to hold for one jurisdiction on one day; should be none."""
    rows = sorted(among, key=lambda row: (*_key(row), row.valid_from))
    pairs = pairwise(rows)
    return [(a, b) for a, b in pairs if _key(a) == _key(b) and a.holds(b.valid_from)]


def _key(row: Rule) -> tuple[str, str, str]:
    return row.jurisdiction, row.rule, row.channel


def _rule(row: dict[str, str]) -> Rule:
    for column, accepted in (
        ("rule", tuple(RULES)),
        ("basis", BASES),
        ("channel", ("", *CHANNELS)),
    ):
        if row[column] not in accepted:
            raise ValueError(f"Expected one of {', '.join(accepted)}, got {row[column]!r}.")
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
        channel=row["channel"],
        basis=row["basis"],
    )
