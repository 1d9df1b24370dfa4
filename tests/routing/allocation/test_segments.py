"""Segments: units of falling worth whose chances add up to what is expected."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.allocation.segments import certain, uncertain

LEVELS = np.array([0.05, 0.25, 0.50, 0.75, 0.90, 0.95])

quantiles = st.lists(st.floats(0, 500), min_size=6, max_size=6).map(sorted)


@given(mean=st.floats(0.01, 400), points=quantiles)
def test_chances_fall_and_add_up_to_no_more_than_the_mean(mean: float, points: list[float]) -> None:
    _, units, chance = uncertain(np.array([mean]), np.array([points]))
    assert (np.diff(chance) <= 1e-12).all()
    assert ((chance > 0) & (chance <= 1)).all()
    assert (units > 0).all()
    assert units @ chance <= mean * (1 + 1e-9) + 1e-9


def test_the_chance_of_a_unit_is_that_of_the_quantiles_around_it() -> None:
    """Between P50 = 20 and P75 = 30 the chance falls from 50 % to 25 %: 37.5 % on average."""
    points = np.array([[4.0, 10.0, 20.0, 30.0, 40.0, 44.0]])
    _, units, chance = uncertain(np.array([21.0]), points)
    at = np.searchsorted(np.cumsum(units), 25.0)
    assert chance[at] == pytest.approx(0.375, rel=0.02)


def test_the_expected_penalty_is_that_of_the_distribution() -> None:
    """Against a sum over single units of straight-line chances, at every quantile."""
    points = np.array([5.0, 12.0, 20.0, 31.0, 45.0, 60.0])
    _, units, chance = uncertain(np.array([24.5]), points[None])
    levels = np.concatenate([[1.0], 1.0 - LEVELS])
    edges = np.concatenate([[0.0], points])
    fine = np.linspace(0, 60, 60_001)
    area = np.trapezoid(np.interp(fine, edges, levels), fine)
    kept = (np.minimum(np.cumsum(units), 60) - np.minimum(np.cumsum(units) - units, 60)) @ chance
    assert kept == pytest.approx(area, rel=0.02)


@given(mean=st.floats(0, 1e6))
def test_a_mean_alone_is_certain_up_to_its_last_unit(mean: float) -> None:
    _, units, chance = certain(np.array([mean]))
    assert units @ chance == pytest.approx(mean, abs=1e-6)
    assert (chance[:-1] == 1.0).all()


def test_rows_without_units_have_no_segments() -> None:
    row, _, _ = certain(np.array([0.0, 2.0, 0.0]))
    assert row.tolist() == [1]
