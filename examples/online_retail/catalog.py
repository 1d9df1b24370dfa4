"""The catalog: best sellers, with measures imputed from their description and price."""

import re
from datetime import date

import numpy as np
import pandas as pd

from examples.online_retail.reading import parquet, table

RANKING_WEEKS = 52
SHORTEST_WEIGHT_KG, LONGEST_WEIGHT_KG = 0.02, 12.0
BOX_RATIO = (1.4, 1.0, 0.7)
"""Length to width to height of the packed unit."""

BULKY_CM, BULKY_KG = 60.0, 8.0
KEY_ITEMS = 5
"""Best sellers that are held to the cover rule of key materials."""


def best_sellers(
    sold: pd.DataFrame, returned: pd.DataFrame, today: date, count: int
) -> pd.DataFrame:
    """Returns the items with the highest value sold, net of returns, in the year before `today`.

    Columns: item, value (median price of a line, GBP), category and all that follows from them;
    best seller first. Items without a sale in that year are never chosen.
    """
    year = _before(sold, today)
    net = _value(year).sub(_value(_before(returned, today)), fill_value=0)
    net = net[net.index.isin(year["item"].unique())]
    ranked = net.rename("net").reset_index().sort_values(["net", "item"], ascending=[False, True])
    price = year.groupby("item")["price"].median()
    chosen = ranked["item"].head(count).reset_index(drop=True)
    return _measured(chosen, chosen.map(price))


def _before(lines: pd.DataFrame, today: date) -> pd.DataFrame:
    end = pd.Timestamp(today)
    recent = (lines["at"] < end) & (lines["at"] >= end - pd.Timedelta(weeks=RANKING_WEEKS))
    return lines[recent]


def _value(lines: pd.DataFrame) -> pd.Series:
    return (lines["quantity"] * lines["price"]).groupby(lines["item"]).sum()


def _measured(items: pd.Series, price: pd.Series) -> pd.DataFrame:
    names = items.map(descriptions()).fillna(items)
    rules = categories()
    of = rules.loc[[category_of(str(name), rules) for name in names]].reset_index()
    weight = (price / of["price_per_kg"]).clip(SHORTEST_WEIGHT_KG, LONGEST_WEIGHT_KG).round(3)
    cm3 = weight / of["density_kg_per_m3"] * 1e6
    side = np.cbrt(cm3 / np.prod(BOX_RATIO))
    length, width, height = ((side * ratio).round(1) for ratio in BOX_RATIO)
    return pd.DataFrame(
        {
            "item": items,
            "name": names,
            "category": of["category"],
            "weight_kg": weight,
            "length_cm": length,
            "width_cm": width,
            "height_cm": height,
            "value": price.round(2),
            "hs_code": of["hs_code"],
            "origin": of["origin"],
            "hazard": of["hazard"],
            "bulky": (length > BULKY_CM) | (weight > BULKY_KG),
            "key_material": np.arange(len(items)) < KEY_ITEMS,
        }
    )


def descriptions() -> "pd.Series[str]":
    """Returns the most frequent description of each stock code."""
    products = parquet("products")
    return products.set_index("StockCode")["description"].astype(str)


def categories() -> pd.DataFrame:
    """Returns the category rules by name, in the order in which they are tried."""
    return table("categories").set_index("category")


def category_of(description: str, rules: pd.DataFrame) -> str:
    """Returns the first category whose pattern a description matches; the last takes the rest."""
    for category, pattern in rules["pattern"].items():
        if pattern and re.search(pattern, description.upper()):
            return str(category)
    return str(rules.index[-1])
