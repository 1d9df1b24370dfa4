"""`entrepot allocate`: where stock should serve demand, what it costs, and the proof."""

import math
from collections import defaultdict
from datetime import date
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from api.commands.output import Report, Target, emit, err, json_option, progress, table
from api.reports.allocation import allocation_report
from api.services.allocation_figures import PARTS, Made, decided, limits_of
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

_CENT = 0.005
"""Amounts nearer than this look the same."""

UNITS = {"demand": "Asked for", "served": "Served", "unmet": "Not served"}
"""Expected units in the words of a planner."""

KPIS = {
    "fill": ("Fill", "% of units asked for"),
    "on_time": ("On time", "% of units shipped"),
    "late_days_per_unit": ("Late by", "days a unit shipped"),
    "logistics_cost": ("Paid for logistics", "{0}"),
    "cost_per_unit": ("Logistics of a unit shipped", "{0}"),
    "logistics_cost_share": ("Logistics", "% of the value shipped"),
    "served_value": ("Value shipped", "{0}"),
    "carbon_kg": ("Carbon", "kg of CO2 equivalent"),
    "inventory_turns": ("Stock turns", "times a year"),
}
"""Key figures in the words of a planner, and what they are counted in."""


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
        page.write_text(allocation_report(brand, _made(made)), encoding="utf-8")
        err.print(f"Wrote {page}", highlight=False)
    told = [explained(brand, made.prices, made.flows, made.open_sites, flow) for flow in flows]
    document = made.document() | (
        {"alternatives": [one.document() for one in told]} if flows else {}
    )
    ways = [shown for one in told for shown in _ways(one, brand.currency)]
    emit(document, as_json, *(ways or _tables(brand, made)))


def _what_if(
    brand: Brand, scenario: Path | None, seed: int, report: Report, forecast: bool
) -> Brand:
    """The brand with the overrides of a scenario; demand is forecast before they change it."""
    if scenario is None:
        return forecast_once(brand, seed, report) if forecast else brand
    overrides = read_scenario(scenario)
    return apply(forecast_once(brand, seed, report), overrides)


def _tables(brand: Brand, made: Allocation) -> tuple[Table | str, ...]:
    currency = brand.currency
    proof = (
        f"[bold]{proof_told(made.status, made.gap)}[/bold]: {made.objective:,.2f} {currency}, no "
        f"plan costs less than {made.bound:,.2f}; {made.seconds['total']:.1f} s"
    )
    costs = [[PARTS.get(name, name), amount] for name, amount in made.costs.items()]
    units = [[UNITS.get(name, name), amount] for name, amount in made.units.items()]
    kpis = [_kpi(name, figure, currency) for name, figure in made.kpis.items()]
    shown = (
        proof,
        table(f"Costs in {currency}", ("part", "amount"), [*costs, ["In all", made.objective]]),
        table("Units", ("demand", "units"), units),
        table("Key figures", ("figure", "value", ""), kpis),
    )
    rest = *_departures(made, currency), *_purchases(made), *_binding(brand, made), *_unmet(made)
    sites = decided(brand, made.open_sites)
    return (*shown[:1], *([escape(sites)] if sites else []), *shown[1:], *rest)


def _kpi(name: str, figure: float, currency: str) -> list[object]:
    """A key figure in words, and what it is counted in; shares are told in percent."""
    words, unit = KPIS.get(name, (name, ""))
    return [words, 100 * figure if unit.startswith("%") else figure, unit.format(currency)]


def _first(title: str, count: int) -> str:
    """Returns a title that says how many rows there are where not all are shown."""
    return title if count <= _MOST_SHOWN else f"{title}, the first {_MOST_SHOWN} of {count:,}"


def _departures(made: Allocation, currency: str) -> list[Table]:
    """What leaves first, with all that its goods and the departure cost; `--json` has the rest."""
    goods: dict[tuple[date, str, str, str], float] = defaultdict(float)
    for row in made.moves.to_dict("records"):
        lane = row["bucket"].date(), row["from_site"], row["to_site"], row["service"]
        goods[lane] += row["quantity"] * row["unit_cost"]
    rows = [
        (
            f"{one.bucket:%Y-%m-%d}", one.from_site, one.to_site, one.service, one.quantity,
            one.m3, one.containers or "",
            one.cost + goods[one.bucket, one.from_site, one.to_site, one.service],
        )
        for one in made.departures[:_MOST_SHOWN]
    ]  # fmt: skip
    title = _first("Departures between sites", len(made.departures))
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
    title = _first("Orders proposed", len(orders))
    columns = ("order by", "due", "supplier", "item", "site", "needed", "to order", "total")
    return [table(title, columns, rows)] if rows else []


def _binding(brand: Brand, made: Allocation) -> list[Table]:
    """What binds in words, each limit once: its highest price, and in how many buckets it binds."""
    rows = [
        [one.limit, one.price, f"a {one.unit}", "now" if one.is_stock else str(one.buckets)]
        for one in limits_of(brand, _made(made))
    ][:_MOST_SHOWN]
    title = f"What one more would save at the most in {brand.currency}"
    columns = ("limit that binds", "one more saves", "", "buckets")
    return [table(title, columns, rows)] if rows else []


def _made(made: Allocation) -> Made:
    return Made(made.document(), made.flows, made.moves, made.purchases, made.unmet, made.prices)


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
    return (table(title, columns, rows), *_unlikely(told, currency), *refused)


def _unlikely(told: Alternatives, currency: str) -> list[str]:
    """Says why units stay unmet at a penalty below what the best way costs."""
    left = [way for way in told.ways if not way.site and way.units > 0]
    return [
        f"[dim]Units that are left unmet are less likely to be asked for: the next one is worth "
        f"{way.unit_cost:,.2f} {currency}, less than any way to serve it costs.[/dim]"
        for way in left
        if way.unit_cost < told.demand_price - _CENT
    ]
