"""The brand in the database: versioned snapshots of its tables, and the live stock beside them."""

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from sqlmodel import Session

from api import store as doors
from api.records import BrandRecord, BrandTableRecord
from api.services.tables import read_table
from core.brand import Brand, Targets, Weights
from core.clock import Clock
from core.errors import NotFound
from core.folder.columns import blank
from core.ids import Entropy
from inventory import store
from inventory.stock import Entry, Lot, StockKey

LOADER = "load"
"""The actor of movements that loading a brand writes."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading a brand did: its version, whether it is new, and movements of stock written."""

    version: str
    changed: bool
    movements: int


@dataclass(slots=True)
class _Cache:
    """The brand read last; versions name content, so an entry is never stale."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: tuple[str, Brand] | None = None


_cache = _Cache()


def load_brand(
    session: Session, brand: Brand, clock: Clock, entropy: Entropy, reset_stock: bool = False
) -> Loaded:
    """Returns what changed after a brand became the current one.

    The ledger opens with the brand's stock the first time. Later loads leave stock as the ledger
    has it, unless `reset_stock` corrects every row to what the brand says. Loading the same
    brand again changes nothing. A new inbound table says what is still to come from now on.
    """
    before = doors.current_brand(session)
    first = before is None
    changed = save_brand(session, brand, clock)
    if before is not None and before.tables["inbound"] != _current(session).tables["inbound"]:
        store.forget_receipts(session)
    entry = Entry(clock.now(), LOADER, entropy, brand_version(session))
    movements = 0
    if first:
        movements = len(store.receive(session, _lots(brand), entry))
    elif reset_stock:
        movements = _reset_stock(session, brand, entry)
    return Loaded(brand_version(session), changed, movements)


def save_brand(session: Session, brand: Brand, clock: Clock) -> bool:
    """Ensures that a brand is the current one; returns whether that is a change."""
    hashes = {name: _table_hash(name, frame) for name, frame in sorted(brand.tables.items())}
    settings = _settings(brand)
    version = _version(settings, hashes)
    current = doors.current_brand(session)
    if current is not None and current.version == version:
        return False
    known = doors.known_tables(session, list(hashes.values()))
    fresh = {hashes[name]: brand.table(name) for name in hashes if hashes[name] not in known}
    for content_hash, frame in fresh.items():
        session.add(
            BrandTableRecord(content_hash=content_hash, rows=len(frame), content=_parquet(frame))
        )
    session.add(
        BrandRecord(version=version, settings=settings, tables=hashes, loaded_at=clock.now())
    )
    session.flush()
    return True


def brand_version(session: Session) -> str:
    """Returns the version of the current brand: a hash of its content; raises `NotFound`."""
    version = doors.current_version(session)
    if version is None:
        raise NotFound("brand", "current")
    return version


def planned_weeks(session: Session) -> int:
    """Returns the weeks that the current brand plans ahead, without its tables.

    Raises `NotFound` before the first load.
    """
    return int(_current(session).settings["horizon_weeks"])


def current_brand(session: Session, live_stock: bool = False) -> Brand:
    """Returns the brand loaded last; raises `NotFound` before the first load.

    With `live_stock` its `stock` table holds, from the ledger, the units that nobody holds: what
    a new plan or allocation may still use.
    """
    record = _current(session)
    brand = _brand(session, record)
    return with_live_stock(session, brand) if live_stock else brand


def brand_of_version(session: Session, version: str) -> Brand:
    """Returns the brand of one version, as it was loaded; raises `NotFound`."""
    record = doors.brand_of_version(session, version)
    if record is None:
        raise NotFound("brand version", version)
    return _brand(session, record)


def with_live_stock(session: Session, brand: Brand) -> Brand:
    """Returns a brand whose stock table is the ledger's, less the units that are held."""
    columns: dict[str, list[object]] = {name: [] for name in brand.table("stock").columns}
    for level in store.levels(session):
        columns["site"].append(level.site)
        columns["item"].append(level.item)
        columns["on_hand"].append(level.on_hand - level.reserved)
        columns["customs"].append(level.customs)
        columns["bonded_since"].append(level.bonded_since)
    return brand.with_table("stock", _typed("stock", pd.DataFrame(columns)))


def _current(session: Session) -> BrandRecord:
    record = doors.current_brand(session)
    if record is None:
        raise NotFound("brand", "current")
    return record


def _brand(session: Session, record: BrandRecord) -> Brand:
    with _cache.lock:
        if _cache.kept is None or _cache.kept[0] != record.version:
            _cache.kept = (record.version, _read(session, record))
        return _cache.kept[1]


def _read(session: Session, record: BrandRecord) -> Brand:
    content = doors.brand_tables(session, record.tables)
    tables = {name: _light(read_table(name, [content.pop(name)])) for name in record.tables}
    settings = record.settings
    return Brand(
        **{key: settings[key] for key in ("name", "currency", "horizon_weeks", "bucket")},
        today=date.fromisoformat(settings["today"]),
        rules_date=date.fromisoformat(settings["rules_date"]),
        targets=Targets(**settings["targets"]),
        weights=Weights(**settings["weights"]),
        tables=MappingProxyType(tables),
    )


def _light(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns a table whose columns without any number take no memory: all rows share one cell."""
    columns = dict(frame.items())
    for name, column in frame.select_dtypes("float64").items():
        if column.isna().all():
            columns[name] = pd.Series(np.broadcast_to(np.nan, len(frame)), copy=False)
    return pd.DataFrame(columns, copy=False)


def _typed(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Returns a table with the types that the reader of folders gives; Parquet widens some."""
    return frame.astype(blank(name).dtypes.to_dict())


def _settings(brand: Brand) -> dict[str, Any]:
    return {
        "name": brand.name,
        "currency": brand.currency,
        "today": brand.today.isoformat(),
        "rules_date": brand.rules_date.isoformat(),
        "horizon_weeks": brand.horizon_weeks,
        "bucket": brand.bucket,
        "targets": asdict(brand.targets),
        "weights": asdict(brand.weights),
    }


def _version(settings: Mapping[str, Any], hashes: Mapping[str, str]) -> str:
    text = json.dumps([settings, hashes], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _table_hash(name: str, frame: pd.DataFrame) -> str:
    """Returns a hash of a table's content; the bytes of Parquet change with its library."""
    digest = hashlib.sha256(f"{name}{list(frame.columns)}".encode())
    digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _parquet(frame: pd.DataFrame) -> bytes:
    content = frame.to_parquet(None, index=False, compression="zstd")
    return bytes(content or b"")


def _lots(brand: Brand) -> list[Lot]:
    return [
        Lot(
            row["site"], row["item"], int(row["on_hand"]), row["customs"], _day(row["bonded_since"])
        )
        for row in brand.table("stock").to_dict("records")
        if row["on_hand"] > 0
    ]


def _day(cell: Any) -> date | None:
    return None if pd.isna(cell) else cell.date()


def _reset_stock(session: Session, brand: Brand, entry: Entry) -> int:
    told = {lot.key: lot.quantity for lot in _lots(brand)}
    counted = {
        StockKey(level.site, level.item, level.customs): level.on_hand
        for level in store.levels(session)
    }
    written = 0
    for key in sorted({*told, *counted}):
        change = told.get(key, 0) - counted.get(key, 0)
        if change:
            store.adjust(session, key, change, entry)
            written += 1
    return written
