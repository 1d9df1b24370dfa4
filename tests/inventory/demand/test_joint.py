import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from inventory.demand.joint import draws, sums
from inventory.demand.quantiles import LEVELS, count_quantiles

Floats = NDArray[np.float64]

P05, P50, P90, P95 = (LEVELS.index(level) for level in (0.05, 0.50, 0.90, 0.95))


def forecast_of(mean: float, weeks: int = 6, series: int = 1) -> tuple[Floats, Floats]:
    """The same week over and over, with the quantiles of a gamma law of variance 4 x mean."""
    shape = mean / 4.0
    quantiles = np.array([stats.gamma.ppf(level, shape, scale=4.0) for level in LEVELS])
    return np.full((series, weeks), mean), np.tile(quantiles, (series, weeks, 1))


def test_draws_have_the_mean_and_the_quantiles_of_the_forecast() -> None:
    mean, quantiles = forecast_of(100.0)
    drawn = draws(mean, quantiles, np.array([0.3]))
    assert np.allclose(drawn.mean(axis=1), mean)
    for at, level in enumerate(LEVELS):
        assert (drawn <= quantiles[:, None, :, at]).mean() == pytest.approx(level, abs=0.03)


def test_the_sum_of_independent_weeks_is_that_of_theory() -> None:
    """With alpha 0 errors are independent, and six gamma weeks add up to a gamma law.

    Below P05 draws were even between 0 and P05, and the sums of large items far too wide.
    """
    mean, quantiles = forecast_of(100.0)
    made = sums(mean, quantiles, np.array([0.0]))[0, -1]
    known = [stats.gamma.ppf(level, 6 * 25.0, scale=4.0) for level in LEVELS]
    assert made == pytest.approx(known, rel=0.02)


def test_errors_of_smoothing_go_together_as_theory_says() -> None:
    """An error moves its own week and, by alpha, all weeks after it.

    Each week is as wide as it was told, so its errors are scaled to that.
    """
    mean, quantiles = forecast_of(1000.0)
    alpha, weeks, spread = 0.4, 6, np.sqrt(4000.0)
    made = sums(mean, quantiles, np.array([alpha]))[0, -1]
    scale = np.sqrt(1.0 + np.arange(weeks) * alpha**2)
    weights = [
        sum((1.0 if week == at else alpha) / scale[week] for week in range(at, weeks))
        for at in range(weeks)
    ]
    theory = 6000.0 + stats.norm.ppf(0.90) * spread * np.sqrt(np.square(weights).sum())
    assert made[P90] - 6000.0 == pytest.approx(theory - 6000.0, rel=0.08)


def test_the_first_week_is_the_forecast_itself() -> None:
    mean, quantiles = forecast_of(100.0)
    assert sums(mean, quantiles, np.array([0.2]))[0, 0] == pytest.approx(quantiles[0, 0], rel=0.02)


@settings(max_examples=30, deadline=None)
@given(st.floats(1.0, 500.0), st.floats(0.0, 0.5), st.floats(1.0, 10.0), st.integers(1, 8))
def test_weeks_together_are_surer_than_each(
    rate: float, alpha: float, dispersion: float, weeks: int
) -> None:
    mean = np.full((1, weeks), rate)
    quantiles = count_quantiles(mean, dispersion * mean)
    made = sums(mean, quantiles, np.array([alpha]))
    assert (np.diff(made, axis=-1) >= 0).all()
    assert (np.diff(made, axis=1) >= -1e-9).all()
    drawn = draws(mean, quantiles, np.array([alpha]))
    assert (drawn >= 0).all()


def test_high_weeks_are_rarely_all_high() -> None:
    mean, quantiles = forecast_of(100.0)
    summed = quantiles.sum(axis=1)
    loose, tight = (sums(mean, quantiles, np.array([alpha]))[0, -1] for alpha in (0.0, 0.5))
    assert loose[P90] < tight[P90] < summed[0, P90]
    assert loose[P05] > tight[P05] > summed[0, P05]


def test_one_series_has_the_same_answer_alone_and_among_many() -> None:
    mean, quantiles = forecast_of(20.0, series=5)
    alpha = np.array([0.0, 0.1, 0.2, 0.3, 0.5])
    together = sums(mean, quantiles, alpha, seed=3)
    alone = sums(mean[3:4], quantiles[3:4], alpha[3:4], seed=3)
    assert np.array_equal(together[3:4], alone)


def test_more_series_than_fit_at_once_are_drawn_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    mean, quantiles = forecast_of(20.0, series=7)
    alpha = np.linspace(0.0, 0.5, 7)
    whole = sums(mean, quantiles, alpha)
    monkeypatch.setattr("inventory.demand.joint.MOST_CELLS", 13_000)
    assert np.array_equal(sums(mean, quantiles, alpha), whole)


def test_seeds_differ_and_repeat() -> None:
    mean, quantiles = forecast_of(20.0)
    one, other = (sums(mean, quantiles, np.array([0.2]), seed) for seed in (1, 2))
    assert not np.array_equal(one, other)
    assert np.array_equal(one, sums(mean, quantiles, np.array([0.2]), 1))


def test_nothing_expected_adds_up_to_nothing() -> None:
    made = sums(np.zeros((1, 4)), np.zeros((1, 4, len(LEVELS))), np.array([0.1]))
    assert (made == 0).all()
