"""`entrepot plan`: how one order would be served, and why not otherwise."""

from collections.abc import Iterator
from datetime import UTC, datetime, time
from pathlib import Path

import click
from rich.table import Table

from api.commands.output import emit, json_option, table
from api.services.orders import asked_of, read_order
from core.brand import Brand
from core.folder.reader import read_brand
from core.money import Money
from routing.allocation.prices import load_prices
from routing.fulfillment.backorders import Backorders, backorders
from routing.fulfillment.context import PlanningContext, availability_of
from routing.fulfillment.document import (
    Arrivals,
    available_from,
    backorders_document,
    document_of,
)
from routing.fulfillment.earliest import earliest_arrival
from routing.fulfillment.plan import Plan, Unserved
from routing.fulfillment.planning import plan


@click.command("plan")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("order", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--prices",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Shadow prices, as allocate --out writes them (prices.parquet).",
)
@json_option
def command(folder: Path, order: Path, prices: Path | None, as_json: bool) -> None:
    """Plans the order in a JSON file on the stock of a brand folder; reserves nothing.

    An order without `placed_at` counts as placed when the planning date begins (UTC).
    """
    body = read_order(order)
    brand = read_brand(folder)
    context = PlanningContext.of(brand, load_prices(prices) if prices else None)
    asked = asked_of(body, context, _dawn(brand))
    available = availability_of(brand)
    made = plan(asked.order, available, context, asked.wishes)
    arrivals = {
        short.item: earliest_arrival(short.item, made.region, made.placed_at, context,
                                     context.incoming.by_item.get(short.item, ()))
        for short in made.unserved
    }  # fmt: skip
    document, shown = document_of(made, arrivals), list(_shown(made, arrivals))
    if asked.wishes.backorder:
        later = backorders(made, asked.order, context, asked.wishes)
        document["backorders"] = backorders_document(later)
        shown.append(_backorders(later))
    emit(document, as_json, *shown)


def _dawn(brand: Brand) -> datetime:
    return datetime.combine(brand.today, time(), UTC)


def _shown(made: Plan, arrivals: Arrivals) -> Iterator[Table | str]:
    parts = (_summary(made), _legs(made), _costs(made), _unserved(made, arrivals), _options(made))
    return (part for part in parts if part)


def _summary(made: Plan) -> str:
    promise, landed = made.promise, made.landed_cost
    proof = "proven the cheapest" if made.decision.gap == 0 else (
        f"at most {made.decision.gap:.1%} from the cheapest"
    )  # fmt: skip
    return (
        f"Order {made.order} to {made.region}: {len(made.legs)} leg(s), landed cost "
        f"{landed.total} (an estimate), promised by {promise.by:%Y-%m-%d %H:%M} UTC with "
        f"probability {promise.probability:.2f}, {made.carbon_kg:.2f} kg CO2e; "
        f"{made.decision.considered} options considered, {proof}.\n"
    )


def _legs(made: Plan) -> Table | str:
    columns = ("site", "service", "route", "units", "parcels", "cost", "median delivery", "P")
    rows = [
        [leg.site, leg.service, leg.customs_route, sum(line.quantity for line in leg.lines),
         len(leg.parcels), _short(leg.cost.total), f"{leg.delivery.p50:%Y-%m-%d %H:%M}",
         leg.delivery.probability]
        for leg in made.legs
    ]  # fmt: skip
    return table("Legs", columns, rows) if rows else "No leg serves the order."


def _costs(made: Plan) -> Table | str:
    rows = [
        [name, *(_short(leg.cost.terms()[name]) for leg in made.legs), _short(term)]
        for name, term in made.landed_cost.terms().items()
    ]
    columns = (made.currency, *(f"{leg.site} {leg.service}" for leg in made.legs), "order")
    return table("Landed cost", columns, rows) if made.legs else ""


def _unserved(made: Plan, arrivals: Arrivals) -> Table | str:
    rows = [
        [short.line, short.item, short.quantity, short.reason, _from(arrivals, short)]
        for short in made.unserved
    ]
    columns = ("line", "item", "units", "reason", "available from")
    return table("Not served", columns, rows) if rows else ""


def _from(arrivals: Arrivals, short: Unserved) -> str:
    found = available_from(arrivals, short)
    return "" if found is None else f"{found['at']}, P {found['probability']:.2f}"


def _backorders(later: Backorders) -> Table | str:
    rows = [
        [one.leg.site, one.leg.service, sum(line.quantity for line in one.leg.lines),
         ", ".join(one.supply.references), f"{one.supply.lot.due}",
         f"{one.leg.delivery.p95:%Y-%m-%d %H:%M}", one.leg.delivery.probability]
        for one in later.legs
    ]  # fmt: skip
    columns = ("site", "service", "units", "purchase order", "due", "promise by", "P")
    return table("From goods on their way (not held)", columns, rows) if rows else ""


def _options(made: Plan) -> Table:
    chosen = " + ".join(f"{leg.site} {leg.service} {leg.customs_route}" for leg in made.legs)
    terms = made.decision.objective
    full = Money(sum(term.minor for term in terms.values()), made.currency)
    why = ", ".join(f"{name} {_short(term)}" for name, term in terms.items() if term.minor)
    rows = [[f"{chosen or 'none'} (chosen)", _short(full), why]] + [
        [lost.option, "" if lost.cost is None else _short(lost.cost), lost.reason]
        for lost in made.decision.rejected
    ]
    return table("Options, and why they lost", ("option", "full cost", "why"), rows)


def _short(money: Money) -> str:
    return f"{money.amount:,}"
