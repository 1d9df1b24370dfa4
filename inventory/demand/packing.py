"""Packing: frozen values of arrays as bytes, for other processes and for tables; never pickled."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inventory.demand.book import Book, Cells, Guide
from inventory.demand.levels import Levels
from inventory.demand.partition import Base, Partition
from inventory.demand.promotions import Effects, Losses, Tally
from inventory.demand.season import Season
from inventory.demand.sparse import Sparse, Terms

KNOWN: Mapping[str, type] = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (
            Base, Book, Cells, Effects, Guide, Levels, Losses, Partition, Season, Sparse, Tally,
            Terms,
        )
    }
)  # fmt: skip
"""What a package may hold beside arrays, texts, numbers, days and tuples of these.

Whoever unpacks may name more kinds: those here load without the libraries of markets.
"""

TREE = "tree"

Arrays = dict[str, NDArray[Any]]


def pack(value: Any) -> bytes:
    """Returns a value as the bytes of an npz file; equal values give equal bytes.

    Raises `TypeError` for what is neither a dataclass nor made of arrays and plain values.
    """
    arrays: Arrays = {}
    tree = json.dumps(_told(value, arrays), separators=(",", ":"))
    content = io.BytesIO()
    text = np.frombuffer(tree.encode(), dtype=np.uint8)
    np.savez(content, allow_pickle=False, **arrays, **{TREE: text})
    return content.getvalue()


def unpack(content: bytes, *more: type) -> Any:
    """Returns what was packed; raises `ValueError` or `KeyError` for what was not."""
    known = {**KNOWN, **{kind.__name__: kind for kind in more}}
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return _made(json.loads(arrays[TREE].tobytes()), arrays, known)


def _told(value: Any, arrays: Arrays) -> Any:
    """Returns JSON that names a value; its arrays go to `arrays`."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, date):
        return {"day": value.isoformat()}
    if isinstance(value, np.ndarray):
        arrays[name := f"a{len(arrays)}"] = value
        return {"array": name}
    if isinstance(value, tuple | list):
        return [_told(one, arrays) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        told = {one.name: _told(getattr(value, one.name), arrays) for one in fields(value)}
        return {"kind": type(value).__name__, "fields": told}
    raise TypeError(f"Expected a value of arrays, got {type(value).__name__}.")


def _made(told: Any, arrays: Mapping[str, NDArray[Any]], known: Mapping[str, type]) -> Any:
    if isinstance(told, Sequence) and not isinstance(told, str):
        return tuple(_made(one, arrays, known) for one in told)
    if not isinstance(told, Mapping):
        return told
    if "array" in told:
        return arrays[told["array"]]
    if "day" in told:
        return date.fromisoformat(told["day"])
    parts = told["fields"].items()
    return known[told["kind"]](**{name: _made(one, arrays, known) for name, one in parts})
