"""Closures: a shop that was shut in the same week last year is expected to be shut again."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inventory.demand.closures import AGAIN, coming


def open_all_year(weeks: int) -> np.ndarray:
    return np.full(weeks, 1000.0)


def test_the_week_of_last_years_closure_is_mostly_lost() -> None:
    """A shop closed in week 4; from week 54 on, week 56 is a year later."""
    total = open_all_year(54)
    total[4] = 0.0
    assert coming(total, 4).tolist() == [1.0, 1.0, AGAIN, 1.0]


def test_two_closed_years_leave_less_than_one() -> None:
    total = open_all_year(108)
    total[[4, 56]] = 0.0
    left = coming(total, 2)
    assert left[0] == AGAIN**2  # week 108 is 104 after week 4 and 52 after week 56
    assert left[1] == 1.0


def test_a_year_in_which_the_shop_was_open_breaks_the_habit() -> None:
    total = open_all_year(108)
    total[4] = 0.0
    assert coming(total, 2).tolist() == [1.0, 1.0]


def test_a_weak_week_is_not_a_closure() -> None:
    total = open_all_year(54)
    total[4] = 100.0
    assert (coming(total, 6) == 1.0).all()


@given(st.integers(1, 200), st.integers(1, 104))
def test_a_brand_that_never_sold_and_one_that_never_closed_lose_nothing(
    weeks: int, ahead: int
) -> None:
    assert (coming(np.zeros(weeks), ahead) == 1.0).all()
    assert (coming(open_all_year(weeks), ahead) == 1.0).all()
