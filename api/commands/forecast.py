"""`entrepot forecast`: coming demand with quantiles, and how good it would have been."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from api.commands.output import Target, emit, json_option, progress, table
from core.brand import Brand
from core.folder.reader import read_brand
from inventory.demand.accuracy import JUDGED_WEEKS, PEERS, backtest
from inventory.demand.forecast import MOST_WEEKS, Forecast, forecast

SCORES = ("WAPE", "bias", "P50 loss", "P90 loss", "P95 loss", "P90 hit", "no worse")
"""Headings of the scores in their order."""


@click.command("forecast")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--weeks", type=click.IntRange(1, MOST_WEEKS), help="Weeks ahead; the brand's horizon if empty."
)
@click.option("--out", type=Target(dir_okay=False), help="Write forecast.parquet here.")
@click.option(
    "--backtest",
    "origins",
    type=click.IntRange(1, 52),
    help="Judge it at this many past dates, 4 weeks (or --weeks) apart.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 2), default=0, help="Seed of the samples.")
@json_option
def command(
    folder: Path, weeks: int | None, out: Path | None, origins: int | None, seed: int, as_json: bool
) -> None:
    """Forecasts the demand of a brand folder by week, region and item."""
    brand = read_brand(folder)
    horizon = weeks or brand.horizon_weeks
    with progress("Forecasting") as report:
        made = forecast(brand, horizon, seed, report)
    document = made.summary()
    tables = [_by_region(brand, made), _by_method(made)]
    if origins:
        with progress("Judging") as report:
            judged = weeks or min(horizon, JUDGED_WEEKS)
            accuracy = backtest(brand, origins, judged, seed, report).as_json()
        document["accuracy"] = accuracy
        tables.append(_by_score(accuracy))
    if out:
        made.frame.to_parquet(out, index=False)
    emit(document, as_json, *tables)


def _by_region(brand: Brand, made: Forecast) -> Table:
    rows = [
        [
            region, weeks["method"].iloc[0], float(weeks["mean"].mean()),
            float(weeks["p50"].mean()), float(weeks["p90"].mean()), float(weeks["mean"].sum()),
        ]
        for region, weeks in made.regions.groupby("region", sort=False)
    ]  # fmt: skip
    columns = ("region", "method", "units a week", "P50", "P90", "units in all")
    return table(f"Demand of {brand.name}", columns, rows)


def _by_method(made: Forecast) -> Table:
    title = f"{made.series:,} series in {made.seconds:.1f} s"
    return table(
        title, ("method", "series"), [[name, count] for name, count in made.models.items()]
    )


def _by_score(accuracy: dict[str, Any]) -> Table:
    rows = []
    for level in ("item_region", "region"):
        for peer in PEERS:
            scores = accuracy[level] if peer == "ours" else accuracy[peer][level]
            rows.append([level, peer, *scores.values()])
    return table("Accuracy on past weeks", ("level", "forecaster", *SCORES), rows)
