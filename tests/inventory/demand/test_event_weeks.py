"""Event weeks: a feast that moves through the year takes its effect along."""

from datetime import date, timedelta

import numpy as np
import pytest

from inventory.demand.event_weeks import MOST, index, named_weeks

FIRST = date(2020, 1, 6)
WEEKS = 4 * 52
FEAST_WEEKS = (20, 71, 122, 173)
"""Each year a week earlier than 52 weeks after the last one."""


def feast(*weeks: int) -> list[tuple[date, str]]:
    """A feast of three days in the middle of each week, and a holiday that never moves."""
    days = [
        (FIRST + timedelta(days=7 * week + day), "Feast") for week in weeks for day in (1, 2, 3)
    ]
    return days + [(FIRST + timedelta(days=7 * week), "Moonday") for week in range(0, 230, 4)]


def market(seed: int, *weeks: int, uplift: float = 1.8) -> np.ndarray:
    """Demand of about 1,000 a week with 3 % noise, multiplied in the weeks of the feast."""
    demand = 1000.0 * np.random.default_rng(seed).normal(1.0, 0.03, WEEKS)
    demand[list(weeks)] *= uplift
    return demand[None]


def test_the_week_of_the_next_feast_rises_as_past_ones_did() -> None:
    named = named_weeks(feast(*FEAST_WEEKS, 224), FIRST, WEEKS + 20)
    found = index(market(1, *FEAST_WEEKS), [named], 20)[0]
    assert found[224] == pytest.approx(1.8, rel=0.08)
    assert np.delete(found[WEEKS:], 224 - WEEKS) == pytest.approx(np.ones(19), abs=0.05)


def test_past_feasts_are_taken_out_only_where_another_year_confirms_them() -> None:
    named = named_weeks(feast(*FEAST_WEEKS), FIRST, WEEKS)
    found = index(market(2, *FEAST_WEEKS), [named], 0)[0]
    assert found[list(FEAST_WEEKS)] == pytest.approx(np.full(4, 1.8), rel=0.1)


def test_a_feast_that_nobody_buys_for_changes_nothing() -> None:
    named = named_weeks(feast(*FEAST_WEEKS, 224), FIRST, WEEKS + 20)
    found = index(market(3), [named], 20)[0]
    assert found == pytest.approx(np.ones(WEEKS + 20), abs=0.05)


def test_no_effect_is_larger_than_three_times() -> None:
    named = named_weeks(feast(*FEAST_WEEKS, 224), FIRST, WEEKS + 20)
    found = index(market(4, *FEAST_WEEKS, uplift=9.0), [named], 20)[0]
    assert found.max() == pytest.approx(np.exp(MOST))


def test_short_or_empty_histories_know_no_events() -> None:
    named = named_weeks(feast(20), FIRST, 60)
    assert (index(np.full((1, 40), 5.0), [named], 20) == 1.0).all()
    assert (index(np.zeros((1, 100)), [named_weeks(feast(20, 72), FIRST, 104)], 4) == 1.0).all()
    assert (index(np.ones((1, 100)), [], 4) == 1.0).all()
