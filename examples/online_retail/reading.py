"""The files beside this package: the source lines and the tables of rules and estimates."""

from importlib.resources import as_file, files

import pandas as pd


def table(name: str) -> pd.DataFrame:
    """Returns one CSV file of the data folder; empty text cells stay ""."""
    path = files("examples.online_retail").joinpath("data", f"{name}.csv")
    with path.open(encoding="utf-8") as text:
        frame = pd.read_csv(text, dtype=str, keep_default_na=False)
    for column in frame.columns:
        numbers = pd.to_numeric(frame[column].where(frame[column] != ""), errors="coerce")
        if column not in _TEXT and numbers.notna().any():
            frame[column] = numbers
    return frame


_TEXT = frozenset({"hs_code", "hs_prefix", "working_days", "valid_from", "valid_to", "source"})
"""Columns that look like numbers or dates and are kept as written."""


def parquet(name: str) -> pd.DataFrame:
    """Returns one Parquet file of the data folder."""
    source = files("examples.online_retail").joinpath("data", f"{name}.parquet")
    with as_file(source) as path:
        return pd.read_parquet(path)
