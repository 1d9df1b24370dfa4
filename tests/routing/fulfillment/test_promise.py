from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.fulfillment.promise import Transit, delivery
from warehouses.calendars import Doorstep

days = st.floats(0.1, 60)
BERLIN = Doorstep("DE", 13.4)


def test_the_distribution_has_the_median_and_the_quantile_that_the_card_states() -> None:
    transit = Transit(3, 6)
    assert transit.probability_within(3) == pytest.approx(0.5)
    assert transit.probability_within(6) == pytest.approx(0.95)
    assert transit.quantile(0.95) == pytest.approx(6)


@given(days, st.floats(1.0, 4.0), days)
def test_quantile_and_probability_are_inverse(p50: float, spread: float, limit: float) -> None:
    transit = Transit(p50, p50 * spread)
    probability = transit.probability_within(limit)
    assert 0 <= probability <= 1
    if 1e-6 < probability < 1 - 1e-6 and spread > 1.001:
        assert transit.quantile(probability) == pytest.approx(limit)


@given(days, st.floats(1.0, 4.0), days, days)
def test_a_longer_promise_is_safer_and_costs_fewer_late_days(
    p50: float, spread: float, first: float, second: float
) -> None:
    transit, (short, long) = Transit(p50, p50 * spread), sorted((first, second))
    assert transit.probability_within(short) <= transit.probability_within(long)
    assert transit.expected_late_days(short) >= transit.expected_late_days(long) - 1e-9


def test_expected_late_days_agree_with_a_simulation() -> None:
    transit = Transit(3, 6)
    sigma = np.log(2) / 1.6448536269514722
    drawn = 3 * np.exp(sigma * np.random.default_rng(0).standard_normal(1_000_000))
    for limit in (0.0, 2.0, 3.0, 5.0):
        simulated = np.maximum(drawn - limit, 0).mean()
        assert transit.expected_late_days(limit) == pytest.approx(simulated, rel=0.01)


def test_without_spread_the_time_is_certain() -> None:
    transit = Transit(2, 2)
    assert (transit.probability_within(1.99), transit.probability_within(2)) == (0, 1)
    assert transit.expected_late_days(0.5) == 1.5
    assert Transit(0, 0).probability_within(0) == 1


def test_a_promise_that_ends_on_a_sunday_must_be_kept_on_saturday() -> None:
    friday = datetime(2026, 9, 11, 12, tzinfo=UTC)
    sunday = datetime(2026, 9, 13, 22, tzinfo=UTC)
    found = delivery(friday, Transit(1.4, 1.4), BERLIN, sunday)
    assert found.probability == 1
    late = delivery(friday, Transit(2.0, 2.0), BERLIN, sunday)
    assert late.probability == 0
    assert late.p50 == datetime(2026, 9, 13, 23, tzinfo=UTC)
