"""`entrepot reconcile`: recomputes stock from the ledger and reports what differs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.table import Table

from api.commands.opening import open_database
from api.commands.output import emit, json_option, table
from api.database import session_factory
from api.settings import Settings
from inventory import store

COLUMNS = (
    "site", "item", "customs", "on_hand", "ledger_on_hand", "reserved", "ledger_reserved", "held",
)  # fmt: skip
CLAIM_COLUMNS = ("site", "item", "customs", "due", "reference", "claimed", "held")


@click.command()
@click.option("--repair", is_flag=True, help="Set stock rows to what the ledger says.")
@json_option
def command(repair: bool, as_json: bool) -> None:
    """Compare every stock row with the sum of its movements and of its open holds.

    Goods on their way are compared with the open holds that wait for them.

    Exits with 1 when rows differ and were not repaired.
    """
    with open_database(Settings()) as engine, session_factory(engine).begin() as session:
        found, claims = store.reconcile(session), store.misclaimed(session)
        if repair:
            store.repair(session, found)
            store.reclaim(session, claims)
    drifts = [asdict(drift) for drift in found]
    lots = [{**asdict(drift), "due": drift.due.isoformat()} for drift in claims]
    wrong = bool(drifts or lots)
    document = {
        "ok": not wrong, "repaired": repair and wrong, "drift": drifts, "claims": lots,
    }  # fmt: skip
    emit(document, as_json, *_shown("Drift", COLUMNS, drifts),
         *_shown("Claims on goods on their way", CLAIM_COLUMNS, lots),
         *([] if wrong else ["Stock is the sum of its ledger."]))  # fmt: skip
    if wrong and not repair:
        raise click.exceptions.Exit(1)


def _shown(title: str, columns: Sequence[str], drifts: Sequence[Mapping[str, Any]]) -> list[Table]:
    rows = [tuple(drift[column] for column in columns) for drift in drifts]
    return [table(title, columns, rows)] if rows else []
