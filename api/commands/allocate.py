"""`entrepot allocate`: where stock should serve demand, what it costs, and the proof."""

import math
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from api.commands.output import Report, Target, emit, json_option, progress, table
from core.brand import Brand
from core.folder.reader import read_brand
from routing.allocation.allocate import GAP, MOST_GAP, allocate
from routing.allocation.explain import proof_told
from routing.allocation.prices import load_prices
from routing.allocation.result import Allocation
from simulations.run import forecast_once
from simulations.scenarios import apply, read_scenario

_MOST_SHOWN = 15


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
    help="Write flows, moves, unmet and prices here as Parquet.",
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
    workers: int,
    seed: int,
    as_json: bool,
) -> None:
    """Allocates the stock of a brand folder to its forecast demand, with a proven gap."""
    brand = read_brand(folder)
    start = load_prices(prices) if prices else None
    with progress("Allocating") as report:
        asked = _what_if(brand, scenario, seed, report)
        made = allocate(asked, seed=seed, report=report, gap=gap, workers=workers, start=start)
    if out:
        made.save(out)
    emit(made.document(), as_json, *_tables(made, brand.currency))


def _what_if(brand: Brand, scenario: Path | None, seed: int, report: Report) -> Brand:
    """The brand with the overrides of a scenario; demand is forecast before they change it."""
    if scenario is None:
        return brand
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
    return (*shown, *_binding(made, currency), *_unmet(made))


def _binding(made: Allocation, currency: str) -> list[Table]:
    rows = [[escape(row.row), row.price] for row in made.binding[:_MOST_SHOWN]]
    title = f"What one more would save in {currency}"
    return [table(title, ("capacity that binds", "price"), rows)] if rows else []


def _unmet(made: Allocation) -> list[Table]:
    rows = [[reason, units] for reason, units in made.reasons().items()]
    return [table("Units not served, and why", ("reason", "units"), rows)] if rows else []
