"""Exchange rates: the brand's table, the pegs, and the history of the ECB."""

from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from core.brand import Brand
from core.errors import BadInput
from core.folder.writer import complete
from core.fx import Rate, rate_found, rate_on
from inventory.suppliers.offers import Market
from tests.builders import brand_of, two_sites_one_item


def with_fx(*rows: tuple[str, str, float]) -> Brand:
    frame = pd.DataFrame(list(rows), columns=["currency", "date", "rate"])
    return two_sites_one_item().with_table("fx", complete("fx", frame))


def test_the_settlement_currency_is_worth_one() -> None:
    brand = two_sites_one_item()
    assert rate_on(brand, "EUR", date(2026, 9, 7)) == 1.0
    assert rate_on(brand, "", date(2026, 9, 7)) == 1.0


def test_the_euro_reference_rate_of_a_day_is_found() -> None:
    """The ECB fixed 1.3492 dollars for a euro on 2011-12-01."""
    brand = two_sites_one_item()
    assert 1 / rate_on(brand, "USD", date(2011, 12, 1)) == pytest.approx(1.3492, abs=1e-9)


def test_a_sunday_takes_the_rate_of_friday() -> None:
    brand = two_sites_one_item()
    assert rate_on(brand, "GBP", date(2026, 9, 6)) == rate_on(brand, "GBP", date(2026, 9, 4))


def test_days_to_come_take_the_last_known_rate() -> None:
    brand = two_sites_one_item()
    assert rate_on(brand, "JPY", date(2035, 1, 1)) == rate_on(brand, "JPY", date(2034, 1, 1))


def test_the_newest_row_of_the_brand_before_the_date_wins() -> None:
    brand = with_fx(
        ("USD", "2026-01-01", 0.9), ("USD", "2026-09-01", 0.8), ("USD", "2027-01-01", 2)
    )
    assert rate_on(brand, "USD", date(2026, 9, 7)) == 0.8
    assert rate_on(brand, "USD", date(2026, 3, 1)) == 0.9


def test_rows_after_the_date_are_not_known_yet() -> None:
    brand = with_fx(("USD", "2027-01-01", 2.0))
    assert rate_on(brand, "USD", date(2026, 9, 7)) != 2.0


@pytest.mark.parametrize(("currency", "per_dollar"), [("AED", 3.6725), ("SAR", 3.75)])
def test_dirham_and_riyal_follow_the_dollar(currency: str, per_dollar: float) -> None:
    on, brand = date(2026, 9, 7), with_fx(("USD", "2026-09-01", 0.8))
    assert rate_on(brand, currency, on) == pytest.approx(0.8 / per_dollar)


def test_a_pegged_settlement_currency_turns_the_rate_around() -> None:
    brand = replace(two_sites_one_item(), currency="AED")
    assert rate_on(brand, "USD", date(2026, 9, 7)) == pytest.approx(3.6725)


@pytest.mark.parametrize(("currency", "on"), [("VND", date(2026, 9, 7)), ("USD", date(1990, 1, 1))])
def test_an_unknown_rate_is_refused_with_a_repair(currency: str, on: date) -> None:
    with pytest.raises(BadInput, match=r"add a row to fx\.csv"):
        rate_on(two_sites_one_item(), currency, on)


@pytest.mark.parametrize(("file", "line"), [("offers.csv", 3), ("offers.parquet", 2)])
def test_an_unknown_rate_is_told_at_the_first_row_that_asks_for_it(file: str, line: int) -> None:
    offer = {"supplier": "KILN", "item": "MUG", "unit_cost": 4.0}
    offers = [offer | {"currency": "USD"}, offer | {"item": "CUP", "currency": "VND"}]
    brand = two_sites_one_item().with_table("offers", complete("offers", pd.DataFrame(offers)))
    told = rf"^{file}:{line}:0: currency: No exchange rate of VND.*add a row to fx\.csv"
    with pytest.raises(BadInput, match=told):
        Market.of(replace(brand, files={"offers": file}))


def test_a_rate_says_whose_day_and_whose_word_it_is() -> None:
    brand = brand_of(fx=[{"currency": "USD", "date": "2026-03-01", "rate": 0.9}])
    own = rate_found(brand, "USD", date(2026, 9, 7))
    assert own == Rate("USD", 0.9, date(2026, 3, 1), "fx.csv")
    saturday = rate_found(brand, "GBP", date(2026, 9, 5))
    assert saturday.on == date(2026, 9, 4)
    assert saturday.rate == rate_on(brand, "GBP", date(2026, 9, 4))
    assert "ECB" in saturday.source
    dirham = rate_found(brand, "AED", date(2026, 9, 7))
    assert dirham.on == own.on
    assert dirham.source.startswith("peg to the US dollar")
    assert rate_found(brand, "EUR", date(2026, 9, 7)).on is None


def test_a_rate_of_a_day_to_come_is_the_last_one_known() -> None:
    brand = brand_of()
    found = rate_found(brand, "GBP", date(2100, 1, 1))
    assert found.on is not None
    assert found.on < date(2100, 1, 1)
    assert found.rate == rate_on(brand, "GBP", found.on)
