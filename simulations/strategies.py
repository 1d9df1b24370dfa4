"""Strategies: the cheapest plan now, and the cheapest plan under the prices of an allocation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pandas as pd

from core.brand import Brand
from core.folder.writer import complete
from routing.allocation.allocate import allocate
from routing.allocation.prices import Prices, mean_of
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.order import Availability, Order, Wishes
from routing.fulfillment.plan import Plan
from routing.fulfillment.planning import plan
from simulations.serving import Key, Policy, Strategy

DAYS_PER_WEEK = 7
GAP = 1e-3
"""How near to the best plan an allocation has to be whose prices are asked for."""


def myopic(context: PlanningContext) -> Strategy:
    """Returns the strategy of the cheapest full cost now; what later orders need costs nothing."""
    alone, wishes = replace(context, prices=None), Wishes()

    def policy(order: Order, available: Availability) -> Plan:
        return plan(order, available, alone, wishes)

    return lambda _day, _left: policy


def priced(
    brand: Brand,
    context: PlanningContext,
    futures: Sequence[pd.DataFrame],
    wishes: Wishes,
    seed: int = 0,
) -> Strategy:
    """Returns the strategy of the cheapest full cost under shadow prices, renewed when asked.

    Prices are the mean of those of allocations of what is then left, one for each of the `futures`
    of demand by day (layout of `forecast.parquet`). Their weeks begin on the day of asking, so what
    is over of this week does not count again; the slots of a week begun are taken as whole.
    """
    end = brand.today + timedelta(weeks=brand.horizon_weeks)

    def strategy(day: date, left: Mapping[Key, int]) -> Policy:
        later = _later(brand, day, end, left)
        prices = mean_of([_prices(later, future, seed) for future in futures])
        now = replace(context, prices=prices)

        def policy(order: Order, available: Availability) -> Plan:
            return plan(order, available, now, wishes)

        return policy

    return strategy


def _prices(brand: Brand, future: pd.DataFrame, seed: int) -> Prices:
    day = pd.Timestamp(brand.today)
    rest = future[future["start"] >= day]
    week = (rest["start"] - day).dt.days // DAYS_PER_WEEK
    weekly = rest.assign(start=day + pd.to_timedelta(DAYS_PER_WEEK * week, unit="D"))
    summed = weekly.groupby(["start", "region", "item"], as_index=False)[["mean"]].sum()
    return allocate(brand, summed, seed=seed, gap=GAP).prices


def _later(brand: Brand, day: date, end: date, left: Mapping[Key, int]) -> Brand:
    """The brand as it stands on a later day: units left, and only what is still to come."""
    rows = [(*key, float(units)) for key, units in left.items() if units > 0]
    stock = pd.DataFrame(rows, columns=["site", "item", "customs", "on_hand"])
    inbound = brand.table("inbound")
    coming = inbound[inbound["due"] > pd.Timestamp(day)].reset_index(drop=True)
    weeks = -(-(end - day).days // DAYS_PER_WEEK)
    later = replace(brand, today=day, horizon_weeks=weeks)
    return later.with_table("stock", complete("stock", stock)).with_table("inbound", coming)
