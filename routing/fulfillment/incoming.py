"""Incoming goods: what is on its way to the sites, and how late such goods usually are."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from core.brand import Brand
from warehouses.network import Network, Site

FEWEST_DELIVERIES = 10
"""With fewer deliveries on record, goods on their way are taken at their word."""

DELAYS = 20
"""So many equally likely delays stand for the record."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Lot:
    """Units of an item due at a site; `reference` is the purchase order, where it is known."""

    site: str
    item: str
    customs: str
    units: int
    due: date
    reference: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """Lots on their way by due date, and equally likely delays beyond that date in whole days."""

    lots: tuple[Lot, ...] = ()
    delays: tuple[int, ...] = (0,)

    @classmethod
    def of(cls, brand: Brand) -> "Incoming":
        """Returns what is on its way to serving sites, in the customs state of the site.

        Delays are those of the brand's deliveries, early ones counting as in time: evenly spaced
        quantiles of received minus committed days.
        """
        serving = {site.site: site.customs for site in Network.of(brand).serving}
        rows = brand.table("inbound")[["site", "item", "quantity", "due", "purchase_order"]]
        lots = [
            Lot(str(site), str(item), serving[site], int(units), due.date(), str(reference))
            for site, item, units, due, reference in rows.itertuples(index=False)
            if site in serving and units >= 1
        ]
        lots.sort(key=lambda lot: (lot.due, lot.site, lot.item, lot.reference))
        return cls(tuple(lots), _delays(brand))


def _delays(brand: Brand) -> tuple[int, ...]:
    known = brand.table("deliveries").dropna(subset=["committed", "received"])
    if len(known) < FEWEST_DELIVERIES:
        return (0,)
    late = (known["received"] - known["committed"]).dt.days.clip(lower=0).to_numpy()
    levels = (np.arange(DELAYS) + 0.5) / DELAYS
    return tuple(int(days) for days in np.quantile(late, levels, method="inverted_cdf"))


def ready_at(site: Site, due: date, delay: int = 0) -> datetime:
    """Returns when (UTC) goods may be ordered from a site: as the day after their arrival begins.

    From there on cut-off, working days and pickup are those of any order.
    """
    day = due + (1 + delay) * _DAY
    return datetime.combine(day, time(), ZoneInfo(site.time_zone)).astimezone(UTC)
