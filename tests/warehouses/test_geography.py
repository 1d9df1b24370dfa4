"""Distances: the fast formula against the ellipsoid."""

import numpy as np
import pytest

from core.places import Point
from warehouses.geography import coordinates, distances_km, lane_km

HAMBURG, BANGKOK = Point(53.55, 9.99), Point(13.75, 100.5)
LOS_ANGELES, AUCKLAND, POLE = Point(34.05, -118.24), Point(-36.85, 174.76), Point(90.0, 0.0)
ALL = (HAMBURG, BANGKOK, LOS_ANGELES, AUCKLAND, POLE)


def test_the_fast_formula_stays_close_to_the_ellipsoid() -> None:
    fast = distances_km(coordinates(ALL), coordinates(ALL))
    exact = np.array([[lane_km(a, b) for b in ALL] for a in ALL])
    assert fast.shape == (5, 5)
    assert np.allclose(fast, exact, rtol=0.006, atol=1e-6)


def test_the_way_over_the_date_line_is_short() -> None:
    """Fiji to Samoa crosses the antimeridian: about 1,150 km, not the way around the globe."""
    km = distances_km([[-18.14, 178.44]], [[-13.83, -171.77]])[0, 0]
    assert 1100 < km < 1200


def test_antipodes_are_half_the_way_around() -> None:
    assert distances_km([[10.0, 20.0]], [[-10.0, -160.0]])[0, 0] == pytest.approx(20015.1, abs=0.2)


def test_distance_is_symmetric_and_zero_at_home() -> None:
    km = distances_km(coordinates(ALL), coordinates(ALL))
    assert np.allclose(km, km.T)
    assert np.allclose(np.diag(km), 0.0)
