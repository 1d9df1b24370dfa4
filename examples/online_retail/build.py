"""The builder: real orders of a gift shop on a network of six hubs, as one brand."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from types import MappingProxyType

import pandas as pd

from core.brand import Brand, Targets, Weights
from core.errors import BadInput
from core.folder.columns import blank
from core.folder.schema import tables
from core.folder.writer import complete
from core.fx import rate_on
from examples.online_retail import (
    catalog,
    customs,
    history,
    markets,
    network,
    rate_cards,
    sourcing,
    stocking,
)
from examples.online_retail.outlook import Outlook, outlook
from examples.online_retail.sales import Sales, read_sales

TODAY = date(2011, 9, 5)
"""The planning date: 13 weeks of later sales stay hidden for replay."""

RULES_DATE = date(2026, 9, 1)
"""The old orders are planned under the duty and tax rules of this date."""

HORIZON_WEEKS = 13
MOST_ITEMS = 4_000

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Example:
    """The brand, and what the README tells."""

    brand: Brand
    sales: Sales
    outlook: Outlook


def build(items: int, progress: Progress) -> Example:
    """Returns the example with the `items` best sellers; the same count gives the same brand.

    Raises `BadInput` for a count out of range.
    """
    if not 1 <= items <= MOST_ITEMS:
        raise BadInput(f"Expected from 1 to {MOST_ITEMS} items, got {items}.")
    progress(0.0, "Reading the source")
    sales = read_sales()
    progress(0.2, "Choosing items and regions")
    regions, region_of = markets.regions_of(sales.sold)
    chosen = catalog.best_sellers(sales.sold, sales.returned, TODAY, items)
    sold = _of_items(sales.sold, chosen["item"], region_of)
    returned = _of_items(sales.returned, chosen["item"], region_of)
    progress(0.3, "Counting demand and orders")
    frames = {
        "regions": regions,
        "items": chosen,
        "demand": history.demand_of(sold),
        "orders": history.orders_of(sold),
        "returns": history.returns_of(returned),
    }
    expected = outlook(frames["demand"], chosen["item"], TODAY, HORIZON_WEEKS)
    progress(0.5, "Laying lanes and rate cards")
    frames |= _network(chosen, regions, expected, lambda share: progress(0.5 + 0.3 * share, ""))
    progress(0.8, "Stocking the hubs")
    frames |= _stock(expected)
    brand = _brand(frames)
    progress(0.9, "Asking suppliers")
    brand = _with(brand, _sourcing(brand, expected))
    progress(1.0, "Done")
    return Example(brand, sales, expected)


def _of_items(lines: pd.DataFrame, items: pd.Series, region_of: dict[str, str]) -> pd.DataFrame:
    chosen = lines[lines["item"].isin(items)].reset_index(drop=True)
    return chosen.assign(region=chosen["market"].map(region_of))


def _network(
    items: pd.DataFrame, regions: pd.DataFrame, expected: Outlook, progress: Callable[[float], None]
) -> dict[str, pd.DataFrame]:
    by_item = items.set_index("item")
    cm3 = by_item["length_cm"] * by_item["width_cm"] * by_item["height_cm"]
    volume_m3 = cm3 / 1e6
    sites = network.sites(expected, volume_m3)
    countries = {*sites["country"], *regions["country"]}
    points = network.points_of(sites, "site")
    return {
        "sites": sites,
        "services": network.services(expected, by_item["weight_kg"]),
        "lanes": network.lanes(points, expected.per_week(volume_m3)),
        "rates": rate_cards.rates(sites, regions, progress),
        "duties": customs.duties(),
        "taxes": customs.taxes(countries),
    }


def _stock(expected: Outlook) -> dict[str, pd.DataFrame]:
    return {
        "stock": stocking.stock(expected, TODAY),
        "inbound": stocking.inbound(expected, TODAY),
    }


def _sourcing(brand: Brand, expected: Outlook) -> dict[str, pd.DataFrame]:
    items = brand.table("items")
    offered = sourcing.offers(items, expected, cache(lambda name: rate_on(brand, name, TODAY)))
    return {
        "suppliers": sourcing.suppliers(),
        "offers": offered,
        "deliveries": sourcing.deliveries(offered, TODAY),
        "surveys": sourcing.surveys(TODAY),
    }


def _brand(frames: dict[str, pd.DataFrame]) -> Brand:
    empty = Brand(
        name="Online Retail",
        currency="GBP",
        today=TODAY,
        rules_date=RULES_DATE,
        horizon_weeks=HORIZON_WEEKS,
        targets=Targets(),
        weights=Weights(
            carbon_price_per_tonne=60.0,
            lateness_cost_per_day=0.4,
            split_cost=1.5,
            unmet_share_of_value=1.0,
        ),
        tables=MappingProxyType({name: blank(name) for name in tables()}),
    )
    return _with(empty, frames)


def _with(brand: Brand, frames: dict[str, pd.DataFrame]) -> Brand:
    made = {name: complete(name, frame) for name, frame in frames.items()}
    return replace(brand, tables=MappingProxyType({**brand.tables, **made}))
