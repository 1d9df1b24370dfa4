"""Wants: the items of an order, each with all its units."""

from dataclasses import dataclass
from decimal import Decimal

from inventory.items import Catalog, Item
from routing.fulfillment.order import Order
from routing.fulfillment.parcels import Goods


@dataclass(frozen=True, slots=True)
class Want:
    """All units of one item that an order asks for; `goods_value` of them together, exact."""

    item: Item
    units: int
    goods_value: Decimal

    @property
    def unit_value(self) -> Decimal:
        """Mean value of one unit over the order's lines."""
        return self.goods_value / self.units

    @property
    def value(self) -> float:
        """Mean value of one unit, as a float."""
        return float(self.goods_value / self.units)

    def of(self, units: int) -> Goods:
        """Returns some of the units, to be packed."""
        return Goods(self.item.item, units, self.item.weight_kg, self.item.volume_m3)


def wants_of(order: Order, catalog: Catalog) -> tuple[Want, ...]:
    """Returns the items of an order with their units summed over its lines.

    Two lines of one item must not each see all of its stock.
    """
    units: dict[str, int] = {}
    value: dict[str, Decimal] = {}
    for line in order.lines:
        item = catalog.item[line.item]
        price = line.price if line.price is not None else Decimal(str(item.value))
        units[line.item] = units.get(line.item, 0) + line.quantity
        value[line.item] = value.get(line.item, Decimal(0)) + line.quantity * price
    return tuple(Want(catalog.item[name], units[name], value[name]) for name in units)
