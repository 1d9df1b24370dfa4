"""Markets: countries of the source, gathered into demand regions."""

import pandas as pd

from examples.online_retail.reading import table

HOME = "United Kingdom"
OWN_REGIONS = 9
"""Export markets that are regions of their own: the largest by value sold."""

PROMISE_HOURS = {"Europe": 120, "North America": 120, "Asia": 144, "Oceania": 168}
"""Delivery promise by continent; the home market gets 96 hours and all others 216."""


def value_by_market(sold: pd.DataFrame) -> pd.Series:
    """Returns GBP sold by country name of the source, largest first."""
    value = (sold["quantity"] * sold["price"]).groupby(sold["market"]).sum()
    return value.sort_values(ascending=False, kind="stable")


def regions_of(sold: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Returns the regions table and the region of each country name.

    Home and the nine largest export markets are their own regions. The other countries are grouped
    by continent; such a region stands in its largest country and follows the rules of that
    country, and its id says both: `US-NORTH-AMERICA`.
    """
    markets = table("markets").set_index("source_country")
    value = value_by_market(sold)
    own = [HOME, *[name for name in value.index if name != HOME][:OWN_REGIONS]]
    rows, region_of = [], {}
    for name in own:
        rows.append(_region(markets.loc[name], str(markets.loc[name, "country"]), name))
        region_of[name] = str(rows[-1]["region"])
    rest = pd.Series([name for name in value.index if name not in own])
    for continent, names in rest.groupby(rest.map(markets["continent"]), sort=True):
        row = _continent(str(continent), markets.loc[list(names)])
        rows.append(row)
        region_of |= dict.fromkeys(names, str(row["region"]))
    return pd.DataFrame(rows), region_of


def _region(market: pd.Series, region: str, name: str) -> dict[str, object]:
    hours = PROMISE_HOURS.get(str(market["continent"]), 216)
    return {
        "region": region,
        "name": {"EIRE": "Ireland"}.get(name, name),
        "country": market["country"],
        "latitude": market["latitude"],
        "longitude": market["longitude"],
        "promise_hours": 96 if region == "GB" else hours,
        "population": market["population"],
    }


def _continent(continent: str, members: pd.DataFrame) -> dict[str, object]:
    """Returns the region of a continent; `members` come largest first."""
    largest = members.iloc[0]
    region = f"{largest['country']}-{continent.upper().replace(' ', '-')}"
    row = _region(largest, region, f"{continent}, other markets")
    return {**row, "population": members["population"].sum()}
