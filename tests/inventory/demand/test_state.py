"""State: days are folded in one by one, and the numbers are those of smoothing whole weeks."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.brand import Brand
from core.errors import BadInput
from inventory.demand.forecast import Forecast, forecast
from inventory.demand.levels import METHODS, Levels
from inventory.demand.memory import Memory, read_memory, write_memory
from inventory.demand.smoothing import SPREAD_WEIGHT
from inventory.demand.state import NewLines, State, fold, levels_of
from tests.inventory.demand.market import brand_with, noisy

Floats = NDArray[np.float64]

SUNDAY = date(2026, 9, 6)
OLD = 60.0
"""Weeks behind each series: more than those in which a young one learns faster."""


def fitted(level: Sequence[float], alpha: Sequence[float], weeks: float = OLD) -> State:
    mean = np.array(level)
    return State.of(
        Levels(
            mean=mean,
            variance=mean + 1.0,
            quantiles=np.outer(mean, [0.2, 0.6, 0.9, 1.3, 1.8, 2.2]),
            alpha=np.array(alpha),
            weeks=np.full(len(mean), weeks),
            method=np.zeros(len(mean), dtype=np.int8),
            value_added=np.full(len(mean), 0.1),
        ),
        SUNDAY,
    )


def smoothed(state: State, weekly: Floats) -> tuple[Floats, Floats]:
    """Returns level and spread after whole weeks, by the formulas of smoothing; [week, series]."""
    level, spread = state.level, state.spread
    for units in weekly:
        miss = units - level
        level = level + state.alpha * miss
        spread = spread + SPREAD_WEIGHT * (miss * miss - spread)
    return level, spread


def lines_of(daily: Floats, begin: int, end: int, state: State) -> NewLines:
    """Returns the lines of some days, [day, series], the first of them a day after `SUNDAY`."""
    day, series = np.nonzero(daily[begin:end])
    offset = (SUNDAY + timedelta(days=1) - state.under_way).days
    return NewLines(
        until=SUNDAY + timedelta(days=end),
        series=series.astype(np.int64),
        day=day.astype(np.int64) + begin + offset,
        units=daily[begin:end][day, series],
    )


@given(
    st.integers(1, 4),
    st.integers(0, 5),
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(1, 20), max_size=6),
)
def test_days_folded_one_by_one_are_weeks_smoothed_at_once(
    series: int, weeks: int, seed: int, cuts: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    days = weeks * 7 + int(rng.integers(0, 7))
    daily = rng.poisson(0.7, (days, series)).astype(np.float64)
    begun = fitted(
        rng.gamma(2.0, 3.0, series).tolist(), rng.choice([0.05, 0.2, 1.0], series).tolist()
    )
    state = begun
    edges = sorted({0, days, *(cut for cut in cuts if cut < days)})
    for begin, end in pairwise(edges):
        state = fold(state, lines_of(daily, begin, end, state))
    weekly = daily[: weeks * 7].reshape(weeks, 7, series).sum(axis=1)
    level, spread = smoothed(begun, weekly)
    np.testing.assert_allclose(state.level, level, rtol=1e-9)
    np.testing.assert_allclose(state.spread, spread, rtol=1e-9)
    np.testing.assert_array_equal(state.partial, daily[weeks * 7 :].sum(axis=0))
    assert state.day == SUNDAY + timedelta(days=days)


def test_a_state_that_nothing_was_added_to_says_what_was_fitted() -> None:
    state = fitted([4.0, 0.0, 9.0], [0.1, 0.1, 1.0])
    found = levels_of(state)
    np.testing.assert_array_equal(found.mean, [4.0, 0.0, 9.0])
    np.testing.assert_allclose(found.quantiles[:, 5], [8.8, 0.0, 19.8])


def test_a_week_without_stock_moves_nothing() -> None:
    state = fitted([4.0, 4.0], [0.5, 0.5])
    none = np.array([], dtype=np.int64)
    units = np.array([], dtype=np.float64)
    hidden = np.array([[True], [False]])
    after = fold(state, NewLines(SUNDAY + timedelta(days=7), none, none, units, hidden))
    assert after.level.tolist() == [4.0, 2.0]
    assert after.weeks.tolist() == [OLD, OLD + 1]


def test_a_series_that_never_sold_borrows_until_it_sells() -> None:
    never = METHODS.index("never_sold")
    state = replace(fitted([0.5, 0.5], [0.02, 0.02], 0.0), method=np.full(2, never, np.int8))
    sold = NewLines(
        SUNDAY + timedelta(days=7), np.array([1]), np.array([3]), np.array([8.5])
    )  # fmt: skip
    after = fold(state, sold)
    assert after.level.tolist() == [0.5, 1.5]  # an eighth of the 8 units that it missed by
    assert [METHODS[at] for at in after.method] == ["never_sold", "smoothing"]


@pytest.fixture(scope="module")
def brand() -> Brand:
    """A year of demand, of which a planner sees more and more."""
    return brand_with(noisy(5), date(2025, 9, 1), date(2026, 9, 30))


def seen(brand: Brand, today: date) -> Brand:
    return replace(brand, today=today)


def told(brand: Brand, memory: Memory) -> Forecast:
    return forecast(brand, 3, learn=memory)


def test_a_day_later_only_the_new_lines_are_added(brand: Brand, tmp_path: Path) -> None:
    memory = Memory()
    first = told(seen(brand, date(2026, 9, 6)), memory)
    assert (memory.folded, first.frame["start"].min()) == (None, pd.Timestamp("2026-09-07"))
    assert memory.remembered is not None
    write_memory(memory.remembered, tmp_path / "state.parquet")
    again = Memory(read_memory(tmp_path / "state.parquet"))
    same = told(seen(brand, date(2026, 9, 6)), again)
    assert again.folded == 0
    pd.testing.assert_frame_equal(same.frame, first.frame)
    later = told(seen(brand, date(2026, 9, 8)), again)
    assert again.folded == len(_between(brand, "2026-09-07", "2026-09-08"))
    assert later.frame["start"].min() == pd.Timestamp("2026-09-14")


def test_weeks_that_sold_twice_as_much_raise_what_is_remembered(brand: Brand) -> None:
    memory = Memory()
    told(seen(brand, date(2026, 9, 6)), memory)
    before = _mean(memory)
    demand = brand.table("demand")
    later = demand["date"] > "2026-09-06"
    doubled = demand.assign(quantity=demand["quantity"].where(~later, demand["quantity"] * 3))
    told(seen(brand.with_table("demand", doubled), date(2026, 9, 20)), memory)
    assert memory.folded
    assert (_mean(memory) > before).all()


@pytest.mark.parametrize("change", ["four weeks later", "another item", "an earlier day"])
def test_what_no_longer_serves_is_fitted_anew(brand: Brand, change: str) -> None:
    memory = Memory()
    told(seen(brand, date(2026, 9, 1)), memory)
    items = brand.table("items")
    changed = {
        "four weeks later": seen(brand, date(2026, 9, 29)),
        "an earlier day": seen(brand, date(2026, 8, 30)),
        "another item": seen(brand, date(2026, 9, 2)).with_table(
            "items", pd.concat([items, items.iloc[:1].assign(item="JUG")], ignore_index=True)
        ),
    }[change]
    told(changed, memory)
    assert memory.folded is None


def test_a_file_that_is_no_state_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(BadInput, match=r"orders\.parquet"):
        read_memory(path)


def _between(brand: Brand, first: str, last: str) -> pd.DataFrame:
    demand = brand.table("demand")
    return demand[(demand["date"] >= first) & (demand["date"] <= last)]


def _mean(memory: Memory) -> Floats:
    assert memory.remembered is not None
    return memory.remembered.state.level
