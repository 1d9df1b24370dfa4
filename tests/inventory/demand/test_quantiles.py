import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats

from inventory.demand.quantiles import (
    COLUMNS,
    COUNTED,
    LEVELS,
    MOST_COUNTED,
    count_quantiles,
    monotone,
    widened,
)

Floats = NDArray[np.float64]


def by_scipy(mean: float, variance: float) -> Floats:
    """The counts' quantiles as scipy finds them."""
    if variance <= mean:
        return np.asarray(stats.poisson.ppf(LEVELS, mean))
    return np.asarray(stats.nbinom.ppf(LEVELS, mean**2 / (variance - mean), mean / variance))


def made(mean: float, variance: float) -> Floats:
    return np.asarray(count_quantiles(np.array([mean]), np.array([variance]))[0])


def chances(mean: float, variance: float, units: Floats) -> Floats:
    """The chance of at most so many units."""
    if variance <= mean:
        return np.asarray(stats.poisson.cdf(units, mean))
    return np.asarray(stats.nbinom.cdf(units, mean**2 / (variance - mean), mean / variance))


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-3, COUNTED), st.floats(1.001, 40.0))
def test_small_means_are_counted_exactly(mean: float, dispersion: float) -> None:
    """Up to 12 units a week, each quantile is that of the negative binomial itself."""
    variance = mean * dispersion
    oracle = by_scipy(mean, variance)
    assume(oracle[-1] < MOST_COUNTED)
    edge = np.abs(chances(mean, variance, oracle) - np.array(LEVELS)) < 1e-9
    assert np.abs(made(mean, variance) - oracle)[~edge].max(initial=0.0) == 0


@settings(max_examples=100, deadline=None)
@given(st.floats(1e-3, COUNTED), st.floats(0.0, 1.0))
def test_without_extra_spread_small_means_are_poisson(mean: float, share: float) -> None:
    assert made(mean, mean * share).tolist() == by_scipy(mean, mean).tolist()


@settings(max_examples=200, deadline=None)
@given(st.floats(COUNTED + 0.01, 1e4), st.just(1.0) | st.floats(1.001, 40.0))
def test_large_means_are_within_a_unit_or_a_percent(mean: float, dispersion: float) -> None:
    """Above 12 units the gamma distribution stands in for the counts."""
    oracle = by_scipy(mean, mean * dispersion)
    miss = np.abs(made(mean, mean * dispersion) - oracle)
    assert (miss <= np.maximum(1.0, 0.01 * oracle) + 1e-6).all()


def test_the_two_ways_meet_where_one_hands_over() -> None:
    for dispersion in (1.0, 2.0, 5.0, 20.0):
        below, above = (
            made(COUNTED, COUNTED * dispersion),
            made(COUNTED + 1e-6, COUNTED * dispersion),
        )
        assert np.abs(below - above).max() <= 2.0


def test_a_tail_beyond_the_longest_count_goes_on() -> None:
    """A unit a week that comes in orders of a thousand: P95 is not cut off at 400 units."""
    oracle = by_scipy(10.0, 10_000.0)
    assert oracle[-1] < MOST_COUNTED or made(10.0, 10_000.0)[-1] >= MOST_COUNTED
    wide = made(12.0, 12_000.0)
    assert np.array_equal(wide, monotone(wide[None])[0])


def test_nothing_expected_is_nothing_at_every_level() -> None:
    assert made(0.0, 0.0).tolist() == [0.0] * len(LEVELS)
    assert made(0.0, 50.0).tolist() == [0.0] * len(LEVELS)


def test_each_level_has_a_column() -> None:
    assert [f"p{round(100 * level):02d}" for level in LEVELS] == list(COLUMNS)


def test_a_table_of_means_keeps_its_shape_and_each_cell_its_answer() -> None:
    mean = np.array([[0.0, 0.4, 3.0], [12.0, 40.0, 900.0]])
    variance = 2.0 * mean
    table = count_quantiles(mean, variance)
    assert table.shape == (2, 3, len(LEVELS))
    for at in np.ndindex(mean.shape):
        assert np.array_equal(table[at], made(float(mean[at]), float(variance[at])))


@settings(max_examples=50, deadline=None)
@given(
    arrays(np.float64, 5, elements=st.floats(0, 1e5)),
    arrays(np.float64, 5, elements=st.floats(0, 1e8)),
    arrays(np.float64, 5, elements=st.floats(1, 3)),
)
def test_quantiles_never_fall_and_are_never_negative(
    mean: Floats, variance: Floats, factor: Floats
) -> None:
    found = widened(mean, count_quantiles(mean, variance), factor)
    assert np.isfinite(found).all()
    assert np.array_equal(found, monotone(found))


def test_widening_moves_each_quantile_away_from_the_mean() -> None:
    quantiles = np.array([[4.0, 8.0, 10.0, 12.0, 16.0, 20.0]])
    wider = widened(np.array([10.0]), quantiles, np.array([2.0]))
    assert wider.tolist() == [[0.0, 6.0, 10.0, 14.0, 22.0, 30.0]]


@pytest.mark.parametrize(
    ("given_quantiles", "kept"),
    [([-1.0, 2.0, 1.0], [0.0, 2.0, 2.0]), ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])],
)
def test_a_quantile_that_falls_is_raised_to_the_one_before(
    given_quantiles: list[float], kept: list[float]
) -> None:
    assert monotone(np.array(given_quantiles)).tolist() == kept
