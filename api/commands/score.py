"""`entrepot score`: suppliers by score, with how sure the score is."""

from pathlib import Path

import click
from rich.table import Table

from api.commands.output import emit, json_option, table
from core.folder.reader import read_brand
from inventory.suppliers.scorecard import WEIGHTS, Score, scores


@click.command("score")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--strict-drop", is_flag=True, help="Drop every supplier whose score is below 80.")
@json_option
def command(folder: Path, strict_drop: bool, as_json: bool) -> None:
    """Scores the suppliers of a brand folder from 0 to 100."""
    found = scores(read_brand(folder), strict_drop)
    emit({"suppliers": [score.as_json() for score in found]}, as_json, _table(found))


def _table(found: tuple[Score, ...]) -> Table:
    columns = ("supplier", "score", "90 % interval", *WEIGHTS, "deliveries", "state")
    return table("Supplier scores", columns, [_row(score) for score in found])


def _row(score: Score) -> list[object]:
    low, high = score.interval
    dimensions = [score.dimensions[name] for name in WEIGHTS]
    evidence = score.evidence["deliveries"]
    return [
        score.supplier, score.score, f"{low:.0f} to {high:.0f}", *dimensions, evidence, score.state,
    ]  # fmt: skip
