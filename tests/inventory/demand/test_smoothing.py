import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inventory.demand.quantiles import LEVELS, count_quantiles, monotone, widened
from inventory.demand.smoothing import ALPHAS, START_WEEKS, expected, smooth

demands = arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 40)),
    elements=st.integers(0, 60).map(float),
)


def smoothed_one_by_one(series: list[float]) -> tuple[float, float]:
    """Level and alpha of one series by plain loops: the oracle of the vectorised pass."""
    active = series[next((at for at, units in enumerate(series) if units), len(series)) :]
    if not active:
        return 0.0, 0.0
    best = (np.inf, 0.0, 0.0)
    for alpha in ALPHAS:
        level, error = sum(active[:START_WEEKS]) / len(active[:START_WEEKS]), 0.0
        for units in active:
            error += (units - level) ** 2
            level += alpha * (units - level)
        if error < best[0]:
            best = (error, level, alpha)
    return best[1], best[2]


@settings(max_examples=50, deadline=None)
@given(demands)
def test_all_series_at_once_are_smoothed_as_each_alone(demand: np.ndarray) -> None:
    made = smooth(demand)
    for at, series in enumerate(demand.tolist()):
        level, _ = smoothed_one_by_one(series)
        assert np.isclose(made.level[at], level)


@settings(max_examples=50, deadline=None)
@given(demands)
def test_an_expectation_lies_between_the_least_and_the_most_that_was_seen(
    demand: np.ndarray,
) -> None:
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


def test_a_rare_item_is_smoothed_over_longer_buckets() -> None:
    """Four units every fourth week mean one a week, wherever in the cycle the history ends."""
    cycle = np.tile([4.0, 0.0, 0.0, 0.0], 26)
    demand = np.array([np.roll(cycle, shift) for shift in range(4)])
    assert np.allclose(expected(demand, smooth(demand)), 1.0, atol=0.25)


@settings(max_examples=50, deadline=None)
@given(
    arrays(np.float64, 5, elements=st.floats(0, 1e5)),
    arrays(np.float64, 5, elements=st.floats(0, 1e8)),
    arrays(np.float64, 5, elements=st.floats(1, 3)),
)
def test_quantiles_never_fall_and_are_never_negative(
    mean: np.ndarray, variance: np.ndarray, factor: np.ndarray
) -> None:
    made = widened(mean, count_quantiles(mean, variance), factor)
    assert np.isfinite(made).all()
    assert np.array_equal(made, monotone(made))


def test_quantiles_of_counts_hold_what_they_say() -> None:
    """Of many drawn counts, at least 90 % lie at or below P90, and less at one below it."""
    random, size, chance = np.random.default_rng(3), 2.0, 0.1
    mean, variance = size * (1 - chance) / chance, size * (1 - chance) / chance**2
    drawn = random.negative_binomial(size, chance, 200_000)
    p90 = count_quantiles(np.array([mean]), np.array([variance]))[0, LEVELS.index(0.90)]
    assert (drawn <= p90).mean() >= 0.895
    assert (drawn <= p90 - 1).mean() < 0.90


def test_errors_grow_with_the_horizon_as_theory_says() -> None:
    """A random walk smoothed with alpha a has h-step variance s2 * (1 + (h - 1) * a * a)."""
    made = smooth(np.random.default_rng(0).poisson(20, (1, 60)).astype(float))
    assert np.allclose(made.widening(3) ** 2, 1 + np.arange(3) * made.alpha[0] ** 2)
