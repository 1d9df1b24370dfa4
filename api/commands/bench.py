"""`entrepot bench`: measures against a peer or a floor in the same run."""

import importlib

import click
from rich.table import Table

from api.benchmarks.measured import Measure, Measured
from api.commands.output import emit, json_option, progress, table

BENCHES = {
    "allocation": "api.benchmarks.allocation",
    "api": "api.benchmarks.api",
    "forecast": "api.benchmarks.forecast",
    "promise": "api.benchmarks.promise",
    "reserve": "api.benchmarks.reserve",
}
"""Module of each benchmark; its `measure(seed, report)` returns the figures."""


@click.command("bench")
@click.argument("name", type=click.Choice(sorted(BENCHES)))
@click.option("--seed", type=click.IntRange(0, 2**31 - 2), default=0, help="Seed of the instance.")
@click.option("--value", is_flag=True, help="What prices are worth to orders; for promise only.")
@json_option
def command(name: str, seed: int, value: bool, as_json: bool) -> None:
    """Measures NAME against its peer; fails where the two answers differ."""
    if value and name != "promise":
        raise click.UsageError("--value goes with promise only.")
    module = "api.benchmarks.promise_value" if value else BENCHES[name]
    measure: Measure = importlib.import_module(module).measure
    with progress(f"Measuring {name}") as report:
        measured = measure(seed, report)
    emit(measured.document(), as_json, _table(measured))


def _table(measured: Measured) -> Table:
    columns = ("case", "figure", "unit", "ours", "peer", "peer is", "times better")
    rows = [
        [line.case, line.figure, line.unit, line.ours, line.peer, line.peer_name, line.ratio]
        for line in measured.lines
    ]
    return table(f"Benchmark {measured.bench}, seed {measured.seed}", columns, rows)
