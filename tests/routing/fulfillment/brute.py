"""A planner that tries everything, with its own simple arithmetic; slow and independent.

It reads the tables of the brand, and takes from other rooms only what an order plan takes as
given: the calendar of a site, the last arrival at a door, the regime of a country, its duty rows
and the emissions of a kilogram.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import cache
from itertools import chain, product
from typing import Any

from carriers.emissions import kg_co2e
from core.brand import number
from routing.landed_cost.regime import Regime, customs_route, regime_of
from tests.routing.fulfillment.scenes import Scene
from warehouses.calendars import Doorstep, pickup_at

Bundle = tuple[int, ...]
Way = tuple[str, str, str]  # site, customs, service


class Brute:
    """Every option of one order of a scene."""

    def __init__(self, scene: Scene, order: int = 0) -> None:
        tables, self.scene = scene.brand.tables, scene
        asked, self.wishes = scene.orders[order]
        self.asked = asked
        self.items = list(dict.fromkeys(line.item for line in asked.lines))
        self.rows = {str(row["item"]): row for row in tables["items"].to_dict("records")}
        self.services = {str(row["service"]): row for row in tables["services"].to_dict("records")}
        self.sites = {str(row["site"]): row for row in tables["sites"].to_dict("records")}
        self.units = tuple(
            sum(line.quantity for line in asked.lines if line.item == item) for item in self.items
        )
        self.region = next(
            row for row in tables["regions"].to_dict("records") if row["region"] == asked.region
        )
        self.cards: dict[tuple[str, str], list[Any]] = {}
        for row in tables["rates"].to_dict("records"):
            if row["region"] == asked.region:
                self.cards.setdefault((row["site"], row["service"]), []).append(row)
        for card in self.cards.values():
            card.sort(key=lambda row: row["weight_from_kg"])
        self.values = [self._value(item) for item in self.items]
        self.shipped = cache(self._shipped)
        self.taken = cache(self._taken)
        self.late = cache(self.lateness)

    # What is asked

    def _value(self, item: str) -> float:
        lines = [line for line in self.asked.lines if line.item == item]
        paid = sum(
            line.quantity
            * (float(line.price) if line.price is not None else self.rows[item]["value"])
            for line in lines
        )
        return float(paid / sum(line.quantity for line in lines))

    def ways(self) -> list[Way]:
        """Every service from every site that has a rate, for either customs state."""
        return [(site, customs, service) for site, service in self.cards
                for customs in ("free", "bonded")]  # fmt: skip

    def able(self, way: Way, at: int) -> int:
        """Units of an item that a way could take at most."""
        site, customs, name = way
        item, service = self.rows[self.items[at]], self.services[name]
        hazards = str(service["hazards"]).split(";")
        longest = max(item["length_cm"], item["width_cm"], item["height_cm"])
        heavy = item["weight_kg"] > number(service["max_weight_kg"], empty=math.inf)
        long = longest > number(service["max_length_cm"], empty=math.inf)
        refused = item["hazard"] != "none" and item["hazard"] not in hazards
        billed = self.billed(site, name, item["weight_kg"], item["volume_m3"])
        if refused or heavy or long or billed >= self.cards[site, name][-1]["weight_to_kg"]:
            return 0
        return max(0, self.scene.stock.get((site, self.items[at], customs), 0))

    # What a load costs

    def billed(self, site: str, name: str, weight: float, volume: float) -> float:
        """Weight that is billed: volumetric, the least of the card, or the next band in a gap."""
        card = self.cards[site, name]
        billed = float(max(weight, volume * 1e6 / self.services[name]["volumetric_divisor"]))
        for row in card:
            if billed < row["weight_from_kg"]:
                return float(row["weight_from_kg"])
            if billed < row["weight_to_kg"]:
                return billed
        return billed

    def price(self, site: str, name: str, billed: float, units: int) -> float:
        """The price of a parcel, fuel included."""
        row = next(row for row in reversed(self.cards[site, name])
                   if row["weight_from_kg"] <= billed)  # fmt: skip
        fuel = 1 + self.services[name]["fuel_surcharge"]
        carried = (row["base_price"] + row["price_per_kg"] * billed) * fuel
        return float(carried + row["price_per_unit"] * units)

    def measures(self, load: Bundle) -> tuple[float, float]:
        """Weight and volume."""
        rows = [self.rows[item] for item in self.items]
        return (
            sum(units * row["weight_kg"] for units, row in zip(load, rows, strict=True)),
            sum(units * row["volume_m3"] for units, row in zip(load, rows, strict=True)),
        )

    def fits(self, site: str, name: str, load: Bundle) -> bool:
        """Whether a load is within the limits of one parcel."""
        weight, volume = self.measures(load)
        most = number(self.services[name]["max_weight_kg"], empty=math.inf)
        end = self.cards[site, name][-1]["weight_to_kg"]
        return weight <= most + 1e-9 and self.billed(site, name, weight, volume) < end

    def parcels(self, site: str, name: str, load: Bundle) -> list[Bundle]:
        """One parcel, or units one after the other, the heaviest first, until one is full."""
        if self.fits(site, name, load):
            return [load]
        heaviest = sorted(range(len(load)), key=lambda at: (
            -self.billed(site, name, *self.measures(self._units(at, 1))), self.items[at]
        ))  # fmt: skip
        filled: list[Bundle] = []
        opened = self._units(0, 0)
        for at in chain.from_iterable([at] * load[at] for at in heaviest):
            more = tuple(a + b for a, b in zip(opened, self._units(at, 1), strict=True))
            if any(opened) and not self.fits(site, name, more):
                filled.append(opened)
                more = self._units(at, 1)
            opened = more
        return [*filled, opened]

    def _units(self, at: int, units: int) -> Bundle:
        return tuple(units if other == at else 0 for other in range(len(self.items)))

    def _shipped(self, way: Way, load: Bundle) -> tuple[float, float]:
        """Freight, and everything else that does not depend on what else travels."""
        site, _, name = way
        weights, prices = self.scene.brand.weights, self.scene.context.prices
        packed = self.parcels(site, name, load)
        freight = sum(
            self.price(site, name, self.billed(site, name, *self.measures(parcel)), sum(parcel))
            for parcel in packed
        )
        weight, _ = self.measures(load)
        other = weights.split_cost * len(packed)
        other += sum(load) * (self.sites[site]["handling_cost"] + self.late(way))
        per_tonne = self.wishes.carbon_price_per_tonne
        per_tonne = weights.carbon_price_per_tonne if per_tonne is None else per_tonne
        other += per_tonne / 1000 * weight * self.carbon(site, name)
        if prices is not None:
            here, by = prices.sites.index(site), prices.services.index(name)
            weeks = prices.buckets
            placed, sent = _week(weeks, self.asked.placed_at), _week(weeks, self.picked(way))
            other += weight * prices.carrier_kg[here, by, sent]
            other += sum(load) * prices.outbound[here, sent]
            for units, item in zip(load, self.items, strict=True):
                other += units * prices.stock[prices.items.index(item), here, placed]
        return freight, float(other)

    def carbon(self, site: str, name: str) -> float:
        """Emissions of a kilogram."""
        context = self.scene.context
        km = context.distance_km[context.rates.sites.index(site),
                                 context.rates.regions.index(self.asked.region)]  # fmt: skip
        return float(kg_co2e(1.0, km, self.services[name]["mode"]))

    def picked(self, way: Way) -> datetime:
        """When the carrier takes the goods over."""
        site, _, name = way
        return pickup_at(
            self.scene.context.network.site[site], self.asked.placed_at,
            self.services[name]["pickup_days"],
        )  # fmt: skip

    def lateness(self, way: Way) -> float:
        """Price of the days that one unit is expected to be late: a log-normal transit time."""
        site, _, name = way
        rows = self.cards[site, name]
        picked = self.picked(way)
        by = self.asked.promise_by or self.asked.placed_at + timedelta(
            hours=self.region["promise_hours"]
        )
        door = Doorstep(self.region["country"], self.region["longitude"])
        days = (door.latest_arrival(by) - picked).total_seconds() / 86400
        p50 = max(row["transit_days"] for row in rows)  # the slowest band counts
        p95 = max(row["transit_days_p95"] for row in rows)
        spread = math.log(p95 / p50) / 1.6448536269514722
        mean = p50 * math.exp(spread * spread / 2)
        if days <= 0 or spread == 0:
            late = max(0.0, mean - days)
        else:
            at = (math.log(p50) - math.log(days)) / spread
            late = mean * _normal(at + spread) - days * _normal(at)
        return float(max(0.0, late) * self.scene.brand.weights.lateness_cost_per_day)

    # What customs take

    def consignment(self, way: Way) -> tuple[str, str]:
        """Site and customs route."""
        country = self.sites[way[0]]["country"]
        return way[0], customs_route(country, self.region["country"], way[1])

    def _taken(self, route: str, bundle: Bundle) -> tuple[float, float]:
        """What the brand bears at customs: a sum, and a share of freight."""
        regime, country = self._regime(route), self.region["country"]
        if route == "domestic":
            return 0.0, 0.0
        goods = sum(units * value for units, value in zip(bundle, self.values, strict=True))
        kinds = {self.rows[item]["hs_code"][:6] for units, item in zip(bundle, self.items,
                 strict=True) if units}  # fmt: skip
        duty, share = 0.0, 0.0
        if regime.duty_relief < goods <= regime.flat_duty_limit:
            duty = regime.flat_duty * len(kinds)
        elif goods > regime.duty_relief:
            weight, _ = self.measures(bundle)
            for units, item, value in zip(bundle, self.items, self.values, strict=True):
                item_row = self.scene.context.catalog.item[item]
                row = self.scene.context.tariffs.duty_row(
                    country, item_row.origin, item_row.hs_code, self.scene.brand.rules_date
                )
                if row is not None and units:
                    duty += row.rate * units * value
                    if row.basis == "cif" and route == "cross_border":
                        share += row.rate * units * item_row.weight_kg / weight
        fees = 0.0
        if goods <= regime.fee_limit:
            fees = regime.fee_per_consignment + regime.fee_per_category * len(kinds)
        borne = not regime.recoverable and goods > regime.tax_relief
        tax = regime.tax.rate if borne else 0.0
        return duty + fees + tax * (goods + duty + fees), share + tax * (1 + share)

    def _regime(self, route: Any) -> Regime:
        brand = self.scene.brand
        return regime_of(self.scene.context.tariffs, self.region["country"], route,
                         brand.rules_date)  # fmt: skip

    def cost(self, option: Mapping[Way, Bundle]) -> float:
        """The full cost of an option, without taking off the first parcel."""
        total = 0.0
        for key in {self.consignment(way) for way in option}:
            loads = {way: load for way, load in option.items() if self.consignment(way) == key}
            bundle = tuple(map(sum, zip(*loads.values(), strict=True)))
            freight = sum(self.shipped(way, load)[0] for way, load in loads.items())
            fixed, share = self.taken(key[1], bundle)
            total += freight * (1 + share) + fixed
            total += sum(self.shipped(way, load)[1] for way, load in loads.items())
        return total

    # Every option

    def cheapest(self) -> tuple[int, float]:
        """The most units that can be served, and the least that serving them costs."""
        if not self.wishes.allow_split:
            return self._finished(self._alone())
        return self._finished(self._by_consignment())

    def _finished(self, found: Mapping[Bundle, float]) -> tuple[int, float]:
        most = max((sum(bundle) for bundle in found), default=0)
        if not most:
            return 0, 0.0
        least = min(cost for bundle, cost in found.items() if sum(bundle) == most)
        return most, least - self.scene.brand.weights.split_cost

    def _alone(self) -> dict[Bundle, float]:
        """What each way costs with all that it can carry."""
        found: dict[Bundle, float] = {}
        for way in self.ways():
            load = tuple(min(units, self.able(way, at)) for at, units in enumerate(self.units))
            if any(load):
                found[load] = min(found.get(load, math.inf), self.cost({way: load}))
        return found

    def _by_consignment(self) -> dict[Bundle, float]:
        """The least cost of every bundle: every option of every consignment, joined in turn."""
        total: dict[Bundle, float] = {self._units(0, 0): 0.0}
        for key in dict.fromkeys(map(self.consignment, self.ways())):
            ways = [way for way in self.ways() if self.consignment(way) == key]
            own: dict[Bundle, float] = {}
            for option in self.options(ways):
                bundle = tuple(map(sum, zip(*option.values(), strict=True)))
                own[bundle] = min(own.get(bundle, math.inf), self.cost(option))
            joined = dict(total)
            for (one, cost), (other, more) in product(total.items(), own.items()):
                both = tuple(a + b for a, b in zip(one, other, strict=True))
                if all(a <= b for a, b in zip(both, self.units, strict=True)):
                    joined[both] = min(joined.get(both, math.inf), cost + more)
            total = joined
        return total

    def literal(self) -> tuple[int, float]:
        """The same as `cheapest` for an order that may be split, option by option."""
        found: dict[Bundle, float] = {}
        for option in self.options(self.ways()):
            bundle = tuple(map(sum, zip(*option.values(), strict=True)))
            found[bundle] = min(found.get(bundle, math.inf), self.cost(option))
        return self._finished(found)

    def choices(self) -> int:
        """How many options `literal` tries."""
        ways = self.ways()
        return math.prod(len(list(self._spread(ways, at))) for at in range(len(self.items)))

    def options(self, ways: list[Way]) -> Iterator[dict[Way, Bundle]]:
        """Every division of up to all units of every item among ways, within stock."""
        spread = [list(self._spread(ways, at)) for at in range(len(self.items))]
        for chosen in product(*spread):
            loads = dict(zip(ways, zip(*chosen, strict=True), strict=True)) if ways else {}
            option = {way: load for way, load in loads.items() if any(load)}
            if option:
                yield option

    def _spread(self, ways: list[Way], at: int) -> Iterator[tuple[int, ...]]:
        """Every division of an item's units among ways, [way]."""
        most = [min(self.able(way, at), self.units[at]) for way in ways]
        for units in _divided(most, self.units[at]):
            if self._in_stock(ways, units, at):
                yield units

    def _in_stock(self, ways: list[Way], units: tuple[int, ...], at: int) -> bool:
        used: dict[tuple[str, str, str], int] = {}
        for (site, customs, _), taken in zip(ways, units, strict=True):
            key = (site, self.items[at], customs)
            used[key] = used.get(key, 0) + taken
        return all(taken <= max(0, self.scene.stock.get(key, 0)) for key, taken in used.items())


def _normal(at: float) -> float:
    return 0.5 * (1 + math.erf(at / math.sqrt(2)))


def _week(weeks: tuple[date, ...], at: datetime) -> int:
    """The week that holds a moment; the last one has no end."""
    return min((at.date() - weeks[0]).days // 7, len(weeks) - 1)


def _divided(most: list[int], units: int) -> Iterator[tuple[int, ...]]:
    """Every division of up to so many units among ways that take so many each."""
    if not most:
        yield ()
        return
    for taken in range(min(most[0], units) + 1):
        for rest in _divided(most[1:], units - taken):
            yield (taken, *rest)
