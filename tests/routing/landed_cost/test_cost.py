from datetime import date
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from core.folder.writer import complete
from inventory.items import Catalog, Item
from routing.landed_cost.cost import Consignment, ConsignmentLine, LandedCost, landed_cost
from routing.landed_cost.regime import CustomsRoute, customs_route
from routing.landed_cost.tariffs import Tariffs
from tests.builders import brand_of

BEFORE, AFTER = date(2026, 6, 30), date(2026, 7, 1)

BRAND = brand_of(
    items=[
        {"item": "MUG", "weight_kg": 0.5, "value": 10, "hs_code": "69111000", "origin": "CN"},
        {"item": "CUP", "weight_kg": 0.25, "value": 8, "hs_code": "69111090", "origin": "CN"},
        {"item": "BAG", "weight_kg": 1.0, "value": 40, "hs_code": "420222", "origin": "VN"},
        {"item": "CARD", "weight_kg": 0.0, "value": 2, "origin": "GB"},
    ],
    duties=[
        {"destination": "EU", "hs_prefix": "6911", "duty_rate": 0.12, "valid_from": "2020-01-01"},
        {"destination": "EU", "hs_prefix": "4202", "duty_rate": 0.03, "basis": "fob",
         "valid_from": "2020-01-01"},
        {"destination": "TH", "duty_rate": 0.30, "valid_from": "2020-01-01"},
    ],
    taxes=[
        {"country": "DE", "rate": 0.19, "valid_from": "2020-01-01"},
        {"country": "IT", "rate": 0.22, "valid_from": "2020-01-01"},
        {"country": "FR", "rate": 0.20, "valid_from": "2020-01-01"},
        {"country": "TH", "rate": 0.07, "recoverable": False, "valid_from": "2020-01-01"},
    ],
)  # fmt: skip
TARIFFS = Tariffs.of(BRAND)
ITEM = Catalog.of(BRAND).item


def consignment(country: str, freight: str = "10", **units: int) -> Consignment:
    lines = (
        ConsignmentLine(name, ITEM[name], many, Decimal(str(ITEM[name].value)))
        for name, many in units.items()
    )
    return Consignment(country, tuple(lines), Decimal(freight))


def landed(
    goods: Consignment, on: date = AFTER, route: CustomsRoute = "cross_border"
) -> LandedCost:
    return landed_cost(goods, route, TARIFFS, on)


def test_small_consignments_into_the_union_are_free_of_duty_until_june_2026() -> None:
    before = landed(consignment("DE", MUG=10), BEFORE)
    assert before.duty == 0
    assert before.tax == Decimal("0.19") * 110
    assert before.basis.startswith("relief")


def test_since_july_2026_they_bear_three_euros_for_each_tariff_category() -> None:
    assert landed(consignment("DE", MUG=10)).duty == 3
    assert landed(consignment("DE", MUG=2, CUP=2)).duty == 3
    assert landed(consignment("DE", MUG=2, BAG=1)).duty == 6
    assert landed(consignment("DE", MUG=10)).tax == Decimal("0.19") * 113


def test_the_limit_itself_is_within_and_above_it_the_tariff_applies() -> None:
    assert landed(consignment("DE", MUG=15)).basis.startswith("flat")
    above = landed(consignment("DE", MUG=16))
    assert above.duty == Decimal("0.12") * 170
    assert above.basis == "ad valorem by tariff"


def test_a_fob_row_leaves_freight_out_and_freight_is_shared_by_weight() -> None:
    found = landed(consignment("DE", freight="30", MUG=10, BAG=10))
    by_line = {line.line: line for line in found.lines}
    assert by_line["MUG"].duty == Decimal("0.12") * (100 + 10)
    assert by_line["BAG"].duty == Decimal("0.03") * 400


def test_goods_released_from_bond_bear_the_tariff_without_freight_or_relief() -> None:
    found = landed(consignment("DE", MUG=1), BEFORE, "bonded_release")
    assert found.duty == Decimal("1.2")
    assert found.tax == Decimal("0.19") * Decimal("21.2")
    assert found.basis.startswith("released from bond")


def test_domestic_goods_bear_nothing() -> None:
    assert landed(consignment("DE", MUG=50), route="domestic").total == 0


def test_italy_and_france_charge_fees_on_small_consignments_only() -> None:
    assert landed(consignment("IT", MUG=1)).fees == 2
    assert landed(consignment("FR", MUG=1, BAG=1)).fees == 4
    assert landed(consignment("FR", MUG=1, BAG=1), date(2026, 2, 28)).fees == 0
    assert landed(consignment("IT", MUG=30)).fees == 0


def test_tax_that_nobody_gives_back_is_a_cost() -> None:
    found = landed(consignment("TH", MUG=10))
    assert found.duty == Decimal("0.3") * 110
    assert found.cost == found.total == found.duty + Decimal("0.07") * (110 + found.duty)
    assert landed(consignment("DE", MUG=10)).cost == 3


def test_thailand_gives_no_relief_since_2026() -> None:
    small = consignment("TH", freight="0", MUG=1)
    assert landed(small, date(2025, 12, 31)).duty == 0
    assert landed(small, date(2026, 1, 1)).duty == 3


def test_every_figure_is_an_estimate_with_sources() -> None:
    found = landed(consignment("DE", MUG=10))
    assert found.estimate
    assert any("2026/382" in source for source in found.sources)


@pytest.mark.parametrize(
    ("here", "there", "customs", "route"),
    [
        ("DE", "DE", "free", "domestic"),
        ("DE", "FR", "free", "domestic"),
        ("CN", "CN", "bonded", "bonded_release"),
        ("CN", "DE", "bonded", "cross_border"),
        ("DE", "GB", "free", "cross_border"),
    ],
)
def test_the_route_follows_from_where_goods_lie_and_go(
    here: str, there: str, customs: str, route: str
) -> None:
    assert customs_route(here, there, customs) == route


@given(
    st.dictionaries(st.sampled_from(sorted(ITEM)), st.integers(1, 40), min_size=1),
    st.decimals("0", "200", places=2),
    st.sampled_from(["DE", "FR", "IT", "TH", "US"]),
    st.sampled_from(["cross_border", "bonded_release", "domestic"]),
    st.sampled_from([BEFORE, AFTER]),
)
def test_the_lines_add_up_to_the_totals_exactly(
    units: dict[str, int], freight: Decimal, country: str, route: CustomsRoute, on: date
) -> None:
    found = landed(consignment(country, str(freight), **units), on, route)
    assert found.duty == sum(line.duty for line in found.lines)
    assert found.tax == sum(line.tax for line in found.lines)
    assert found.fees == sum(line.fees for line in found.lines)
    assert min(found.duty, found.tax, found.fees) >= 0


def test_a_line_without_units_is_refused() -> None:
    item: Item = ITEM["MUG"]
    with pytest.raises(BadInput, match="quantity >= 1"):
        ConsignmentLine("1", item, 0, Decimal(1))
    with pytest.raises(BadInput, match="value >= 0"):
        ConsignmentLine("1", item, 1, Decimal("NaN"))


@pytest.mark.parametrize(("value", "duty"), [("153.90", "relief"), ("153.91", "ad valorem")])
def test_goods_worth_exactly_the_limit_lie_within_it(value: str, duty: str) -> None:
    """GBP 135 at 1.14 is 153.90, but 135 * 1.14 as floats is a little less."""
    rate = pd.DataFrame([{"currency": "GBP", "date": "2026-07-01", "rate": 1.14}])
    tariffs = Tariffs.of(BRAND.with_table("fx", complete("fx", rate)))
    line = ConsignmentLine("1", ITEM["BAG"], 1, Decimal(value))
    cost = landed_cost(Consignment("GB", (line,), Decimal(10)), "cross_border", tariffs, AFTER)
    assert cost.basis.startswith(duty)
