"""Departures: the moments at which sites hand orders to carriers, for many orders at once."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from carriers.services import Service
from warehouses.calendars import dispatch_at
from warehouses.network import Site

Moments = NDArray[np.int64]
"""Microseconds since 1970 in UTC."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_BLOCK_DAYS = 32


def ticks(moment: datetime) -> int:
    """Returns a moment as microseconds since 1970."""
    return (moment - EPOCH) // _TICK


def moment(at: int) -> datetime:
    """Returns the moment (UTC) of microseconds since 1970."""
    return EPOCH + at * _TICK


@lru_cache(maxsize=4096)
def _dispatches(site: Site, block: int, beyond: int) -> Moments:
    """The dispatches of a site from the start of a block, and some beyond its end."""
    at = EPOCH + block * _BLOCK_DAYS * _DAY
    end = at + _BLOCK_DAYS * _DAY
    found: list[int] = []
    while at < end or beyond >= 0:
        beyond -= at >= end
        sent = dispatch_at(site, at)
        found.append(ticks(sent))
        at = sent + _TICK
    return np.array(found, dtype=np.int64)


def pickups(sites: Sequence[Site], services: Sequence[Service], placed: Moments) -> Moments:
    """Returns when each service takes orders over, shaped [order, site, service].

    Equal to `warehouses.calendars.pickup_at` for every order, site and service.
    """
    whole = np.array([int(service.pickup_days) for service in services], dtype=np.intp)
    rest = np.array(
        [(service.pickup_days - int(service.pickup_days)) * _DAY // _TICK for service in services],
        dtype=np.int64,
    )
    found = np.empty((len(placed), len(sites), len(services)), dtype=np.int64)
    blocks = placed // (_BLOCK_DAYS * _DAY // _TICK)
    order = np.argsort(blocks, kind="stable")
    ends = [0, *(np.flatnonzero(np.diff(blocks[order])) + 1).tolist(), len(placed)]
    most = int(whole.max(initial=0))
    for begin, end in pairwise(ends):
        chosen = order[begin:end]
        for at, site in enumerate(sites):
            sent = _dispatches(site, int(blocks[chosen[0]]), most)
            first = np.searchsorted(sent, placed[chosen])
            found[chosen, at] = sent[first[:, np.newaxis] + whole] + rest
    return found
