"""The current prices: those by which orders are planned."""

import threading
from dataclasses import dataclass, field

from sqlmodel import Session

from api.services.allocations import prices_of
from routing.allocation.prices import Prices, prices_from
from routing.allocation.store import newest_base
from simulations.store import promotion, run_record


@dataclass(slots=True)
class _Cache:
    """The promoted prices read last; a finished run never changes."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: tuple[str, Prices] | None = None


_cache = _Cache()


def current_prices(session: Session, version: str) -> Prices | None:
    """Returns the prices that count for a brand version; None where every price is 0.

    They come from the newest finished allocation or from the scenario run that was promoted last,
    whichever happened later.
    """
    promoted, allocated = promotion(session, version), newest_base(session, version)
    if promoted is not None and (allocated is None or allocated[1] <= promoted.at):
        return _of_run(session, promoted.run)
    return None if allocated is None else prices_of(session, allocated[0])


def _of_run(session: Session, run: str) -> Prices:
    with _cache.lock:
        if _cache.kept is None or _cache.kept[0] != run:
            _cache.kept = (run, prices_from(run_record(session, run).prices or b""))
        return _cache.kept[1]
