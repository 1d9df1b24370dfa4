"""Files of forecasts too large for memory: written some items at a time."""

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from core.folder.columns import blank
from inventory.demand.parts import ForecastPart


class PartsFile:
    """Writes the parts of a forecast as one `forecast.parquet`, which appears when it is complete.

    Without a path nothing is written. A context manager: an error inside leaves no file behind.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._partial = path and path.with_name(f".{path.name}.{os.getpid()}")
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> "PartsFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._writer is None or self._path is None or self._partial is None:
            return
        self._writer.close()
        if error is None:
            self._partial.replace(self._path)
        else:
            with suppress(OSError):
                self._partial.unlink()

    def write(self, part: ForecastPart) -> None:
        """Adds the rows of a part."""
        if self._partial is None:
            return
        columns = list(blank("forecast").columns)
        table = pa.Table.from_pandas(part.plain()[columns], preserve_index=False)
        if self._writer is None:
            schema = table.schema.remove_metadata()
            self._writer = pq.ParquetWriter(self._partial, schema, compression="zstd")
        self._writer.write_table(table.replace_schema_metadata(None))
