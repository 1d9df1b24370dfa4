"""Random small brands and orders, and a slow planner that tries everything."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain, combinations, permutations, product
from typing import Any

import numpy as np

from carriers.emissions import kg_co2e
from carriers.rates import RateBook, billed_weight_kg
from core.brand import Brand
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.order import Availability, Order, OrderLine
from routing.landed_cost.cost import Consignment, ConsignmentLine, landed_cost
from routing.landed_cost.regime import customs_route
from tests.builders import brand_of

Way = tuple[str, str, str]  # site, customs, service
Split = Mapping[Way, Mapping[str, int]]  # units by way and item

PLACES = {"DE": (52.5, 13.4), "TH": (13.7, 100.5), "US": (34.0, -118.2), "FR": (48.8, 2.3)}


def random_brand(seed: int) -> Brand:
    """Three sites, two or three services with price bands, up to four items; EUR."""
    draw = np.random.default_rng(seed)
    region = str(draw.choice(["DE", "TH", "FR"]))
    items = [_item(draw, at) for at in range(int(draw.integers(1, 5)))]
    services = ["EXP", "ECO"]
    sites = ["DE", "TH", "US"]
    return brand_of(
        sites=[_site(draw, country) for country in sites],
        regions=[_place("region", region)],
        items=items,
        services=[
            {"service": "EXP", "mode": "express", "volumetric_divisor": 5000},
            {"service": "ECO", "mode": "economy", "volumetric_divisor": 6000, "hazards": "lithium"},
        ],
        rates=[
            row
            for site in sites
            for service in services
            if draw.random() < 0.9
            for row in _card(draw, service, site, region)
        ],
        duties=[
            {"destination": "EU", "duty_rate": 0.12, "hs_prefix": "69", "valid_from": "2020-01-01"},
            {"destination": "EU", "duty_rate": 0.04, "basis": "fob", "valid_from": "2020-01-01"},
            {"destination": "TH", "duty_rate": 0.30, "valid_from": "2020-01-01"},
        ],
        taxes=[
            {"country": "TH", "rate": 0.07, "recoverable": False, "valid_from": "2020-01-01",
             "de_minimis_duty": float(draw.choice([0, 30]))},
            {"country": "DE", "rate": 0.19, "valid_from": "2020-01-01",
             "de_minimis_duty": float(draw.choice([0, 25]))},
            {"country": "FR", "rate": 0.20, "valid_from": "2020-01-01"},
        ],
    )  # fmt: skip


def random_order(brand: Brand, seed: int) -> tuple[Order, Availability]:
    """An order for every item of the brand, and stock that may or may not do."""
    draw = np.random.default_rng(seed + 1_000_000)
    items = [str(item) for item in brand.table("items")["item"]]
    lines = tuple(
        OrderLine(at, item, int(draw.integers(1, 6)), Decimal(int(draw.integers(1, 60))))
        for at, item in enumerate(items)
    )
    stock = {
        (site, item, str(draw.choice(["free", "bonded"]))): int(draw.integers(0, 8))
        for site in ("DE", "TH", "US")
        for item in items
        if draw.random() < 0.8
    }
    region = str(brand.table("regions")["region"].iloc[0])
    return Order("O", region, datetime(2026, 9, 7, 8, tzinfo=UTC), lines), stock


def _place(kind: str, country: str) -> dict[str, object]:
    latitude, longitude = PLACES[country]
    return {kind: country, "country": country, "latitude": latitude, "longitude": longitude}


def _site(draw: np.random.Generator, country: str) -> dict[str, object]:
    return {**_place("site", country), "tier": "central",
            "handling_cost": round(float(draw.uniform(0, 2)), 2)}  # fmt: skip


def _item(draw: np.random.Generator, at: int) -> dict[str, object]:
    return {
        "item": f"I{at}",
        "weight_kg": round(float(draw.uniform(0.1, 3)), 2),
        "volume_m3": round(float(draw.uniform(0.0005, 0.02)), 4),
        "value": 10.0,
        "hs_code": str(draw.choice(["691110", "420222"])),
        "hazard": str(draw.choice(["none", "none", "none", "lithium"])),
    }


def _card(
    draw: np.random.Generator, service: str, site: str, region: str
) -> Iterator[dict[str, object]]:
    base, per_kg = float(draw.uniform(2, 9)), float(draw.uniform(0.5, 6))
    days = float(draw.uniform(0.5, 6))
    for start, end, step in ((0, 3, 0.0), (3, 10, 1.5), (10, None, 2.5)):
        yield {
            "service": service, "site": site, "region": region,
            "weight_from_kg": start, **({"weight_to_kg": end} if end else {}),
            "base_price": round(base + step, 2), "price_per_kg": round(per_kg * (1 - step / 5), 3),
            "transit_days": days, "transit_days_p95": days * 1.8,
        }  # fmt: skip


@dataclass(frozen=True)
class EveryOption:
    """Prices every option with the public parts of other rooms, one parcel for each way."""

    brand: Brand
    context: PlanningContext
    order: Order
    stock: Availability
    lateness: Mapping[Way, float]

    def cheapest(self) -> tuple[int, float]:
        """The most units that can be served, and the least that serving them costs."""
        best = (0, 0.0)
        for split in self._options():
            units = sum(sum(goods.values()) for goods in split.values())
            cost = self.cost(split)
            if units > best[0] or (units == best[0] and cost < best[1]):
                best = (units, cost)
        return best

    def cost(self, split: Split) -> float:
        """The full cost of an option."""
        weights, region = self.brand.weights, self.context.network.region[self.order.region]
        shipping = {way: self._parcel(way, goods) for way, goods in split.items()}
        total = sum(shipping.values()) + weights.split_cost * (len(split) - 1)
        for way, goods in split.items():
            site = self.context.network.site[way[0]]
            total += (site.handling_cost + self.lateness[way]) * sum(goods.values())
            total += self._carbon(way, goods)
        for key in {self._consignment(way) for way in split}:
            group = [way for way in split if self._consignment(way) == key]
            lines = tuple(
                ConsignmentLine(item, self.context.catalog.item[item], units, self._price(item))
                for way in group
                for item, units in split[way].items()
            )
            freight = Decimal(repr(sum(shipping[way] for way in group)))
            goods_in = Consignment(region.country, lines, freight)
            on = self.brand.rules_date
            total += float(landed_cost(goods_in, key[1], self.context.tariffs, on).cost)
        return total

    def _consignment(self, way: Way) -> tuple[str, Any]:
        country = self.context.network.region[self.order.region].country
        return way[0], customs_route(self.context.network.site[way[0]].country, country, way[1])

    def _price(self, item: str) -> Decimal:
        return next(line.price for line in self.order.lines if line.item == item and line.price)

    def _parcel(self, way: Way, goods: Mapping[str, int]) -> float:
        rates, item = self.context.rates, self.context.catalog.item
        service = next(s for s in self.context.services if s.service == way[2])
        billed = billed_weight_kg(
            sum(units * item[name].weight_kg for name, units in goods.items()),
            sum(units * item[name].volume_m3 for name, units in goods.items()),
            service.volumetric_divisor,
        )
        at = (rates.services.index(way[2]), rates.sites.index(way[0]), 0)
        return float(rates.price(*at, billed, sum(goods.values())))

    def _carbon(self, way: Way, goods: Mapping[str, int]) -> float:
        service = next(s for s in self.context.services if s.service == way[2])
        km = self.context.distance_km[self.context.rates.sites.index(way[0]), 0]
        kilos = sum(units * self.context.catalog.item[i].weight_kg for i, units in goods.items())
        price = self.brand.weights.carbon_price_per_tonne / 1000
        return price * float(kg_co2e(kilos, km, service.mode))

    def _able(self, way: Way, item: str) -> int:
        service = next(s for s in self.context.services if s.service == way[2])
        if not service.accepts(self.context.catalog.item[item].hazard):
            return 0
        return self.stock.get((way[0], item, way[1]), 0)

    def _options(self) -> Iterator[Split]:
        rates: RateBook = self.context.rates
        lanes = [(site, service) for a, site in enumerate(rates.sites)
                 for b, service in enumerate(rates.services)
                 if math.isfinite(rates.transit_days[b, a, 0])]  # fmt: skip
        ways = [(site, customs, service) for site, service in lanes
                for customs in ("free", "bonded")]  # fmt: skip
        ways = [way for way in ways if any(self._able(way, line.item) for line in self.order.lines)]
        sizes = range(1, min(len(ways), 4) + 1)
        for team in chain.from_iterable(combinations(ways, size) for size in sizes):
            choices = [list(self._patterns(team, line)) for line in self.order.lines]
            for chosen in product(*choices):
                split: dict[Way, dict[str, int]] = {}
                for line, pattern in zip(self.order.lines, chosen, strict=True):
                    for way, units in pattern:
                        split.setdefault(way, {})[line.item] = units
                if set(split) == set(team):
                    yield split

    def _patterns(self, team: Sequence[Way], line: OrderLine) -> set[tuple[tuple[Way, int], ...]]:
        able = [way for way in team if self._able(way, line.item)]
        whole: set[tuple[tuple[Way, int], ...]] = {((way, line.quantity),) for way in able
                 if self._able(way, line.item) >= line.quantity}  # fmt: skip
        if whole:
            return whole
        return {self._filled(order, line) for order in permutations(able)}

    def _filled(self, order: Sequence[Way], line: OrderLine) -> tuple[tuple[Way, int], ...]:
        left, used, taken = line.quantity, {}, []  # type: int, dict[tuple[str, str], int], list[tuple[Way, int]]
        for way in order:
            free = self._able(way, line.item) - used.get(way[:2], 0)
            units = min(left, free)
            if units > 0:
                taken.append((way, units))
                used[way[:2]] = used.get(way[:2], 0) + units
                left -= units
        return tuple(sorted(taken))


RULES_DAYS = (date(2026, 6, 1), date(2026, 9, 7))
