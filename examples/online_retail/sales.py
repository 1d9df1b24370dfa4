"""Sales: which lines of the source are demand, which came back, and which are neither."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from examples.online_retail.reading import parquet

GOODS_CODE = r"\d{5}[A-Za-z]{0,2}|DCGS\w+|SP\d{4}|PADS"
"""Stock codes of goods: five digits with up to two letters, and the few house series.

Everything else in the source is money or paper: POST, DOT, C2 and C3 (postage and carriage), M
(manual), D and B (discount, bad debt), S (samples), ADJUST, BANK CHARGES, AMAZONFEE, CRUK, the
GIFT vouchers and the TEST products.
"""

NO_MARKET = "Unspecified"
"""The country name of lines that do not say where they went."""

SOURCE_ZONE = "Europe/London"
"""Invoice times of the source are local to the shop."""


@dataclass(frozen=True)
class Sales:
    """The source, sorted out.

    `sold` and `returned` have the columns invoice, item, quantity (> 0), at (local time), price
    (GBP per unit) and market (country name of the source). `set_aside` counts the lines that are
    neither, by reason.
    """

    sold: pd.DataFrame
    returned: pd.DataFrame
    set_aside: Mapping[str, int]
    lines: int


def read_sales() -> Sales:
    """Returns the whole source, each line in exactly one place."""
    source = parquet("lines")
    lines = pd.DataFrame(
        {
            "invoice": source["InvoiceNo"].astype(str),
            "item": source["StockCode"].astype(str),
            "quantity": source["Quantity"].astype("int64"),
            "at": source["InvoiceDate"],
            "price": source["UnitPrice"].astype("float64").round(4),
            "market": source["Country"].astype(str),
        }
    )
    return sort_out(lines)


def sort_out(lines: pd.DataFrame) -> Sales:
    """Returns the lines as sales, returns and counts of what is neither; first reason wins."""
    canceled = lines["invoice"].str.startswith("C").to_numpy(bool)
    reasons: tuple[tuple[str, NDArray[np.bool_]], ...] = (
        ("not goods (postage, fees, vouchers, samples, manual lines)", ~is_goods(lines["item"])),
        ("no market named", (lines["market"] == NO_MARKET).to_numpy(bool)),
        ("returned or canceled", canceled & (lines["quantity"] < 0).to_numpy(bool)),
        ("stock written off", (lines["quantity"] <= 0).to_numpy(bool)),
        ("without a price (internal moves)", (lines["price"] <= 0).to_numpy(bool)),
    )
    left = np.ones(len(lines), dtype=bool)
    taken: dict[str, NDArray[np.bool_]] = {}
    for reason, flags in reasons:
        taken[reason] = left & flags
        left = left & ~flags
    back = taken.pop("returned or canceled")
    returned = lines[back].assign(quantity=lambda frame: -frame["quantity"])
    counts = {reason: int(flags.sum()) for reason, flags in taken.items()}
    return Sales(_tidy(lines[left]), _tidy(returned), counts, len(lines))


def is_goods(codes: pd.Series) -> NDArray[np.bool_]:
    """Returns for each stock code whether it names goods."""
    known = {code: re.fullmatch(GOODS_CODE, code) is not None for code in codes.unique()}
    return codes.map(known).to_numpy(bool)


def _tidy(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.reset_index(drop=True)


def local_day(at: pd.Series) -> pd.Series:
    """Returns the calendar day of local times, as naive midnight."""
    days: pd.Series = at.dt.normalize().astype("datetime64[s]")
    return days


def in_utc(at: pd.Series) -> pd.Series:
    """Returns local times of the source as moments in UTC."""
    moments: pd.Series = at.dt.tz_localize(SOURCE_ZONE).dt.tz_convert("UTC")
    return moments.astype("datetime64[us, UTC]")
