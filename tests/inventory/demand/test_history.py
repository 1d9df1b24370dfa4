from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from core.errors import BadInput
from inventory.demand.history import History
from tests.builders import brand_of
from tests.inventory.demand.market import brand_with, noisy, steady

FIRST, SUNDAY = date(2026, 6, 1), date(2026, 9, 6)


def test_weekly_series_add_up_to_the_demand_of_complete_weeks() -> None:
    """An independent sum by pandas finds the same units in each series and week."""
    brand = brand_with(noisy(1), FIRST, SUNDAY)
    history = History.of(brand)
    demand = brand.table("demand").assign(
        week=lambda frame: (frame["date"] - frame["date"].min()).dt.days // 7
    )
    summed = demand.groupby(["item", "region", "week"])["quantity"].sum()
    for at, item in enumerate(history.items):
        for of, region in enumerate(history.regions):
            series = at * len(history.regions) + of
            row = history.matrix(series, series + 1)[0]
            assert row.tolist() == [summed.get((item, region, week), 0.0) for week in range(14)]


def test_demand_after_the_planning_date_is_never_seen() -> None:
    whole = brand_with(noisy(2), FIRST, date(2026, 12, 6))
    hidden, cut = replace(whole, today=SUNDAY), whole.table("demand")
    told = whole.with_table("demand", cut[cut["date"] <= "2026-09-06"])
    seen, known = History.of(hidden), History.of(replace(told, today=SUNDAY))
    assert np.array_equal(seen.quantity, known.quantity)
    assert np.array_equal(seen.daily, known.daily)


def test_the_week_under_way_is_no_evidence_and_no_forecast() -> None:
    """On a Wednesday the last complete week ended on Sunday and the first forecast is Monday."""
    history = History.of(brand_with(steady, FIRST, date(2026, 9, 9)))
    assert (history.weeks, history.start, history.gap) == (14, date(2026, 9, 14), 1)


def test_on_a_sunday_no_week_is_skipped() -> None:
    history = History.of(brand_with(steady, FIRST, SUNDAY))
    assert (history.weeks, history.start, history.gap) == (14, date(2026, 9, 7), 0)


def test_regions_add_up_their_items() -> None:
    history = History.of(brand_with(steady, FIRST, SUNDAY))
    assert history.by_region.tolist() == [[21.0] * 14, [10.5] * 14]
    assert history.daily.sum(axis=0).tolist() == history.by_region.sum(axis=1).tolist()


def test_a_brand_without_demand_is_told_which_file_is_missing() -> None:
    with pytest.raises(BadInput, match=r"demand\.parquet"):
        History.of(brand_of())


def test_demand_that_begins_this_week_is_too_short() -> None:
    with pytest.raises(BadInput, match="complete week"):
        History.of(brand_with(steady, date(2026, 9, 7), date(2026, 9, 9)))
