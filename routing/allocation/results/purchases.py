"""Purchases: the units that a plan buys, rounded up to orders that suppliers take.

The plan buys single units. An order has a least quantity and comes in multiples, so each is rounded
up, and what it brings too much covers what the plan would buy next of the same offer. That is a
proposal made of the plan, not a part of it: the bound on the cost says nothing about rounding, and
an order above what a supplier delivers in a week comes in part by part.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby

import numpy as np
import pandas as pd

from core.brand import Brand
from core.money import Money
from inventory.suppliers.offers import Market, Offer
from inventory.suppliers.orders import day_after
from routing.allocation.plan import Plan
from routing.allocation.problem import BUY, Problem

COLUMNS = {
    "supplier": "str", "item": "str", "site": "str", "order_by": "datetime64[us]",
    "due": "datetime64[us]", "needed": "int64", "quantity": "int64", "unit_cost_minor": "int64",
    "total_minor": "int64", "currency": "str",
}  # fmt: skip
"""`needed` are units that the plan buys, `quantity` those to order for them; money is in minor
units of the currency of the offer."""


def orders_of(offer: Offer, bought: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Yields bucket, units needed and units to order for what is bought of an offer.

    `bought` are pairs of bucket and units, by bucket. An order is made when those before it are
    used up, and covers what is bought from then on as far as it goes.
    """
    total, ordered, orders = sum(units for _, units in bought), 0, []
    so_far = 0
    for bucket, units in bought:
        so_far += units
        if so_far > ordered:
            quantity = max(offer.smallest_order, _up(so_far - ordered, offer.multiple))
            orders.append((bucket, ordered, quantity))
            ordered += quantity
    for bucket, before, quantity in orders:
        yield bucket, min(quantity, total - before), quantity


def _up(units: int, multiple: int) -> int:
    return -(-units // multiple) * multiple


def nothing_bought() -> pd.DataFrame:
    """Returns the orders of a plan that buys nothing."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})


def purchases_of(brand: Brand, problem: Problem, plan: Plan) -> pd.DataFrame:
    """Returns the orders that a plan proposes, by the day on which they have to be placed.

    Goods that are needed in a bucket are due on its first day, or on the first day on which the
    offer can be there.
    """
    bought = np.flatnonzero((problem.transfers.kind == BUY) & (plan.moved > 0))
    if not len(bought):
        return nothing_bought()
    offers = {(offer.supplier, offer.item): offer for offer in Market.of(brand).offers}
    source = problem.transfers.lane[bought]
    bucket = problem.pools.bucket[problem.transfers.end[bought]]
    order = np.lexsort((bucket, source))
    needs = zip(
        source[order].tolist(), bucket[order].tolist(), plan.moved[bought][order].tolist(),
        strict=True,
    )  # fmt: skip
    rows = []
    for at, parts in groupby(needs, key=lambda need: need[0]):
        supplier, item, site = problem.axes.offers[at]
        offer = offers[supplier, item]
        for when, needed, quantity in orders_of(offer, [(when, units) for _, when, units in parts]):
            rows.append((supplier, item, site, *_days(brand, problem, offer, when), needed,
                         quantity, *_money(offer, quantity)))  # fmt: skip
    made = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    keys = ["order_by", "supplier", "site", "item", "due"]
    return made.sort_values(keys, kind="stable", ignore_index=True)


def _days(
    brand: Brand, problem: Problem, offer: Offer, bucket: int
) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The day on which an order has to be placed, and that on which it is due."""
    soonest = day_after(brand.today, offer.lead_days)
    due = max(problem.axes.buckets[bucket], soonest)
    order_by = brand.today + timedelta(days=(due - soonest).days)
    return pd.Timestamp(order_by), pd.Timestamp(due)


def _money(offer: Offer, quantity: int) -> tuple[int, int, str]:
    price = Money.of(offer.price, offer.currency)
    return price.minor, price.minor * quantity, price.currency
