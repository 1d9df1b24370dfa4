"""`entrepot reference`: the dated facts that the project carries, and which of them are old."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

import click
from duty27_eu_vat import DATA_AS_OF
from rich.table import Table

from api.commands.output import emit, json_option, table
from carriers.emissions import emission_factors
from core.clock import SystemClock
from core.fx import ECB_SOURCE, history_days
from routing.landed_cost.charges import charges
from routing.landed_cost.dated import OLD_AFTER
from routing.landed_cost.rules import rules


@dataclass(frozen=True, slots=True)
class Fact:
    """One dated row of a reference table; `checked_on` is when somebody last compared it."""

    table: str
    name: str
    value: str
    valid_from: str
    valid_to: str
    status: str
    source: str
    checked_on: date

    def old(self, today: date) -> bool:
        """Whether the row was last checked too long before today."""
        return today - self.checked_on > OLD_AFTER

    def document(self, today: date) -> dict[str, Any]:
        """Returns the row as JSON, with whether it is old."""
        checked = self.checked_on.isoformat()
        return {**asdict(self), "checked_on": checked, "old": self.old(today)}


def facts() -> Iterator[Fact]:
    """Yields every dated row: customs, charges, emission factors, and what packages carry."""
    for rule in rules():
        name = f"{rule.jurisdiction} {rule.rule} {rule.channel}".rstrip()
        yield Fact(
            "customs rules", name, f"{rule.value} {rule.currency}".rstrip(),
            rule.valid_from.isoformat(), rule.valid_to.isoformat() if rule.valid_to else "",
            rule.status, rule.source, rule.checked_on,
        )  # fmt: skip
    for charge in charges():
        place = charge.country or f"from {charge.sent_from}"
        yield Fact(
            "clearance charges", f"{charge.collector} {charge.name} ({place})", charge.told,
            charge.valid_from.isoformat(), charge.valid_to.isoformat() if charge.valid_to else "",
            charge.status, charge.source, charge.checked_on,
        )  # fmt: skip
    for factors in emission_factors().values():
        for factor in factors:
            yield Fact(
                "emission factors", f"{factor.mode} from {factor.from_km:g} km",
                f"{factor.grams_per_tonne_km:g} {factor.unit}", "", "", "confirmed",
                factor.source, date.fromisoformat(factor.as_of),
            )  # fmt: skip
    yield Fact(
        "VAT rates", "standard rates of the EU by date", "duty27-eu-vat", "2016-01-01", "",
        "confirmed", "Duty27 VAT history (CC BY 4.0)", DATA_AS_OF,
    )  # fmt: skip
    first, last = history_days()
    yield Fact(
        "exchange rates", "euro reference rates by day", "currency_converter", first.isoformat(),
        "", "confirmed", ECB_SOURCE, last,
    )  # fmt: skip


@click.command("reference")
@click.option(
    "--today",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Judge age from this day instead of from the clock.",
)
@json_option
def command(today: datetime | None, as_json: bool) -> None:
    """Lists the dated reference tables, their sources, and which rows are old.

    A row is old when it was last checked more than 180 days before today.
    """
    day = today.date() if today else SystemClock().now().astimezone(UTC).date()
    found = list(facts())
    rows = [fact.document(day) for fact in found]
    document = {
        "today": day.isoformat(),
        "tables": [_told(name, found, day) for name in dict.fromkeys(f.table for f in found)],
        "old": sum(row["old"] for row in rows),
        "rows": rows,
    }
    emit(document, as_json, _table(found, day))


def _told(name: str, found: list[Fact], today: date) -> dict[str, Any]:
    own = [fact for fact in found if fact.table == name]
    return {
        "table": name,
        "rows": len(own),
        "old": sum(fact.old(today) for fact in own),
        "oldest": min(fact.checked_on for fact in own).isoformat(),
        "sources": list(dict.fromkeys(fact.source for fact in own)),
    }


def _table(found: list[Fact], today: date) -> Table:
    columns = ("table", "row", "value", "from", "to", "status", "checked", "source")
    rows = [
        [fact.table, fact.name, fact.value, fact.valid_from, fact.valid_to, fact.status,
         f"{fact.checked_on} (old)" if fact.old(today) else str(fact.checked_on), fact.source]
        for fact in found
    ]  # fmt: skip
    return table(f"Reference rows as of {today}", columns, rows)
