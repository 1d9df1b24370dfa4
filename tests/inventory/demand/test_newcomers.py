import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from inventory.demand.newcomers import YOUNG_WEEKS, Filled, fill

Floats = NDArray[np.float64]

OWN, BORROWED, UNKNOWN, SETTLED = range(4)


def filled(mean: list[list[float]], weeks: list[list[float]], category: list[int]) -> Filled:
    rates = np.array(mean)
    return fill(rates, 2.0 * rates, np.array(weeks), np.array(category, dtype=np.int64))


def test_an_item_never_sold_takes_the_mean_of_its_category_in_each_region() -> None:
    """Items of 10 and 30 stand for a third one; their variance and their distance are its."""
    made = filled([[10.0, 4.0], [30.0, 0.0], [0.0, 0.0]], [[90, 90], [90, 0], [0, 0]], [0, 0, 0])
    assert made.mean[2].tolist() == [20.0, 2.0]
    assert made.variance[2, 0] == pytest.approx((20.0 + 60.0) / 2 + 10.0**2)
    assert made.source[2].tolist() == [BORROWED, BORROWED]


def test_a_young_item_opens_a_market_at_the_share_of_its_category() -> None:
    """Thailand asks for half of what Germany does; the new cup, so far German, may follow."""
    made = filled([[20.0, 10.0], [8.0, 0.0]], [[100, 100], [5, 0]], [0, 0])
    share = 10.0 / 38.0
    assert made.mean[1, 1] == pytest.approx(8.0 / (28.0 / 38.0) * share)
    assert made.source[1].tolist() == [OWN, BORROWED]


def test_an_old_item_does_not_open_markets() -> None:
    made = filled([[20.0, 10.0], [8.0, 0.0]], [[100, 100], [YOUNG_WEEKS, 0]], [0, 0])
    assert made.mean[1, 1] == 0.0
    assert made.source[1, 1] == SETTLED


def test_other_categories_say_nothing() -> None:
    made = filled([[20.0], [0.0], [0.0]], [[100], [0], [0]], [0, 0, 1])
    assert made.source[:, 0].tolist() == [OWN, BORROWED, UNKNOWN]
    assert made.mean[:, 0].tolist() == [20.0, 20.0, 0.0]


def test_a_series_with_a_past_keeps_what_it_knows() -> None:
    rng = np.random.default_rng(1)
    mean, weeks = rng.gamma(2.0, 5.0, (6, 3)), np.full((6, 3), 40.0)
    made = fill(mean, 3.0 * mean, weeks, np.array([0, 0, 1, 1, 2, 2]))
    assert np.array_equal(made.mean, mean)
    assert np.array_equal(made.variance, 3.0 * mean)
    assert (made.source == OWN).all()


def slowly(mean: Floats, weeks: Floats, category: list[int]) -> tuple[Floats, NDArray[np.int8]]:
    """The rules of the docstring, one cell at a time."""
    means, sources = mean.copy(), np.zeros(mean.shape, dtype=np.int8)
    for item, region in np.ndindex(mean.shape):
        if weeks[item, region] > 0:
            continue
        age = weeks[item].max()
        kin = [at for at in range(len(mean)) if category[at] == category[item] and weeks[at].any()]
        group = mean[kin].mean(axis=0) if kin else np.zeros(mean.shape[1])
        if age == 0:
            means[item, region] = group[region]
            sources[item, region] = BORROWED if kin else UNKNOWN
        elif age < YOUNG_WEEKS:
            sold = weeks[item] > 0
            here = group[sold].sum()
            total = mean[item, sold].sum()
            means[item, region] = total * group[region] / here if here > 0 else 0.0
            sources[item, region] = BORROWED
        else:
            means[item, region] = 0.0
            sources[item, region] = SETTLED
    return means, sources


@settings(max_examples=100, deadline=None)
@given(
    arrays(np.float64, (5, 3), elements=st.integers(1, 40).map(float)),
    arrays(np.float64, (5, 3), elements=st.sampled_from([0.0, 5.0, 80.0])),
    st.lists(st.integers(0, 2), min_size=5, max_size=5),
)
def test_all_cells_at_once_are_filled_as_each_alone(
    rates: Floats, weeks: Floats, category: list[int]
) -> None:
    mean = np.where(weeks > 0, rates, 0.0)
    made = fill(mean, mean, weeks, np.array(category, dtype=np.int64))
    means, sources = slowly(mean, weeks, category)
    assert np.allclose(made.mean, means)
    assert np.array_equal(made.source, sources)
    assert (made.variance >= 0).all()
