"""Tables of the brand folder out of Parquet: column by column, so that nothing is held twice."""

import io
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from core.folder.columns import blank


def read_table(name: str, contents: Sequence[bytes]) -> pd.DataFrame:
    """Returns the rows of Parquet files, one after another, as a table of the brand folder.

    Columns have the types that the reader of folders gives; Parquet widens some.
    """
    columns = {
        str(column): _column(contents, str(column), kind)
        for column, kind in blank(name).dtypes.items()
    }
    return pd.DataFrame(columns, copy=False)


def _column(contents: Sequence[bytes], name: str, kind: Any) -> "pd.Series[Any]":
    parts = [pq.read_table(io.BytesIO(content), columns=[name]) for content in contents]
    whole = pa.concat_tables(part.replace_schema_metadata(None) for part in parts)
    column: pd.Series[Any] = whole.column(0).to_pandas().astype(kind)
    del parts, whole
    pa.default_memory_pool().release_unused()
    return column
