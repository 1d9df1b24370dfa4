"""The rate book: bands, zones, dates, currencies, surcharges."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pytest

from carriers.rates import RateBook, billed_weight_kg
from core.brand import Brand
from tests.builders import Rows, brand_of, two_sites_one_item

ON = date(2026, 9, 7)


def brand_with(
    rates: Sequence[Mapping[str, object]],
    zones: Sequence[Mapping[str, object]] = (),
    **service: object,
) -> Brand:
    place = {"latitude": 0, "longitude": 0}
    optional: dict[str, Rows] = {}
    if zones:
        optional["zones"] = zones
    if rates:
        optional["rates"] = [
            {"service": "POST", "site": "HAM", "transit_days": 2, **rate} for rate in rates
        ]
    return brand_of(
        sites=[
            {"site": "HAM", "tier": "central", "country": "DE", **place},
            {"site": "RET", "tier": "return", "country": "DE", **place},
            {"site": "OLD", "tier": "central", "country": "DE", "status": "closed", **place},
        ],
        regions=[{"region": name, "country": name, **place} for name in ("DE", "FR")],
        items=[{"item": "MUG", "weight_kg": 1, "value": 1}],
        services=[{"service": "POST", "mode": "economy", **service}],
        **optional,
    )


def price(brand: Brand, region: int, kilograms: float, units: float = 1, on: date = ON) -> float:
    return float(RateBook.of(brand, on).price(0, 0, region, kilograms, units))


def test_bulk_is_billed_by_volume() -> None:
    """A pillow of 0.02 m3 weighs 1 kg and is billed as 4 kg at 5,000 cm3 per kg."""
    assert billed_weight_kg([1.0, 9.0], 0.02, 5000.0).tolist() == [4.0, 9.0]


def test_the_axes_are_all_services_serving_sites_and_all_regions() -> None:
    book = RateBook.of(brand_with([{"region": "DE"}]), ON)
    assert (book.services, book.sites, book.regions) == (("POST",), ("HAM",), ("DE", "FR"))


def test_a_parcel_costs_base_kilograms_units_surcharge_and_fuel() -> None:
    """Fuel raises base and kilogram prices, not the price per unit and not the surcharge."""
    rate = {"region": "DE", "base_price": 4, "price_per_kg": 2, "price_per_unit": 0.5,
            "remote_surcharge": 3}  # fmt: skip
    brand = brand_with([rate], fuel_surcharge=0.1)
    assert price(brand, 0, 1.5, units=4) == pytest.approx((4 + 2 * 1.5) * 1.1 + 0.5 * 4 + 3)


def test_a_band_holds_up_to_but_not_including_its_end() -> None:
    bands = [
        {"region": "DE", "weight_from_kg": 0, "weight_to_kg": 1, "base_price": 5},
        {"region": "DE", "weight_from_kg": 1, "weight_to_kg": 5, "base_price": 9},
    ]
    book = RateBook.of(brand_with(bands), ON)
    weights = np.array([0.0, 0.99, 1.0, 4.99, 5.0])
    assert np.array_equal(book.price(0, 0, 0, weights), [5, 5, 9, 9, np.nan], equal_nan=True)
    assert book.heaviest_kg[0, 0].tolist()[0] == 5.0


def test_a_weight_below_the_first_band_has_no_price() -> None:
    assert np.isnan(price(brand_with([{"region": "DE", "weight_from_kg": 1}]), 0, 0.5))


def test_no_rate_means_no_price_and_no_transit() -> None:
    brand = brand_with([{"region": "DE"}])
    assert np.isnan(price(brand, 1, 1.0))
    assert np.isnan(RateBook.of(brand, ON).transit_days[0, 0, 1])


def test_a_zone_row_serves_every_region_of_the_zone_and_gives_way_to_a_region_row() -> None:
    zones = [
        {"service": "POST", "site": "HAM", "region": region, "zone": "EU"}
        for region in ("DE", "FR")
    ]
    rates = [{"zone": "EU", "base_price": 7}, {"region": "DE", "base_price": 4}]
    brand = brand_with(rates, zones)
    assert (price(brand, 0, 1.0), price(brand, 1, 1.0)) == (4.0, 7.0)


def test_only_the_rates_of_the_day_count() -> None:
    rates = [
        {"region": "DE", "base_price": 4, "valid_to": "2026-08-31"},
        {"region": "DE", "base_price": 5, "valid_from": "2026-09-01"},
    ]
    brand = brand_with(rates)
    assert price(brand, 0, 1.0, on=date(2026, 8, 31)) == 4.0
    assert price(brand, 0, 1.0, on=date(2026, 9, 1)) == 5.0


def test_prices_in_another_currency_are_settled_at_the_rate_of_the_day() -> None:
    brand = brand_with([{"region": "DE", "base_price": 36.725, "currency": "AED"}])
    dollars = brand_with([{"region": "DE", "base_price": 10.0, "currency": "USD"}])
    assert price(brand, 0, 1.0) == pytest.approx(price(dollars, 0, 1.0))


def test_the_slowest_band_sets_the_transit_and_no_spread_means_certainty() -> None:
    bands = [
        {"region": "DE", "weight_to_kg": 1, "transit_days": 2},
        {"region": "DE", "weight_from_kg": 1, "transit_days": 4},
    ]
    book = RateBook.of(brand_with(bands), ON)
    assert book.transit_days[0, 0, 0] == book.transit_days_p95[0, 0, 0] == 4.0


def test_positions_broadcast_to_the_shape_of_all_of_them() -> None:
    book = RateBook.of(two_sites_one_item(), ON)
    service, site, region = np.ix_(range(2), range(2), range(2))
    prices = book.price(service, site, region, 0.4)
    assert prices.shape == (2, 2, 2)
    assert prices[0, 0].tolist() == [6.0 + 2.0 * 0.4, 18.0 + 8.0 * 0.4]


def test_a_brand_without_rates_has_an_empty_book() -> None:
    book = RateBook.of(brand_with([]), ON)
    assert np.isnan(book.price(0, 0, [0, 1], 1.0)).all()
