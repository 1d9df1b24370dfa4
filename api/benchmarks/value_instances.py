"""Instances of orders that compete for stock and slots, from a seed, as brands."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.brand import Brand, Weights
from core.folder.columns import blank
from core.folder.schema import tables
from core.folder.writer import complete
from routing.fulfillment.order import Order, OrderLine

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

TODAY = date(2026, 9, 7)
WEEKS, PAST_WEEKS = 4, 26
ITEMS, SITES, REGIONS = 12, 5, 8
UNITS = 60.0
"""The mean item is asked for so many times in the weeks ahead."""

HOLDING = 3.6
"""The mean item is held by so many sites."""

COVER = (0.8, 1.6)
"""Stock of an item over what is expected of it, unevenly spread over the sites that hold it."""

SLOTS = 1.1
"""Units that all sites pack in a week over what is expected, shared as stock is."""

MAP_KM = 100.0
FAR_IN_TIME = 2_000.0
"""Promised hours that nothing misses: the instances are about stock and slots."""


@dataclass(frozen=True, eq=False)
class Instance:
    """A brand with its past demand, the orders to come (one unit each), and their demand by week.

    One unit an order, no tax, no lateness: the cost of serving it is that of the allocation's lane,
    so the bound of the allocation of `truth` is a bound of whatever serves the orders.
    """

    brand: Brand
    orders: tuple[Order, ...]
    truth: pd.DataFrame

    @property
    def by_day(self) -> pd.DataFrame:
        """The demand of the orders by day, in the layout of `forecast.parquet`."""
        rows = [(pd.Timestamp(order.placed_at.date()), order.region, line.item, line.quantity)
                for order in self.orders for line in order.lines]  # fmt: skip
        frame = pd.DataFrame(rows, columns=["start", "region", "item", "mean"])
        frame = frame.astype({"mean": float})
        return frame.groupby(["start", "region", "item"], as_index=False)[["mean"]].sum()


def instance(seed: int) -> Instance:
    """Returns a brand and its orders; the same seed gives the same.

    Demand is Poisson about rates of item and region that never change; stock was placed by somebody
    who knew the rates of items but not where they are asked for.
    """
    rng = np.random.default_rng(seed)
    here, there = (rng.uniform(0, MAP_KM, (count, 2)) for count in (SITES, REGIONS))
    weekly = rng.gamma(0.8, 1 / 0.8, ITEMS) * UNITS / WEEKS + 0.5
    rate = weekly[:, None] * rng.dirichlet(np.full(REGIONS, 2.0))
    past = rng.poisson(rate, (PAST_WEEKS, ITEMS, REGIONS))
    ahead = rng.poisson(rate, (WEEKS, ITEMS, REGIONS))
    stock = _stock(rng, weekly * WEEKS)
    slots = np.ceil(stock.sum(axis=0) / stock.sum() * weekly.sum() * SLOTS)
    frames = {
        "sites": _sites(rng, here, slots),
        "regions": _places("region", there).assign(promise_hours=FAR_IN_TIME),
        "items": _items(rng),
        "stock": _listed(stock, ("item", "site"), "on_hand"),
        "services": pd.DataFrame({"service": ["ROAD"], "carrier": ["Fleet"], "mode": ["road"]}),
        "rates": _rates(rng, here, there),
        "demand": _by_week(past, -PAST_WEEKS, "date", "quantity"),
        "taxes": pd.DataFrame({"country": ["DE"], "rate": [0.0], "valid_from": ["2020-01-01"]}),
    }
    made = {name: complete(name, frame) for name, frame in frames.items()}
    brand = Brand(
        name="Value", currency="EUR", today=TODAY, rules_date=TODAY, horizon_weeks=WEEKS,
        weights=Weights(), tables=MappingProxyType({n: blank(n) for n in tables()} | made),
    )  # fmt: skip
    return Instance(brand, tuple(_orders(rng, ahead)), _by_week(ahead, 0, "start", "mean"))


def _stock(rng: np.random.Generator, expected: Floats) -> Counts:
    """Returns whole units by item and site."""
    holds = rng.random((ITEMS, SITES)) < HOLDING / SITES
    holds[np.arange(ITEMS), rng.integers(0, SITES, ITEMS)] = True
    share = np.where(holds, rng.gamma(1.0, 1.0, (ITEMS, SITES)), 0.0)
    share /= share.sum(axis=1, keepdims=True)
    return np.ceil(share * (expected * rng.uniform(*COVER, ITEMS))[:, None]).astype(np.int64)


def _places(kind: str, points: Floats) -> pd.DataFrame:
    latitude, longitude = 50 + points[:, 0] / 111, 8 + points[:, 1] / 70
    names = [f"{kind[0].upper()}{at}" for at in range(len(points))]
    return pd.DataFrame(
        {kind: names, "country": "DE", "latitude": latitude, "longitude": longitude}
    )


def _sites(rng: np.random.Generator, here: Floats, slots: Floats) -> pd.DataFrame:
    handling = np.round(rng.uniform(0.2, 0.8, SITES), 2)
    return _places("site", here).assign(
        tier="central", time_zone="UTC", cutoff="23:59", handling_cost=handling,
        outbound_units=slots,
    )  # fmt: skip


def _items(rng: np.random.Generator) -> pd.DataFrame:
    value = np.round(rng.lognormal(3.0, 0.7, ITEMS), 2)
    return pd.DataFrame(
        {
            "item": [f"I{at}" for at in range(ITEMS)],
            "category": "goods",
            "weight_kg": np.round(rng.lognormal(-0.5, 0.8, ITEMS), 3),
            "volume_m3": 1e-4,
            "value": value,
            "unmet_penalty": unmet_penalty(value),
        }
    )


def unmet_penalty(value: Floats) -> Floats:
    """Returns what a unit costs that nobody serves: most of its margin, and a customer's temper."""
    return np.round(0.6 * value + 15.0, 2)


def _rates(rng: np.random.Generator, here: Floats, there: Floats) -> pd.DataFrame:
    km = np.linalg.norm(here[:, None] - there[None], axis=2)
    price = (2.0 + 0.06 * km) * rng.uniform(0.9, 1.1, km.shape)
    site, region = np.indices(km.shape).reshape(2, -1)
    return pd.DataFrame(
        {
            "service": "ROAD",
            "site": [f"S{at}" for at in site],
            "region": [f"R{at}" for at in region],
            "base_price": np.round(0.6 * price.ravel(), 2),
            "price_per_kg": np.round(1.2 * price.ravel(), 2),
            "transit_days": 1.0,
            "transit_days_p95": 1.0,
        }
    )


def _listed(counts: Counts, names: tuple[str, ...], column: str) -> pd.DataFrame:
    """Returns the cells above 0 as rows; names are numbered by the first letter of their axis."""
    places = np.nonzero(counts)
    named = {
        name: [f"{name[0].upper()}{at}" for at in place]
        for name, place in zip(names, places, strict=True)
    }
    return pd.DataFrame({**named, column: counts[places].astype(float)})


def _by_week(counts: Counts, first: int, date_column: str, column: str) -> pd.DataFrame:
    rows = [
        _listed(units, ("item", "region"), column).assign(
            **{date_column: pd.Timestamp(TODAY) + pd.Timedelta(weeks=first + week)}
        )
        for week, units in enumerate(counts)
    ]
    return pd.concat(rows, ignore_index=True)


def _orders(rng: np.random.Generator, ahead: Counts) -> list[Order]:
    """Returns one order for each unit, at a moment drawn from its week."""
    begin = datetime.combine(TODAY, time(), UTC)
    orders: list[Order] = []
    for week, item, region in np.argwhere(ahead):
        for minute in rng.integers(0, 7 * 24 * 60, ahead[week, item, region]):
            placed = begin + timedelta(weeks=int(week), minutes=int(minute))
            line = OrderLine(1, f"I{item}", 1)
            orders.append(Order(f"O{len(orders)}", f"R{region}", placed, (line,)))
    return orders
