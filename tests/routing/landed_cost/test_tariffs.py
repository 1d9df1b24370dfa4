from datetime import date

import pytest

from core.errors import BadInput
from inventory.items import Catalog
from routing.landed_cost.rules import overlaps, rule_on, rules
from routing.landed_cost.tariffs import Tariffs
from tests.builders import brand_of

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
