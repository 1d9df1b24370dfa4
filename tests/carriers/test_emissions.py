"""Emissions: every mode has a factor with a source, and the sums of the trade come out."""

import pytest

from carriers.emissions import emission_factors, grams_per_tonne_km, kg_co2e
from core.errors import NotFound
from core.folder.schema import schemas


def test_every_mode_of_the_brand_folder_has_a_sourced_factor() -> None:
    modes = set(schemas()["services"].attribute("mode").choices)
    factors = emission_factors()
    assert set(factors) == modes
    for mode in modes:
        assert factors[mode][0].from_km == 0
        assert all(factor.source and factor.as_of and factor.basis for factor in factors[mode])


def test_twenty_tonnes_from_shanghai_to_rotterdam_by_sea() -> None:
    """The worked example of the source of the factor: 19,600 km and 3,195 kg."""
    assert kg_co2e(20_000, 19_600, "sea_fcl") == pytest.approx(3195, abs=1)


def test_a_flight_is_95_km_longer_than_the_great_circle() -> None:
    assert kg_co2e(1000, 5000, "air") == pytest.approx(5095 * 608 / 1000)


def test_short_flights_emit_more_per_kilometer_and_short_parcels_go_by_truck() -> None:
    assert grams_per_tonne_km("express", 800) > grams_per_tonne_km("express", 9000)
    assert grams_per_tonne_km("economy", [100, 1499, 1500, 9000]).tolist() == [150, 150, 789, 608]


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(NotFound, match="dirigible"):
        kg_co2e(1, 1, "dirigible")
