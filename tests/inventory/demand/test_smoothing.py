import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from inventory.demand.smoothing import (
    AGGREGATES,
    ALPHAS,
    BLOCK,
    SPREAD_ALPHA,
    SPREAD_WEIGHT,
    START_WEEKS,
    expected,
    huber_level,
    smooth,
)

Floats = NDArray[np.float64]

shapes = st.tuples(st.integers(1, 6), st.integers(1, 40))
demands = arrays(np.float64, shapes, elements=st.integers(0, 60).map(float))
with_hidden = shapes.flatmap(
    lambda shape: st.tuples(
        arrays(np.float64, shape, elements=st.integers(0, 60).map(float)),
        arrays(np.bool_, shape),
    )
)


def opening(series: list[float], first: int) -> float:
    weeks = series[first : first + START_WEEKS]
    return sum(weeks) / len(weeks)


def walked(
    series: list[float], seen: list[int], level: float, alpha: float
) -> tuple[list[float], float]:
    """The level before each week and after the last one, and the summed squared error."""
    path, error = [level], 0.0
    for week, units in enumerate(series):
        if week in seen:
            error += (units - level) ** 2
            level += alpha * (units - level)
        path.append(level)
    return path, error


def spreads(series: list[float], seen: list[int], level: float) -> list[float]:
    """The smoothed squared miss before each week and after the last one."""
    path, spread, count = [0.0], 0.0, 0
    for week, units in enumerate(series):
        if week in seen:
            count += 1
            miss = units - level
            spread += max(1.0 / count, SPREAD_WEIGHT) * (miss * miss - spread)
            level += SPREAD_ALPHA * miss
        path.append(spread)
    return path


@settings(max_examples=60, deadline=None)
@given(with_hidden, st.lists(st.integers(0, 39), max_size=3, unique=True))
def test_all_series_at_once_are_smoothed_as_each_alone(
    case: tuple[Floats, NDArray[np.bool_]], wanted: list[int]
) -> None:
    """Plain loops over one series at a time are the oracle: level, spread, alpha and marks.

    Weeks before the first demand and hidden weeks after the opening change nothing.
    """
    demand, hidden = case
    opened = np.where(demand.any(axis=1), (demand != 0).argmax(axis=1), 40) + START_WEEKS
    hidden &= np.arange(demand.shape[1]) >= opened[:, None]
    demand = np.where(hidden, 0.0, demand)
    marks = tuple(sorted(mark for mark in wanted if mark < demand.shape[1]))
    made = smooth(demand, hidden, marks)
    for at, series in enumerate(demand.tolist()):
        first = next((week for week, units in enumerate(series) if units), len(series))
        seen = [week for week in range(first, len(series)) if not hidden[at, week]]
        if not seen:
            assert (made.level[at], made.variance[at], made.weeks[at]) == (0.0, 0.0, 0.0)
            continue
        begin = opening([series[week] for week in seen], 0)
        walks = {alpha: walked(series, seen, begin, alpha) for alpha in ALPHAS}
        errors = {alpha: error for alpha, (_, error) in walks.items()}
        assert errors[float(made.alpha[at])] <= min(errors.values()) * (1 + 1e-9) + 1e-9
        path, spread = walks[float(made.alpha[at])][0], spreads(series, seen, begin)
        assert made.level[at] == pytest.approx(path[-1])
        assert made.variance[at] == pytest.approx(spread[-1], abs=1e-9)
        assert made.weeks[at] == len(seen)
        for row, mark in enumerate(marks):
            known = [week for week in seen if week < mark]
            then = {alpha: walked(series, known, begin, alpha) for alpha in ALPHAS}
            least = min(error for _, error in then.values())
            best = [walk[mark] for walk, error in then.values() if error <= least * (1 + 1e-9)]
            level = float(made.marked[row, 0, at])
            assert any(level == pytest.approx(one) for one in best) if known else level == 0.0
        assert made.marked[:, 1, at] == pytest.approx([spread[mark] for mark in marks], abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(with_hidden)
def test_hidden_weeks_hold_nothing_that_anybody_learns(
    case: tuple[Floats, NDArray[np.bool_]],
) -> None:
    """Of a series that sold for eight weeks, any number in later hidden weeks does as well."""
    demand, hidden = case
    demand[:, 0], hidden[:, :START_WEEKS] = 5.0, False
    one, other = (smooth(np.where(hidden, units, demand), hidden) for units in (0.0, 77.0))
    assert np.allclose(one.level, other.level)
    assert np.allclose(one.variance, other.variance)
    assert np.array_equal(one.weeks, other.weeks)


def test_a_series_that_runs_out_early_keeps_the_level_of_the_weeks_that_sold() -> None:
    """The weeks without stock counted as zeros in the first level: 10 a week became 8."""
    demand, hidden = np.zeros((1, 20)), np.zeros((1, 20), dtype=bool)
    demand[0, 10:12], hidden[0, 12:] = 10.0, True
    assert smooth(demand, hidden).level[0] == pytest.approx(10.0)


def test_weeks_without_stock_before_the_launch_take_no_evidence_away() -> None:
    """They were subtracted from the weeks seen, and fifteen weeks of sales counted as none."""
    demand, hidden = np.zeros((1, 30)), np.zeros((1, 30), dtype=bool)
    demand[0, 15:], hidden[0, :15] = 10.0, True
    made = smooth(demand, hidden)
    assert made.weeks[0] == 15
    assert made.zeros[0] == 0


def test_a_mark_does_not_know_what_came_after_it() -> None:
    """Two pasts that part after week 20 look the same before it; alpha is that of the whole."""
    rng = np.random.default_rng(2)
    past = rng.poisson(20.0, 20).astype(float)
    demand = np.array([[*past, *np.full(4, 20.0)], [*past, *np.full(4, 21.0)]])
    made = smooth(demand, marks=(20,))
    assert made.alpha[0] == made.alpha[1]
    assert made.marked[0, 0, 0] == made.marked[0, 0, 1]
    assert made.marked[0, 1, 0] == made.marked[0, 1, 1]


@settings(max_examples=50, deadline=None)
@given(demands, st.integers(1, 1000))
def test_double_the_demand_is_double_the_level(demand: Floats, times: int) -> None:
    one, many = smooth(demand), smooth(demand * times)
    assert np.allclose(many.level, one.level * times)
    assert np.allclose(many.variance, one.variance * times**2)


def test_series_of_different_blocks_do_not_meet() -> None:
    demand = np.zeros((BLOCK + 3, 10))
    demand[-3:] = np.random.default_rng(1).poisson(4.0, (3, 10))
    assert np.array_equal(smooth(demand).level[-3:], smooth(demand[-3:]).level)


@settings(max_examples=50, deadline=None)
@given(demands)
def test_an_expectation_lies_between_the_least_and_the_most_that_was_seen(demand: Floats) -> None:
    mean = expected(demand, smooth(demand))
    assert (mean >= -1e-9).all()
    assert (mean <= demand.max(axis=1) + 1e-9).all()


def test_a_constant_series_is_expected_to_go_on() -> None:
    made = smooth(np.full((1, 30), 7.0))
    assert made.level[0] == 7.0
    assert made.variance[0] == 0.0


def test_weeks_before_the_launch_are_no_evidence() -> None:
    """An item launched five weeks ago is judged by five weeks, not by a year of zeros."""
    demand = np.zeros((1, 52))
    demand[0, -5:] = 10.0
    made = smooth(demand)
    assert made.weeks[0] == 5
    assert made.level[0] == 10.0
    assert made.zeros[0] == 0.0


def test_the_spread_follows_the_newest_errors() -> None:
    """Two years of noise and half a quiet one: what is expected now is nearer to the quiet."""
    rng = np.random.default_rng(3)
    calm = np.concatenate([rng.normal(50, 10, 104), rng.normal(50, 1, 52)])[None]
    made = smooth(np.maximum(calm, 0.1))
    assert made.variance[0] < 0.25 * 10**2


def test_an_intermittent_series_is_the_mean_of_its_level_and_of_buckets_as_long_as_its_gaps() -> (
    None
):
    """IMAPA by hand: an order every third week is smoothed by one, two and three weeks."""
    rng = np.random.default_rng(5)
    series = np.where(np.arange(60) % 3 == 0, rng.integers(1, 9, 60), 0).astype(float)
    demand = series[None]
    state = smooth(demand)
    used = [length for length in AGGREGATES if length <= 1 / (1 - state.zeros[0]) + 1e-9]
    assert used == [2, 3]
    votes = [state.level[0]]
    for length in used:
        buckets = series[60 % length :].reshape(-1, length).sum(axis=1)
        votes.append(smooth(buckets[None]).level[0] / length)
    by_hand = (state.level[0] + sum(votes) / len(votes)) / 2
    assert expected(demand, state)[0] == pytest.approx(by_hand)


def test_a_series_that_sells_most_weeks_is_its_level_alone() -> None:
    demand = np.random.default_rng(6).poisson(5.0, (1, 60)).astype(float)
    state = smooth(demand)
    assert expected(demand, state)[0] == state.level[0]


def test_a_rare_item_is_smoothed_over_longer_buckets() -> None:
    """Four units every fourth week mean one a week, wherever in the cycle the history ends."""
    cycle = np.tile([4.0, 0.0, 0.0, 0.0], 26)
    demand = np.array([np.roll(cycle, shift) for shift in range(4)])
    assert np.allclose(expected(demand, smooth(demand)), 1.0, atol=0.25)


def test_errors_grow_with_the_horizon_as_theory_says() -> None:
    """A random walk smoothed with alpha a has h-step variance s2 * (1 + (h - 1) * a * a)."""
    made = smooth(np.random.default_rng(0).poisson(20, (1, 60)).astype(float))
    assert np.allclose(made.widening(3) ** 2, 1 + np.arange(3) * made.alpha[0] ** 2)
    assert np.array_equal(made.widening(3, gap=1)[:, :-1], made.widening(3)[:, 1:])


def test_an_outlier_moves_the_robust_level_less() -> None:
    """A wholesale order of ten usual weeks stands in the last one."""
    rng = np.random.default_rng(8)
    demand = rng.poisson(50.0, (20, 80)).astype(float)
    demand[:, -1] = 500.0
    robust, plain = huber_level(demand), smooth(demand).level
    assert (robust < plain + 1e-9).all()
    assert (np.abs(robust - 50) < 8).all()


@pytest.mark.parametrize("weeks", [1, 5, 60])
def test_the_robust_level_of_a_constant_is_that_constant(weeks: int) -> None:
    assert huber_level(np.full((2, weeks), 9.0)).tolist() == [9.0, 9.0]
