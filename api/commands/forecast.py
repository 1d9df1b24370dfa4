"""`entrepot forecast`: coming demand with quantiles, and how good it would have been."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from api.commands.output import Target, emit, err, json_option, progress, table
from api.reports.forecast import MEMBERS, forecast_report
from api.services import forecast_figures as figures
from core.brand import Brand
from core.folder.columns import blank
from core.folder.reader import read_brand
from inventory.demand.accuracy import JUDGED_WEEKS, PEERS, Accuracy, backtest
from inventory.demand.findings import Finding
from inventory.demand.forecast import MOST_WEEKS, Forecast, forecast
from inventory.demand.overrides import of_brand

SCORES = ("WAPE", "bias", "P50 loss", "P90 loss", "P95 loss", "P90 hit", "no worse")
"""Headings of the scores in their order."""

LEVELS = {"item_region": "items in regions", "region": "regions"}

FIRST = 5
"""Findings shown of each kind; the report lists more, `--json` counts them all."""

MOST_WORKERS = 64


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
@click.option(
    "--report", "page", type=Target(dir_okay=False), help="Write a page with pictures (HTML) here."
)
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    default=1,
    show_default=True,
    help="Processes; any number gives the same forecast.",
)
@click.option(
    "--overrides/--no-overrides",
    default=True,
    help="Apply the overrides of the folder (the default), or show statistics alone.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 2), default=0, help="Seed of the samples.")
@json_option
def command(
    folder: Path,
    weeks: int | None,
    out: Path | None,
    origins: int | None,
    page: Path | None,
    workers: int,
    overrides: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Forecasts the demand of a brand folder by week, region and item."""
    brand = _without_overrides(read_brand(folder), overrides)
    horizon = weeks or brand.horizon_weeks
    with progress("Forecasting") as report:
        made = forecast(brand, horizon, seed, report, workers=workers)
    accuracy = None
    if origins:
        with progress("Judging") as report:
            judged = weeks or min(horizon, JUDGED_WEEKS)
            accuracy = backtest(brand, origins, judged, seed, report, workers=workers)
    if out:
        made.frame.to_parquet(out, index=False)
    if page:
        page.write_text(forecast_report(brand, made, accuracy), encoding="utf-8")
        err.print(f"Wrote {page}", highlight=False)
    emit(_document(brand, made, accuracy), as_json, *_tables(brand, made, accuracy))


def _without_overrides(brand: Brand, wanted: bool) -> Brand:
    return brand if wanted else brand.with_table("overrides", blank("overrides"))


def _document(brand: Brand, made: Forecast, accuracy: Accuracy | None) -> dict[str, Any]:
    judged = {} if accuracy is None else {"accuracy": accuracy.as_json()}
    return {
        **made.summary(),
        "findings": figures.counts(_noticed(made, accuracy)),
        "overrides": figures.override_rows(made, of_brand(brand), accuracy),
        "value_added": figures.value_added(made),
        **judged,
    }


def _noticed(made: Forecast, accuracy: Accuracy | None) -> Sequence[Finding]:
    return (*made.findings, *(accuracy.alarms if accuracy else ()))


def _tables(brand: Brand, made: Forecast, accuracy: Accuracy | None) -> list[Table | str]:
    shown: list[Table | str] = [_by_region(brand, made), _by_method(made)]
    decided = figures.override_rows(made, of_brand(brand), accuracy)
    noticed = _noticed(made, accuracy)
    if decided:
        shown.append(_by_override(decided))
    if noticed:
        shown.append(_by_finding(noticed))
    shown += [_by_score(accuracy.as_json(), level) for level in LEVELS if accuracy]
    return shown


def _by_region(brand: Brand, made: Forecast) -> Table:
    rows = [
        [
            region, _people(weeks["method"].iloc[0]), float(weeks["mean"].mean()),
            float(weeks["p50"].mean()), float(weeks["p90"].mean()), float(weeks["mean"].sum()),
        ]
        for region, weeks in made.regions.groupby("region", sort=False)
    ]  # fmt: skip
    columns = ("region", "method", "a week", "P50", "P90", "in all")
    return table(f"Demand of {brand.name}, units", columns, rows)


def _people(method: str) -> str:
    """Returns the methods of a region in words, which a narrow terminal can break."""
    return ", ".join(MEMBERS.get(name, name.replace("_", " ")) for name in str(method).split("+"))


def _by_method(made: Forecast) -> Table:
    added = figures.value_added(made)
    share = "" if added["share"] is None else f"; {added['share']:.0%} no worse than naive"
    title = f"{made.series:,} series in {made.seconds:.1f} s{share}"
    rows = [[name.replace("_", " "), count] for name, count in made.models.items()]
    return table(title, ("method", "series"), rows)


def _by_override(decided: Sequence[figures.Row]) -> Table:
    rows = [
        [
            row["override"], f"{row['start']} to {row['end']}", row["statistical"], row["mean"],
            f"{row['who']}, {row['made']}: {row['why']}",
        ]
        for row in decided
    ]  # fmt: skip
    return table("Overrides", ("override", "days", "statistics", "decided", "who and why"), rows)


def _by_finding(noticed: Sequence[Finding]) -> Table:
    rows = []
    for kind, count in figures.counts(noticed).items():
        first = [found for found in noticed if found.kind == kind][:FIRST]
        rows += [["" if at else kind, "" if at else f"{count:,}", figures.place(found), found.text]
                 for at, found in enumerate(first)]  # fmt: skip
    return table("Findings", ("kind", "count", "where", "the first of them"), rows)


def _by_score(accuracy: dict[str, Any], level: str) -> Table:
    rows = []
    for peer in PEERS:
        scores = accuracy[level] if peer == "ours" else accuracy[peer][level]
        rows.append([peer.replace("_", " "), *scores.values()])
    return table(f"Accuracy on past weeks, {LEVELS[level]}", ("method", *SCORES), rows)
