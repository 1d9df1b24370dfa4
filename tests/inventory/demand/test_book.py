from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray

from inventory.demand.book import Book, Cells, Guide, cells, completed, part_of, scaled, sums
from inventory.demand.calibration import neutral
from inventory.demand.levels import CATEGORY, DEAD, METHODS, NEVER_SOLD, NO_EVIDENCE, Levels
from inventory.demand.quantiles import LEVELS, count_quantiles
from inventory.demand.season import Season

Floats = NDArray[np.float64]

P95 = LEVELS.index(0.95)


def book(gap: int = 0, horizon: int = 3) -> Book:
    """Three items in two categories and two regions; two years are known."""
    return Book(
        items=("MUG", "CUP", "LAMP"),
        regions=("DE", "TH"),
        categories=("kitchen", "light"),
        category=np.array([0, 0, 1]),
        first=date(2024, 9, 9),
        weeks=104,
        gap=gap,
        horizon=horizon,
    )


def guide(of: Book, ahead: Floats | None = None) -> Guide:
    plain = Season.none(2, of.weeks, of.gap + of.horizon)
    return Guide(plain if ahead is None else replace(plain, ahead=ahead), neutral())


def known(mean: list[float], weeks: list[float] | None = None, alpha: float = 0.0) -> Levels:
    rate = np.array(mean)
    return Levels(
        mean=rate,
        variance=2.0 * rate,
        quantiles=count_quantiles(rate, 2.0 * rate),
        alpha=np.full(6, alpha),
        weeks=np.full(6, 104.0) if weeks is None else np.array(weeks),
        method=np.zeros(6, dtype=np.int8),
        value_added=np.zeros(6),
    )


MEANS = [8.0, 4.0, 2.0, 1.0, 30.0, 10.0]
EVEN = np.ones((2, 2, 3))


def test_a_book_knows_its_series_and_when_the_forecast_begins() -> None:
    assert book().series == 6
    assert book().start == date(2026, 9, 7)
    assert book(gap=1).start == date(2026, 9, 14)
    part = book().items_range(1, 3)
    assert (part.items, part.category.tolist(), part.regions) == (
        ("CUP", "LAMP"),
        [0, 1],
        ("DE", "TH"),
    )


def test_rows_of_categories_are_repeated_for_each_series() -> None:
    made = book().by_series(np.array([[1.0], [2.0]]))
    assert made[:, 0].tolist() == [1.0, 1.0, 1.0, 1.0, 2.0, 2.0]


def test_items_add_up_by_category_and_region_in_each_week() -> None:
    ahead = np.array([[1.0, 2.0, 1.0], [1.0, 1.0, 0.5]])
    made = sums(book(), guide(book(), ahead), known(MEANS))
    assert made.shape == (2, 2, 3)
    assert made[0].tolist() == [[10.0, 20.0, 10.0], [5.0, 10.0, 5.0]]
    assert made[1].tolist() == [[30.0, 30.0, 15.0], [10.0, 10.0, 5.0]]


def test_a_week_is_level_times_season_times_ratio_times_lift() -> None:
    ahead = np.array([[1.0, 2.0, 1.0], [1.0, 1.0, 1.0]])
    ratio = EVEN.copy()
    ratio[0, 1] = 1.5
    lift = np.ones((6, 3))
    lift[1, 2] = 3.0
    made = cells(book(), guide(book(), ahead), known(MEANS), ratio, lift)
    assert made.mean[1].tolist() == [4.0 * 1.5, 4.0 * 1.5 * 2.0, 4.0 * 1.5 * 3.0]
    assert made.mean[4].tolist() == [30.0] * 3
    level = count_quantiles(np.array(4.0), np.array(8.0))
    assert np.allclose(made.quantiles[1], level * made.mean[1][:, None] / 4.0)


def test_the_first_forecast_week_comes_after_the_one_under_way() -> None:
    ahead = np.array([[9.0, 1.0, 2.0, 3.0], [9.0, 1.0, 1.0, 1.0]])
    made = cells(book(gap=1), guide(book(gap=1), ahead), known(MEANS), EVEN, None)
    assert made.mean[0].tolist() == [8.0, 16.0, 24.0]


def test_quantiles_widen_with_the_weeks_ahead_and_means_do_not() -> None:
    made = cells(book(), guide(book()), known(MEANS, alpha=0.5), EVEN, None)
    level = known(MEANS).quantiles[4]
    for week in range(3):
        width = np.sqrt(1.0 + week * 0.25)
        assert np.allclose(made.quantiles[4, week], np.maximum(30.0 + (level - 30.0) * width, 0.0))
    assert (made.mean[4] == 30.0).all()


def test_items_without_a_past_borrow_and_dead_ones_are_let_go() -> None:
    """CUP never sold and is like MUG; nobody sold a lamp; then MUG dies."""
    weeks = [104.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    found = known([8.0, 0.0, 0.0, 0.0, 0.0, 0.0], weeks)
    made = completed(book(), found, np.zeros(3, dtype=bool))
    kinds = [METHODS[code] for code in made.method]
    assert kinds == [
        "smoothing",
        "never_sold",
        "category",
        "category",
        "no_evidence",
        "no_evidence",
    ]
    assert made.mean.tolist() == [8.0, 0.0, 8.0, 0.0, 0.0, 0.0]
    assert made.quantiles[2].tolist() == count_quantiles(np.array(8.0), np.array(16.0)).tolist()
    assert made.quantiles[4].tolist() == [0.0] * P95 + [1.0]
    gone = completed(book(), found, np.array([True, False, False]))
    assert gone.method[:2].tolist() == [DEAD, NEVER_SOLD]
    assert gone.mean[0] == gone.quantiles[0].max() == 0.0
    assert {CATEGORY, NO_EVIDENCE} <= set(gone.method.tolist())


def test_the_tail_of_the_unknown_stays_a_unit_whatever_the_market_does() -> None:
    weeks = [104.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    found = completed(book(), known([8.0, 0, 0, 0, 0, 0], weeks), np.zeros(3, dtype=bool))
    made = cells(book(), guide(book()), found, 2.0 * EVEN, None)
    assert (made.quantiles[4, :, P95] == 1.0).all()
    assert (made.mean[4] == 0.0).all()


@pytest.mark.parametrize("hides", [False, True])
def test_the_past_of_a_partition_carries_only_what_says_something(hides: bool) -> None:
    demand, hidden = np.ones((6, 104)), np.full((6, 104), hides)
    made = part_of(book(), guide(book()), demand, hidden, None)
    assert (made.hidden is not None) == hides
    assert made.season is None
    season = np.stack([np.tile([0.5, 1.5], 52), np.ones(104)])
    seasonal = Guide(Season(season, np.ones((2, 3))), neutral())
    known_season = part_of(book(), seasonal, demand, hidden, None).season
    assert known_season is not None
    assert np.array_equal(known_season, np.repeat(season[[0, 0, 1]], 2, axis=0))


def test_cells_with_another_mean_take_their_quantiles_along() -> None:
    made = cells(book(), guide(book()), known([8.0, 4.0, 2.0, 1.0, 30.0, 0.0]), EVEN, None)
    wanted = 2.0 * made.mean
    wanted[5] = 6.0
    moved = scaled(made, wanted)
    assert isinstance(moved, Cells)
    assert np.array_equal(moved.mean, wanted)
    assert np.allclose(moved.quantiles[:5], 2.0 * made.quantiles[:5])
    assert moved.quantiles[5, 0].tolist() == count_quantiles(np.array(6.0), np.array(12.0)).tolist()
