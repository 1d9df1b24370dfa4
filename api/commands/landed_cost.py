"""`entrepot landed-cost`: what goods cost on arrival, by which rules, and who pays."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from api.commands.output import emit, json_option, table
from api.services.landed_cost import Quoter, read_question
from core.folder.reader import read_brand
from core.money import Money
from routing.landed_cost.document import TERMS


@click.command("landed-cost")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("question", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def command(folder: Path, question: Path, as_json: bool) -> None:
    """Quotes the landed cost of the consignment in a JSON file under a brand's duties and taxes.

    A question without `on` is answered under the law of the brand's rules_date.
    """
    body = read_question(question)
    brand = read_brand(folder)
    document = Quoter.of(brand).quoted(body, brand.rules_date)
    emit(document, as_json, *_shown(document))


def _shown(document: Mapping[str, Any]) -> Iterator[Table | str]:
    yield (
        f"{document['from_country']} to {document['to_country']} on {document['on']}, "
        f"{document['incoterm']} by {document['channel']}, {document['customs_route']}: "
        f"{document['basis']}; an estimate.\n"
    )
    yield _costs(document)
    yield _payers(document)
    yield _rules(document)
    if document["exchange"]:
        yield _rates(document)
    yield "\n".join(f"- {doubt}" for doubt in document["doubts"])


def _costs(document: Mapping[str, Any]) -> Table:
    lines = document["lines"]
    rows = [
        [term, *(_short(line[term]) for line in lines), _short(document["totals"][term])]
        for term in (*TERMS, "total")
    ]
    columns = (document["currency"], *(f"line {line['line']}" for line in lines), "all")
    return table("Landed cost", columns, rows)


def _payers(document: Mapping[str, Any]) -> Table:
    paid = document["paid"]
    rows = [
        [name, _short(paid[payer]), ", ".join(t for t, who in paid["who"].items() if who == payer)]
        for payer, name in (
            ("seller", "seller"),
            ("checkout", "customer at checkout"),
            ("door", "customer at the door"),
        )
    ]
    return table("Who pays beyond goods and freight", ("payer", "amount", "what"), rows)


def _rules(document: Mapping[str, Any]) -> Table:
    rows = [
        [row["id"], _value(row), row["says"], row["source"]]
        for row in document["rules"]
        if row["applied"]
    ]
    return table("Rows that decided", ("row", "value", "says", "source"), rows)


def _value(row: Mapping[str, Any]) -> str:
    currency = row["currency"] or ""
    return str(row["value"]) if currency in row["value"] else f"{row['value']} {currency}"


def _rates(document: Mapping[str, Any]) -> Table:
    rows = [[rate["currency"], rate["rate"], rate["on"], rate["source"]]
            for rate in document["exchange"]]  # fmt: skip
    return table("Rates of exchange", ("currency", "rate", "day", "source"), rows)


def _short(money: Mapping[str, Any]) -> str:
    return f"{Money(money['amount'], money['currency']).amount:,}"
