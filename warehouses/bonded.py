"""Bonded stock: goods whose duty is suspended, and the days that they may stay so."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from core.brand import Brand
from core.errors import BadInput
from warehouses.network import Network, Site


@dataclass(frozen=True, slots=True)
class BondedLot:
    """Units of one item in bond at a site; `since` is None where nobody noted the day of entry."""

    site: str
    item: str
    units: int
    since: date | None

    def __post_init__(self) -> None:
        if self.units < 0:
            raise BadInput(f"Expected units >= 0 in bond at {self.site}, got {self.units}.")

    def days_in_bond(self, today: date) -> int | None:
        """Returns the whole days spent in bond; None where the day of entry is unknown."""
        return None if self.since is None else (today - self.since).days


def bonded_lots(brand: Brand) -> tuple[BondedLot, ...]:
    """Returns the bonded stock of a brand, in the order of its folder."""
    stock = brand.table("stock")
    bonded = stock[(stock["customs"] == "bonded") & (stock["on_hand"] > 0)]
    return tuple(
        BondedLot(
            site=str(row["site"]),
            item=str(row["item"]),
            units=int(row["on_hand"]),
            since=None if pd.isna(row["bonded_since"]) else row["bonded_since"].date(),
        )
        for row in bonded.to_dict("records")
    )


def leaves_bond_by(site: Site, lot: BondedLot) -> date | None:
    """Returns the last day on which a lot may lie in bond; None where nothing limits it.

    By that day it must be released with duty and tax, or re-exported.
    """
    if lot.since is None or site.bond_days == float("inf"):
        return None
    return lot.since + timedelta(days=int(site.bond_days))


def due_within(
    lots: Iterable[BondedLot], sites: Mapping[str, Site], today: date, days: int
) -> tuple[tuple[date, BondedLot], ...]:
    """Returns the lots whose bond ends within some days of today, or has ended, earliest first."""
    dated = ((leaves_bond_by(sites[lot.site], lot), lot) for lot in lots)
    horizon = today + timedelta(days=days)
    due = [(last, lot) for last, lot in dated if last is not None and last <= horizon]
    return tuple(sorted(due, key=lambda pair: (pair[0], pair[1].site, pair[1].item)))


def bond_calendar(brand: Brand, days: int) -> tuple[tuple[date, BondedLot], ...]:
    """Returns the brand's bonded lots that must leave their bond within some days of today."""
    return due_within(bonded_lots(brand), Network.of(brand).site, brand.today, days)
