from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.folder.writer import complete
from inventory.demand.history import History
from inventory.demand.reverse import (
    LAGS,
    PRIOR,
    Returns,
    joined,
    lag_profile,
    learned,
    rates,
    returned,
    returns_history,
    tally,
)
from tests.inventory.demand.market import brand_with, steady

FIRST, SUNDAY = date(2026, 6, 1), date(2026, 9, 6)
LAG = np.zeros(LAGS)
LAG[[1, 3]] = 0.25, 0.75


def come_back(asked: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """Exactly a share of each week's demand, a quarter after one week, the rest after three."""
    back = np.zeros_like(asked)
    back[:, 1:] += 0.25 * rate * asked[:, :-1]
    back[:, 3:] += 0.75 * rate * asked[:, :-3]
    return back


def test_the_weeks_until_units_come_back_are_recovered() -> None:
    asked = np.random.default_rng(1).gamma(2.0, 50.0, (1, 104))
    found = lag_profile(asked[0], come_back(asked, 0.2)[0])
    assert found == pytest.approx(LAG, abs=0.01)


@pytest.mark.parametrize("weeks", [10, 104])
def test_without_evidence_returns_are_spread_evenly(weeks: int) -> None:
    asked = np.ones(weeks)
    back = np.ones(weeks) if weeks < LAGS else np.zeros(weeks)
    assert lag_profile(asked, back).tolist() == [0.25] * 4 + [0.0] * (LAGS - 4)


def test_returns_follow_the_demand_of_the_weeks_before() -> None:
    """The next weeks of a series that is known to the end continue it as it would have gone on."""
    asked = np.random.default_rng(2).gamma(2.0, 50.0, (3, 60))
    back = come_back(asked, 0.3)
    made = returned(asked[:, :50], asked[:, 50:], np.full(3, 0.3), LAG)
    assert made == pytest.approx(back[:, 50:])
    skipped = returned(
        asked[:, :50], np.repeat(asked[:, 50:51], 8, axis=1), np.full(3, 0.3), LAG, 2
    )
    assert skipped.shape == (3, 8)
    assert skipped[:, -1] == pytest.approx(0.3 * asked[:, 50])


def test_a_short_past_returns_less_not_nothing() -> None:
    made = returned(np.ones((1, 1)), np.ones((1, 2)), np.ones(1), LAG)
    assert made.tolist() == [[0.25, 0.25]]


def test_a_large_series_keeps_its_rate_and_a_small_one_follows_its_item() -> None:
    """Item 0 sells much in region 0 and nearly nothing in region 1; item 1 sells nothing."""
    asked = np.array([[1_000.0], [0.1], [0.0], [0.0]]).repeat(52, axis=1)
    back = asked * np.array([[0.4], [0.0], [0.0], [0.0]])
    known = Returns(rate=0.1, categories=np.array([0.1, 0.2]), lag=LAG)
    made = rates(asked, back, np.array([0, 0, 1, 1]), 2, known)
    assert made[0] == pytest.approx(0.4, abs=0.002)
    assert 0.3 < made[1] < 0.4
    assert made[2:].tolist() == [0.2, 0.2]


@given(st.integers(0, 1_000))
def test_rates_lie_between_none_and_all(seed: int) -> None:
    random = np.random.default_rng(seed)
    asked, back = random.gamma(0.2, 9.0, (2, 8, 30))
    category = np.repeat([0, 1, 1, 0], 2)
    known = learned(tally(asked, back, category, 2))
    made = rates(asked, back, category, 2, known)
    assert ((made >= 0) & (made <= 1)).all()
    assert known.lag.sum() == pytest.approx(1)


def test_parts_add_up_to_the_whole() -> None:
    random = np.random.default_rng(3)
    asked = random.gamma(2.0, 9.0, (8, 80))
    back, category = come_back(asked, 0.25), np.repeat([0, 1, 1, 0], 2)
    parts = [tally(asked[at], back[at], category[at], 2) for at in (slice(0, 4), slice(4, 8))]
    one, whole = learned(joined(parts)), learned(tally(asked, back, category, 2))
    assert one.lag == pytest.approx(whole.lag)
    assert one.categories == pytest.approx(whole.categories)
    assert whole.rate == pytest.approx(0.25, rel=0.1)


def test_a_category_without_demand_takes_the_rate_of_all() -> None:
    asked = np.full((2, 52), 10.0)
    known = learned(tally(asked, asked * 0.5, np.array([0, 0]), 2))
    assert known.categories[1] == known.rate == pytest.approx(0.5)
    assert PRIOR > 0


def test_returns_are_read_by_week_and_never_from_the_future() -> None:
    rows = [
        {"date": "2026-06-03", "region": "TH", "item": "CUP", "quantity": 2},
        {"date": "2026-06-04", "region": "TH", "item": "CUP", "quantity": 1},
        {"date": "2026-09-06", "region": "DE", "item": "MUG", "quantity": 4},
        {"date": "2026-09-07", "region": "DE", "item": "MUG", "quantity": 90},
        {"date": "2026-05-31", "region": "DE", "item": "MUG", "quantity": 90},
    ]
    brand = brand_with(steady, FIRST, SUNDAY).with_table(
        "returns", complete("returns", pd.DataFrame(rows))
    )
    history = History.of(brand)
    back = returns_history(brand, history)
    assert back.matrix(0, 4).sum() == 7
    assert (back.matrix(3, 4)[0, 0], back.matrix(0, 1)[0, 13]) == (3.0, 4.0)
    assert back.daily.sum() == 7
    assert np.array_equal(History.of(brand).quantity, history.quantity)


def test_a_brand_without_returns_has_an_empty_history_of_them() -> None:
    brand = brand_with(steady, FIRST, SUNDAY)
    back = returns_history(brand, History.of(brand))
    assert (len(back.quantity), back.daily.sum(), back.weeks) == (0, 0.0, 14)


def test_an_order_sent_back_whole_does_not_set_the_rate() -> None:
    """One return of ten thousand among returns of one a day is cut like a one-off order."""
    days = pd.date_range(FIRST, SUNDAY)
    frame = pd.DataFrame({"date": days, "region": "DE", "item": "MUG", "quantity": 1.0})
    frame.loc[50, "quantity"] = 10_000.0
    brand = brand_with(steady, FIRST, SUNDAY).with_table("returns", complete("returns", frame))
    assert returns_history(replace(brand), History.of(brand)).quantity.sum() < 150
