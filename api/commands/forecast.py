"""`entrepot forecast`: coming demand with quantiles, and how good it would have been."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from api.commands.output import Target, emit, err, json_option, progress, table
from api.reports.forecast import MEMBERS, forecast_report
from api.services import forecast_figures as figures
from api.services.forecast_files import PartsFile
from core.brand import Brand
from core.folder.columns import blank
from core.folder.reader import read_brand
from inventory.demand.accuracy import JUDGED_WEEKS, PEERS, Accuracy, backtest
from inventory.demand.engine import engine_of
from inventory.demand.findings import Finding
from inventory.demand.forecast import MOST_WEEKS, Forecast, forecast, learned
from inventory.demand.memory import Memory, read_memory, write_memory
from inventory.demand.overrides import of_brand
from inventory.demand.parts import forecast_parts, large, sample
from inventory.demand.regions import Asked, Report

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
    "--state",
    "kept",
    type=Target(dir_okay=False),
    help="Remember each series here; later runs add new lines, and fit anew after 4 weeks.",
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
    kept: Path | None,
    overrides: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Forecasts the demand of a brand folder by week, region and item."""
    brand = _without_overrides(read_brand(folder), overrides)
    horizon = weeks or brand.horizon_weeks
    memory = Memory(read_memory(kept) if kept and kept.exists() else None)
    learn = memory if kept else None
    with progress("Forecasting") as report:
        if large(brand) and not page:
            made = _in_parts(brand, Asked(horizon, seed, workers), out, report, learn)
        else:
            made = forecast(brand, horizon, seed, report, workers=workers, learn=learn)
    accuracy = None
    if origins:
        with progress("Judging") as report:
            judged = weeks or min(horizon, JUDGED_WEEKS)
            accuracy = backtest(sample(brand), origins, judged, seed, report, workers=workers)
    if out and not made.frame.empty:
        made.frame.to_parquet(out, index=False)
    if kept and memory.remembered:
        write_memory(memory.remembered, kept)
        err.print(_remembered(memory, kept), highlight=False)
    if page:
        page.write_text(forecast_report(brand, made, accuracy), encoding="utf-8")
        err.print(f"Wrote {page}", highlight=False)
    emit(_document(brand, made, accuracy), as_json, *_tables(brand, made, accuracy))


def _in_parts(
    brand: Brand, asked: Asked, out: Path | None, report: Report, learn: Memory | None
) -> Forecast:
    """Returns the forecast of a large brand after writing its rows, some items at a time."""
    with engine_of(asked.workers) as engine, PartsFile(out) as file:
        return forecast_parts(
            brand, asked, file.write, engine, report, learn=learned if learn is None else learn
        )


def _remembered(memory: Memory, path: Path) -> str:
    if memory.folded is None:
        return f"Fitted every series and wrote {path}"
    return f"Added {memory.folded:,} new lines to {path}"


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
