"""Workbooks: a template drawn from the attribute table, and a filled one read back as tables."""

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from openpyxl import Workbook, load_workbook
from openpyxl.comments import Comment
from openpyxl.styles import Font

from core.errors import BadInput, Problem
from core.folder.cells import accepts
from core.folder.columns import Findings, RawTable, nearest
from core.folder.reader import Checked, check_tables
from core.folder.schema import SETTINGS, Attribute, schemas, tables

Rows = list[list[object]]
"""Cells of one sheet, row by row."""


def template() -> Workbook:
    """Returns an empty workbook: a sheet a table, required columns bold, a note on each."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for schema in (schemas()[SETTINGS], *(schemas()[name] for name in tables())):
        sheet = book.create_sheet(schema.name)
        sheet.freeze_panes = "A2"
        for at, attribute in enumerate(schema.attributes, start=1):
            cell = sheet.cell(row=1, column=at, value=attribute.name)
            cell.font = Font(bold=attribute.required)
            cell.comment = Comment(_note(attribute), "Entrepot")
            sheet.column_dimensions[cell.column_letter].width = max(12, len(attribute.name) + 3)
    return book


def _note(attribute: Attribute) -> str:
    unit = f" ({attribute.unit})" if attribute.unit else ""
    default = f" Default: {attribute.default}." if attribute.default else ""
    return f"{attribute.description}{unit}. Accepts {accepts(attribute)}.{default}"


def check_workbook(path: Path) -> Checked:
    """Returns what is wrong with a workbook, and its brand where nothing is.

    Sheets are named like tables; the sheet `brand` holds the settings, one row. Line and column of
    a problem are row and column of the sheet.
    """
    findings = Findings()
    raws: dict[str, RawTable] = {}
    settings: str | None = None
    for title, rows in _sheets(path).items():
        if title == SETTINGS:
            settings = _settings(rows)
        elif title not in tables():
            hint = nearest(title, (*tables(), SETTINGS))
            findings.add(Problem(title, 0, 0, f"unknown sheet; {hint}"))
        elif any(cell is not None for row in rows[1:] for cell in row):
            raws[title] = _raw(title, rows)
    return check_tables(raws, settings, findings)


def _sheets(path: Path) -> dict[str, Rows]:
    """Returns the cells of each sheet by its title; raises `BadInput` for what is no workbook."""
    try:
        book = load_workbook(path, read_only=True, data_only=True)
        return {
            sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)]
            for sheet in book.worksheets
        }
    except OSError as error:
        raise BadInput([Problem(path.name, 0, 0, f"cannot be read: {error.strerror}")]) from error
    except Exception as error:  # damaged XML fails in openpyxl in as many ways as it can be damaged
        raise BadInput([Problem(path.name, 0, 0, f"not a workbook: {error}")]) from error


def _raw(title: str, rows: list[list[object]]) -> RawTable:
    header = [str(cell).strip() for cell in rows[0] if cell is not None]
    body = [(line, row) for line, row in enumerate(rows[1:], start=2) if any(_text(c) for c in row)]
    columns = {
        name: pd.Series([_text(row[at]) if at < len(row) else "" for _, row in body], dtype="str")
        for at, name in enumerate(header)
    }
    return RawTable(title, columns, np.array([line for line, _ in body], dtype=np.int64))


def _settings(rows: list[list[object]]) -> str:
    """Returns the settings sheet as the text of a brand.toml, so that one reader serves both."""
    if len(rows) < 2:
        return ""
    top: list[str] = []
    sections: dict[str, list[str]] = {}
    for name, cell in zip(rows[0], rows[1], strict=False):
        if name is None or cell is None:
            continue
        section, _, key = str(name).rpartition(".")
        (sections.setdefault(section, []) if section else top).append(f"{key} = {_toml(cell)}")
    for section, lines in sections.items():
        top += [f"[{section}]", *lines]
    return "\n".join(top)


def _toml(cell: object) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return repr(cell)
    return '"' + _text(cell).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(cell: object) -> str:
    """Returns a cell as a CSV file would have it: whole numbers without `.0`, ISO dates."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        midnight = (cell.hour, cell.minute, cell.second) == (0, 0, 0)
        return cell.date().isoformat() if midnight else cell.isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell).strip()
