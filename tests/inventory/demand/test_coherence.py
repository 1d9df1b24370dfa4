import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from inventory.demand.coherence import HIGHEST, LOWEST, ratios

Floats = NDArray[np.float64]

CATEGORIES, REGIONS, WEEKS = 3, 4, 2

cells = arrays(np.float64, (CATEGORIES, REGIONS, WEEKS), elements=st.floats(10, 100))
shares = arrays(np.float64, (CATEGORIES, REGIONS, WEEKS), elements=st.floats(0.7, 1.4))


@settings(max_examples=100, deadline=None)
@given(cells, shares)
def test_items_add_up_to_their_markets(sums: Floats, share: Floats) -> None:
    wanted = (sums * share).sum(axis=0)
    made = ratios(sums, wanted)
    assert np.allclose((made * sums).sum(axis=0), wanted, rtol=1e-9)


@settings(max_examples=100, deadline=None)
@given(cells, shares)
def test_markets_hold_and_known_categories_nearly(sums: Floats, share: Floats) -> None:
    """Three rounds bring both within 5 % where they can agree; markets are exact."""
    target = sums * share
    made = ratios(sums, target.sum(axis=0), target.sum(axis=1)) * sums
    assert np.allclose(made.sum(axis=0), target.sum(axis=0), rtol=1e-6)
    assert np.allclose(made.sum(axis=1), target.sum(axis=1), rtol=0.05)


def test_a_category_that_grows_takes_its_share_in_every_market() -> None:
    sums = np.full((2, 3, 1), 10.0)
    made = ratios(sums, np.full((3, 1), 20.0), np.array([[45.0], [15.0]])) * sums
    assert np.allclose(made[0], 15.0)
    assert np.allclose(made[1], 5.0)


def test_of_an_unknown_category_only_the_markets_speak() -> None:
    """A mean of a category that nobody forecasts better than its items changes nothing."""
    sums = np.random.default_rng(1).gamma(2.0, 10.0, (2, 3, 4))
    wanted = 1.3 * sums.sum(axis=0)
    unknown = ratios(sums, wanted, np.full((2, 4), np.nan))
    assert np.allclose(unknown, 1.3)
    assert np.allclose(ratios(sums, wanted), unknown)


@settings(max_examples=200, deadline=None)
@given(
    arrays(np.float64, (2, 2, 2), elements=st.floats(0, 1e6)),
    arrays(np.float64, (2, 2), elements=st.floats(0, 1e6)),
    arrays(np.float64, (2, 2), elements=st.floats(0, 1e6)),
)
def test_no_cell_is_more_than_tripled_or_divided_by_three(
    sums: Floats, region: Floats, category: Floats
) -> None:
    """What clipped cells lacked went to all, and tripled ones were doubled again."""
    for made in (ratios(sums, region), ratios(sums, region, category)):
        assert ((made >= LOWEST - 1e-12) & (made <= HIGHEST + 1e-12)).all()


def test_what_a_clipped_cell_lacks_the_others_bring() -> None:
    """The market asks for 20; the first category may only triple, the second fills up."""
    sums = np.array([[[1.0]], [[9.0]]])
    made = ratios(sums, np.array([[20.0]]), np.array([[15.0], [5.0]]))
    assert made[0, 0, 0] == HIGHEST
    assert (made * sums).sum() == pytest.approx(20.0, rel=0.01)


@pytest.mark.parametrize(("wanted", "bound"), [(1000.0, HIGHEST), (0.1, LOWEST)])
def test_a_market_out_of_reach_is_met_as_far_as_the_bounds_allow(
    wanted: float, bound: float
) -> None:
    assert np.allclose(ratios(np.full((2, 1, 1), 10.0), np.array([[wanted]])), bound)


def test_a_market_whose_items_expect_nothing_is_left_alone() -> None:
    made = ratios(np.zeros((2, 3, 1)), np.full((3, 1), 5.0), np.full((2, 1), 7.0))
    assert (made == 1.0).all()


def test_a_market_that_asks_for_nothing_divides_by_three() -> None:
    assert np.allclose(ratios(np.full((1, 1, 1), 6.0), np.zeros((1, 1))), LOWEST)
