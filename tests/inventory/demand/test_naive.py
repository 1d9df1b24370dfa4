import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.demand.naive import CHANGE_WEEKS, naive_guess, pinball, seasonal_guess
from inventory.demand.quantiles import LEVELS
from inventory.demand.season import YEAR


def test_the_naive_forecast_repeats_the_last_week_with_the_spread_of_recent_changes() -> None:
    past = np.random.default_rng(1).poisson(200.0, (3, 60)).astype(float)
    made = naive_guess(past, 4)
    changes = np.diff(past, axis=1)[:, -CHANGE_WEEKS:]
    for series in range(3):
        spread = [np.quantile(changes[series], level) for level in LEVELS]
        assert (made.mean[series] == past[series, -1]).all()
        for week in range(4):
            said = made.quantiles[series, week] - past[series, -1]
            assert np.allclose(said, spread)


def test_a_week_without_a_change_before_it_is_sure_of_itself() -> None:
    made = naive_guess(np.array([[7.0]]), 2)
    assert (made.mean == 7.0).all()
    assert (made.quantiles == 7.0).all()


def test_naive_quantiles_never_fall_below_nothing() -> None:
    past = np.array([[50.0, 0.0, 60.0, 0.0, 40.0, 0.0]])
    made = naive_guess(past, 3).quantiles
    assert (made >= 0).all()
    assert (np.diff(made, axis=-1) >= 0).all()


def test_the_seasonal_forecast_repeats_the_weeks_of_last_year() -> None:
    past = np.arange(YEAR + 10.0)[None]
    assert seasonal_guess(past, 5).mean[0].tolist() == [10.0, 11.0, 12.0, 13.0, 14.0]
    far = seasonal_guess(np.arange(3.0 * YEAR)[None], YEAR + 3).mean[0]
    assert far[YEAR:].tolist() == far[:3].tolist()


@pytest.mark.parametrize("weeks", [4, 30])
def test_without_a_last_year_the_seasonal_forecast_is_the_naive_one(weeks: int) -> None:
    past = np.random.default_rng(2).poisson(9.0, (2, YEAR + weeks - 1)).astype(float)
    made, naive = seasonal_guess(past, weeks), naive_guess(past, weeks)
    assert np.array_equal(made.mean, naive.mean)
    assert np.array_equal(made.quantiles, naive.quantiles)


@given(st.floats(0, 100), st.floats(0, 100), st.sampled_from(LEVELS))
def test_a_pinball_loss_weighs_a_miss_by_its_side(said: float, came: float, level: float) -> None:
    loss = float(pinball(np.array(said), np.array(came), level))
    assert loss == pytest.approx(
        level * (came - said) if came > said else (1 - level) * (said - came)
    )


def test_the_quantile_of_a_sample_has_the_least_pinball_loss_on_it() -> None:
    came = np.random.default_rng(3).gamma(2.0, 10.0, 1001)
    for level in LEVELS:
        best = np.quantile(came, level)
        losses = [pinball(np.array(said), came, level).sum() for said in (best - 1, best, best + 1)]
        assert losses[1] == min(losses)
