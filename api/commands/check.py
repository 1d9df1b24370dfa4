"""`entrepot check`: reads a brand folder and lists every problem at its place."""

from dataclasses import asdict
from pathlib import Path

import click

from api.commands.output import emit, json_option, table
from core.folder.reader import Checked, check_folder

MOST_SHOWN = 1000


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def command(context: click.Context, folder: Path, as_json: bool) -> None:
    """Read a brand folder and list every problem as file:line:column: problem."""
    checked = check_folder(folder)
    counts = table("Rows", ("table", "rows"), list(checked.counts.items()))
    emit(document(checked), as_json, *([counts] if checked.ok else []))
    for problem in checked.problems[:MOST_SHOWN]:
        click.echo(problem, err=True)
    if checked.total > MOST_SHOWN:
        click.echo(f"... and {checked.total - MOST_SHOWN:,} more problems", err=True)
    context.exit(0 if checked.ok else 2)


def document(checked: Checked) -> dict[str, object]:
    """Returns the JSON document: ok, problems, how many there are in all, and rows by table."""
    listed = [asdict(problem) for problem in checked.problems[:MOST_SHOWN]]
    for problem in listed:
        del problem["pointer"]
    return {
        "ok": checked.ok,
        "problems": listed,
        "total": checked.total,
        "counts": dict(checked.counts),
    }
