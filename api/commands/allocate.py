"""`entrepot allocate`: where stock should serve demand, what it costs, and the proof."""

import math
import re
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from api.commands.output import Report, Target, emit, err, json_option, progress, table
from api.reports.allocation import allocation_report
from api.services.allocation_figures import Made
from core.brand import Brand
from core.folder.reader import read_brand
from core.money import Money
from routing.allocation.allocate import GAP, MOST_GAP, allocate
from routing.allocation.prices import load_prices
from routing.allocation.results.explain import Alternatives, proof_told
from routing.allocation.results.result import Allocation
from routing.allocation.results.ways import Flow, check_flow, explained, refused_by_reason
from simulations.run import forecast_once
from simulations.scenarios import apply, read_scenario

_MOST_SHOWN = 15

_WHEN = re.compile(r",\d{4}-\d\d-\d\d\]$")
"""The bucket in the name of a limit."""


def a_number(context: click.Context, option: click.Parameter, value: float) -> float:
    """Returns the value of an option; fails for nan, which passes every comparison of a range."""
    if math.isnan(value):
        raise click.BadParameter("nan is not a number.", context, option)
    return value


@click.command("allocate")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--scenario", type=click.Path(path_type=Path, dir_okay=False), help="Overrides to apply first."
)
@click.option(
    "--gap",
    type=click.FloatRange(0.0, MOST_GAP),
    callback=a_number,
    default=GAP,
    show_default=True,
    help="How far from the best plan is near enough, as a share of its cost.",
)
@click.option(
    "--prices",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Begin at the prices of an earlier run (prices.parquet): the proof comes sooner.",
)
@click.option(
    "--out",
    type=Target(file_okay=False),
    help="Write flows, moves, purchases, unmet and prices here as Parquet.",
)
@click.option(
    "--explain",
    "asked",
    multiple=True,
    metavar="ITEM/REGION[/BUCKET]",
    help="Show every way to serve this demand, and by how much each is worse than the best.",
)
@click.option(
    "--report",
    "page",
    type=Target(dir_okay=False),
    help="Write a page with a map and pictures (HTML) here.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=1,
    help="Processes to spread large problems over; any number gives the same plan.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 2), default=0, help="Seed of a forecast to be made."
)
@json_option
def command(
    folder: Path,
    scenario: Path | None,
    gap: float,
    prices: Path | None,
    out: Path | None,
    asked: tuple[str, ...],
    page: Path | None,
    workers: int,
    seed: int,
    as_json: bool,
) -> None:
    """Allocates the stock of a brand folder to its forecast demand, with a proven gap."""
    flows = [Flow.parse(text) for text in asked]
    brand = read_brand(folder)
    for flow in flows:
        check_flow(brand, flow)
    start = load_prices(prices) if prices else None
    with progress("Allocating") as report:
        brand = _what_if(brand, scenario, seed, report, forecast=bool(flows))
        made = allocate(brand, seed=seed, report=report, gap=gap, workers=workers, start=start)
    if out:
        made.save(out)
    if page:
        shown = Made(
            made.document(), made.flows, made.moves, made.purchases, made.unmet, made.prices
        )
        page.write_text(allocation_report(brand, shown), encoding="utf-8")
        err.print(f"Wrote {page}", highlight=False)
    told = [explained(brand, made.prices, made.flows, made.open_sites, flow) for flow in flows]
    document = made.document() | (
        {"alternatives": [one.document() for one in told]} if flows else {}
    )
    ways = [shown for one in told for shown in _ways(one, brand.currency)]
    emit(document, as_json, *(ways or _tables(made, brand.currency)))


def _what_if(
    brand: Brand, scenario: Path | None, seed: int, report: Report, forecast: bool
) -> Brand:
    """The brand with the overrides of a scenario; demand is forecast before they change it."""
    if scenario is None:
        return forecast_once(brand, seed, report) if forecast else brand
    overrides = read_scenario(scenario)
    return apply(forecast_once(brand, seed, report), overrides)


def _tables(made: Allocation, currency: str) -> tuple[Table | str, ...]:
    proof = (
        f"[bold]{proof_told(made.status, made.gap)}[/bold]: {made.objective:,.2f} {currency}, no "
        f"plan costs less than {made.bound:,.2f}; {made.seconds['total']:.1f} s"
    )
    costs = [[name, amount] for name, amount in made.costs.items()]
    units = [[name, amount] for name, amount in made.units.items()]
    kpis = [[name, figure] for name, figure in made.kpis.items()]
    shown = (
        proof,
        table(f"Costs in {currency}", ("cost", "amount"), costs),
        table("Units", ("units", "amount"), units),
        table("Key figures", ("figure", "value"), kpis),
    )
    rest = *_departures(made, currency), *_purchases(made), *_binding(made, currency), *_unmet(made)
    return (*shown, *rest)


def _departures(made: Allocation, currency: str) -> list[Table]:
    """What leaves first; `--json` has all of it."""
    rows = [
        (
            f"{one.bucket:%Y-%m-%d}", one.from_site, one.to_site, one.service, one.quantity,
            one.m3, one.containers or "", one.cost,
        )
        for one in made.departures[:_MOST_SHOWN]
    ]  # fmt: skip
    title = f"Departures between sites, the first of {len(made.departures):,}"
    columns = ("leaves", "from", "to", "service", "units", "m3", "containers", currency)
    return [table(title, columns, rows)] if rows else []


def _purchases(made: Allocation) -> list[Table]:
    """The orders to place first; `--out` has all of them."""
    orders = made.purchases
    rows = [
        [
            f"{row['order_by']:%Y-%m-%d}", f"{row['due']:%Y-%m-%d}", row["supplier"], row["item"],
            row["site"], row["needed"], row["quantity"], Money(row["total_minor"], row["currency"]),
        ]
        for row in orders.head(_MOST_SHOWN).to_dict("records")
    ]  # fmt: skip
    title = f"Orders proposed, the first of {len(orders):,}"
    columns = ("order by", "due", "supplier", "item", "site", "needed", "to order", "total")
    return [table(title, columns, rows)] if rows else []


def _binding(made: Allocation, currency: str) -> list[Table]:
    """What binds, each limit once: its highest price, and in how many buckets it has one."""
    found: dict[str, tuple[float, int]] = {}
    for row in made.binding:
        name = _WHEN.sub("]", row.row)
        price, buckets = found.get(name, (0.0, 0))
        found[name] = max(price, row.price), buckets + 1
    rows = [[escape(name), *told] for name, told in list(found.items())[:_MOST_SHOWN]]
    title = f"What one more would save at the most in {currency}"
    return [table(title, ("capacity that binds", "price", "buckets"), rows)] if rows else []


def _unmet(made: Allocation) -> list[Table]:
    rows = [[reason, units] for reason, units in made.reasons().items()]
    return [table("Units not served, and why", ("reason", "units"), rows)] if rows else []


def _ways(told: Alternatives, currency: str) -> tuple[Table | str, ...]:
    """The ways to serve one demand: what each costs, pays for what others want, is worse by."""
    prices = ("outbound", "carrier", "stock")
    columns = ("way", "customs", "units", "unit cost", *prices, "in all", "worse by")
    rows = [
        (
            f"{way.site} {way.service}" if way.site else "leave unmet", way.customs, way.units,
            way.unit_cost, way.outbound, way.carrier, way.stock, way.paid,
            max(way.reduced_cost, 0.0),
        )
        for way in told.ways
    ]  # fmt: skip
    title = (
        f"{told.item} for {told.region} from {told.bucket}: a unit more costs "
        f"{told.demand_price:,.2f} {currency} at the best"
    )
    refused = [
        f"[dim]Not possible: {escape(reason)}: {escape(', '.join(names))}[/dim]"
        for reason, names in refused_by_reason(told).items()
    ]
    return (table(title, columns, rows), *refused)
