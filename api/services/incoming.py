"""Goods on their way: the lots that are known, and what may still be promised of them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session

from core.brand import Brand
from inventory import store as stock
from inventory.stock import StockKey
from inventory.supply import Claim, SupplyKey, SupplyLot
from routing.fulfillment.backorders import Backorders
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.incoming import Incoming, Lot, in_turn, left_of


@dataclass(frozen=True, slots=True)
class OnTheWay:
    """Lots of some items, and the units of each that somebody has already."""

    lots: Mapping[SupplyKey, Lot] = field(default_factory=dict)
    taken: Counter[SupplyKey] = field(default_factory=Counter)

    def left(self, items: Collection[str] | None = None) -> tuple[Lot, ...]:
        """Returns what may still be promised, of some items or of all."""
        lots = self.lots.values()
        return left_of((lot for lot in lots if items is None or lot.item in items), self.taken)

    def claims(self, later: Backorders) -> tuple[Claim, ...]:
        """Returns what is to be held for back-orders."""
        return tuple(Claim(supply_lot(self.lots[key]), units) for key, units in later.taken.items())


def on_the_way(
    session: Session, context: PlanningContext, items: Iterable[str], now: datetime
) -> OnTheWay:
    """Returns the goods of some items that are on their way to the serving sites."""
    wanted = sorted(set(items))
    by_item = context.incoming.by_item
    lots = in_turn(lot for item in wanted for lot in by_item.get(item, ()))
    if not lots:
        return OnTheWay()
    taken = stock.taken(session, now, wanted)
    return OnTheWay({lot.key: lot for lot in lots}, Counter(taken))


def expected(brand: Brand, key: StockKey) -> list[SupplyLot]:
    """Returns the lots that are on their way to a stock row."""
    inbound = brand.table("inbound")
    rows = inbound[(inbound["site"] == key.site) & (inbound["item"] == key.item)]
    if rows.empty:
        return []
    lots = Incoming.of(brand.with_table("inbound", rows)).lots
    return [supply_lot(lot) for lot in lots if lot.customs == key.customs]


def supply_lot(lot: Lot) -> SupplyLot:
    """Returns a lot as the ledger knows it."""
    return SupplyLot(lot.key, lot.units, lot.kind)
