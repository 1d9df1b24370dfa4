"""Goods on their way: the lots that are known, and what may still be promised of them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from sqlmodel import Session

from core.brand import Brand
from inventory import store as stock
from inventory.stock import StockKey
from inventory.suppliers import store as purchasing
from inventory.suppliers.orders import OpenLine
from inventory.supply import Claim, SupplyKey, SupplyKind, SupplyLot
from routing.fulfillment.backorders import Backorders
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.incoming import Incoming, Lot, left_of, summed
from warehouses.network import Network


@dataclass(frozen=True, slots=True)
class OnTheWay:
    """Lots by item, and the units of each that somebody has already."""

    lots: Mapping[str, Sequence[Lot]] = field(default_factory=dict)
    taken: Counter[SupplyKey] = field(default_factory=Counter)

    def left(self, items: Iterable[str]) -> tuple[Lot, ...]:
        """Returns what may still be promised of some items."""
        return left_of((lot for item in items for lot in self.lots.get(item, ())), self.taken)

    def claims(self, later: Backorders) -> tuple[Claim, ...]:
        """Returns what is to be held for back-orders."""
        whole = {lot.key: lot for item in {key.item for key in later.taken}
                 for lot in self.lots[item]}  # fmt: skip
        return tuple(Claim(supply_lot(whole[key]), units) for key, units in later.taken.items())


def on_the_way(
    session: Session, context: PlanningContext, items: Iterable[str], now: datetime
) -> OnTheWay:
    """Returns the goods of some items that are on their way to the serving sites.

    They are those of the brand's inbound, and those of open purchase orders that it does not name.
    """
    wanted = sorted(set(items))
    if not wanted:
        return OnTheWay()
    incoming = context.incoming
    lots = {item: [*incoming.by_item.get(item, ())] for item in wanted}
    lines = purchasing.open_lines(session, wanted)
    for lot in planned(lines, context.network, incoming.references):
        lots[lot.item].append(lot)
    if not any(lots.values()):
        return OnTheWay()
    moved = {key: units for key, units in stock.promised(session, wanted).items() if key.reference}
    left = {item: _less_promised(own, moved) for item, own in lots.items()}
    return OnTheWay(left, Counter(stock.taken(session, now, wanted)))


def _less_promised(lots: Sequence[Lot], promised: Mapping[SupplyKey, int]) -> list[Lot]:
    """Returns lots without the units that were promised when they were due on another day."""
    known = {lot.key for lot in lots}
    before = Counter[tuple[StockKey, str]]()
    for key, units in promised.items():
        if key not in known:
            before[StockKey(key.site, key.item, key.customs), key.reference] += units
    left = []
    for lot in lots:
        same = (StockKey(lot.site, lot.item, lot.customs), lot.reference)
        gone = min(before[same], lot.units)
        before[same] -= gone
        left += [replace(lot, units=lot.units - gone)] if gone < lot.units else []
    return left


def planned(
    lines: Iterable[OpenLine], network: Network, inbound: Collection[str]
) -> Collection[Lot]:
    """Returns what open orders bring to serving sites, but for orders that inbound names."""
    serving = {site.site: site.customs for site in network.serving}
    return summed(
        Lot(line.site, line.item, serving[line.site], line.quantity, line.arrives,
            line.order, SupplyKind.PLANNED, line.supplier)
        for line in lines
        if line.site in serving and line.order not in inbound
    )  # fmt: skip


def expected_lots(session: Session, brand: Brand, key: StockKey) -> list[SupplyLot]:
    """Returns the lots that are on their way to a stock row."""
    inbound = brand.table("inbound")
    rows = inbound[(inbound["site"] == key.site) & (inbound["item"] == key.item)]
    lines = purchasing.open_lines(session, [key.item], key.site)
    if rows.empty and not lines:
        return []
    lots = Incoming.of(brand.with_table("inbound", rows)).lots
    ordered = planned(lines, Network.of(brand), set(inbound["purchase_order"]))
    return [supply_lot(lot) for lot in (*lots, *ordered) if lot.customs == key.customs]


def close_received(session: Session, references: Iterable[str]) -> None:
    """Ensures that purchase orders of which everything came in are open no longer."""
    for reference in sorted(filter(None, references)):
        purchasing.close_received(session, reference, partial(stock.received, session, [reference]))


def supply_lot(lot: Lot) -> SupplyLot:
    """Returns a lot as the ledger knows it."""
    return SupplyLot(lot.key, lot.units, lot.kind)
