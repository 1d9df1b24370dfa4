from decimal import Decimal

import numpy as np
import pytest
from babel.numbers import format_currency
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from core.money import Amounts, Money, apportioned, currencies, minor_units


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("12.99", "EUR", 1299), ("1200", "JPY", 1200), ("1.2345", "KWD", 1234), (0.1, "GBP", 10)],
)
def test_amounts_become_minor_units_of_their_currency(
    amount: str | float, currency: str, minor: int
) -> None:
    assert Money.of(amount, currency) == Money(minor, currency)


@given(st.integers(-(10**12), 10**12), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_minor_units_survive_the_way_through_major_units(minor: int, currency: str) -> None:
    assert Money.of(Money(minor, currency).amount, currency) == Money(minor, currency)


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(currencies())))
def test_amounts_read_as_in_english(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert str(money) == format_currency(money.amount, currency, locale="en")


@given(
    st.lists(st.floats(-1e12, 1e12) | st.integers(-999, 999).map(lambda half: half / 200)),
    st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_many_amounts_are_rounded_as_one_is(amounts: list[float], currency: str) -> None:
    found = minor_units(np.array([amounts, amounts]), currency).tolist()
    assert found == 2 * [[Money.of(amount, currency).minor for amount in amounts]]


def test_named_amounts_are_money_by_name() -> None:
    amounts = Amounts({"duty": 120, "tax": 0}, "EUR")
    assert dict(amounts) == {"duty": Money(120, "EUR"), "tax": Money(0, "EUR")}
    assert amounts.as_json() == {name: money.as_json() for name, money in amounts.items()}
    with pytest.raises(BadInput, match="ISO 4217"):
        Amounts({}, "ECU1")


def test_two_currencies_do_not_add() -> None:
    with pytest.raises(BadInput, match="Expected EUR, got GBP"):
        Money(1, "EUR") + Money(1, "GBP")


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), Decimal("-Infinity")])
def test_an_amount_is_finite(amount: float | Decimal) -> None:
    with pytest.raises(BadInput, match="finite"):
        Money.of(amount, "EUR")


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(BadInput, match="ISO 4217"):
        Money(1, "ECU1")


@given(st.lists(st.decimals("-1000", "1000", places=5), min_size=1, max_size=9))
def test_parts_in_minor_units_add_up_to_the_rounded_sum(parts: list[Decimal]) -> None:
    shared = apportioned(parts, "EUR")
    assert sum(part.minor for part in shared) == Money.of(sum(parts, Decimal(0)), "EUR").minor
    assert all(abs(s.amount - p) < Decimal("0.01") for s, p in zip(shared, parts, strict=True))


def test_no_parts_are_no_money() -> None:
    assert apportioned([], "EUR") == []
    assert [part.minor for part in apportioned([Decimal("0.4"), Decimal("0.6")], "JPY")] == [0, 1]
