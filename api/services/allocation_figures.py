"""Figures of an allocation in the words of a planner: by bucket, by limit, by reason, by lane."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.brand import SERVING_TIERS, Brand
from core.money import Money
from inventory.items import Catalog
from routing.allocation.prices import UNDATED, Prices
from routing.allocation.problem import summed
from routing.allocation.results.explain import proof_told
from routing.lanes import lanes_of

Floats = NDArray[np.float64]

NEARLY_FULL = 0.995
"""A limit that is used up to here counts as full: units and cartons seldom fill it exactly."""

LEAST_PRICE = 0.005
"""Prices below half a cent are those of rounding, or not worth a thought."""

NO_PRICE = np.zeros(1)

CUBIC = "m\N{SUPERSCRIPT THREE}"

WORDS = {
    "outbound_units": ("Packing at {0}", "unit"),
    "kg_per_week": ("{1} from {0}", "kg"),
    "capacity_m3": ("{2} from {0} to {1}", CUBIC),
    "storage_m3": ("Room at {0}", CUBIC),
}
"""Each kind of shared limit in words, by the names in its row, and its unit."""


PARTS = {
    "shipping": "Shipping", "handling": "Handling", "duty": "Duty", "tax": "Tax not recovered",
    "lateness": "Lateness", "carbon": "Carbon", "storage": "Storage", "moves": "Moves",
    "purchases": "Goods bought", "fixed": "Sites open", "unmet": "Unmet demand",
}  # fmt: skip
"""Parts of the cost in the words of a planner."""


@dataclass(frozen=True, eq=False)
class Made:
    """An allocation as it is shown: its document, its tables and its prices."""

    document: Mapping[str, Any]
    flows: pd.DataFrame
    moves: pd.DataFrame
    purchases: pd.DataFrame
    unmet: pd.DataFrame
    prices: Prices

    @property
    def proof(self) -> str:
        """What is proven, as a sentence begins."""
        return proof_told(str(self.document["status"]), float(self.document["gap"]))

    @property
    def starts(self) -> tuple[date, ...]:
        """The first day of each bucket."""
        if self.prices.buckets != (UNDATED,):
            return self.prices.buckets
        days = pd.concat([self.flows["bucket"], self.unmet["bucket"]]).unique()
        return tuple(sorted(pd.Timestamp(day).date() for day in days)) or (UNDATED,)

    @property
    def days(self) -> int:
        """Days of a bucket."""
        apart = [(b - a).days for a, b in zip(self.starts, self.starts[1:], strict=False)]
        return min(apart, default=7)

    @property
    def weeks(self) -> float:
        """Weeks of a bucket."""
        return self.days / 7

    def at(self, table: pd.DataFrame) -> "NDArray[np.intp]":
        """Returns the bucket of each row of a table."""
        starts = pd.DatetimeIndex(np.array(self.starts, dtype="datetime64[us]"))
        return np.asarray(starts.searchsorted(pd.DatetimeIndex(table["bucket"]), side="right") - 1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket: units served, expected units unmet, units moved, and stock at its end."""

    start: date
    served: float
    unmet: float
    moved: float
    stock: float


@dataclass(frozen=True, slots=True)
class Use:
    """How far a shared limit is used: mean and peak share of it, and its prices by bucket."""

    limit: str
    unit: str
    mean: float
    peak: float
    full: int
    price: float
    dearest: date | None


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that binds, in words; `price` is what one more `unit` of it saves at the most.

    It binds in so many `buckets`, and `dearest` is the one with that price. `is_stock` tells what
    is at hand from what items share.
    """

    limit: str
    unit: str
    price: float
    buckets: int
    dearest: str
    is_stock: bool


@dataclass(frozen=True, slots=True)
class Reason:
    """Units and items that stay unmet for one reason."""

    reason: str
    quantity: float
    items: int


@dataclass(frozen=True, slots=True)
class Lane:
    """What moves along one lane: units, items, and the first and last bucket in which it leaves.

    `cost` is that of its goods and of its `departures` with their `containers`.
    """

    from_site: str
    to_site: str
    service: str
    quantity: float
    items: int
    departures: int
    containers: int
    cost: float
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Order:
    """An order that the plan proposes; nothing is ordered yet."""

    supplier: str
    item: str
    site: str
    order_by: date
    due: date
    quantity: int
    total: Money


def buckets_of(brand: Brand, made: Made) -> list[Bucket]:
    """Returns the buckets of an allocation in their order."""
    count = len(made.starts)
    served, unmet, moved = (
        summed(made.at(table), table["quantity"].to_numpy(), count)
        for table in (made.flows, made.unmet, made.moves)
    )
    stock = levels(brand, made)["units"].sum(axis=0)
    rows = zip(made.starts, served, unmet, moved, stock, strict=True)
    return [Bucket(start, *(float(amount) for amount in amounts)) for start, *amounts in rows]


def levels(brand: Brand, made: Made) -> dict[str, Floats]:
    """Returns `units` and `m3` at serving sites at the end of each bucket, [site, bucket].

    What is at hand, what comes in and what the plan buys, less what is shipped and what moves out;
    goods on the way between sites are at neither.
    """
    sites, volume = serving(brand), _per_item(brand, "volume_m3")
    grid = {name: np.zeros((len(sites), len(made.starts))) for name in ("units", "m3")}
    for site, item, bucket, units in _events(brand, made):
        at = pd.Index(sites).get_indexer(pd.Index(site))
        kept = (at >= 0) & (bucket >= 0) & (bucket < len(made.starts))
        where = at[kept], bucket[kept]
        np.add.at(grid["units"], where, units[kept])
        np.add.at(grid["m3"], where, units[kept] * item.map(volume).to_numpy(dtype=float)[kept])
    return {name: np.cumsum(changes, axis=1) for name, changes in grid.items()}


Event = tuple["pd.Series[str]", "pd.Series[str]", "NDArray[np.intp]", Floats]


def _events(brand: Brand, made: Made) -> list[Event]:
    """What changes stock: sites, items, buckets and units, below 0 where goods leave."""
    stock, inbound = brand.table("stock"), brand.table("inbound")
    moves, flows, bought = made.moves, made.flows, made.purchases
    first = pd.Timestamp(made.starts[0])
    now, left = np.zeros(len(stock), dtype=np.intp), made.at(moves)
    come, come_bought = (
        np.maximum(((pd.DatetimeIndex(table["due"]) - first).days // made.days).to_numpy(), 0)
        for table in (inbound, bought)
    )
    return [
        (stock["site"], stock["item"], now, _units(stock["on_hand"])),
        (inbound["site"], inbound["item"], come, _units(inbound["quantity"])),
        (bought["site"], bought["item"], come_bought, _units(bought["needed"])),
        (flows["site"], flows["item"], made.at(flows), -_units(flows["quantity"])),
        (moves["from_site"], moves["item"], left, -_units(moves["quantity"])),
        (moves["to_site"], moves["item"], left + _lead(brand, made), _units(moves["quantity"])),
    ]


def _units(column: "pd.Series[Any]") -> Floats:
    return column.to_numpy(dtype=np.float64)


def _lead(brand: Brand, made: Made) -> "NDArray[np.intp]":
    """Buckets that each move is on its way."""
    days = {
        (lane.from_site, lane.to_site, lane.service): lane.transit_days for lane in lanes_of(brand)
    }
    moves = made.moves
    lanes = zip(moves["from_site"], moves["to_site"], moves["service"], strict=True)
    transit = np.array([days.get(lane, 0.0) for lane in lanes], dtype=float)
    return np.maximum(np.ceil(transit / made.days), 1).astype(np.intp)


def _per_item(brand: Brand, measure: str) -> Mapping[str, float]:
    """A measure of one unit of each item."""
    return {item.item: float(getattr(item, measure)) for item in Catalog.of(brand).items}


def _measured(brand: Brand, table: pd.DataFrame, measure: str) -> "pd.Series[float]":
    """What the units of each row amount to in a measure of their items."""
    return table["quantity"] * table["item"].map(_per_item(brand, measure)).astype(float)


def uses_of(brand: Brand, made: Made) -> list[Use]:
    """Returns how far each shared limit is used, those with the highest price first.

    Limits that nothing uses are left out.
    """
    found = [*_outbound(brand, made), *_carriers(brand, made), *_lanes(brand, made)]
    found += _storage(brand, made)
    used = [use for use in found if use.peak > 0]
    return sorted(used, key=lambda use: (-use.price, -use.peak, use.limit))


def _use(limit: str, unit: str, made: Made, used: Floats, room: float, prices: Floats) -> Use:
    """One limit: what is used of its room, [bucket], and its prices, [bucket]."""
    share = used / room if room > 0 else (used > 0).astype(float)
    price = float(prices.max(initial=0.0))
    dear = price >= LEAST_PRICE
    return Use(
        limit=limit,
        unit=unit,
        mean=float(share.mean()),
        peak=float(share.max(initial=0.0)),
        full=int((share >= NEARLY_FULL).sum()),
        price=price if dear else 0.0,
        dearest=made.prices.buckets[int(prices.argmax())] if dear else None,
    )


def _outbound(brand: Brand, made: Made) -> Iterator[Use]:
    used, prices = _Sums.of(made, made.flows, ["site"], made.flows["quantity"]), made.prices
    for site, week in _limited(brand, "sites", "site", "outbound_units"):
        price = prices.outbound[prices.site_at[site]] if site in prices.site_at else NO_PRICE
        yield _use(f"Packing at {site}", "unit", made, used.at(site), week * made.weeks, price)


def _carriers(brand: Brand, made: Made) -> Iterator[Use]:
    kg = _measured(brand, made.flows, "weight_kg")
    used, prices = _Sums.of(made, made.flows, ["site", "service"], kg), made.prices
    for service, week in _limited(brand, "services", "service", "kg_per_week"):
        for site in serving(brand):
            known = site in prices.site_at and service in prices.service_at
            at = (prices.site_at[site], prices.service_at[service]) if known else ()
            price = prices.carrier_kg[at] if known else NO_PRICE
            room = week * made.weeks
            yield _use(f"{service} from {site}", "kg", made, used.at(site, service), room, price)


def _lanes(brand: Brand, made: Made) -> Iterator[Use]:
    m3 = _measured(brand, made.moves, "volume_m3")
    used = _Sums.of(made, made.moves, ["from_site", "to_site", "service"], m3)
    prices = made.prices
    for lane in lanes_of(brand):
        name = lane.from_site, lane.to_site, lane.service
        if np.isfinite(lane.capacity_m3):
            price = prices.lane_m3[prices.lane_at[name]] if name in prices.lane_at else NO_PRICE
            told = f"{lane.service} from {lane.from_site} to {lane.to_site}"
            yield _use(told, CUBIC, made, used.at(*name), lane.capacity_m3 * made.weeks, price)


def _storage(brand: Brand, made: Made) -> Iterator[Use]:
    level = dict(zip(serving(brand), levels(brand, made)["m3"], strict=True))
    prices = made.prices
    for site, room in _limited(brand, "sites", "site", "storage_m3"):
        if site in level:
            price = prices.storage_m3[prices.site_at[site]] if site in prices.site_at else NO_PRICE
            yield _use(f"Room at {site}", CUBIC, made, level[site], room, price)


def _limited(brand: Brand, table: str, name: str, limit: str) -> Iterator[tuple[str, float]]:
    """Yields what has a limit, and the limit."""
    rows = brand.table(table)
    for owner, most in zip(rows[name], rows[limit].astype(float), strict=True):
        if np.isfinite(most):
            yield str(owner), float(most)


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums of amounts by bucket for each name."""

    known: Mapping[tuple[str, ...], Floats]
    none: Floats

    @classmethod
    def of(
        cls, made: Made, table: pd.DataFrame, names: Sequence[str], amount: "pd.Series[float]"
    ) -> "_Sums":
        """Returns the sums of a table's amounts by some of its columns."""
        count, known = len(made.starts), {}
        rows = table[list(names)].assign(at=made.at(table), amount=amount)
        for _, group in rows.groupby(list(names), observed=True):
            name = tuple(str(group[column].iloc[0]) for column in names)
            known[name] = summed(group["at"].to_numpy(), group["amount"].to_numpy(), count)
        return cls(known, np.zeros(count))

    def at(self, *name: str) -> Floats:
        """Returns the sums of a name, [bucket]."""
        return self.known.get(name, self.none)


def reasons_of(made: Made) -> list[Reason]:
    """Returns why demand stays unmet, the most units first."""
    groups = made.unmet[made.unmet["quantity"] > 0].groupby("reason", observed=True)
    rows = [
        Reason(str(reason), float(group["quantity"].sum()), int(group["item"].nunique()))
        for reason, group in groups
    ]
    return sorted(rows, key=lambda row: -row.quantity)


def moved_lanes(made: Made) -> list[Lane]:
    """Returns what moves along each lane, the most units first."""
    names = ["from_site", "to_site", "service"]
    rows = [_lane(made, group) for _, group in made.moves.groupby(names, observed=True)]
    return sorted(rows, key=lambda row: -row.quantity)


def _lane(made: Made, rows: pd.DataFrame) -> Lane:
    start, end, service = (str(rows[name].iloc[0]) for name in ("from_site", "to_site", "service"))
    left = [
        one
        for one in made.document.get("departures", ())
        if (one["from_site"], one["to_site"], one["service"]) == (start, end, service)
    ]
    goods = float((rows["quantity"] * rows["unit_cost"]).sum())
    return Lane(
        from_site=start,
        to_site=end,
        service=service,
        quantity=float(rows["quantity"].sum()),
        items=int(rows["item"].nunique()),
        departures=len(left) or int(rows["bucket"].nunique()),
        containers=sum(one["containers"] for one in left),
        cost=goods + sum(one["cost"] for one in left),
        first=rows["bucket"].min().date(),
        last=rows["bucket"].max().date(),
    )


def orders_of(made: Made) -> list[Order]:
    """Returns the orders that are proposed, those to place first at the head."""
    rows = made.purchases.sort_values(["order_by", "supplier", "item"], kind="stable")
    return [
        Order(
            supplier=str(row["supplier"]),
            item=str(row["item"]),
            site=str(row["site"]),
            order_by=row["order_by"].date(),
            due=row["due"].date(),
            quantity=int(row["quantity"]),
            total=Money(int(row["total_minor"]), str(row["currency"])),
        )
        for row in rows.to_dict("records")
    ]


def limits_of(brand: Brand, made: Made) -> list[Limit]:
    """Returns the limits that bind in words, each once over all buckets, then the dearest stock."""
    items = brand.table("items")
    names = dict(zip(items["item"], items["name"], strict=True))
    found: dict[str, Limit] = {}
    for row in made.document["binding"]:
        if float(row["price"]) < LEAST_PRICE:
            continue
        kind, _, inside = str(row["row"]).partition("[")
        limit, unit, day = _told(kind, inside.rstrip("]").split(","), names)
        known = found.get(limit, Limit(limit, unit, 0.0, 0, "", kind == "stock"))
        dearer = float(row["price"]) > known.price
        price, dearest = (float(row["price"]), day) if dearer else (known.price, known.dearest)
        found[limit] = replace(known, price=price, buckets=known.buckets + 1, dearest=dearest)
    return list(found.values())


def _told(kind: str, parts: Sequence[str], names: Mapping[str, str]) -> tuple[str, str, str]:
    """Returns a limit in words, its unit and its bucket; a row is written `stock[DE-HAM,MUG]`."""
    if kind == "stock":
        state = " in bond" if parts[2:] else ""
        return f"{names.get(parts[1]) or parts[1]} at {parts[0]}{state}", "unit", ""
    words, unit = WORDS.get(kind, (f"{kind} {{0}}", "unit"))
    count = words.count("{")
    return words.format(*parts), unit, ",".join(parts[count:])


def decided(brand: Brand, open_sites: Collection[str]) -> str:
    """Returns which of the sites that were to be decided open, in a sentence; empty without any."""
    sites = brand.table("sites")
    asked = [str(site) for site in sites["site"][sites["status"] == "decide"]]
    opened = [site for site in asked if site in open_sites]
    closed = [site for site in asked if site not in open_sites]
    told = [
        f"{words} {', '.join(names)}"
        for words, names in (("opens", opened), ("leaves closed", closed))
        if names
    ]
    return f"The plan {' and '.join(told)}." if told else ""


def serving(brand: Brand) -> list[str]:
    """Returns the sites that can serve demand."""
    sites = brand.table("sites")
    return [str(site) for site in sites["site"][sites["tier"].isin(SERVING_TIERS)]]
