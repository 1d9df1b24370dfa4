from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from inventory.demand.cleaning import EVIDENCE, without_one_offs
from inventory.demand.history import History
from tests.inventory.demand.market import brand_with, steady

REGIONS = 2
Floats = NDArray[np.float64]


Table = tuple[NDArray[np.int64], NDArray[np.int32], Floats, NDArray[np.bool_]]
"""Series, day, quantity, and whether a promotion ran."""


@st.composite
def rows(draw: st.DrawFn) -> Table:
    """Sorted rows of up to four items in two regions, most small, some enormous, some promoted."""
    units = st.one_of(st.integers(0, 9), st.integers(0, 100_000))
    series, day, quantity, promoted = [], [], [], []
    for one in range(draw(st.integers(1, 4)) * REGIONS):
        days = sorted(draw(st.sets(st.integers(0, 60), max_size=30)))
        series += [one] * len(days)
        day += days
        quantity += [float(draw(units)) for _ in days]
        promoted += [draw(st.integers(0, 9)) == 0 for _ in days]
    return (
        np.array(series, dtype=np.int64),
        np.array(day, dtype=np.int32),
        np.array(quantity),
        np.array(promoted, dtype=bool),
    )


def one_series(quantity: list[float], promoted: int = -1) -> list[float]:
    """What is kept of one series, one row a day; `promoted` is the row on promotion."""
    count = len(quantity)
    flags = np.arange(count) == promoted
    series, day = np.zeros(count, np.int64), np.arange(count, dtype=np.int32)
    kept: list[float] = without_one_offs(series, day, np.array(quantity), flags, 1).tolist()
    return kept


@given(rows())
def test_nothing_is_raised_and_what_is_cut_and_kept_adds_up(given_rows: Table) -> None:
    _, _, quantity, promoted = given_rows
    kept = without_one_offs(*given_rows, REGIONS)
    assert (kept <= quantity).all()
    assert (kept[quantity > 0] > 0).all()
    assert kept.sum() + (quantity - kept).sum() == pytest.approx(quantity.sum())
    assert (kept == quantity)[promoted].all()


@given(rows(), st.integers(0, 15))
def test_an_item_is_cleaned_alike_alone_and_in_company(given_rows: Table, chosen: int) -> None:
    """Any subset of whole items, as a partition has them, gives the same numbers to the bit."""
    series, day, quantity, promoted = given_rows
    part = (chosen >> (series // REGIONS)) & 1 == 1
    alone = without_one_offs(series[part], day[part], quantity[part], promoted[part], REGIONS)
    assert np.array_equal(alone, without_one_offs(*given_rows, REGIONS)[part])


@given(rows())
def test_rows_without_demand_change_nothing(given_rows: Table) -> None:
    series, day, quantity, promoted = given_rows
    sold = quantity > 0
    bare = without_one_offs(series[sold], day[sold], quantity[sold], promoted[sold], REGIONS)
    assert np.array_equal(bare, without_one_offs(*given_rows, REGIONS)[sold])


@pytest.mark.parametrize(
    ("days", "limit"),
    [
        ([4.0, 6.0] * 20, 5 + 10 * (1 + EVIDENCE / 40) * 5),
        ([0.25, 0.75] * 20, 0.5 + 10 * (1 + EVIDENCE / 40) * 0.5**0.5),
        ([1.0] * 35 + [41.0] * 5, 6 + 10 * (1 + EVIDENCE / 40) * 175**0.5),
    ],
    ids=["mean", "count", "scatter"],
)
def test_one_wholesale_order_is_cut_to_what_its_series_allows(
    days: list[float], limit: float
) -> None:
    """Ten deviations of forty days, at least their mean and at least those of a count; a fifth more
    as forty days are few."""
    kept = one_series([*days, 5_000.0])
    assert kept[:-1] == days
    assert kept[-1] == pytest.approx(limit)


@pytest.mark.parametrize("times", [3, 10])
def test_a_trading_day_in_a_calm_series_stays(times: int) -> None:
    """One Singles' Day in a first year: large, alone, and no promotion column says why."""
    quantity = np.random.default_rng(1).poisson(100, 365).astype(float)
    quantity[200] = 100.0 * times
    assert one_series(quantity.tolist()) == quantity.tolist()


def test_two_orders_of_different_size_are_both_cut() -> None:
    kept = one_series([4.0, 6.0] * 20 + [50_000.0, 5_000.0])
    assert max(kept) < 70


@pytest.mark.parametrize(
    "quantity",
    [
        [5.0] * EVIDENCE + [5_000.0, 2_600.0],
        [5.0] * 100 + [5_000.0, 4_000.0, 2_000.0],
        [5.0] * 40 + [5_000.0] * 30,
        [5.0] * (EVIDENCE - 1) + [5_000.0],
        [5_000.0],
    ],
    ids=["came back", "came back twice", "a season", "too little evidence", "one row"],
)
def test_a_level_that_recurs_or_is_little_known_stays(quantity: list[float]) -> None:
    assert one_series(quantity) == quantity


def test_a_promotion_is_never_cut() -> None:
    quantity = [5.0] * 40 + [5_000.0]
    assert one_series(quantity, promoted=40) == quantity
    assert one_series(quantity)[-1] < 100


@pytest.mark.parametrize(("apart", "kept"), [(0, 5_000.0), (3, 5_000.0), (4, 0.0)])
def test_a_peak_in_two_regions_at_once_is_an_event(apart: int, kept: float) -> None:
    """Both regions of an item ask for a thousand times the usual within three days."""
    quantity = np.full((REGIONS, 60), 5.0)
    quantity[0, 30] = quantity[1, 30 + apart] = 5_000.0
    series, day = np.repeat(np.arange(REGIONS), 60), np.tile(np.arange(60), REGIONS)
    cut = without_one_offs(
        series, day.astype(np.int32), quantity.ravel(), np.zeros(120, dtype=bool), REGIONS
    ).reshape(REGIONS, 60)
    assert (cut[0, 30] >= kept, cut[1, 30 + apart] >= kept) == (True, True)
    assert (cut.max() < 5_000.0) == (kept == 0.0)


def test_a_clipped_day_is_told_with_what_was_asked_and_kept() -> None:
    """A thousand mugs on one day in Germany, where two a day are usual."""
    brand = brand_with(steady, date(2026, 6, 1), date(2026, 9, 6))
    demand = brand.table("demand")
    big = (demand["date"] == "2026-07-15") & (demand["item"] == "MUG") & (demand["region"] == "DE")
    planted = brand.with_table(
        "demand", demand.assign(quantity=demand["quantity"].where(~big, 1_000.0))
    )
    history = History.of(planted)
    told = [found for found in history.findings if found.kind == "clipped"]
    assert [(one.item, one.region, one.day) for one in told] == [("MUG", "DE", date(2026, 7, 15))]
    assert "1,000 units asked" in told[0].text
    lost = 1_000 - 2 - (history.quantity.sum() - History.of(brand).quantity.sum())
    assert 900 < lost < 998
    assert history.daily.sum() == pytest.approx(history.quantity.sum())


def test_demand_after_the_planning_date_cleans_nothing() -> None:
    """A second order as large comes later: known only then, it makes the first one usual."""
    brand = brand_with(steady, date(2026, 6, 1), date(2026, 9, 6))
    demand = brand.table("demand")
    big = demand["date"].isin(pd.to_datetime(["2026-07-15", "2026-09-04"])) & (
        demand["item"] == "MUG"
    )
    planted = brand.with_table(
        "demand",
        demand.assign(
            quantity=demand["quantity"].where(~(big & (demand["region"] == "DE")), 1_000.0)
        ),
    )
    kinds = [
        [found.kind for found in History.of(replace(planted, today=today)).findings]
        for today in (date(2026, 9, 3), date(2026, 9, 6))
    ]
    assert kinds == [["clipped"], []]
