"""Exchange rates by date: the brand's own table first, then the history of the ECB."""

import math
from datetime import date
from functools import cache

import pandas as pd
from currency_converter import CurrencyConverter

from core.brand import Brand
from core.errors import BadInput, Problem

PEGS_PER_USD = {"AED": 3.6725, "SAR": 3.75}
"""Units per US dollar of pegged currencies that the ECB does not quote.

Sources: Central Bank of the UAE (peg since 1997); Saudi Central Bank (peg since 1986).
"""


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
        return own
    if currency in PEGS_PER_USD:
        return rate_on(brand, "USD", on) / PEGS_PER_USD[currency]
    try:
        return _euros(currency, on) / _euros(brand.currency, on)
    except _Unknown as error:
        raise BadInput([Problem(brand.file("fx"), 0, 0, str(error))]) from error


def rate_for(brand: Brand, currency: str, on: date, table: str) -> float:
    """Returns the rate of a currency of a table; raises `BadInput` at the first row that asks."""
    try:
        return rate_on(brand, currency, on)
    except BadInput as error:
        row = int((brand.table(table)["currency"] == currency).to_numpy().argmax())
        told = error.problems[0].problem
        place = Problem(brand.file(table), brand.line(table, row), 0, f"currency: {told}")
        raise BadInput([place]) from error


class _Unknown(Exception):
    """No rate of a currency is known on a date; says what would help."""


def _own_rate(fx: pd.DataFrame, currency: str, on: date) -> float | None:
    """The newest row of the brand's table that was known on the date."""
    known = fx[(fx["currency"] == currency) & (fx["date"] <= pd.Timestamp(on))]
    return None if known.empty else float(known.sort_values("date")["rate"].iloc[-1])


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
