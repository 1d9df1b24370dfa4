"""Texts from outside: which of them can be kept and shown everywhere, which names a glob means."""

import fnmatch
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether a text has neither NUL, which PostgreSQL refuses, nor half of a surrogate pair.

    JSON can spell both, but the second has no UTF-8, so it can neither be sent nor kept.

    >>> is_storable("Zürich"), is_storable(chr(0)), is_storable(chr(0xD800))
    (True, False, False)
    """
    return _UNSTORABLE.search(text) is None


def like(names: Sequence[str], glob: str) -> NDArray[np.bool_]:
    """Returns a flag for each name that a glob matches whole; only `*` has a meaning.

    >>> like(["US-NY", "US-[?]", "DE"], "US-*").tolist()
    [True, True, False]
    """
    if glob == "*":
        return np.ones(len(names), dtype=bool)
    shape = _shape(glob)
    return np.fromiter((shape.fullmatch(name) is not None for name in names), bool, len(names))


@lru_cache(maxsize=1024)
def _shape(glob: str) -> re.Pattern[str]:
    """Returns the pattern of a glob; those of fnmatch never backtrack, however many its stars."""
    return re.compile(fnmatch.translate(glob.replace("[", "[[]").replace("?", "[?]")))
