"""`entrepot load DIR`: makes a brand folder the brand of the database."""

import os
from dataclasses import asdict
from pathlib import Path

import click

from api.commands.opening import open_database
from api.commands.output import emit, json_option, table
from api.database import session_factory
from api.services.brands import load_brand
from api.settings import Settings
from core.clock import SystemClock
from core.folder.reader import read_brand


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--reset-stock", is_flag=True, help="Correct stock to what the folder says.")
@json_option
def command(folder: Path, reset_stock: bool, as_json: bool) -> None:
    """Load the brand of FOLDER into the database.

    The first load opens the stock ledger; later ones leave stock as the ledger has it. Loading the
    same folder twice changes nothing.
    """
    brand = read_brand(folder)
    with open_database(Settings()) as engine, session_factory(engine).begin() as session:
        loaded = load_brand(session, brand, SystemClock(), os.urandom, reset_stock)
    counts = {name: len(frame) for name, frame in brand.tables.items() if len(frame)}
    said = f"{brand.name}, version {loaded.version}, is " + (
        "loaded." if loaded.changed else "loaded already."
    )
    emit(
        {**asdict(loaded), "brand": brand.name, "counts": counts},
        as_json,
        table("Loaded", ("table", "rows"), list(counts.items())),
        f"{said} {loaded.movements:,} movements of stock were written.",
    )
