"""Packing: frozen values of arrays as bytes, for other processes and for tables; never pickled."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.pipes import Pieces

Kinds = Mapping[str, type]
"""Dataclasses that a package may hold, by name."""

LENGTH, ALIGNED = 8, 64
"""Bytes of the length that leads a package, and the multiple at which each array begins."""

Arrays = list[NDArray[Any]]


def kinds_of(*kinds: type) -> Kinds:
    """Returns dataclasses by name."""
    return {kind.__name__: kind for kind in kinds}


def pack(value: Any) -> bytes:
    """Returns a value as bytes; equal values give equal bytes.

    A package is the length of a JSON text, that text, and the arrays that it describes, one after
    another. Raises `TypeError` for what is neither a dataclass nor made of arrays and plain values.
    """
    return b"".join(packed(value))


def packed(value: Any) -> Pieces:
    """Returns the package of a value in pieces, arrays not copied where they lie in one."""
    arrays: Arrays = []
    told = {"value": _told(value, arrays), "arrays": [(one.dtype.str, one.shape) for one in arrays]}
    text = json.dumps(told, separators=(",", ":")).encode()
    head = len(text).to_bytes(LENGTH, "big") + text
    pieces: list[bytes | memoryview] = [head, bytes(-len(head) % ALIGNED)]
    for one in arrays:
        flat = np.ascontiguousarray(one).reshape(-1).view(np.uint8)
        pieces += [flat.data, bytes(-one.nbytes % ALIGNED)]
    return pieces


def unpack(content: bytes | memoryview, kinds: Kinds) -> Any:
    """Returns what was packed; raises `ValueError` or `KeyError` for what was not.

    Arrays look into the package and cannot be written to.
    """
    end = LENGTH + int.from_bytes(content[:LENGTH], "big")
    told = json.loads(bytes(content[LENGTH:end]))
    return _made(told["value"], _arrays(content, end, told["arrays"]), kinds)


def _arrays(
    content: bytes | memoryview, begin: int, told: Sequence[tuple[str, Sequence[int]]]
) -> Arrays:
    arrays: Arrays = []
    for kind, shape in told:
        begin += -begin % ALIGNED
        count = math.prod(shape)
        flat = np.frombuffer(content, np.dtype(kind), count, begin)
        arrays.append(flat.reshape(shape))
        begin += flat.nbytes
    return arrays


def _told(value: Any, arrays: Arrays) -> Any:
    """Returns JSON that names a value; its arrays go to `arrays`."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, date):
        return {"day": value.isoformat()}
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, tuple | list):
        return [_told(one, arrays) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        told = {one.name: _told(getattr(value, one.name), arrays) for one in fields(value)}
        return {"kind": type(value).__name__, "fields": told}
    raise TypeError(f"Expected a value of arrays, got {type(value).__name__}.")


def _made(told: Any, arrays: Arrays, kinds: Kinds) -> Any:
    if isinstance(told, Sequence) and not isinstance(told, str):
        return tuple(_made(one, arrays, kinds) for one in told)
    if not isinstance(told, Mapping):
        return told
    if "array" in told:
        return arrays[told["array"]]
    if "day" in told:
        return date.fromisoformat(told["day"])
    parts = told["fields"].items()
    return kinds[told["kind"]](**{name: _made(one, arrays, kinds) for name, one in parts})
