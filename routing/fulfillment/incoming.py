"""Incoming goods: what is on its way to the sites, and how late such goods usually are."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from core.brand import Brand
from inventory.supply import SupplyKey, SupplyKind
from warehouses.network import Network, Site

FEWEST_DELIVERIES = 10
"""With fewer deliveries on record, goods on their way are taken at their word."""

DELAYS = 20
"""So many equally likely delays stand for the record."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Lot:
    """Units of an item due at a site; `reference` is the purchase order, where it is known.

    `supplier` is whose record of deliveries counts; "" for that of all of them.
    """

    site: str
    item: str
    customs: str
    units: int
    due: date
    reference: str
    kind: SupplyKind = SupplyKind.INBOUND
    supplier: str = ""

    @property
    def key(self) -> SupplyKey:
        """What claims on the lot are counted by."""
        return SupplyKey(self.site, self.item, self.customs, self.due, self.reference)

    @property
    def rank(self) -> tuple[date, str, SupplyKind, str, str, str]:
        """The order in which lots are promised: those that come and are late together stand so."""
        return self.due, self.site, self.kind, self.supplier, self.item, self.reference


@dataclass(frozen=True)
class Incoming:
    """Lots on their way by due date, and equally likely delays beyond that date in whole days.

    `record` holds the delays of suppliers with enough deliveries of their own.
    """

    lots: tuple[Lot, ...] = ()
    delays: tuple[int, ...] = (0,)
    record: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, brand: Brand) -> "Incoming":
        """Returns what is on its way to serving sites, in the customs state of the site.

        Delays are those of the brand's deliveries, early ones counting as in time: evenly spaced
        quantiles of received minus committed days. Rows of one lot are summed.
        """
        serving = {site.site: site.customs for site in Network.of(brand).serving}
        rows = brand.table("inbound")[["site", "item", "quantity", "due", "purchase_order"]]
        lots = summed(
            Lot(site, item, serving[site], int(units), due.date(), str(reference))
            for site, item, units, due, reference in rows.itertuples(index=False)
            if site in serving and units >= 1
        )
        return cls(in_turn(lots), *_delays(brand))

    @cached_property
    def by_item(self) -> Mapping[str, tuple[Lot, ...]]:
        """Lots of each item, as they are promised."""
        found: dict[str, list[Lot]] = {}
        for lot in self.lots:
            found.setdefault(lot.item, []).append(lot)
        return {item: tuple(lots) for item, lots in found.items()}

    @cached_property
    def references(self) -> frozenset[str]:
        """The purchase orders of all lots."""
        return frozenset(lot.reference for lot in self.lots)

    def delays_of(self, supplier: str) -> tuple[int, ...]:
        """Returns how late goods of a supplier may come: by its record, or by that of all."""
        return self.record.get(supplier, self.delays)


def summed(lots: Iterable[Lot]) -> Collection[Lot]:
    """Returns one lot for each key, with the units of all that have it."""
    found: dict[SupplyKey, Lot] = {}
    for lot in lots:
        known = found.get(lot.key)
        found[lot.key] = replace(lot, units=lot.units + known.units) if known else lot
    return found.values()


def in_turn(lots: Iterable[Lot]) -> tuple[Lot, ...]:
    """Returns lots in the order in which they are promised."""
    return tuple(sorted(lots, key=lambda lot: lot.rank))


def left_of(lots: Iterable[Lot], taken: Mapping[SupplyKey, int]) -> tuple[Lot, ...]:
    """Returns lots less the units that somebody has; those without any are left out."""
    open_units = ((lot, lot.units - taken.get(lot.key, 0)) for lot in lots)
    return tuple(replace(lot, units=units) for lot, units in open_units if units >= 1)


def _delays(brand: Brand) -> tuple[tuple[int, ...], dict[str, tuple[int, ...]]]:
    """Returns the delays of all deliveries, and of each supplier with enough of them."""
    known = brand.table("deliveries").dropna(subset=["committed", "received"])
    late = (known["received"] - known["committed"]).dt.days.clip(lower=0)
    record = {
        str(supplier): _quantiles(days)
        for supplier, days in late.groupby(known["supplier"], observed=True)
        if len(days) >= FEWEST_DELIVERIES
    }
    return (_quantiles(late) if len(late) >= FEWEST_DELIVERIES else (0,)), record


def _quantiles(late: "pd.Series[int]") -> tuple[int, ...]:
    levels = (np.arange(DELAYS) + 0.5) / DELAYS
    return tuple(int(days) for days in np.quantile(late, levels, method="inverted_cdf"))


def ready_at(site: Site, due: date, delay: int = 0) -> datetime:
    """Returns when (UTC) goods may be ordered from a site: as the day after their arrival begins.

    From there on cut-off, working days and pickup are those of any order.
    """
    day = due + (1 + delay) * _DAY
    return datetime.combine(day, time(), ZoneInfo(site.time_zone)).astimezone(UTC)
