"""The full cost of serving an order one way or another, term by term, in settlement currency."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

from core.money import Amounts
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.floors import Floor, floors_of
from routing.fulfillment.options import Way
from routing.fulfillment.parcels import shipping_price
from routing.fulfillment.plan import money_of
from routing.fulfillment.wants import Want
from routing.landed_cost.cost import on_freight, tariff_category

Load = tuple[tuple[int, int], ...]
"""What travels by one way: (position of the want, units)."""

Loads = tuple[tuple[int, Load], ...]
"""A whole option: (position of the way, its load), by rising position."""


SHADOWS = ("stock_price", "outbound_price", "kilo_price")
"""Terms that nobody pays: what others would give for the stock, slots and kilograms used up."""


@dataclass(frozen=True, slots=True)
class Bill:
    """Everything that an option costs the brand, shadow prices included.

    `tax` is only the part that nobody recovers.
    """

    shipping: float = 0.0
    handling: float = 0.0
    duty: float = 0.0
    tax: float = 0.0
    fees: float = 0.0
    carbon: float = 0.0
    lateness: float = 0.0
    split: float = 0.0
    stock_price: float = 0.0
    outbound_price: float = 0.0
    kilo_price: float = 0.0

    @property
    def total(self) -> float:
        """The sum of all terms."""
        return sum(self.terms().values())

    def terms(self) -> dict[str, float]:
        """Returns the terms by name."""
        return {name: getattr(self, name) for name in TERMS}

    def money(self, currency: str) -> Amounts:
        """Returns the terms by name, in minor units."""
        return Amounts(
            {name: money_of(term, currency).minor for name, term in self.terms().items()}, currency
        )


TERMS = tuple(term.name for term in fields(Bill))
"""The names of the terms of a bill, in their order."""


@dataclass(frozen=True)
class Costing:
    """Prices options of one order: what it wants and the ways that could serve it."""

    wants: tuple[Want, ...]
    ways: tuple[Way, ...]
    context: PlanningContext

    def bill(self, loads: Loads) -> Bill:
        """Returns the bill of an option."""
        shipping = {way: self.shipping(way, load) for way, load in loads}
        handling = carbon = lateness = stock = slots = kilos = 0.0
        for at, load in loads:
            way, units, weight = self.ways[at], _units(load), self.weight_kg(load)
            handling += way.lane.site.handling_cost * units
            lateness += way.lateness * units
            carbon += way.carbon_price * way.carbon_kg_per_kg * weight
            stock += sum(taken * way.stock_price[want] for want, taken in load)
            slots += way.slot_price * units
            kilos += way.kilo_price * weight
        customs = [self._customs(group, shipping) for group in self._consignments(loads)]
        parcels = sum(count for _, count in shipping.values())
        return Bill(
            shipping=sum(price for price, _ in shipping.values()),
            handling=handling,
            duty=sum(duty for duty, _, _ in customs),
            tax=sum(tax for _, tax, _ in customs),
            fees=sum(fees for _, _, fees in customs),
            carbon=carbon,
            lateness=lateness,
            split=self.context.weights.split_cost * max(parcels - 1, 0),
            stock_price=stock,
            outbound_price=slots,
            kilo_price=kilos,
        )

    @cached_property
    def floors(self) -> tuple[tuple[Floor, ...], ...]:
        """The floors of each way; one of them holds whatever travels."""
        return tuple(tuple(floors_of(way, self.wants, self.context)) for way in self.ways)

    def weight_kg(self, load: Load) -> float:
        """Returns the actual weight of a load."""
        return sum(units * self._weight[want] for want, units in load)

    def carbon_kg(self, way: int, load: Load) -> float:
        """Returns the emissions of a load in kilograms of CO2 equivalent."""
        return self.ways[way].carbon_kg_per_kg * self.weight_kg(load)

    @cached_property
    def _weight(self) -> tuple[float, ...]:
        return tuple(want.item.weight_kg for want in self.wants)

    @cached_property
    def _volume(self) -> tuple[float, ...]:
        return tuple(want.item.volume_m3 for want in self.wants)

    @cached_property
    def _value(self) -> tuple[float, ...]:
        return tuple(float(want.unit_value) for want in self.wants)

    @cached_property
    def _category(self) -> tuple[str, ...]:
        return tuple(tariff_category(want.item) for want in self.wants)

    @cached_property
    def _duty_rates(self) -> dict[tuple[str, str], list[tuple[float, float]]]:
        return {}

    def shipping(self, way: int, load: Load) -> tuple[float, int]:
        """Returns the price of the parcels of a load, and their number."""
        key = (way, load)
        if key not in self._shipped:
            self._shipped[key] = self._parcels(way, load)
        return self._shipped[key]

    @cached_property
    def _shipped(self) -> dict[tuple[int, Load], tuple[float, int]]:
        return {}

    def _parcels(self, way: int, load: Load) -> tuple[float, int]:
        card = self.ways[way].lane.card
        weight = self.weight_kg(load)
        volume = sum(units * self._volume[want] for want, units in load)
        if card.takes(weight, volume):
            return card.price(card.billed_kg(weight, volume), _units(load)), 1
        return shipping_price([self.wants[want].of(units) for want, units in load], card)

    def _consignments(self, loads: Loads) -> Iterable[Loads]:
        groups: dict[tuple[str, str], list[tuple[int, Load]]] = {}
        for way, load in loads:
            if self.ways[way].route != "domestic":
                groups.setdefault(self.ways[way].consignment, []).append((way, load))
        return (tuple(group) for group in groups.values())

    def _customs(
        self, group: Loads, shipping: dict[int, tuple[float, int]]
    ) -> tuple[float, float, float]:
        """Duty, tax that nobody recovers, and fees of goods that reach customs together."""
        regime = self.ways[group[0][0]].regime
        load = [part for _, part_load in group for part in part_load]
        goods = sum(units * self._value[want] for want, units in load)
        freight = sum(shipping[way][0] for way, _ in group)
        categories = len({self._category[want] for want, _ in load})
        kind = regime.duty_kind(goods)
        duty = regime.flat_duty * categories if kind == "flat" else 0.0
        if kind == "tariff":
            duty = self._by_tariff(group[0][0], load, freight)
        fees = sum(regime.fees(goods, categories))
        taxed = 0.0 if regime.recoverable else regime.tax_rate(goods)
        return duty, taxed * (goods + freight + duty + fees), fees

    def _by_tariff(self, way: int, load: Sequence[tuple[int, int]], freight: float) -> float:
        rates = self._rates(way)
        weight = sum(units * self._weight[want] for want, units in load)
        duty = 0.0
        for want, units in load:
            rate, freight_rate = rates[want]
            duty += rate * units * self._value[want]
            if freight_rate:
                share = units * self._weight[want] / weight if weight else 1 / len(load)
                duty += freight_rate * share * freight
        return duty

    def _rates(self, way: int) -> list[tuple[float, float]]:
        """Duty rates of each want on goods and on freight."""
        regime = self.ways[way].regime
        key = (regime.country, regime.route)
        if key not in self._duty_rates:
            rows = [self.context.duty_row(regime.country, want.item) for want in self.wants]
            self._duty_rates[key] = [
                (row.rate, row.rate if on_freight(row, regime) else 0.0) if row else (0.0, 0.0)
                for row in rows
            ]
        return self._duty_rates[key]


def _units(load: Load) -> int:
    return sum(units for _, units in load)
