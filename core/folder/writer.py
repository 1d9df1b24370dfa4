"""The writer: a `Brand`, or single tables, to a folder that the reader accepts."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from core.brand import PARQUET_TABLES, Brand
from core.errors import BadInput
from core.folder.columns import Findings, RawTable, typed
from core.folder.schema import schemas, tables
from core.folder.settings import SETTINGS_FILE


def complete(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Returns a table with every column of its schema, typed, with defaults where it has none.

    Raises `BadInput` for columns or cells that the schema does not accept.
    """
    columns = {str(column): frame[column].reset_index(drop=True) for column in frame.columns}
    raw = RawTable(name, columns, np.arange(1, len(frame) + 1))
    made = typed(raw, schemas()[name], findings := Findings())
    if findings.total:
        raise BadInput(findings.problems)
    return made


def write_brand(brand: Brand, folder: Path) -> None:
    """Writes a brand as a folder: brand.toml, Parquet for long tables, CSV for the others.

    Tables without rows and optional columns that hold nothing but the default are left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS_FILE).write_text(settings_text(brand), encoding="utf-8")
    for name in tables():
        if len(brand.table(name)):
            write_table(name, brand.table(name), folder)


def write_table(name: str, frame: pd.DataFrame, folder: Path) -> Path:
    """Writes one table of a folder and returns its path."""
    slim = frame[[column for column in frame.columns if _says_something(name, column, frame)]]
    if name in PARQUET_TABLES:
        path = folder / f"{name}.parquet"
        slim.to_parquet(path, index=False, compression="zstd")
        return path
    path = folder / f"{name}.csv"
    text = slim.copy()
    for column in text.columns:
        if text[column].dtype == "bool":
            text[column] = np.where(text[column], "true", "false")
    text.to_csv(path, index=False, date_format="%Y-%m-%d", lineterminator="\n")
    return path


def settings_text(brand: Brand) -> str:
    """Returns the brand.toml of a brand."""
    lines = [
        f"name = {json.dumps(brand.name, ensure_ascii=False)}",
        f'currency = "{brand.currency}"',
        f"today = {_day(brand.today)}",
        f"rules_date = {_day(brand.rules_date)}",
        f"horizon_weeks = {brand.horizon_weeks}",
        f'bucket = "{brand.bucket}"',
    ]
    for section, values in (("targets", brand.targets), ("weights", brand.weights)):
        lines += ["", f"[{section}]"]
        lines += [f"{key} = {getattr(values, key)!r}" for key in values.__slots__]
    return "\n".join(lines) + "\n"


def _day(day: date) -> str:
    return day.isoformat()


def _says_something(name: str, column: str, frame: pd.DataFrame) -> bool:
    if schemas()[name].attribute(column).required:
        return True
    empty = complete(name, frame[list(_required(name))].head(1))[column].iloc[0]
    cells = frame[column]
    same = cells.isna() if pd.isna(empty) else cells == empty
    return not bool(same.all())


def _required(name: str) -> tuple[str, ...]:
    return tuple(a.name for a in schemas()[name].attributes if a.required)
