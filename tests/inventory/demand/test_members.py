from collections.abc import Callable
from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray

from inventory.demand.members import (
    RATIO_WEEKS,
    Member,
    Weekly,
    last_year_member,
    level,
    level_member,
    trend_member,
)
from inventory.demand.quantiles import LEVELS
from inventory.demand.season import YEAR, week_of_year

Floats = NDArray[np.float64]
Method = Callable[..., Member]

FIRST = date(2023, 1, 2)
P05, P50, P90, P95 = (LEVELS.index(share) for share in (0.05, 0.50, 0.90, 0.95))

MEMBERS = (level_member, trend_member, last_year_member)


def noise(mean: float, series: int = 20, weeks: int = 3 * YEAR, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).poisson(mean, (series, weeks)).astype(np.float64)


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("mean", [2.0, 8.0, 400.0])
def test_quantiles_are_ordered_around_the_scale_of_demand(member: Method, mean: float) -> None:
    made = member(Weekly(noise(mean), FIRST), 6)
    assert made.usable.all()
    assert np.isfinite(made.quantiles).all()
    assert (made.quantiles >= 0).all()
    assert (np.diff(made.quantiles, axis=-1) >= 0).all()
    assert made.mean.mean() == pytest.approx(mean, rel=0.25)
    assert (made.quantiles[..., P05] <= made.mean).all()
    assert (made.mean <= made.quantiles[..., P95]).all()


@pytest.mark.parametrize("member", MEMBERS)
def test_without_quantiles_the_mean_is_the_same(member: Method) -> None:
    past = Weekly(noise(30.0), FIRST)
    full, quick = member(past, 4), member(past, 4, spread=False)
    assert np.array_equal(full.mean, quick.mean)
    assert not quick.quantiles.any()


@pytest.mark.parametrize("mean", [20.0, 1000.0])
def test_the_level_of_a_busy_market_holds_what_its_quantiles_say(mean: float) -> None:
    """Next weeks from the same law: P90 holds nine of ten, give or take."""
    made = level_member(Weekly(noise(mean, series=200), FIRST), 4)
    came = noise(mean, series=200, weeks=4, seed=2)
    assert (came <= made.quantiles[..., P90]).mean() == pytest.approx(0.90, abs=0.05)
    assert (came <= made.quantiles[..., P50]).mean() == pytest.approx(0.50, abs=0.08)


def test_a_level_is_the_mean_of_three_and_ignores_a_single_wild_week() -> None:
    steady = np.full((1, 60), 100.0)
    assert level(steady)[0] == pytest.approx(100.0)
    wild = steady.copy()
    wild[0, -2] = 1000.0
    assert level(wild)[0] < 170.0


@pytest.mark.parametrize("mean", [0.1, 0.2, 0.5])
def test_a_market_of_an_order_now_and_then_keeps_its_mean(mean: float) -> None:
    """The median of mostly empty weeks is 0, and markets of few orders lost two thirds of them."""
    demand = noise(mean, series=400, weeks=104)
    assert level(demand).mean() == pytest.approx(demand.mean(), rel=0.15)


def test_the_level_follows_the_season() -> None:
    codes = week_of_year(FIRST, 3 * YEAR + 8)
    wave = 1.0 + 0.5 * np.sin(2.0 * np.pi * codes / YEAR)
    made = level_member(Weekly(200.0 * wave[None, : 3 * YEAR], FIRST), 8)
    assert np.allclose(made.mean[0], 200.0 * wave[3 * YEAR :], rtol=0.02)


@pytest.mark.parametrize("member", MEMBERS)
def test_a_gap_is_skipped_not_shifted(member: Method) -> None:
    """The forecast after a week under way is the later part of the one without it."""
    demand = noise(40.0, weeks=2 * YEAR)
    whole = member(Weekly(demand, FIRST), 5, spread=False)
    after = member(Weekly(demand, FIRST, gap=1), 4, spread=False)
    assert np.allclose(after.mean, whole.mean[:, 1:])


def test_a_trend_goes_on_and_fades() -> None:
    growing = 100.0 + 5.0 * np.arange(60.0)[None]
    made = trend_member(Weekly(growing, FIRST), 20, spread=False).mean[0]
    flat = level_member(Weekly(growing, FIRST), 20, spread=False).mean[0]
    steps = np.diff(made)
    assert (steps > 0).all()
    assert np.allclose(steps[1:] / steps[:-1], 0.9)
    assert made[-1] > flat[-1]


def test_a_falling_trend_ends_at_nothing() -> None:
    falling = np.maximum(100.0 - 4.0 * np.arange(30.0), 1.0)[None]
    assert (trend_member(Weekly(falling, FIRST), 20).mean >= 0).all()


def test_a_trend_needs_half_a_year() -> None:
    made = [trend_member(Weekly(noise(9.0, 2, weeks), FIRST), 4).usable.all() for weeks in (25, 26)]
    assert made == [False, True]


def test_last_year_repeats_at_the_pace_of_the_last_quarter() -> None:
    """This year sells a fifth more than the last; each week does so too."""
    rng = np.random.default_rng(3)
    year = rng.gamma(5.0, 20.0, YEAR)
    demand = np.concatenate([year, 1.2 * year])[None]
    made = last_year_member(Weekly(demand, FIRST), 6)
    assert np.allclose(made.mean[0], 1.2 * 1.2 * year[:6])


def test_a_horizon_past_a_year_repeats_the_last_year_again() -> None:
    demand = np.tile(np.arange(1.0, YEAR + 1), 2)[None]
    made = last_year_member(Weekly(demand, FIRST), YEAR + 3)
    assert made.mean[0, YEAR:].tolist() == made.mean[0, :3].tolist()


@pytest.mark.parametrize(
    ("weeks", "usable"), [(YEAR + RATIO_WEEKS - 1, False), (YEAR + RATIO_WEEKS, True)]
)
def test_last_year_needs_a_year_and_a_quarter(weeks: int, usable: bool) -> None:
    assert last_year_member(Weekly(noise(9.0, 2, weeks), FIRST), 4).usable.all() == usable


def test_a_market_that_sold_nothing_a_year_ago_has_no_last_year() -> None:
    demand = noise(9.0, 2, 2 * YEAR)
    demand[0, : YEAR + 5] = 0.0
    assert last_year_member(Weekly(demand, FIRST), 4).usable.tolist() == [False, True]


@pytest.mark.parametrize("member", MEMBERS)
def test_nothing_sold_is_nothing_expected(member: Method) -> None:
    made = member(Weekly(np.zeros((2, 80)), FIRST), 3)
    assert not made.mean.any()
    assert not made.quantiles.any()


@pytest.mark.parametrize("weeks", [1, 2, 7, 9, 30])
def test_the_shortest_past_has_a_level(weeks: int) -> None:
    made = level_member(Weekly(np.full((1, weeks), 12.0), FIRST), 3)
    assert np.allclose(made.mean, 12.0)
    assert np.isfinite(made.quantiles).all()


def test_wider_after_weeks_than_at_once() -> None:
    """Errors grow with the weeks ahead; without a season the mean stays what it is."""
    made = level_member(Weekly(noise(300.0, weeks=60), FIRST), 12).quantiles
    width = made[..., P95] - made[..., P05]
    assert (np.diff(width, axis=1) >= -1e-9).all()
    assert (width[:, -1] > width[:, 0]).any()


def test_a_past_before_a_week_is_cut_and_has_no_gap() -> None:
    cut = Weekly(noise(3.0, 2, 30), FIRST, gap=1).before(10)
    assert (cut.weeks, cut.gap, cut.first) == (10, 0, FIRST)
