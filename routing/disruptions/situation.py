"""The situation of a brand: what stands where, what is on its way, and what is needed each day."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from types import MappingProxyType

import numpy as np
import pandas as pd

from core.brand import Brand
from inventory.items import Catalog
from inventory.suppliers.offers import Market
from warehouses.network import Network

TRAILING_DAYS = 91
"""Days of past demand that stand for the near future where there is no forecast: 13 weeks, so
that every weekday counts equally."""


@dataclass(frozen=True)
class Situation:
    """A brand on its planning date, in the form that the questions about a disruption need."""

    brand: Brand

    @cached_property
    def network(self) -> Network:
        """Sites and regions."""
        return Network.of(self.brand)

    @cached_property
    def market(self) -> Market:
        """Suppliers and offers."""
        return Market.of(self.brand)

    @cached_property
    def catalog(self) -> Catalog:
        """Items."""
        return Catalog.of(self.brand)

    @cached_property
    def need(self) -> pd.DataFrame:
        """Units needed per day, with items as rows and regions as columns; 0 where none."""
        rates = _forecast_rates(self.brand)
        if rates.empty:
            rates = _trailing_rates(self.brand)
        items = [item.item for item in self.catalog.items]
        regions = [region.region for region in self.network.regions]
        return rates.reindex(index=items, columns=regions, fill_value=0.0).fillna(0.0)

    @cached_property
    def price(self) -> Mapping[str, float]:
        """Revenue of one unit by item: the mean price of recent demand, else the item's value."""
        recent = _recent(self.brand)
        priced = recent[recent["price"].notna() & (recent["quantity"] > 0)]
        revenue = (priced["price"] * priced["quantity"]).groupby(priced["item"]).sum()
        mean = revenue / priced["quantity"].groupby(priced["item"]).sum()
        values = {item.item: item.value for item in self.catalog.items}
        return MappingProxyType(values | {str(item): float(price) for item, price in mean.items()})

    @cached_property
    def daily_revenue(self) -> float:
        """Revenue of all items per day."""
        prices = np.array([self.price[item] for item in self.need.index])
        return float(prices @ self.need.to_numpy(dtype=float).sum(axis=1))

    @cached_property
    def stock(self) -> Mapping[str, Mapping[str, float]]:
        """Units on hand by item and site, bonded or free."""
        table = self.brand.table("stock")
        held: dict[str, dict[str, float]] = {}
        for item, site, units in zip(table["item"], table["site"], table["on_hand"], strict=True):
            row = held.setdefault(str(item), {})
            row[str(site)] = row.get(str(site), 0.0) + float(units)
        return held

    @cached_property
    def units_per_day(self) -> Mapping[str, float]:
        """Units needed per day by item, all regions together."""
        totals = self.need.to_numpy(dtype=float).sum(axis=1)
        return MappingProxyType(
            {str(item): float(units) for item, units in zip(self.need.index, totals, strict=True)}
        )

    @cached_property
    def _inbound(self) -> Mapping[str, pd.DataFrame]:
        table = self.brand.table("inbound")
        days = (table["due"] - pd.Timestamp(self.brand.today)).dt.days.clip(lower=0)
        dated = table.assign(days=days).sort_values("days", kind="stable")
        return {str(item): rows for item, rows in dated.groupby("item")}

    def arrivals(self, item: str, away: Collection[str]) -> tuple[tuple[float, float], ...]:
        """Returns (days from today, units) of an item due at sites that are not away, in order.

        What is overdue counts as arriving today. Inbound is taken as already on its way: the
        folder does not say from whom.
        """
        if item not in self._inbound:
            return ()
        rows = self._inbound[item]
        rows = rows[~rows["site"].isin(list(away))]
        return tuple(
            (float(day), float(units))
            for day, units in zip(rows["days"], rows["quantity"], strict=True)
        )

    def stock_outside(self, item: str, away: Collection[str]) -> float:
        """Returns the units of an item at sites that are not away."""
        held = self.stock.get(item, {})
        return sum(units for site, units in held.items() if site not in away)

    def held_at(self, sites: Collection[str]) -> frozenset[str]:
        """Returns the items that have stock at any of the sites."""
        return frozenset(
            item
            for item, held in self.stock.items()
            if any(held.get(site, 0.0) > 0 for site in sites)
        )


def _forecast_rates(brand: Brand) -> pd.DataFrame:
    forecast = brand.table("forecast")
    if forecast.empty:
        return pd.DataFrame()
    days = forecast["start"].nunique() * (7 if brand.bucket == "week" else 1)
    return _by_item_and_region(forecast, "mean", days)


def _trailing_rates(brand: Brand) -> pd.DataFrame:
    recent = _recent(brand)
    if recent.empty:
        return pd.DataFrame()
    began = brand.table("demand")["date"].min()
    days = min(TRAILING_DAYS, (pd.Timestamp(brand.today) - began).days + 1)
    return _by_item_and_region(recent, "quantity", days)


def _recent(brand: Brand) -> pd.DataFrame:
    """Demand of the trailing days; what comes after today is hidden from planning."""
    demand = brand.table("demand")
    since = pd.Timestamp(brand.today - timedelta(TRAILING_DAYS))
    return demand[(demand["date"] > since) & (demand["date"] <= pd.Timestamp(brand.today))]


def _by_item_and_region(rows: pd.DataFrame, column: str, days: int) -> pd.DataFrame:
    return rows.pivot_table(column, "item", "region", aggfunc="sum", fill_value=0.0) / days
