from datetime import date
from decimal import Decimal

import pytest

from core.errors import BadInput
from inventory.items import Catalog
from routing.landed_cost.cost import ConsignmentLine
from routing.landed_cost.quote import Question, quote
from routing.landed_cost.regime import Terms, regime_of
from routing.landed_cost.rules import Rule, overlaps, rule_on, rules
from routing.landed_cost.tariffs import Tariffs, TaxRow
from tests.builders import brand_of
from tests.routing.landed_cost.cases import RATES, thing

DAY = date(2026, 9, 7)


Rows = list[dict[str, object]]


def tariffs(**tables: Rows) -> Tariffs:
    return Tariffs.of(brand_of(**tables))


def duty(
    destination: str, rate: float, origin: str = "", hs: str = "", **more: object
) -> dict[str, object]:
    return {"destination": destination, "origin": origin, "hs_prefix": hs, "duty_rate": rate,
            "valid_from": "2020-01-01", **more}  # fmt: skip


def rate(found: Tariffs, country: str, origin: str, hs: str, on: date = DAY) -> float | None:
    row = found.duty_row(country, origin, hs, on)
    return None if row is None else row.rate


def test_a_country_beats_its_bloc_then_the_origin_then_the_longest_prefix() -> None:
    found = tariffs(duties=[
        duty("EU", 0.10), duty("EU", 0.11, hs="69"), duty("EU", 0.12, hs="6911"),
        duty("EU", 0.05, origin="CN"), duty("EU", 0.01, origin="EU"), duty("FR", 0.20),
    ])  # fmt: skip
    assert rate(found, "DE", "US", "") == 0.10
    assert rate(found, "DE", "US", "691090") == 0.11
    assert rate(found, "DE", "US", "691110") == 0.12
    assert rate(found, "DE", "CN", "691110") == 0.05
    assert rate(found, "DE", "IT", "691110") == 0.01
    assert rate(found, "FR", "CN", "691110") == 0.20
    assert rate(found, "US", "CN", "691110") is None


def test_a_row_holds_on_its_first_and_last_day_only() -> None:
    found = tariffs(duties=[
        duty("US", 0.1, valid_to="2026-06-30"), duty("US", 0.2, valid_from="2026-07-01"),
    ])  # fmt: skip
    assert rate(found, "US", "CN", "", date(2019, 12, 31)) is None
    assert rate(found, "US", "CN", "", date(2026, 6, 30)) == 0.1
    assert rate(found, "US", "CN", "", date(2026, 7, 1)) == 0.2


def test_two_rows_that_hold_on_one_day_are_refused() -> None:
    with pytest.raises(BadInput, match="hold on 2024-01-01"):
        tariffs(duties=[duty("US", 0.1), duty("US", 0.2, valid_from="2024-01-01")])


def test_shares_and_bases_come_by_item() -> None:
    brand = brand_of(
        items=[
            {"item": "A", "weight_kg": 1, "value": 1, "hs_code": "6911", "origin": "CN"},
            {"item": "B", "weight_kg": 1, "value": 1, "hs_code": "4202"},
            {"item": "C", "weight_kg": 1, "value": 1},
        ],
        duties=[duty("US", 0.1, hs="69", basis="fob"), duty("US", 0.2, hs="4202")],
    )
    found, catalog = Tariffs.of(brand), Catalog.of(brand)
    assert found.duty_share(catalog, "US", DAY).tolist() == [0.1, 0.2, 0.0]
    assert found.basis(catalog, "US", DAY).tolist() == ["fob", "cif", "cif"]


def test_the_duty_relief_of_the_union_ends_with_june_2026() -> None:
    found = tariffs(taxes=[{"country": "DE", "rate": 0.19, "valid_from": "2020-01-01"}])
    assert found.tax_rule("DE", date(2026, 6, 30)).de_minimis_duty == 150
    assert found.tax_rule("DE", date(2026, 7, 1)).de_minimis_duty == 0
    assert found.limit("flat_duty_per_category", "DE", date(2026, 7, 1)) == 3
    assert found.limit("flat_duty_per_category", "DE", date(2028, 7, 1)) == 0


def test_a_threshold_of_the_brand_beats_the_rule_and_is_converted() -> None:
    brand = brand_of(
        taxes=[{"country": "GB", "rate": 0.2, "de_minimis_duty": 100, "currency": "GBP",
                "valid_from": "2020-01-01"}],
        fx=[{"currency": "GBP", "date": "2026-01-01", "rate": 1.2}],
    )  # fmt: skip
    assert Tariffs.of(brand).tax_rule("GB", DAY).de_minimis_duty == pytest.approx(120)
    plain = brand.with_table("taxes", brand.table("taxes").iloc[:0])
    assert Tariffs.of(plain).tax_rule("GB", DAY).de_minimis_duty == pytest.approx(162)


def test_rates_of_several_schemes_add_up_and_one_that_nobody_recovers_counts() -> None:
    found = tariffs(taxes=[
        {"country": "CA", "rate": 0.05, "scheme": "gst", "valid_from": "2020-01-01"},
        {"country": "CA", "rate": 0.07, "scheme": "pst", "recoverable": False,
         "valid_from": "2020-01-01"},
    ])  # fmt: skip
    rule = found.tax_rule("CA", DAY)
    assert rule.rate == pytest.approx(0.12)
    assert not rule.recoverable


def test_the_united_states_suspended_their_relief_in_august_2025() -> None:
    found = tariffs()
    assert found.limit("duty_relief", "US", date(2025, 8, 28)) > 600
    assert found.limit("duty_relief", "US", date(2025, 8, 29)) == 0


def test_the_rules_of_law_have_sources_and_never_overlap() -> None:
    assert overlaps(rules()) == []
    assert all(rule.source and rule.checked_on for rule in rules())


def test_the_rule_of_a_country_beats_that_of_its_union() -> None:
    found = rule_on("duty_relief", "DE", date(2020, 1, 1))
    assert found is not None
    assert found.jurisdiction == "EU"
    assert rule_on("duty_relief", "CH", DAY) is None


def test_a_rule_of_a_channel_is_for_goods_that_come_by_it() -> None:
    by_any = rule_on("duty_relief", "CA", DAY)
    by_post = rule_on("duty_relief", "CA", DAY, channel="post")
    assert by_any is not None
    assert by_post is not None
    assert (by_any.value, by_post.value) == (Decimal(150), Decimal(20))
    assert by_post.id == "CA:duty_relief:post:2020-07-01"
    assert rule_on("duty_relief", "CN", DAY) is None
    assert rule_on("duty_relief", "CN", DAY, channel="cbec") is not None


def test_an_order_plan_sees_no_rule_of_a_channel_and_compares_goods_alone() -> None:
    """The regime without terms is what plans price with; a quote of the same day knows more."""
    found = tariffs(taxes=[{"country": "SG", "rate": 0.09, "valid_from": "2024-01-01"}])
    planned = regime_of(found, "SG", "cross_border", DAY)
    quoted = regime_of(found, "SG", "cross_border", DAY, Terms("courier"))
    assert (planned.rules, planned.with_freight, planned.collects) == ((), frozenset(), False)
    limit = planned.duty_relief
    assert planned.duty_kind(limit - 1, freight=2) == "relief"
    assert quoted.duty_kind(limit - 1, freight=2) == "tariff"
    assert planned.tax_rate(limit - 1) == 0.09
    assert planned.tax_point(limit - 1) == "border"
    assert quoted.tax_point(limit + 1, 0, limit - 1) == "checkout"
    assert quoted.tax_point(limit + 1, 0, limit + 1) == "border"


def test_amounts_of_another_currency_are_those_of_the_same_day() -> None:
    found = tariffs(fx=[{"currency": "USD", "date": "2026-01-01", "rate": 0.8}])
    dollars = found.settling_in("USD")
    assert dollars.exchange("USD", DAY) == 1
    assert dollars.limit("flat_duty_limit", "DE", DAY) == 187.5
    assert found.limit("flat_duty_limit", "DE", DAY) == 150


def test_a_threshold_that_the_brand_states_is_the_row_that_relieves() -> None:
    found = tariffs(taxes=[{"country": "DE", "rate": 0.19, "de_minimis_duty": 150,
                            "currency": "EUR", "valid_from": "2020-01-01"}])  # fmt: skip
    line = ConsignmentLine("1", thing("610910", "CN"), 1, Decimal(100))
    asked = Question("CN", "DE", date(2026, 6, 30), "EUR", (line,), Terms("courier"))
    applied = {type(row.row) for row in quote(asked, found, RATES).rows if row.applied}
    ids = [row.row.id for row in quote(asked, found, RATES).rows
           if isinstance(row.row, Rule) and row.applied]  # fmt: skip
    assert TaxRow in applied
    assert ids == ["EU:checkout_tax_limit:2021-07-01"]
