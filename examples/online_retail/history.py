"""History: the sales of the chosen items as demand by day, as orders, and what came back."""

import pandas as pd

from examples.online_retail.sales import in_utc, local_day


def demand_of(sold: pd.DataFrame) -> pd.DataFrame:
    """Returns units by day, region and item, with the average price of those units.

    `sold` carries a region column; days are days of the shop.
    """
    lines = sold.assign(date=local_day(sold["at"]), paid=sold["quantity"] * sold["price"])
    days = lines.groupby(["date", "region", "item"], sort=True, as_index=False)
    demand = days.agg(quantity=("quantity", "sum"), paid=("paid", "sum"))
    price = (demand["paid"] / demand["quantity"]).round(4)
    return demand.drop(columns="paid").assign(price=price)


def orders_of(sold: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per line sold: an invoice is an order, placed when its first line was."""
    lines = sold.sort_values(["at", "invoice"], kind="stable").reset_index(drop=True)
    placed = in_utc(lines["at"]).groupby(lines["invoice"]).transform("min")
    return pd.DataFrame(
        {
            "order": lines["invoice"],
            "line": lines.groupby("invoice").cumcount() + 1,
            "placed_at": placed,
            "region": lines["region"],
            "item": lines["item"],
            "quantity": lines["quantity"],
            "price": lines["price"],
        }
    )


def returns_of(returned: pd.DataFrame) -> pd.DataFrame:
    """Returns units that came back by day, region and item."""
    days = returned.assign(date=local_day(returned["at"]))
    by_day = days.groupby(["date", "region", "item"], as_index=False)
    return by_day.agg(quantity=("quantity", "sum"))
