"""Stock: what lies where on the planning date and what is on its way, by a stated rule.

The source knows sales only. Each item gets a cover drawn from a fixed sequence: on hand 40 to 75 %
of the units expected over the horizon, on its way another 5 to 35 %. So some items end short, and
prices tell which.
"""

from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from examples.online_retail.outlook import Outlook
from examples.online_retail.reading import table

SEED = 20110905
ON_HAND = (0.40, 0.75)
ON_THE_WAY = (0.05, 0.35)
DAYS_IN_BOND = (10, 170)
DUE_DAYS = (10, 75)
INBOUND_SITES = {"DE-HAM": 0.6, "US-LAX": 0.1, "TH-BKK": 0.15, "AE-DXB": 0.15}
"""Where purchase orders on their way arrive, as shares of their number."""


def stock(outlook: Outlook, today: date) -> pd.DataFrame:
    """Returns units on hand by hub and item; what lies in bond says since when."""
    sites = table("sites").dropna(subset=["stock_share"])
    random = np.random.default_rng(SEED)
    cover = random.uniform(*ON_HAND, size=len(outlook.units))
    total = np.ceil(outlook.units.to_numpy() * cover).astype(np.int64)
    units = np.array([_split(int(units), sites["stock_share"].to_numpy()) for units in total])
    days = random.integers(*DAYS_IN_BOND, size=units.shape)
    frame = pd.DataFrame(
        {
            "site": np.repeat(sites["site"].to_numpy(), len(units)),
            "item": np.tile(outlook.units.index.to_numpy(), len(sites)),
            "on_hand": units.T.ravel(),
            "customs": np.repeat(sites["customs"].to_numpy(), len(units)),
        }
    )
    since = pd.Timestamp(today) - pd.to_timedelta(days.T.ravel(), unit="D")
    bonded = (frame["customs"] == "bonded").to_numpy(bool)
    frame["bonded_since"] = pd.Series(since).where(bonded)
    return frame[frame["on_hand"] > 0].reset_index(drop=True)


def _split(units: int, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns whole units by share that add up (largest remainders get the last ones)."""
    exact = units * shares / shares.sum()
    whole: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    last = np.argsort(whole - exact, kind="stable")[: units - int(whole.sum())]
    whole[last] += 1
    return whole


def inbound(outlook: Outlook, today: date) -> pd.DataFrame:
    """Returns two purchase orders on their way for each item, due within the horizon."""
    random = np.random.default_rng(SEED + 1)
    items = np.repeat(outlook.units.index.to_numpy(), 2)
    share = random.uniform(*ON_THE_WAY, size=len(items)) / 2
    quantity = np.maximum(1, np.rint(np.repeat(outlook.units.to_numpy(), 2) * share))
    days = random.integers(*DUE_DAYS, size=len(items))
    site = random.choice(list(INBOUND_SITES), size=len(items), p=list(INBOUND_SITES.values()))
    return pd.DataFrame(
        {
            "site": site,
            "item": items,
            "quantity": quantity.astype(np.int64),
            "due": pd.Timestamp(today) + pd.to_timedelta(days, unit="D"),
            "purchase_order": [f"PO-{today.year}-{at + 1:05d}" for at in range(len(items))],
        }
    )
