"""The reader: a brand folder on disk to a `Brand`, or to every problem that it has."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from itertools import chain, islice, repeat
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from core.brand import Brand
from core.errors import BadInput, Problem
from core.folder.checks import check_across, check_records, check_table
from core.folder.columns import Findings, RawTable, blank, nearest, typed
from core.folder.schema import REQUIRED_TABLES, schemas, tables
from core.folder.settings import SETTINGS_FILE, read_settings

SUFFIXES = (".csv", ".parquet")
_MOST_BYTES = 2**31


@dataclass(frozen=True, slots=True)
class Checked:
    """What reading a folder found: problems in the order of files, and rows by table."""

    problems: tuple[Problem, ...]
    total: int
    counts: Mapping[str, int]
    brand: Brand | None

    @property
    def ok(self) -> bool:
        """Whether the folder can be used."""
        return self.total == 0


def read_brand(folder: Path) -> Brand:
    """Returns the brand of a folder; raises `BadInput` with every problem when there is any."""
    checked = check_folder(folder)
    if checked.brand is None:
        raise BadInput(checked.problems)
    pa.default_memory_pool().release_unused()  # cells as they were read take as much as the brand
    return checked.brand


def check_folder(folder: Path) -> Checked:
    """Returns everything that is wrong with a folder, and the brand where nothing is."""
    if not folder.is_dir():
        missing = Problem(folder.name, 0, 0, "no such folder; expected a brand folder")
        return Checked((missing,), 1, {}, None)
    return check_tables(raw_tables(folder, findings := Findings()), _text_of(folder), findings)


def check_tables(
    raws: Mapping[str, RawTable], settings_text: str | None, findings: Findings
) -> Checked:
    """Returns what is wrong with tables and settings, however they were brought."""
    settings = read_settings(settings_text, findings)
    for name in REQUIRED_TABLES:
        if name not in raws and name not in findings.unreadable:
            findings.add(Problem(f"{name}.csv", 0, 0, "file is missing; it is required"))
    frames = {name: blank(name) for name in tables()}
    for name, raw in raws.items():
        frames[name] = typed(raw, schemas()[name], findings)
        check_table(raw, schemas()[name], frames[name], findings)
    check_across(raws, frames, findings)
    if settings is not None:
        check_records(raws, frames, settings.values["today"], findings)
    counts = {name: len(frame) for name, frame in frames.items() if name in raws}
    if settings is None or findings.total:
        problems = sorted(findings.problems)
        return Checked(tuple(problems), findings.total, counts, None)
    files = {name: raw.file for name, raw in raws.items()}
    return Checked((), 0, counts, settings.brand(MappingProxyType(frames), files))


def raw_tables(folder: Path, findings: Findings) -> dict[str, RawTable]:
    """Returns the cells of every table of a folder; unknown and double files are findings."""
    found: dict[str, RawTable] = {}
    for path in sorted(path for path in folder.iterdir() if _is_ours(path)):
        if path.stem not in tables() or path.suffix not in SUFFIXES:
            findings.add(Problem(path.name, 0, 0, f"unknown file; {_nearest_file(path)}"))
        elif path.stem in found:
            both = f"{found[path.stem].file} holds the same table; keep one of them"
            findings.add(Problem(path.name, 0, 0, both))
        elif raw := _raw(path, findings):
            found[path.stem] = raw
        else:
            findings.unreadable.add(path.stem)
    return found


def _is_ours(path: Path) -> bool:
    """Whether a file seems to be meant for the reader, in whatever case its name is written."""
    settings = path.name != SETTINGS_FILE and path.name.lower() == SETTINGS_FILE
    return settings or path.suffix.lower() in SUFFIXES


def _nearest_file(path: Path) -> str:
    lowered = path.name.lower()
    if lowered == SETTINGS_FILE or path.stem.lower() in tables():
        return f"did you mean {lowered}?"
    return nearest(path.stem, tables())


def _text_of(folder: Path) -> str | None:
    path = folder / SETTINGS_FILE
    if not path.is_file():
        return None
    return path.read_text(encoding="utf-8", errors="replace")


def _raw(path: Path, findings: Findings) -> RawTable | None:
    if not path.is_file():
        findings.add(Problem(path.name, 0, 0, "not a file; it is a folder or a broken link"))
        return None
    if path.stat().st_size > _MOST_BYTES:
        findings.add(Problem(path.name, 0, 0, "file is larger than 2 GiB; split the history"))
        return None
    try:
        if path.suffix == ".parquet":
            return _from_parquet(path, findings)
        return _from_csv(path, findings)
    except OSError as error:
        findings.add(Problem(path.name, 0, 0, f"cannot be read: {error.strerror or error}"))
        return None


def _from_parquet(path: Path, findings: Findings) -> RawTable | None:
    try:
        table = pq.read_table(path)
        names = table.column_names
    except (pa.ArrowException, ValueError, OSError) as error:
        findings.add(Problem(path.name, 0, 0, f"not a Parquet file that can be read: {error}"))
        return None
    if not _header_ok(path.name, names, findings):
        return None
    before, columns = findings.total, {}
    for at, name in enumerate(names):
        try:
            columns[name] = _plain(table.column(at))
        except (pa.ArrowException, ValueError) as error:
            unreadable = f"column {name!r} cannot be read: {error}"
            findings.add(Problem(path.name, 0, at + 1, unreadable))
    if findings.total > before:
        return None
    return RawTable(path.name, columns, np.arange(1, table.num_rows + 1))


def _plain(column: pa.ChunkedArray) -> pd.Series:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        column = column.cast(pa.string())
    column.validate(full=True)  # text that is not UTF-8 would fail only when it is looked at
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    series: pd.Series = column.to_pandas()
    return series.reset_index(drop=True)


def _from_csv(path: Path, findings: Findings) -> RawTable | None:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        findings.add(Problem(path.name, line, 0, "not UTF-8; save the file as UTF-8"))
        return None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        findings.add(Problem(path.name, line, 0, "not text, it holds NUL; save the file as UTF-8"))
        return None
    return raw_from_text(path.name, text, findings)


def raw_from_text(file: str, text: str, findings: Findings) -> RawTable | None:
    """Returns the cells of CSV text; a row with too few or too many cells is a finding."""
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if not _header_ok(file, header, findings):
            return None
        rows, lines = _rows(file, reader, len(header), findings)
    except csv.Error as error:
        findings.add(Problem(file, reader.line_num, 0, f"broken CSV: {error}"))
        return None
    cells = list(zip(*rows, strict=True)) if rows else [() for _ in header]
    columns = {
        name: pd.Series(column, dtype="str") for name, column in zip(header, cells, strict=True)
    }
    return RawTable(file, columns, np.array(lines, dtype=np.int64))


def _header_ok(file: str, header: list[str], findings: Findings) -> bool:
    if not header:
        findings.add(Problem(file, 1, 0, "file is empty; expected a header row"))
    for at, name in enumerate(header):
        if name in header[:at]:
            findings.add(Problem(file, 1, at + 1, f"column {name!r} stands twice"))
    return bool(header) and len(set(header)) == len(header)


def _rows(
    file: str, reader: "Iterator[list[str]]", width: int, findings: Findings
) -> tuple[list[list[str]], list[int]]:
    rows: list[list[str]] = []
    lines: list[int] = []
    for row in reader:
        line: int = reader.line_num  # type: ignore[attr-defined]  # csv readers count lines
        if not row:
            continue
        if len(row) != width:
            findings.add(Problem(file, line, 0, f"expected {width} cells, got {len(row)}"))
        rows.append(list(islice(chain(row, repeat("")), width)))
        lines.append(line)
    return rows, lines
