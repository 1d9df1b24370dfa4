"""Exchange rates by date: the brand's own table first, then the history of the ECB."""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import pandas as pd
from currency_converter import CurrencyConverter, RateNotFoundError

from core.brand import Brand
from core.errors import BadInput, Problem

PEGS_PER_USD = {"AED": 3.6725, "SAR": 3.75}
"""Units per US dollar of pegged currencies that the ECB does not quote.

Sources: Central Bank of the UAE (peg since 1997); Saudi Central Bank (peg since 1986).
"""


PEG_SOURCE = "peg to the US dollar (Central Bank of the UAE since 1997, Saudi Central Bank 1986)"
ECB_SOURCE = "euro reference rates of the ECB, as the currency_converter package carries them"


@dataclass(frozen=True, slots=True)
class Rate:
    """What one unit of a currency is worth in settlement currency, since which day, and says who.

    `on` is the day whose rate it is: the last one known on the day that was asked for. None where
    no market sets it: the settlement currency itself.
    """

    currency: str
    rate: float
    on: date | None
    source: str


def rate_on(brand: Brand, currency: str, on: date) -> float:
    """Returns the settlement units that one unit of a currency is worth on a date.

    The newest row of `fx.csv` on or before the date wins. Without one, dirham and riyal follow the
    dollar, and all others the euro reference rates of the ECB on the last day known at the date.
    An empty currency means the settlement currency. Raises `BadInput` where no rate is known.
    """
    if currency in ("", brand.currency):
        return 1.0
    own = _own_rate(brand.table("fx"), currency, on)
    if own is not None:
        return own[0]
    if currency in PEGS_PER_USD:
        return rate_on(brand, "USD", on) / PEGS_PER_USD[currency]
    try:
        return _euros(currency, on) / _euros(brand.currency, on)
    except _Unknown as error:
        raise BadInput([Problem(brand.file("fx"), 0, 0, str(error))]) from error


def rate_found(brand: Brand, currency: str, on: date) -> Rate:
    """Returns the rate of a currency as `rate_on` gives it, with its day and its source."""
    rate = rate_on(brand, currency, on)
    if currency in ("", brand.currency):
        return Rate(brand.currency, rate, None, "settlement currency")
    own = _own_rate(brand.table("fx"), currency, on)
    if own is not None:
        return Rate(currency, rate, own[1], brand.file("fx"))
    if currency in PEGS_PER_USD:
        dollar = rate_found(brand, "USD", on)
        return Rate(currency, rate, dollar.on, f"{PEG_SOURCE}; {dollar.source}")
    return Rate(currency, rate, _published(on), ECB_SOURCE)


def rate_for(brand: Brand, currency: str, on: date, table: str) -> float:
    """Returns the rate of a currency of a table; raises `BadInput` at the first row that asks."""
    try:
        return rate_on(brand, currency, on)
    except BadInput as error:
        row = int((brand.table(table)["currency"] == currency).to_numpy().argmax())
        told = error.problems[0].problem
        place = Problem(brand.file(table), brand.line(table, row), 0, f"currency: {told}")
        raise BadInput([place]) from error


def history_days() -> tuple[date, date]:
    """Returns the first and the last day of the history of the ECB that the project carries."""
    bounds = _history().bounds["USD"]
    return bounds.first_date, bounds.last_date


class _Unknown(Exception):
    """No rate of a currency is known on a date; says what would help."""


def _own_rate(fx: pd.DataFrame, currency: str, on: date) -> tuple[float, date] | None:
    """The newest row of the brand's table that was known on the date, with its day."""
    known = fx[(fx["currency"] == currency) & (fx["date"] <= pd.Timestamp(on))]
    if known.empty:
        return None
    newest = known.sort_values("date").iloc[-1]
    return float(newest["rate"]), newest["date"].date()


def _published(on: date) -> date:
    """The last day on or before a date on which the ECB set its rates."""
    history = _as_published()
    first, last = history_days()
    day = min(on, last)
    while day > first:
        try:
            history.convert(1.0, "USD", "EUR", date=day)
        except RateNotFoundError:
            day -= timedelta(days=1)
        else:
            return day
    return first


@cache
def _as_published() -> CurrencyConverter:
    """The same history with no rate for days on which none was set."""
    return CurrencyConverter()


def _euros(currency: str, on: date) -> float:
    """Euros for one unit; the last known day stands in for weekends and for days to come."""
    if currency in PEGS_PER_USD:
        return _euros("USD", on) / PEGS_PER_USD[currency]
    history = _history()
    if currency not in history.currencies or on < history.bounds[currency].first_date:
        raise _Unknown(
            f"No exchange rate of {currency} is known on {on}; add a row to fx.csv with currency "
            f"{currency} and a date on or before {on}."
        )
    euros = float(history.convert(1.0, currency, "EUR", date=on))
    if not math.isfinite(euros):
        raise _Unknown(f"The exchange rate of {currency} on {on} is not a number.")
    return euros


@cache
def _history() -> CurrencyConverter:
    """The daily euro reference rates that the `currency_converter` package carries."""
    return CurrencyConverter(
        fallback_on_wrong_date=True,
        fallback_on_missing_rate=True,
        fallback_on_missing_rate_method="last_known",
    )
