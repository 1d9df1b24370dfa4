from datetime import date

import pytest

from core.errors import BadInput
from tests.builders import brand_of
from warehouses.bonded import BondedLot, bond_calendar, bonded_lots, leaves_bond_by
from warehouses.network import Network

BRAND = brand_of(
    sites=[
        {"site": "SZX", "tier": "bonded", "country": "CN", "latitude": 22, "longitude": 114,
         "customs": "bonded", "bond_days": 90},
        {"site": "HAM", "tier": "central", "country": "DE", "latitude": 53, "longitude": 10},
    ],
    stock=[
        {"site": "SZX", "item": "A", "on_hand": 5, "customs": "bonded",
         "bonded_since": "2026-06-20"},
        {"site": "SZX", "item": "B", "on_hand": 5, "customs": "bonded",
         "bonded_since": "2026-09-01"},
        {"site": "SZX", "item": "C", "on_hand": 5, "customs": "bonded"},
        {"site": "HAM", "item": "D", "on_hand": 5, "customs": "bonded",
         "bonded_since": "2020-01-01"},
        {"site": "HAM", "item": "A", "on_hand": 9},
    ],
)  # fmt: skip


def test_only_stock_in_bond_is_a_bonded_lot() -> None:
    assert [lot.item for lot in bonded_lots(BRAND)] == ["A", "B", "C", "D"]


def test_days_in_bond_count_from_the_day_of_entry() -> None:
    first, _, unknown, _ = bonded_lots(BRAND)
    assert first.days_in_bond(BRAND.today) == 79
    assert unknown.days_in_bond(BRAND.today) is None


def test_a_lot_leaves_its_bond_after_the_days_of_its_site() -> None:
    sites = Network.of(BRAND).site
    last = [leaves_bond_by(sites[lot.site], lot) for lot in bonded_lots(BRAND)]
    assert last == [date(2026, 9, 18), date(2026, 11, 30), None, None]


def test_the_calendar_lists_what_must_leave_soon() -> None:
    assert [(day, lot.item) for day, lot in bond_calendar(BRAND, 14)] == [(date(2026, 9, 18), "A")]
    assert [lot.item for _, lot in bond_calendar(BRAND, 100)] == ["A", "B"]


def test_negative_units_are_refused() -> None:
    with pytest.raises(BadInput, match="units >= 0"):
        BondedLot("SZX", "A", -1, None)
