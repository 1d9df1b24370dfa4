"""Closures: weeks in which the whole shop is shut, and will be shut again."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

QUIET = 0.05
"""A week with at most this share of the usual one was a closed week; usual is the median of the
half year around it."""

AGAIN = 0.2
"""What is left of a week that was closed in the only year that saw it: shops keep their habits."""

YEAR_WEEKS = 365.25 / 7
_AROUND = 13


def coming(total: Floats, ahead: int) -> Floats:
    """Returns what closures leave of each week ahead: 1, or less where the shop has been closed.

    `total` is demand of the whole brand by week. A week that was closed in every year that saw it
    is expected to be closed again: 20 % is left after one year, and that share to the power of the
    years after more.
    """
    weeks, shut = len(total), _closed(total)
    made = np.ones(ahead)
    for at in range(ahead):
        before = [weeks + at - round(YEAR_WEEKS * years) for years in range(1, weeks // 52 + 2)]
        seen = [bool(shut[week]) for week in before if 0 <= week < weeks]
        if seen and all(seen):
            made[at] = AGAIN ** len(seen)
    return made


def _closed(total: Floats) -> NDArray[np.bool_]:
    around = [total[max(0, at - _AROUND) : at + _AROUND + 1] for at in range(len(total))]
    usual = np.array([np.median(weeks) for weeks in around])
    return np.asarray((usual > 0) & (total <= QUIET * usual))
