"""Money in integer minor units with its currency code; floats never cross an edge."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from functools import cache

import numpy as np
from babel.numbers import get_currency_precision, get_currency_symbol, list_currencies
from numpy.typing import NDArray

from core.errors import BadInput

_PLAIN, _CLEAR = 1e9, 0.499
"""Floats below the first are off by far less than a thousandth of a minor unit."""


@cache
def currencies() -> frozenset[str]:
    """Returns every ISO 4217 code that the system accepts."""
    return frozenset(list_currencies())


@cache
def _symbol(currency: str) -> str:
    return get_currency_symbol(currency, locale="en")


@cache
def exponent(currency: str) -> int:
    """Returns the decimals of a currency's minor unit: 2 for EUR, 0 for JPY, 3 for KWD."""
    if currency not in currencies():
        raise BadInput(f"Expected an ISO 4217 currency code such as 'EUR', got {currency!r}.")
    return get_currency_precision(currency)


def exact(number: float) -> Decimal:
    """Returns the decimal that a person wrote for a float: 0.1 gives exactly 0.1."""
    return Decimal(str(number))


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units: `Money(1299, "EUR")` is EUR 12.99."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.minor, int) or isinstance(self.minor, bool):
            raise BadInput(f"Expected a whole number of minor units, got {self.minor!r}.")
        exponent(self.currency)

    @classmethod
    def of(cls, amount: float | Decimal | int | str, currency: str) -> "Money":
        """Returns the amount in major units rounded half-even to the minor unit.

        >>> Money.of(12.985, "EUR")
        Money(minor=1298, currency='EUR')
        """
        digits = exponent(currency)
        if isinstance(amount, float) and abs(amount) < _PLAIN:
            scaled_float = amount * 10**digits
            minor = round(scaled_float)
            if abs(scaled_float - minor) < _CLEAR:  # no tie near: decimals would say the same
                return cls(minor, currency)
        exact = amount if isinstance(amount, Decimal) else Decimal(str(amount))
        scaled = exact.scaleb(digits)
        if not scaled.is_finite():
            raise BadInput(f"Expected a finite amount, got {amount!r}.")
        return cls(int(scaled.quantize(Decimal(1), rounding=ROUND_HALF_EVEN)), currency)

    @property
    def amount(self) -> Decimal:
        """The amount in major units, exact."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise BadInput(f"Expected {self.currency}, got {other.currency}.")
        return Money(self.minor + other.minor, self.currency)

    def as_json(self) -> dict[str, int | str]:
        """Returns the form that crosses every edge: `{"amount": 1299, "currency": "EUR"}`."""
        return {"amount": self.minor, "currency": self.currency}

    def __str__(self) -> str:
        digits = exponent(self.currency)
        whole, part = divmod(abs(self.minor), 10**digits)
        decimals = f".{part:0{digits}d}" if digits else ""
        sign = "-" if self.minor < 0 else ""
        return f"{sign}{_symbol(self.currency)}{whole:,}{decimals}"


@dataclass(frozen=True, slots=True)
class Amounts(Mapping[str, Money]):
    """Named amounts of one currency, kept as minor units; each is `Money` when it is asked for."""

    minor: Mapping[str, int]
    currency: str

    def __post_init__(self) -> None:
        exponent(self.currency)

    def __getitem__(self, name: str) -> Money:
        return Money(self.minor[name], self.currency)

    def __iter__(self) -> Iterator[str]:
        return iter(self.minor)

    def __len__(self) -> int:
        return len(self.minor)

    def as_json(self) -> dict[str, dict[str, int | str]]:
        """Returns each amount as `Money.as_json` does."""
        currency = self.currency
        return {name: {"amount": minor, "currency": currency} for name, minor in self.minor.items()}


def minor_units(amounts: NDArray[np.float64], currency: str) -> NDArray[np.int64]:
    """Returns amounts in major units, each rounded as by `Money.of`; raises `BadInput` as it."""
    scaled = amounts * 10 ** exponent(currency)
    minor = np.rint(scaled)
    plain = (np.abs(amounts) < _PLAIN) & (np.abs(scaled - minor) < _CLEAR)
    for at in np.argwhere(~plain).tolist():
        minor[tuple(at)] = Money.of(float(amounts[tuple(at)]), currency).minor
    return np.asarray(minor, dtype=np.int64)


def apportioned(parts: Sequence[Decimal], currency: str) -> list[Money]:
    """Returns parts in minor units that add up to their rounded sum, each within one unit.

    Method of largest remainders: all are rounded down, and the units that are missing go to the
    parts that lost most, the earlier first.

    >>> [part.minor for part in apportioned([Decimal("0.335"), Decimal("0.335")], "EUR")]
    [34, 33]
    """
    whole = Money.of(sum(parts, Decimal(0)), currency).minor
    scaled = [part.scaleb(exponent(currency)) for part in parts]
    floors = [int(part.to_integral_value(ROUND_FLOOR)) for part in scaled]
    lost = sorted(range(len(parts)), key=lambda at: (floors[at] - scaled[at], at))
    for at in lost[: whole - sum(floors)]:
        floors[at] += 1
    return [Money(minor, currency) for minor in floors]
