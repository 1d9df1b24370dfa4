"""`entrepot example`: writes a brand folder that runs."""

import time
from collections.abc import Mapping
from pathlib import Path

import click

from api.commands.output import Target, emit, json_option, progress, table
from core.folder.reader import check_folder
from core.folder.writer import write_brand
from examples import three_tier
from examples.folders import fresh_folder
from examples.online_retail.build import MOST_ITEMS, build
from examples.online_retail.documents import write_documents

folder_argument = click.argument("folder", type=Target(file_okay=False))
force_option = click.option("--force", is_flag=True, help="Replace a brand folder that is there.")


@click.group()
def command() -> None:
    """Writes a brand folder that runs: a small teaching network, or real orders."""


@command.command("three-tier")
@folder_argument
@force_option
@json_option
def write_three_tier(folder: Path, force: bool, as_json: bool) -> None:
    """Writes a small teaching network that settles in EUR."""
    begun = time.perf_counter()
    three_tier.write(fresh_folder(folder, force))
    _tell(folder, check_folder(folder).counts, begun, as_json)


@command.command("online-retail")
@folder_argument
@click.option(
    "--items",
    type=click.IntRange(1, MOST_ITEMS),
    default=400,
    show_default=True,
    help="How many best sellers to keep.",
)
@force_option
@json_option
def write_online_retail(folder: Path, items: int, force: bool, as_json: bool) -> None:
    """Writes the real orders of a gift shop on a network of six hubs; settles in GBP."""
    begun = time.perf_counter()
    fresh_folder(folder, force)
    with progress("Building the example") as report:
        example = build(items, lambda share, doing: report(0.9 * share, doing))
        report(0.9, "Writing the folder")
        write_brand(example.brand, folder)
        write_documents(example, folder)
    counts = {name: len(frame) for name, frame in example.brand.tables.items() if len(frame)}
    _tell(folder, counts, begun, as_json)


def _tell(folder: Path, counts: Mapping[str, int], begun: float, as_json: bool) -> None:
    seconds = round(time.perf_counter() - begun, 2)
    document = {"folder": str(folder), "counts": dict(counts), "seconds": seconds}
    rows = [(name, count) for name, count in counts.items()]
    emit(document, as_json, table(f"Wrote {folder}", ("table", "rows"), rows))
