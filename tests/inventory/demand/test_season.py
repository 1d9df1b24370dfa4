from datetime import date, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from inventory.demand.season import (
    FEWEST_WEEKS,
    HIGHEST,
    LOWEST,
    TRIAL_WEEKS,
    TWO_YEARS,
    YEAR,
    Season,
    season,
    week_of_year,
)

Floats = NDArray[np.float64]

FIRST = date(2023, 1, 2)
AHEAD = 12


def wave(weeks: int, depth: float = 0.5) -> Floats:
    """A clean sine through the year, 1 on average."""
    return np.asarray(1.0 + depth * np.sin(2.0 * np.pi * week_of_year(FIRST, weeks) / YEAR))


def made(demand: Floats) -> Season:
    return season(demand, FIRST, AHEAD)


def both(found: Season) -> Floats:
    return np.concatenate([found.past, found.ahead], axis=1)


def test_three_years_of_a_clean_season_give_it_back() -> None:
    known = wave(3 * YEAR + AHEAD)
    found = made(200.0 * known[None, : 3 * YEAR])
    assert np.allclose(both(found)[0], known, atol=0.005)


def test_noise_blurs_a_season_a_little() -> None:
    known = wave(3 * YEAR + AHEAD)
    demand = np.random.default_rng(1).poisson(200.0 * known[: 3 * YEAR]).astype(float)
    assert np.abs(both(made(demand[None]))[0] - known).max() < 0.12


def test_growth_is_no_season() -> None:
    """Demand that doubles over three years, and has a season, shows the season alone."""
    weeks = 3 * YEAR
    growth = 2.0 ** (np.arange(weeks) / weeks)
    known = wave(weeks + AHEAD)
    found = made(200.0 * (growth * known[:weeks])[None])
    assert np.abs(both(found)[0] - known).max() < 0.06


@pytest.mark.parametrize("weeks", [FEWEST_WEEKS, 80, TWO_YEARS + TRIAL_WEEKS - 1])
def test_a_season_seen_less_than_twice_is_trusted_by_half(weeks: int) -> None:
    """Half the trust is the square root of the index; the index itself has a mean of 1."""
    one = both(made(200.0 * wave(weeks)[None]))[0]
    whole = one**2
    assert whole[-YEAR:].mean() == pytest.approx(1.0, abs=0.01)
    if weeks > 80:
        assert np.allclose(whole, wave(weeks + AHEAD), atol=0.03)


@pytest.mark.parametrize("weeks", [1, 13, FEWEST_WEEKS - 1])
def test_a_year_and_less_than_a_quarter_tells_no_season(weeks: int) -> None:
    found = made(200.0 * wave(weeks)[None])
    assert (both(found) == 1.0).all()
    assert found.past.shape == (1, weeks)
    assert found.ahead.shape == (1, AHEAD)


def test_three_years_of_noise_are_trusted_by_half_at_most() -> None:
    """Without a season a power of 1 helps nobody: what is left is small."""
    demand = np.random.default_rng(2).poisson(100.0, (20, 3 * YEAR)).astype(float)
    assert np.abs(both(made(demand)) - 1.0).mean() < 0.02


def test_a_season_that_stopped_is_forgotten() -> None:
    """Two years with a season and one without: last year shows that the old one misleads."""
    rng = np.random.default_rng(3)
    known = wave(3 * YEAR, depth=0.8)
    known[2 * YEAR :] = 1.0
    kept = made(rng.poisson(300.0 * wave(3 * YEAR, depth=0.8)).astype(float)[None])
    lost = made(rng.poisson(300.0 * known).astype(float)[None])
    assert np.ptp(lost.past) < 0.5 * np.ptp(kept.past)


def test_an_idle_group_takes_the_season_of_all_groups_together() -> None:
    """An order a month makes no season of its own; that of all is weighted by demand."""
    busy = 200.0 * wave(100)
    idle = np.where(np.arange(100) % 4 == 0, 1.0, 0.0)
    found = made(np.stack([busy, idle]))
    alone = made(busy[None])
    share = busy.sum() / (busy.sum() + idle.sum())
    assert np.allclose(found.past[0], alone.past[0])
    assert np.allclose(found.past[1], alone.past[0], atol=3.0 * (1.0 - share))


def test_groups_that_sell_every_week_do_not_share_a_season() -> None:
    one, other = 100.0 * wave(3 * YEAR), 100.0 * (2.0 - wave(3 * YEAR))
    together = made(np.stack([one, other]))
    assert np.allclose(together.past[0], made(one[None]).past[0])
    assert np.allclose(together.past[1], made(other[None]).past[0])


def test_an_index_stays_within_its_bounds() -> None:
    """A shop that sells in one week a year: what stands around it is not divided to infinity."""
    demand = np.zeros((1, 3 * YEAR))
    demand[0, ::YEAR] = 1000.0
    found = both(made(demand))
    assert (found >= LOWEST).all()
    assert (found <= HIGHEST).all()


def test_a_group_that_never_sold_has_the_season_of_the_others() -> None:
    found = both(made(np.stack([np.zeros(3 * YEAR), 100.0 * wave(3 * YEAR)])))
    assert np.isfinite(found).all()
    assert np.isfinite(both(made(np.zeros((2, 3 * YEAR))))).all()


def test_the_future_does_not_depend_on_how_far_it_is_asked_for() -> None:
    demand = np.random.default_rng(4).poisson(100.0 * wave(130)).astype(float)[None]
    near, far = season(demand, FIRST, 4), season(demand, FIRST, 60)
    assert np.array_equal(near.past, far.past)
    assert np.array_equal(near.ahead, far.ahead[:, :4])


def test_a_week_belongs_to_the_year_of_its_thursday() -> None:
    codes = week_of_year(FIRST, 5 * 53)
    for at, code in enumerate(codes.tolist()):
        thursday = FIRST + timedelta(weeks=at, days=3)
        assert code == min((thursday - date(thursday.year, 1, 1)).days // 7, YEAR - 1)
    assert set(codes.tolist()) == set(range(YEAR))
