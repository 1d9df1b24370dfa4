"""`entrepot reconcile`: recomputes stock from the ledger and reports what differs."""

from dataclasses import asdict

import click

from api.commands.opening import open_database
from api.commands.output import emit, json_option, table
from api.database import session_factory
from api.settings import Settings
from inventory import store

COLUMNS = (
    "site", "item", "customs", "on_hand", "ledger_on_hand", "reserved", "ledger_reserved", "held",
)  # fmt: skip


@click.command()
@click.option("--repair", is_flag=True, help="Set stock rows to what the ledger says.")
@json_option
def command(repair: bool, as_json: bool) -> None:
    """Compare every stock row with the sum of its movements and of its open holds.

    Exits with 1 when rows differ and were not repaired.
    """
    with open_database(Settings()) as engine, session_factory(engine).begin() as session:
        found = store.reconcile(session)
        if repair:
            store.repair(session, found)
    drifts = [asdict(drift) for drift in found]
    document = {"ok": not drifts, "repaired": repair and bool(drifts), "drift": drifts}
    rows = [tuple(drift[column] for column in COLUMNS) for drift in drifts]
    shown = table("Drift", COLUMNS, rows) if rows else "Stock is the sum of its ledger."
    emit(document, as_json, shown)
    if drifts and not repair:
        raise click.exceptions.Exit(1)
