"""Tariffs: the duty and tax rows of a brand, found by destination, origin, HS code and date."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.brand import Brand, Row, number
from core.errors import BadInput, Problem
from core.fx import rate_on
from core.money import exact
from core.places import customs_territory
from inventory.items import Catalog
from routing.landed_cost.rules import Rule, rule_on

Exchange = Callable[[str, date], float]
"""Settlement units that one unit of a currency is worth on a date."""


@dataclass(frozen=True, slots=True)
class DutyRow:
    """One duty rate while it holds: ad valorem on the value with (cif) or without (fob) freight."""

    destination: str
    origin: str
    hs_prefix: str
    rate: float
    basis: str
    valid_from: date
    valid_to: date | None
    source: str


@dataclass(frozen=True, slots=True)
class TaxRow:
    """One tax rate of a country while it holds; thresholds in `currency` ("" = settlement)."""

    country: str
    scheme: str
    rate: float
    recoverable: bool
    de_minimis_duty: float
    de_minimis_tax: float
    currency: str
    valid_from: date
    valid_to: date | None
    source: str


@dataclass(frozen=True, slots=True)
class TaxRule:
    """What a country takes on imports on a date; thresholds in settlement currency.

    `rate` applies to goods + freight + duty + fees. `recoverable` tax is paid by the customer or
    recovered by the brand: it is reported, never optimized. Goods worth up to `de_minimis_duty`
    (`de_minimis_tax`) come in without duty (tax) when they cross the border for one customer.
    """

    rate: float = 0.0
    recoverable: bool = True
    de_minimis_duty: float = 0.0
    de_minimis_tax: float = 0.0
    schemes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    rows: tuple[TaxRow, ...] = ()


DutyKey = tuple[str, str, str]


@dataclass(frozen=True)
class Tariffs:
    """The duties and taxes of a brand, ready to be asked about any date."""

    duties: Mapping[DutyKey, tuple[DutyRow, ...]]
    taxes: Mapping[str, tuple[TaxRow, ...]]
    exchange: Exchange

    @classmethod
    def of(cls, brand: Brand) -> "Tariffs":
        """Returns the tariffs of a brand.

        Raises `BadInput` where two rows of one key hold on the same day: neither would be right.
        """
        duties = [_duty(row) for row in brand.table("duties").to_dict("records")]
        taxes = [_tax(row) for row in brand.table("taxes").to_dict("records")]
        by_key = _grouped(duties, lambda row: (row.destination, row.origin, row.hs_prefix))
        by_scheme = _grouped(taxes, lambda row: (row.country, row.scheme))
        _refuse_ties("duties.csv", by_key)
        _refuse_ties("taxes.csv", by_scheme)
        by_country = _grouped(taxes, lambda row: row.country)
        return cls(MappingProxyType(by_key), MappingProxyType(by_country), partial(rate_on, brand))

    def duty_row(self, country: str, origin: str, hs_code: str, on: date) -> DutyRow | None:
        """Returns the most specific duty row in force, or None where the brand lists none.

        The country beats its bloc, then the origin beats its bloc and both beat "any origin", then
        the longest HS prefix wins.
        """
        for key in _keys(country, origin, hs_code):
            for row in self.duties.get(key, ()):
                if _holds(row, on):
                    return row
        return None

    def duty_share(self, catalog: Catalog, country: str, on: date) -> NDArray[np.float64]:
        """Returns the ad-valorem duty on each item, shaped [item]; 0 where no row applies.

        Relief for small consignments is not in it: see `tax_rule`.
        """
        return self._by_item(catalog, country, on, lambda row: row.rate, 0.0)

    def basis(self, catalog: Catalog, country: str, on: date) -> NDArray[np.str_]:
        """Returns `"cif"` or `"fob"` for each item: whether duty falls on freight too."""
        return self._by_item(catalog, country, on, lambda row: row.basis, "cif")

    def tax_rule(self, country: str, on: date, channel: str = "") -> TaxRule:
        """Returns what a country takes on a date; rates of several schemes add up.

        A threshold of 0 in `taxes.csv` means that the brand states none: then the project's own
        dated rules apply. The tax counts as recoverable only if every scheme is.
        """
        rows = [row for row in self.taxes.get(country, ()) if _holds(row, on)]
        threshold = partial(self._threshold, rows, country=country, on=on, channel=channel)
        return TaxRule(
            rate=float(sum(exact(row.rate) for row in rows)),
            recoverable=all(row.recoverable for row in rows),
            de_minimis_duty=threshold("de_minimis_duty", "duty_relief"),
            de_minimis_tax=threshold("de_minimis_tax", "tax_relief"),
            schemes=tuple(row.scheme for row in rows),
            sources=tuple(dict.fromkeys(row.source for row in rows if row.source)),
            rows=tuple(rows),
        )

    def settled(self, rule: Rule, on: date) -> float:
        """Returns the value of a rule of law in settlement currency on a date."""
        return float(rule.value * exact(self.exchange(rule.currency, on)))

    def limit(self, rule: str, country: str, on: date, channel: str = "") -> float:
        """Returns the value of a rule in force in settlement currency; 0 where there is none."""
        found = rule_on(rule, country, on, channel=channel)
        return self.settled(found, on) if found and found.value else 0.0

    def settling_in(self, currency: str) -> "Tariffs":
        """Returns the same tariffs with every amount in another currency of the same day."""
        return replace(self, exchange=partial(_rebased, self.exchange, currency))

    def _threshold(
        self, rows: list[TaxRow], column: str, rule: str, country: str, on: date, channel: str
    ) -> float:
        stated = [
            float(exact(getattr(row, column)) * exact(self.exchange(row.currency, on)))
            for row in rows
            if getattr(row, column) > 0
        ]
        return max(stated) if stated else self.limit(rule, country, on, channel)

    def _by_item(
        self, catalog: Catalog, country: str, on: date, take: Callable[[DutyRow], Any], none: Any
    ) -> NDArray[Any]:
        known: dict[tuple[str, str], Any] = {}
        for item in catalog.items:
            pair = (item.origin, item.hs_code)
            if pair not in known:
                row = self.duty_row(country, *pair, on)
                known[pair] = none if row is None else take(row)
        return np.array([known[item.origin, item.hs_code] for item in catalog.items])


def _rebased(settled: Exchange, into: str, currency: str, on: date) -> float:
    if currency == into:
        return 1.0
    return float(exact(settled(currency, on)) / exact(settled(into, on)))


def _keys(country: str, origin: str, hs_code: str) -> Iterator[DutyKey]:
    """Keys of the rows that could apply, the most specific first."""
    for destination in dict.fromkeys((country, customs_territory(country))):
        for source in dict.fromkeys((origin, customs_territory(origin), "")):
            for length in range(len(hs_code), -1, -1):
                yield destination, source, hs_code[:length]


class _Dated(Protocol):
    @property
    def valid_from(self) -> date: ...
    @property
    def valid_to(self) -> date | None: ...


D = TypeVar("D", bound=_Dated)
K = TypeVar("K")


def _holds(row: _Dated, on: date) -> bool:
    return row.valid_from <= on and (row.valid_to is None or on <= row.valid_to)


def _grouped(rows: list[D], key: Callable[[D], K]) -> dict[K, tuple[D, ...]]:
    groups: dict[K, list[D]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return {name: tuple(sorted(group, key=_start)) for name, group in groups.items()}


def _start(row: _Dated) -> date:
    return row.valid_from


def _refuse_ties(file: str, groups: Mapping[Any, tuple[_Dated, ...]]) -> None:
    ties = [
        Problem(file, 0, 0, f"two rows of {' / '.join(key)} hold on {late.valid_from}; keep one")
        for key, rows in groups.items()
        for early, late in pairwise(rows)
        if _holds(early, late.valid_from)
    ]
    if ties:
        raise BadInput(ties)


def _duty(row: Row) -> DutyRow:
    return DutyRow(
        destination=str(row["destination"]),
        origin=str(row["origin"]),
        hs_prefix=str(row["hs_prefix"]),
        rate=number(row["duty_rate"]),
        basis=str(row["basis"]),
        valid_from=row["valid_from"].date(),
        valid_to=_end(row["valid_to"]),
        source=str(row["source"]),
    )


def _tax(row: Row) -> TaxRow:
    return TaxRow(
        country=str(row["country"]),
        scheme=str(row["scheme"]),
        rate=number(row["rate"]),
        recoverable=bool(row["recoverable"]),
        de_minimis_duty=number(row["de_minimis_duty"]),
        de_minimis_tax=number(row["de_minimis_tax"]),
        currency=str(row["currency"]),
        valid_from=row["valid_from"].date(),
        valid_to=_end(row["valid_to"]),
        source=str(row["source"]),
    )


def _end(cell: pd.Timestamp) -> date | None:
    return None if pd.isna(cell) else cell.date()
