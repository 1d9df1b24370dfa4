"""`entrepot scenario`: runs what-if scenarios on a brand folder and compares their outcomes."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from api.commands.output import Target, emit, json_option, progress, table
from core.errors import BadInput, Problem
from core.folder.reader import read_brand
from core.money import Money
from routing.allocation.prices import save_prices
from simulations.comparison import Comparison, Difference, compare
from simulations.outcome import Outcome, outcome_of
from simulations.run import run_all
from simulations.scenarios import BASE, apply, read_scenario

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_LISTED_FLOWS = 15


@click.group("scenario")
def command() -> None:
    """Runs and compares what-if scenarios."""


@command.command("run")
@click.argument("folder", type=_FOLDER)
@click.argument("files", type=_FILE, nargs=-1, required=True)
@click.option("--out", type=Target(file_okay=False), help="Folder of results.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 2),
    default=0,
    show_default=True,
    help="Seed of the forecast.",
)
@json_option
def run_command(
    folder: Path, files: Sequence[Path], out: Path | None, seed: int, as_json: bool
) -> None:
    """Runs scenario FILES on the brand in FOLDER, and its base, and compares them.

    With --out each outcome becomes a JSON file, with its prices beside it.
    """
    brand = read_brand(folder)
    scenarios = [BASE, *(read_scenario(file) for file in files)]
    if len(brand.table("forecast")):
        for scenario in scenarios:
            apply(brand, scenario)  # a misfit is told before anything is computed
    with progress("Running scenarios") as report:
        outcomes = run_all(scenarios, brand, seed, report)
    written = (
        [] if out is None else [_write(outcome, out, at) for at, outcome in enumerate(outcomes)]
    )
    compared = compare(outcomes)
    document = {
        "outcomes": [outcome.document() for outcome in outcomes],
        "comparison": compared.document(),
        "files": [str(path) for path in written],
    }
    emit(document, as_json, _overview(outcomes), *_tables(compared))


@command.command("compare")
@click.argument("results", type=_FILE, nargs=-1, required=True)
@json_option
def compare_command(results: Sequence[Path], as_json: bool) -> None:
    """Compares RESULTS that `scenario run --out` wrote; the first one is the base."""
    outcomes = [_read(path) for path in results]
    compared = compare(outcomes)
    emit(compared.document(), as_json, _overview(outcomes), *_tables(compared))


def _write(outcome: Outcome, folder: Path, at: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    slug = re.sub(r"[^a-z0-9]+", "-", outcome.scenario.name.lower()).strip("-")[:50] or "scenario"
    path = folder / f"{at:02d}-{slug}.json"
    path.write_text(json.dumps(outcome.document(), indent=1, allow_nan=False), encoding="utf-8")
    if outcome.prices is not None:
        save_prices(outcome.prices, path.with_suffix(".prices.parquet"))
    return path


def _read(path: Path) -> Outcome:
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadInput([Problem(path.name, 0, 0, f"not JSON: {error}")]) from error
    try:
        return outcome_of(document)
    except BadInput as error:
        raise BadInput(
            [Problem(path.name, 0, 0, each.problem) for each in error.problems]
        ) from error


def _overview(outcomes: Sequence[Outcome]) -> Table:
    names = [outcome.scenario.name for outcome in outcomes]
    kpis = outcomes[0].kpis
    rows = [
        ["status", *(outcome.status for outcome in outcomes)],
        ["cost", *(_money(outcome.objective, outcome) for outcome in outcomes)],
        *(
            _row(f"units {name}", [each.units[name] for each in outcomes])
            for name in outcomes[0].units
        ),
        *(_row(name, [each.kpis.get(name, 0.0) for each in outcomes]) for name in kpis),
    ]
    return table(f"Scenarios of {outcomes[0].brand}", ["", *names], rows)


def _row(name: str, values: Sequence[float]) -> list[str]:
    return [name.replace("_", " "), *(f"{value:,.3f}" for value in values)]


def _money(amount: float, outcome: Outcome) -> str:
    return str(Money.of(amount, outcome.currency))


def _tables(compared: Comparison) -> list[Table]:
    return [made for each in compared.differences for made in (_costs(each), _flows(each))]


def _costs(difference: Difference) -> Table:
    parts = [
        [part.part, *map(str, (part.base, part.here, part.difference, part.volume, part.rate))]
        for part in difference.costs
    ]
    rows = [*parts, ["total", "", "", str(difference.total), "", ""]]
    columns = ["cost part", "base", "here", "difference", "by volume", "by rate"]
    return table(f"{difference.name}: what pays for the difference", columns, rows)


def _flows(difference: Difference) -> Table:
    rows = [
        [flow.site, flow.region, flow.service, flow.base, flow.here, flow.difference]
        for flow in difference.flows[:_LISTED_FLOWS]
    ]
    columns = ["site", "region", "service", "base", "here", "difference"]
    return table(f"{difference.name}: flows that differ most (units)", columns, rows)
