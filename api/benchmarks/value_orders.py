"""Instances of real orders: weeks of a gift shop's orders against stock that was placed badly."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from types import MappingProxyType

import numpy as np
import pandas as pd

from api.benchmarks.value_instances import COVER, SLOTS, WEEKS, Instance, unmet_penalty
from core.brand import Brand
from core.folder.columns import blank
from core.folder.writer import complete
from examples.online_retail.build import build
from routing.fulfillment.order import Order, OrderLine
from warehouses.network import Network

BEST_SELLERS, ITEMS = 40, 20
"""Items that sell best, and so many of them drawn for an instance."""

UNITS = 6
"""Orders of more units of these items are left out: bounds are exact for small ones."""

PAST_WEEKS = 26
FIRST, LAST = date(2010, 9, 6), date(2011, 10, 31)
"""Mondays between which the weeks ahead begin."""

_KEPT = ("sites", "regions", "items", "services", "rates", "duties", "taxes")


def real_instance(seed: int) -> Instance:
    """Returns real orders of some items and weeks, and stock that is drawn; from a seed.

    Real are the orders: who asked for what, how much of it, when, at what price. Stock is as much
    as was sold before, more or less, but spread over the hubs by chance; hubs pack little more
    than is usual. No goods are on their way.
    """
    shop, rng = _shop(), np.random.default_rng(seed)
    weeks = (LAST - FIRST).days // 7
    today = FIRST + timedelta(weeks=int(rng.integers(weeks + 1)))
    names = shop.table("items")["item"].to_numpy()
    chosen = sorted(str(name) for name in rng.choice(names, ITEMS, replace=False))
    lines = _small(shop.table("orders"), chosen)
    day = lines["placed_at"].dt.tz_convert(None).dt.normalize()
    begin, end = pd.Timestamp(today), pd.Timestamp(today + timedelta(weeks=WEEKS))
    past, ahead = lines[day < begin], lines[(day >= begin) & (day < end)]
    recent = past[day[past.index] >= begin - pd.Timedelta(weeks=PAST_WEEKS)]
    weekly = recent.groupby("item")["quantity"].sum().reindex(chosen, fill_value=0) / PAST_WEEKS
    brand = _brand(shop, today, chosen, weekly, rng)
    brand = brand.with_table("demand", complete("demand", _demand(past, day)))
    brand = brand.with_table("orders", complete("orders", past))
    return Instance(brand, _orders(ahead), _by_week(ahead, day, begin))


@cache
def _shop() -> Brand:
    return build(BEST_SELLERS, lambda _share, _said: None).brand


def _small(lines: pd.DataFrame, chosen: list[str]) -> pd.DataFrame:
    """The lines of some items, of orders that ask for few units of them."""
    own = lines[lines["item"].isin(chosen)]
    units = own.groupby("order")["quantity"].transform("sum")
    return own[units <= UNITS].reset_index(drop=True)


def _demand(past: pd.DataFrame, day: "pd.Series[pd.Timestamp]") -> pd.DataFrame:
    rows = past.assign(date=day[past.index])
    return rows.groupby(["date", "region", "item"], as_index=False)[["quantity"]].sum()


def _by_week(
    ahead: pd.DataFrame, day: "pd.Series[pd.Timestamp]", begin: pd.Timestamp
) -> pd.DataFrame:
    week = (day[ahead.index] - begin).dt.days // 7
    rows = ahead.assign(
        start=begin + pd.to_timedelta(7 * week, unit="D"), mean=ahead["quantity"].astype(float)
    )
    return rows.groupby(["start", "region", "item"], as_index=False)[["mean"]].sum()


def _orders(ahead: pd.DataFrame) -> tuple[Order, ...]:
    orders = []
    for name, own in ahead.groupby("order", sort=False):
        first = own.iloc[0]
        lines = tuple(
            OrderLine(int(row["line"]), str(row["item"]), int(row["quantity"]),
                      Decimal(str(row["price"])))
            for row in own.to_dict("records")
        )  # fmt: skip
        placed = first["placed_at"].to_pydatetime()
        orders.append(Order(str(name), str(first["region"]), placed, lines))
    return tuple(orders)


def _brand(
    shop: Brand,
    today: date,
    chosen: list[str],
    weekly: "pd.Series[float]",
    rng: np.random.Generator,
) -> Brand:
    items = shop.table("items")
    items = items[items["item"].isin(chosen)].reset_index(drop=True)
    penalty = unmet_penalty(items["value"].to_numpy(dtype=float))
    hubs = [site.site for site in Network.of(shop).serving]
    share = rng.gamma(1.0, 1.0, (ITEMS, len(hubs)))
    share /= share.sum(axis=1, keepdims=True)
    cover = rng.uniform(*COVER, ITEMS) * weekly.to_numpy() * WEEKS
    stock = np.ceil(share * cover[:, np.newaxis])
    slots = np.ceil(stock.sum(axis=0) / stock.sum() * weekly.sum() * SLOTS)
    sites = shop.table("sites")
    sites = sites[sites["site"].isin(hubs)].reset_index(drop=True)
    limited = dict(zip(hubs, slots.tolist(), strict=True))
    frames = {name: shop.table(name) for name in _KEPT} | {
        "items": items.assign(unmet_penalty=penalty),
        "sites": sites.assign(
            outbound_units=sites["site"].map(limited), customs="free", fixed_cost=0.0
        ),
        "stock": _stock(stock, chosen, hubs),
    }
    made = {name: complete(name, frame) for name, frame in frames.items()}
    rest = {name: blank(name) for name in shop.tables}
    return replace(
        shop, today=today, horizon_weeks=WEEKS, tables=MappingProxyType({**rest, **made})
    )


def _stock(units: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", items: list[str],
           sites: list[str]) -> pd.DataFrame:  # fmt: skip
    item, site = np.nonzero(units)
    return pd.DataFrame({
        "site": [sites[at] for at in site],
        "item": [items[at] for at in item],
        "on_hand": units[item, site],
    })  # fmt: skip
