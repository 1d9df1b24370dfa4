"""How commands speak: one JSON document on stdout with `--json`, tables and progress on stderr."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

_WIDE = 150

err = Console(stderr=True)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
"""The flag that every command with a result takes; the parameter is `as_json`."""

Report = Callable[[float, str], None]
"""Tells progress: the share done from 0 to 1 and what is being done now."""


class Target(click.Path):
    """A path that a command will write: refused before any work where nothing can be written.

    With `file_okay=False` it is a folder, made later with its parents; else a file in a folder that
    is there.
    """

    def __init__(self, *, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(file_okay=file_okay, dir_okay=dir_okay, writable=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the path; fails with one sentence that says what is in the way."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        folder = path.absolute() if not self.file_okay else path.absolute().parent
        while not self.file_okay and not os.path.lexists(folder):
            folder = folder.parent
        try:
            with tempfile.TemporaryFile(dir=folder):
                return path
        except OSError as error:
            self.fail(f"Nothing can be written in {folder}: {error.strerror}.", param, ctx)


def emit(document: Mapping[str, Any], as_json: bool, *tables: Table | str) -> None:
    """Prints the document alone on stdout with `--json`, else the tables that show it."""
    if as_json:
        click.echo(json.dumps(document, allow_nan=False))
        return
    out = screen()
    for table in tables:
        out.print(table)


def screen() -> Console:
    """Returns where tables go: the terminal, or a page wide enough that no cell is cut."""
    terminal = sys.stdout is not None and sys.stdout.isatty()  # None: the caller closed it
    wide = None if terminal or "COLUMNS" in os.environ else _WIDE
    return Console(width=wide, highlight=False)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Returns a table for people; numbers stand to the right, with thousands marked."""
    made = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    for at, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[at], int | float) for row in rows)
        made.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        made.add_row(*(_cell(cell) for cell in row))
    return made


def _cell(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.2f}" if abs(cell) < 1000 else f"{cell:,.0f}"
    whole = isinstance(cell, int) and not isinstance(cell, bool)
    return f"{cell:,}" if whole else escape(str(cell))


@contextmanager
def progress(title: str) -> Iterator[Report]:
    """Shows a progress bar on a terminal, nothing elsewhere; yields the function to report to."""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=err,
        transient=True, disable=not err.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task(title, total=1.0)

        def report(share: float, doing: str) -> None:
            bar.update(task, completed=share, description=doing or title)

        yield report
