import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.fulfillment.bound import price_floor
from routing.fulfillment.parcels import Goods, LaneCard, packed, shipping_price

CARD = LaneCard(
    starts=(0.5, 2.0, 12.0), ends=(2.0, 10.0, 40.0), base=(4.0, 5.0, 7.0),
    per_kg=(1.5, 1.0, 0.8), per_unit=(0.0, 0.1, 0.0), divisor=5000, max_weight_kg=30.0,
)  # fmt: skip

goods = st.lists(
    st.builds(
        Goods, st.sampled_from("ABCDE"), st.integers(1, 40), st.floats(0, 8), st.floats(0, 0.03)
    ),
    min_size=1, max_size=5, unique_by=lambda part: part.item,
)  # fmt: skip


def test_light_parcels_and_gaps_are_billed_at_the_next_band() -> None:
    assert CARD.billed_kg(0.1, 0) == 0.5
    assert CARD.billed_kg(11, 0) == 12
    assert CARD.billed_kg(1, 0.02) == 4
    assert CARD.price(12, 3) == pytest.approx(7 + 0.8 * 12)
    assert CARD.price(40, 1) == math.inf


def test_what_fits_travels_in_one_parcel() -> None:
    (parcel,) = packed([Goods("A", 3, 2.0, 0.001), Goods("B", 1, 4.0, 0.001)], CARD)
    assert (parcel.weight_kg, parcel.units) == (10.0, 4)
    assert parcel.contents == (("A", 3), ("B", 1))


def test_the_limit_of_weight_opens_another_parcel() -> None:
    parcels = packed([Goods("A", 7, 10.0, 0.001)], CARD)
    assert [parcel.units for parcel in parcels] == [3, 3, 1]
    price, count = shipping_price([Goods("A", 7, 10.0, 0.001)], CARD)
    assert count == 3
    assert price == pytest.approx(2 * (7 + 0.8 * 30) + 7 + 0.8 * 12)


@given(goods)
def test_parcels_hold_every_unit_once_and_stay_within_the_limits(parts: list[Goods]) -> None:
    parcels = packed(parts, CARD)
    found: dict[str, int] = {}
    for parcel in parcels:
        for item, units in parcel.contents:
            found[item] = found.get(item, 0) + units
    assert found == {part.item: part.units for part in parts}
    assert all(parcel.weight_kg <= 30 + 1e-6 for parcel in parcels)
    assert all(math.isfinite(CARD.price(parcel.billed_kg, parcel.units)) for parcel in parcels)


@given(goods, st.floats(0, 200))
def test_no_parcel_is_cheaper_than_its_floor(parts: list[Goods], near: float) -> None:
    billed = [CARD.billed_kg(part.weight_kg, part.volume_m3) for part in parts]
    most = sum(part.units * each for part, each in zip(parts, billed, strict=True))
    floor = price_floor(CARD, min(billed), most, near)
    assert min(floor.fixed, floor.per_kg) >= 0
    weight = sum(part.units * part.weight_kg for part in parts)
    volume = sum(part.units * part.volume_m3 * 1e6 / 5000 for part in parts)
    least = floor.fixed + floor.per_kg * max(weight, volume)
    assert shipping_price(parts, CARD)[0] >= least - 1e-6
