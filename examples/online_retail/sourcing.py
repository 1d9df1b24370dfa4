"""Sourcing: synthetic suppliers, offers, deliveries and surveys; the same on every run."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.brand import Row
from examples.online_retail.outlook import Outlook
from examples.online_retail.reading import table

SEED = 20110907
COST_SHARE = 0.45
"""What a unit costs at its maker, as a share of its price."""

SECOND_SOURCES = {
    "TH": (("SIAM-CRAFT", 0.65, 1.0), ("AYUTTHAYA-WOOD", 0.35, 1.0), ("NINGBO-HOME", 0.0, 1.12)),
    "CN": (("NINGBO-HOME", 0.60, 1.0), ("ZHEJIANG-GIFTS", 0.40, 1.0)),
    "IN": (("MUMBAI-WEAVES", 1.00, 1.0), ("NINGBO-HOME", 0.0, 1.10)),
    "GB": (("STOKE-POTTERY", 1.00, 1.0), ("ZHEJIANG-GIFTS", 0.0, 0.95)),
}
"""Who offers the items of an origin: supplier, share of volume today, factor on its cost.

A supplier with no share today is qualified for every other item.
"""

CARTON = 12
DELIVERIES = 36
RATERS = ("buying", "design")

Exchange = Callable[[str], float]
"""Settlement units that one unit of a currency is worth on the planning date."""


def suppliers() -> pd.DataFrame:
    """Returns the suppliers."""
    frame = table("suppliers")
    columns = ["supplier", "name", "parent", "site", "key_account"]
    return frame[[*columns, "recover_days_low", "recover_days_likely", "recover_days_high"]]


def offers(items: pd.DataFrame, outlook: Outlook, exchange: Exchange) -> pd.DataFrame:
    """Returns who offers each item at what cost, in the currency of the supplier."""
    known = table("suppliers").set_index("supplier").to_dict("index")
    weekly = outlook.units / outlook.weeks
    rows = []
    for at, item in enumerate(items.to_dict("records")):
        for supplier, share, factor in SECOND_SOURCES[str(item["origin"])]:
            terms = known[supplier]
            pounds = COST_SHARE * float(item["value"]) * factor * float(terms["cost_factor"])
            rows.append(
                {
                    "supplier": supplier,
                    "item": item["item"],
                    "unit_cost": round(pounds / exchange(str(terms["currency"])), 2),
                    "currency": terms["currency"],
                    "moq": int(terms["moq"]),
                    "multiple": CARTON,
                    "lead_days": terms["lead_days"],
                    "capacity_per_week": _capacity(float(weekly.iloc[at]), share),
                    "qualified": share > 0 or at % 2 == 0,
                    "share": share,
                }
            )
    return pd.DataFrame(rows)


def _capacity(units_per_week: float, share: float) -> float:
    """A supplier can make half as much again as it is asked for; a second source, most of all."""
    return float(np.ceil(units_per_week * (1.5 * share or 0.8) / CARTON) * CARTON)


def deliveries(offered: pd.DataFrame, today: date) -> pd.DataFrame:
    """Returns three deliveries a month of each supplier over the year before `today`."""
    random = np.random.default_rng(SEED)
    made = []
    for terms in table("suppliers").to_dict("records"):
        items = offered.loc[offered["supplier"] == terms["supplier"], "item"].to_numpy()
        if len(items):
            made.append(_deliveries(terms, items, today, random))
    return pd.concat(made, ignore_index=True)


def _deliveries(
    terms: Row, items: NDArray[np.object_], today: date, random: np.random.Generator
) -> pd.DataFrame:
    """Returns the deliveries of one supplier, drawn around the habits of suppliers.csv."""
    habit = {key: float(str(terms[key])) for key in _HABITS}
    ago = np.linspace(365, 30, DELIVERIES).astype(int)
    committed = pd.Timestamp(today) - pd.to_timedelta(ago, unit="D")
    late = np.rint(random.gamma(1.2, habit["late_days"], DELIVERIES) - 1).clip(-2, 28)
    ordered = random.integers(4, 30, DELIVERIES) * CARTON
    short = random.beta(2, 2 / max(1 - habit["fill"], 1e-3), DELIVERIES)
    received = np.rint(ordered * (1 - short))
    return pd.DataFrame(
        {
            "supplier": terms["supplier"],
            "item": np.resize(items, DELIVERIES),
            "committed": committed,
            "received": committed + pd.to_timedelta(late, unit="D"),
            "ordered_quantity": ordered,
            "received_quantity": received,
            "defective_quantity": random.binomial(received.astype(int), habit["defect"]),
            "price_index": (habit["price_drift"] + random.normal(0, 0.01, DELIVERIES)).round(3),
            "answer_hours": random.gamma(2, habit["answer_hours"] / 2, DELIVERIES).round(1),
        }
    )


_HABITS = ("late_days", "fill", "defect", "price_drift", "answer_hours")


def surveys(today: date) -> pd.DataFrame:
    """Returns the quarterly ratings of each supplier by two teams."""
    random = np.random.default_rng(SEED + 1)
    rows = []
    for terms in table("suppliers").to_dict("records"):
        for weeks in (52, 39, 26, 13):
            for rater in RATERS:
                mark = float(terms["innovation"]) + random.normal(0, 0.3)
                rows.append(
                    {
                        "supplier": terms["supplier"],
                        "date": pd.Timestamp(today) - pd.Timedelta(weeks=weeks),
                        "innovation": round(float(np.clip(mark, 1, 5)), 1),
                        "rater": rater,
                    }
                )
    return pd.DataFrame(rows)
