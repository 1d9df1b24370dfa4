from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats

from inventory.demand.levels import (
    IMAPA,
    NAIVE,
    RATES,
    SMOOTHING,
    Levels,
    Part,
    calibrated,
    classes,
    levels,
    sorted_quantiles,
)
from inventory.demand.quantiles import LEVELS
from inventory.demand.smoothing import BLOCK

Floats = NDArray[np.float64]

P90 = LEVELS.index(0.90)

histories = arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.integers(1, 60)),
    elements=st.integers(0, 40).map(float),
)


def poisson(mean: float, series: int = 200, weeks: int = 104, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).poisson(mean, (series, weeks)).astype(np.float64)


@settings(max_examples=60, deadline=None)
@given(histories)
def test_levels_are_finite_ordered_and_never_negative(demand: Floats) -> None:
    found = levels(Part(demand))
    assert np.isfinite(found.mean).all()
    assert (found.mean >= 0).all()
    assert (found.quantiles >= 0).all()
    assert (np.diff(found.quantiles, axis=1) >= 0).all()
    assert (found.mean <= demand.max(axis=1) + 1e-9).all()


@pytest.mark.parametrize("mean", [0.3, 2.0, 20.0, 300.0])
def test_steady_demand_is_expected_to_go_on_with_the_spread_it_had(mean: float) -> None:
    """Of next weeks drawn from the same law, each quantile, in whole units, holds its share."""
    found = levels(Part(poisson(mean)))
    assert found.mean.mean() == pytest.approx(mean, rel=0.08)
    came = poisson(mean, weeks=400, seed=2)
    for at, level in enumerate(LEVELS[2:], 2):
        said = found.quantiles[:, at : at + 1]
        at_most, below = (came <= np.ceil(said)).mean(), (came < np.floor(said)).mean()
        assert below - 0.05 < level < at_most + 0.05


def test_quantiles_stand_at_the_scale_of_the_mean() -> None:
    """A hundred times the demand in lots of a hundred is a hundred times every quantile.

    Single units are whole: of twenty, half a unit more or less is 2 %.
    """
    demand = poisson(20.0)
    one, many = levels(Part(demand)), levels(Part(100.0 * demand))
    same = one.method == many.method
    assert same.mean() > 0.9
    assert np.allclose(many.mean[same], 100.0 * one.mean[same])
    assert np.allclose(many.quantiles[same], 100.0 * one.quantiles[same], atol=130.0)


def test_a_launch_is_judged_by_the_weeks_since() -> None:
    """Weeks before the launch counted as zeros in the last eight, and newcomers sold less."""
    demand = np.zeros((3, 52))
    demand[0, -1:] = demand[1, -2:] = demand[2, -5:] = 10.0
    assert np.allclose(levels(Part(demand)).mean, 10.0)


def test_a_single_week_is_all_that_is_known() -> None:
    assert levels(Part(np.full((1, 1), 14.0))).mean[0] == pytest.approx(14.0)


def test_weeks_without_stock_do_not_pull_a_level_down() -> None:
    demand = poisson(20.0)
    hidden = np.zeros(demand.shape, dtype=bool)
    hidden[:, -6:] = True
    gone = np.where(hidden, 0.0, demand)
    seen, blind = levels(Part(gone, hidden)), levels(Part(gone))
    assert seen.mean.mean() == pytest.approx(20.0, rel=0.03)
    assert blind.mean.mean() < 10.0
    assert seen.quantiles[:, P90].mean() == pytest.approx(stats.poisson.ppf(0.9, 20.0), rel=0.06)


def test_a_season_is_taken_out_before_and_a_promotion_too() -> None:
    """The level is that of an average week without promotion, whatever the last week was."""
    plain = poisson(50.0)
    season = np.tile(1.0 + 0.5 * np.sin(np.arange(104) / 52 * 2 * np.pi), (200, 1))
    lift = np.where(np.arange(104) >= 100, 3.0, 1.0) * np.ones((200, 1))
    found = levels(Part(plain * season * lift, season=season, lift=lift))
    known = levels(Part(plain))
    assert np.allclose(found.mean, known.mean)
    assert np.allclose(found.quantiles, known.quantiles)


def test_the_naive_forecast_takes_over_a_series_on_which_it_lost_clearly_less() -> None:
    """Wild until three months ago and the same number since: the last week says all."""
    rng = np.random.default_rng(4)
    settled = np.concatenate([rng.choice([0.0, 300.0], 64), np.full(40, 50.0)])
    found = levels(Part(np.vstack([settled, poisson(20.0, 1)])))
    assert found.method.tolist() == [NAIVE, SMOOTHING]
    assert found.mean[0] == 50.0
    assert found.alpha[0] == 1.0
    assert np.allclose(found.quantiles[0], 50.0)


@pytest.mark.parametrize("shift", range(4))
def test_an_item_that_sells_every_fourth_week_goes_on_selling(shift: int) -> None:
    """Its last week of none had the least P90 loss, and became the mean: nothing was expected.

    Of series with one large order in twelve weeks a fifth went that way.
    """
    demand = np.roll(np.tile([4.0, 0.0, 0.0, 0.0], 26), shift)[None]
    assert levels(Part(demand)).mean[0] == pytest.approx(1.0, abs=0.5)


def test_value_added_is_what_smoothing_saves_against_naive() -> None:
    """On noise around a level smoothing clearly saves; nobody saves more than everything."""
    saved = levels(Part(poisson(20.0))).value_added
    assert 0.05 < np.nanmean(saved) < 0.6
    assert np.nanmax(saved) <= 1.0


def test_methods_tell_rare_series_from_steady_ones() -> None:
    rare, steady = levels(Part(poisson(0.4))).method, levels(Part(poisson(4.0))).method
    assert (rare == IMAPA).mean() > 0.9
    assert (steady == SMOOTHING).mean() > 0.9


@settings(max_examples=30, deadline=None)
@given(histories, st.integers(0, 99))
def test_series_do_not_know_of_each_other(demand: Floats, seed: int) -> None:
    """A partition may be cut or shuffled anywhere."""
    order = np.random.default_rng(seed).permutation(len(demand))
    whole, shuffled = levels(Part(demand)), levels(Part(demand[order]))
    for name in (field.name for field in fields(Levels)):
        assert np.array_equal(getattr(whole, name)[order], getattr(shuffled, name), equal_nan=True)


def test_blocks_and_cuts_give_what_the_whole_gives() -> None:
    demand = poisson(3.0, series=BLOCK + 5, weeks=30)
    hidden = np.random.default_rng(3).random(demand.shape) < 0.1
    part = Part(np.where(hidden, 0.0, demand), hidden)
    whole = levels(part)
    cut = Levels.joined([levels(part.rows(0, 7)), levels(part.rows(7, len(demand)))])
    for name in (field.name for field in fields(Levels)):
        assert np.array_equal(getattr(whole, name), getattr(cut, name), equal_nan=True)
    assert np.array_equal(whole.rows(3, 9).quantiles, whole.quantiles[3:9])


def test_a_past_cut_before_a_week_is_that_past() -> None:
    demand, lift = poisson(3.0, 4, 30), np.full((4, 30), 2.0)
    cut = Part(demand, demand > 99, lift * 1.5, lift).before(12)
    assert np.array_equal(cut.plain(), demand[:, :12] / 6.0)
    assert cut.hidden is not None
    assert cut.hidden.shape == (4, 12)


@pytest.mark.parametrize("count", [1, 2, 5, 26])
def test_sorted_quantiles_are_those_of_numpy(count: int) -> None:
    rows = np.sort(np.random.default_rng(count).normal(size=(7, count)), axis=1)
    assert np.allclose(sorted_quantiles(rows, LEVELS), np.quantile(rows, LEVELS, axis=1).T)


def test_a_class_begins_at_its_rate() -> None:
    assert classes(np.array([0.0, 0.24, 0.25, 3.9, *RATES, 1e9])).tolist() == [
        0,
        0,
        1,
        2,
        1,
        2,
        3,
        4,
        4,
    ]


def test_calibration_stretches_quantiles_of_a_class_about_the_mean() -> None:
    found = levels(Part(poisson(30.0)))
    factors = np.ones((len(RATES) + 1, len(LEVELS)))
    factors[-1] = 1.5
    wide = calibrated(found, factors)
    center = found.mean[:, None]
    assert np.allclose(wide.quantiles - center, 1.5 * (found.quantiles - center))
    small = replace(found, mean=np.full(found.count, 2.0))
    assert np.array_equal(calibrated(small, factors).quantiles, small.quantiles)


def test_calibration_keeps_what_is_zero_and_the_order() -> None:
    """A P25 of 0 stands for "most weeks nothing": no factor makes a unit of it."""
    found = levels(Part(poisson(0.4)))
    factors = np.full((len(RATES) + 1, len(LEVELS)), 0.7)
    factors[:, P90] = 1.4
    made = calibrated(found, factors).quantiles
    assert (made[found.quantiles == 0] == 0).mean() > 0.99
    assert (np.diff(made, axis=1) >= 0).all()
