"""Texts from outside: which of them can be kept and shown everywhere."""

import re

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether a text has neither NUL, which PostgreSQL refuses, nor half of a surrogate pair.

    JSON can spell both, but the second has no UTF-8, so it can neither be sent nor kept.

    >>> is_storable("Zürich"), is_storable(chr(0)), is_storable(chr(0xD800))
    (True, False, False)
    """
    return _UNSTORABLE.search(text) is None
