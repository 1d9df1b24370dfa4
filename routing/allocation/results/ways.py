"""Ways: what else could be done with one flow of a brand, from the prices of a run alone.

The problem of the one item is built again, which takes moments; prices of what items share stand
for all the others. So a run of long ago explains itself as long as its prices are kept.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from carriers.rates import RateBook
from carriers.services import Service, services_of
from core.brand import SERVING_TIERS, Brand
from core.errors import BadInput
from inventory.items import Catalog, Item
from routing.allocation.inputs.assembly import problem_of
from routing.allocation.prices import Prices, rows_of
from routing.allocation.problem import Problem
from routing.allocation.results.explain import Alternatives, Offers, Refused, demand_of, weighed
from routing.allocation.solver.departures.consignments import by_volume
from routing.costs import CostBook, UnitCosts
from routing.landed_cost.tariffs import Tariffs

NO_RATE = "no rate"
NO_STOCK_THERE = "no stock there by then"
CLOSED = "closed"
STAYS_CLOSED = "not worth opening"

MANY_M3 = 1e6
"""What a departure takes where a lane has no limit: its fixed cost is then next to nothing."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What is asked about: an item in a region, in the bucket that holds a day or in the first."""

    item: str
    region: str
    bucket: date | None = None

    @classmethod
    def parse(cls, text: str) -> "Flow":
        """Returns the flow that `ITEM/REGION` or `ITEM/REGION/BUCKET` names.

        >>> Flow.parse("MUG/DE/2026-09-07")
        Flow(item='MUG', region='DE', bucket=datetime.date(2026, 9, 7))
        """
        *names, last = text.split("/")
        bucket = _day(last) if len(names) > 1 else None
        *item, region = names if bucket else [*names, last]
        if not item or not region or not all(item):
            raise BadInput(f"Expected ITEM/REGION or ITEM/REGION/BUCKET, got {text}.")
        return cls("/".join(item), region, bucket)


def check_flow(brand: Brand, flow: Flow) -> None:
    """Ensures that a brand knows item and region of a flow; raises `BadInput` before any work."""
    for table, column, name in (("items", "item", flow.item), ("regions", "region", flow.region)):
        if name not in set(brand.table(table)[column]):
            raise BadInput(f"Expected one of the {table} of the brand, got {name}.")


def explained(
    brand: Brand, prices: Prices, flows: pd.DataFrame, open_sites: Iterable[str], asked: Flow
) -> Alternatives:
    """Returns every way to serve a flow of a brand that has a forecast, best first.

    `prices`, `flows` and `open_sites` are those of a run of this brand. Raises `BadInput` where
    the brand does not know the item or the region, or nobody asks.
    """
    check_flow(brand, asked)
    one = _only(_as_opened(brand, open_sites), asked.item)
    tariffs, rates = Tariffs.of(brand), RateBook.of(one, brand.today)
    book = replace(CostBook.of(brand, rates, tariffs), brand=one, catalog=Catalog.of(one))
    costs = book.at(slice(None))
    problem = problem_of(one, book, tariffs, one.table("forecast"))
    problem = by_volume(problem, np.minimum(problem.limits.lane_m3, MANY_M3))
    demand = demand_of(problem, asked.region, asked.bucket)
    told = weighed(
        problem, rows_of(prices, problem), demand, _offers(problem, costs, demand, flows)
    )
    refused = _Refusing(brand, one, rates, costs, told).all(frozenset(open_sites))
    return replace(told, refused=tuple(refused))


def refused_by_reason(told: Alternatives) -> dict[str, list[str]]:
    """Returns what is refused, in words, by reason."""
    named: dict[str, list[str]] = {}
    for one in told.refused:
        named.setdefault(one.reason, []).append(f"{one.site} {one.service}".strip())
    return named


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _as_opened(brand: Brand, open_sites: Iterable[str]) -> Brand:
    """Returns the brand with every site that was to be decided open or closed."""
    sites, opened = brand.table("sites"), set(open_sites)
    decided = sites["status"] == "decide"
    status = np.where(sites["site"].isin(opened), "open", CLOSED)
    chosen = sites["status"].where(~decided, pd.Series(status, index=sites.index))
    return brand.with_table("sites", sites.assign(status=chosen.astype(sites["status"].dtype)))


def _only(brand: Brand, item: str) -> Brand:
    """Returns the brand with the stock and the forecast of one item, over the same buckets."""
    items = brand.table("items")
    brand = brand.with_table("items", items[items["item"] == item])
    for name in ("stock", "inbound", "offers"):
        table = brand.table(name)
        brand = brand.with_table(name, table[table["item"] == item])
    forecast = brand.table("forecast")
    own = forecast[forecast["item"] == item]
    # Rows without demand: they hold the starts of all buckets, and nobody asks for anything.
    starts = forecast.drop_duplicates("start").assign(item=item)
    numbers = [name for name in forecast.columns if name not in ("start", "region", "item")]
    starts = starts.assign(**{name: starts[name] * 0.0 for name in numbers})
    return brand.with_table("forecast", pd.concat([own, starts], ignore_index=True))


def _offers(problem: Problem, costs: UnitCosts, demand: int, flows: pd.DataFrame) -> Offers:
    """Returns what every service asks from every site and customs state, and units that go so."""
    axes, region = problem.axes, int(problem.demands.region[demand])
    shape = len(costs.sites), len(costs.services)
    allowed = np.broadcast_to(costs.allowed, costs.shape)[0, :, region]
    totals = (costs.total, costs.bonded_total)
    cost = [np.where(allowed, total[0, :, region], np.inf) for total in totals]
    units = np.zeros((2, *shape))
    bucket = pd.Timestamp(axes.buckets[problem.demands.bucket[demand]])
    own = flows[
        (flows["item"] == axes.items[0])
        & (flows["region"] == axes.regions[region])
        & (flows["bucket"] == bucket)
    ]
    at = (
        (own["customs"] == "bonded").to_numpy(dtype=np.intp),
        pd.Index(costs.sites).get_indexer(pd.Index(own["site"])),
        pd.Index(costs.services).get_indexer(pd.Index(own["service"])),
    )
    np.add.at(units, at, own["quantity"].to_numpy(dtype=float))
    sites = pd.Index(axes.sites).get_indexer(pd.Index(costs.sites))
    return Offers(
        np.tile(sites, 2), np.repeat([False, True], len(sites)), np.concatenate(cost),
        units.reshape(-1, shape[1]),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Refusing:
    """What cannot be done, and the first reason that is known."""

    brand: Brand
    one: Brand
    rates: RateBook
    costs: UnitCosts
    told: Alternatives

    def all(self, open_sites: frozenset[str]) -> Iterator[Refused]:
        """Yields sites that are closed or empty, then services that may not go from the others."""
        sites = self.brand.table("sites")
        serving = sites[sites["tier"].isin(SERVING_TIERS)]
        for site, status in zip(serving["site"], serving["status"], strict=True):
            if status == CLOSED or (status == "decide" and site not in open_sites):
                yield Refused(str(site), "", CLOSED if status == CLOSED else STAYS_CLOSED)
        offering = {way.site for way in self.told.ways}
        for at, site in enumerate(self.costs.sites):
            yield from self._services(at, site)
            if site not in offering and self._allowed[at].any():
                yield Refused(site, "", NO_STOCK_THERE)

    @property
    def _region(self) -> int:
        return self.costs.regions.index(self.told.region)

    @property
    def _allowed(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
        return np.broadcast_to(self.costs.allowed, self.costs.shape)[0, :, self._region]

    def _services(self, at: int, site: str) -> Iterator[Refused]:
        """Yields the services that refuse, of those that somewhere have a rate to the region."""
        item = Catalog.of(self.one).items[0]
        for number, service in enumerate(services_of(self.brand)):
            transit = self.rates.transit_days[number, :, self._region]
            if self._allowed[at, number] or np.isnan(transit).all():
                continue
            rated = not np.isnan(transit[at])
            yield Refused(site, service.service, _refusal(service, item) if rated else NO_RATE)


def _refusal(service: Service, item: Item) -> str:
    longest = max(item.length_cm, item.width_cm, item.height_cm)
    if not service.accepts(item.hazard):
        return f"hazard not accepted: {item.hazard}"
    if item.weight_kg > service.max_weight_kg:
        return f"too heavy: {item.weight_kg:g} kg, at most {service.max_weight_kg:g}"
    if longest > service.max_length_cm:
        return f"too long: {longest:g} cm, at most {service.max_length_cm:g}"
    return "heavier than its rates"
