"""Prefixed ids: `pln_` plus 26 characters that sort by time of minting."""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u
_TIME_BITS, _RANDOM_BYTES = 48, 10
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_TIME_SHIFTS = range(40, -1, -10)  # 10 characters, two at a time
_SHIFTS = range(70, -1, -10)  # and 16: ids are minted by the thousand

Entropy = Callable[[int], bytes]
"""Gives that many random bytes: `os.urandom` in service, `Random(seed).randbytes` in tests."""


def mint(prefix: str, now: datetime, entropy: Entropy) -> str:
    """Returns a new id whose order is the order of minting, to the millisecond.

    Layout of the 128 bits as in ULID: 48 bits of Unix milliseconds, 80 random bits.
    """
    moment = int(now.timestamp() * 1000) & ((1 << _TIME_BITS) - 1)
    drawn = int.from_bytes(entropy(_RANDOM_BYTES))
    return f"{prefix}_{_dated(moment)}{''.join([_PAIRS[(drawn >> at) & 1023] for at in _SHIFTS])}"


@lru_cache(maxsize=64)
def _dated(moment: int) -> str:
    """Returns the characters that ids of one millisecond share."""
    return "".join([_PAIRS[(moment >> at) & 1023] for at in _TIME_SHIFTS])
