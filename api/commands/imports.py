"""`entrepot import`: turns other formats into a brand folder."""

from pathlib import Path

import click

from api.commands.output import Target, emit, json_option
from core.brand import Brand
from core.errors import BadInput, Problem
from core.folder.orlib import read_orlib
from core.folder.workbook import check_workbook, template
from core.folder.writer import write_brand


@click.group("import")
def command() -> None:
    """Turn other formats into a brand folder."""


@command.command("excel")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("folder", type=Target(file_okay=False))
@json_option
def excel(file: Path, folder: Path, as_json: bool) -> None:
    """Write a brand folder from a workbook with one sheet a table."""
    checked = check_workbook(file)
    if checked.brand is None:
        raise BadInput(checked.problems)
    _write(checked.brand, folder)
    emit({"folder": str(folder), "counts": dict(checked.counts)}, as_json, f"Wrote {folder}.")


@command.command("orlib")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("folder", type=Target(file_okay=False))
@click.option(
    "--capacity",
    type=click.FloatRange(min=0.0),
    help="Capacity of each warehouse, where the file leaves it open.",
)
@json_option
def orlib(file: Path, folder: Path, capacity: float | None, as_json: bool) -> None:
    """Write a brand folder from an OR-Library file of capacitated warehouse location.

    Warehouses become sites to be decided on, customers regions; all demand has to be served.
    """
    brand = read_orlib(file, capacity)
    _write(brand, folder)
    counts = {name: len(brand.table(name)) for name in ("sites", "regions", "rates")}
    emit({"folder": str(folder), "counts": counts}, as_json, f"Wrote {folder}.")


def _write(brand: Brand, folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise BadInput([Problem(str(folder), 0, 0, "folder is not empty; name a new one")])
    write_brand(brand, folder)


@command.command("template")
@click.argument("file", type=Target(dir_okay=False))
@json_option
def excel_template(file: Path, as_json: bool) -> None:
    """Write an empty workbook with a sheet for each table and a note on each column."""
    if file.exists():
        raise BadInput([Problem(str(file), 0, 0, "file exists; name a new one")])
    template().save(file)
    emit({"file": str(file)}, as_json, f"Wrote {file}.")
