"""Overrides: which decision wins in which cell, what it leaves alone, and what it was worth."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.errors import BadInput
from inventory.demand.overrides import (
    Override,
    apply,
    idle,
    judged,
    misfits,
    of_brand,
    tally,
    value_added,
)
from inventory.demand.quantiles import COLUMNS
from tests.builders import brand_of

MONDAY = date(2026, 9, 7)
CATEGORY = {"MUG": "kitchen", "CUP": "kitchen", "LAMP": "light"}
MEANS = {"MUG": 10.0, "CUP": 30.0, "LAMP": 5.0}

DOUBLED = Override(
    "a", "*", "*", "*", MONDAY, MONDAY + timedelta(days=6), 2.0, None, "Pia", MONDAY, "fair"
)


def said(weeks: int = 2, regions: tuple[str, ...] = ("DE", "FR")) -> pd.DataFrame:
    """Each item asks for the same in every week and region; P95 is twice the mean."""
    rows = [
        {"start": pd.Timestamp(MONDAY + timedelta(days=7 * week)), "region": region, "item": item}
        | {"mean": mean}
        | {name: mean * (0.5 + 0.3 * at) for at, name in enumerate(COLUMNS)}
        for week in range(weeks)
        for region in regions
        for item, mean in MEANS.items()
    ]
    return pd.DataFrame(rows)


def cell(frame: pd.DataFrame, item: str, region: str = "DE", week: int = 0) -> dict[str, float]:
    start = pd.Timestamp(MONDAY + timedelta(days=7 * week))
    found = frame[(frame["item"] == item) & (frame["region"] == region) & (frame["start"] == start)]
    assert len(found) == 1
    return {name: float(found[name].iloc[0]) for name in ("mean", *COLUMNS)}


def test_a_factor_scales_the_mean_and_every_quantile_and_nothing_else() -> None:
    before = said()
    after, changed = apply(before, [replace(DOUBLED, region="DE", item="MUG")], CATEGORY)
    row = cell(after, "MUG")
    assert row["mean"] == 20.0
    assert [row[name] for name in COLUMNS] == [2 * cell(before, "MUG")[name] for name in COLUMNS]
    untouched = (before["item"] != "MUG") | (before["region"] != "DE") | (before.index >= 6)
    pd.testing.assert_frame_equal(after[untouched], before[untouched])
    assert changed.to_dict("records") == [
        {"start": pd.Timestamp(MONDAY), "region": "DE", "item": "MUG", "statistical": 10.0,
         "mean": 20.0, "override": "a"}
    ]  # fmt: skip


def test_what_statistics_say_is_never_changed() -> None:
    before = said()
    kept = before.copy(deep=True)
    apply(before, [DOUBLED], CATEGORY)
    pd.testing.assert_frame_equal(before, kept)


def test_units_replace_the_sum_of_the_selection_in_proportion() -> None:
    kitchen = replace(DOUBLED, category="kit*", region="DE", factor=None, units=100.0)
    after, _ = apply(said(), [kitchen], CATEGORY)
    assert cell(after, "MUG")["mean"] == pytest.approx(25.0)
    assert cell(after, "CUP")["mean"] == pytest.approx(75.0)
    assert cell(after, "LAMP")["mean"] == 5.0


def test_units_are_shared_equally_where_statistics_expect_nothing() -> None:
    empty = said().assign(mean=0.0, **dict.fromkeys(COLUMNS, 0.0))
    after, _ = apply(empty, [replace(DOUBLED, factor=None, units=120.0)], CATEGORY)
    row = cell(after, "MUG")
    assert row["mean"] == pytest.approx(20.0)
    assert row["p05"] < 20.0 < row["p95"]
    tails = [row[name] for name in COLUMNS]
    assert tails == sorted(tails)
    assert cell(after, "MUG", week=1)["mean"] == 0.0


def test_the_one_made_last_wins_and_on_one_day_the_higher_id() -> None:
    earlier = replace(DOUBLED, id="z", made=MONDAY - timedelta(days=1), factor=5.0)
    tie = replace(DOUBLED, id="b", item="MUG", factor=3.0)
    after, changed = apply(said(), [tie, DOUBLED, earlier], CATEGORY)
    assert cell(after, "MUG")["mean"] == 30.0
    assert cell(after, "CUP")["mean"] == 60.0
    assert set(changed["override"]) == {"a", "b"}


def test_a_week_covered_in_part_weighs_by_days() -> None:
    until_tuesday = replace(DOUBLED, end=MONDAY + timedelta(days=1), factor=8.0)
    from_saturday = replace(DOUBLED, id="b", start=MONDAY + timedelta(days=5), factor=0.0)
    after, _ = apply(said(), [until_tuesday, from_saturday], CATEGORY)
    assert cell(after, "MUG")["mean"] == pytest.approx(10.0 * (2 * 8 + 3 * 1 + 2 * 0) / 7)


def test_a_later_one_on_some_days_leaves_the_other_days_to_the_earlier() -> None:
    weekend = replace(DOUBLED, id="b", start=MONDAY + timedelta(days=5), factor=0.0)
    after, changed = apply(said(), [DOUBLED, weekend], CATEGORY)
    assert cell(after, "MUG")["mean"] == pytest.approx(10.0 * 5 * 2 / 7)
    assert set(changed["override"]) == {"b"}


def test_a_fan_that_scaling_would_leave_at_zero_becomes_a_poisson_one() -> None:
    """A tenth of a unit a week has a P75 of 0: scaled to 20 units it would stay 0."""
    rare = said().assign(mean=0.1, p05=0.0, p25=0.0, p50=0.0, p75=0.0, p90=0.0, p95=1.0)
    after, _ = apply(rare, [replace(DOUBLED, factor=200.0)], CATEGORY)
    assert 5 < cell(after, "MUG")["p05"] < cell(after, "MUG")["p50"] < 35


def test_a_forecast_without_quantiles_keeps_none() -> None:
    bare = said().assign(**dict.fromkeys(COLUMNS, np.nan))
    after, _ = apply(bare, [DOUBLED], CATEGORY)
    assert cell(after, "MUG")["mean"] == 20.0
    assert after[list(COLUMNS)].isna().all(axis=None)


def test_parts_with_the_tallies_of_the_whole_give_what_the_whole_gives() -> None:
    overrides = [replace(DOUBLED, factor=None, units=500.0), replace(DOUBLED, id="b", item="CUP")]
    whole, _ = apply(said(), overrides, CATEGORY)
    parts = [rows for _, rows in said().groupby("item", sort=False)]
    tallies = pd.concat([tally(part, overrides, CATEGORY) for part in parts])
    joined = pd.concat([apply(part, overrides, CATEGORY, tallies)[0] for part in parts])
    pd.testing.assert_frame_equal(joined.sort_index(), whole)


def test_without_overrides_the_forecast_is_the_same_object() -> None:
    before = said()
    after, changed = apply(before, [], CATEGORY)
    assert after is before
    assert changed.empty


@pytest.mark.parametrize(
    "change",
    [{"units": 3.0}, {"factor": None}, {"factor": -1.0}, {"factor": float("inf")},
     {"end": MONDAY - timedelta(days=1)}],
)  # fmt: skip
def test_an_override_without_sense_cannot_be_made(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Expected"):
        replace(DOUBLED, **change)


def test_a_good_override_takes_error_away_and_a_bad_one_adds_it() -> None:
    frame = said(weeks=1)
    came = frame["mean"].to_numpy() * np.where(frame["region"] == "DE", 2.0, 1.0)
    good = replace(DOUBLED, region="DE", made=MONDAY - timedelta(days=3))
    bad = replace(good, id="b", region="FR")
    late = replace(good, id="late", made=MONDAY + timedelta(days=3))
    part = value_added(frame, came, [good, bad, late], CATEGORY, MONDAY - timedelta(days=1))
    worth = judged([part, part]).set_index("override")
    assert list(worth.index) == ["a", "b"]
    assert worth["error_without"].to_list() == [90, 0]
    assert worth["error_with"].to_list() == [0, 90]
    assert worth["value_added"].to_list() == pytest.approx([1, np.nan], nan_ok=True)
    assert set(worth["weeks"]) == {2}


def test_the_worth_of_no_override_is_an_empty_table() -> None:
    empty = value_added(said(), np.zeros(len(said())), [], CATEGORY, MONDAY)
    assert judged([empty]).empty
    assert list(judged([]).columns) == [
        "override", "weeks", "error_without", "error_with", "value_added",
    ]  # fmt: skip


def test_selectors_that_mean_nothing_name_the_nearest() -> None:
    wrong = replace(DOUBLED, region="DEE", item="MUGG")
    told = misfits(wrong, ("DE", "FR"), CATEGORY)
    assert set(told) == {"region", "item"}
    assert "did you mean 'MUG'?" in told["item"]
    apart = misfits(replace(DOUBLED, category="light", item="MUG"), ("DE",), CATEGORY)
    assert set(apart) == {"item"}
    assert misfits(DOUBLED, ("DE",), CATEGORY) == {}


def test_brackets_and_question_marks_in_a_selector_are_plain_letters() -> None:
    assert misfits(replace(DOUBLED, item="M?G"), ("DE",), CATEGORY)
    assert misfits(replace(DOUBLED, item="[M]UG"), ("DE",), CATEGORY)


def test_an_override_of_what_is_gone_is_a_finding_and_changes_nothing() -> None:
    gone = replace(DOUBLED, item="TEAPOT")
    after, changed = apply(said(), [gone], CATEGORY)
    assert changed.empty
    assert len(after) == len(said())
    found = idle([gone, DOUBLED], ("DE",), CATEGORY)
    assert [(one.kind, one.text[:18]) for one in found] == [("override", "a changes nothing:")]


def test_a_folder_gives_its_overrides_in_order_and_tells_rows_without_sense() -> None:
    row = {"override": "x", "start": MONDAY, "end": MONDAY, "who": "Pia", "why": "fair"}
    brand = brand_of(
        overrides=[
            row | {"made": "2026-09-02", "units": 4.0},
            row | {"override": "y", "made": "2026-09-01", "factor": 1.5, "item": "MUG"},
        ]
    )
    first, last = of_brand(brand)
    assert (first.id, first.factor, first.units, first.item) == ("y", 1.5, None, "MUG")
    assert (last.id, last.factor, last.units, last.region) == ("x", None, 4.0, "*")
    both = brand_of(overrides=[row | {"made": "2026-09-02", "units": 4.0, "factor": 1.0}])
    with pytest.raises(BadInput) as refused:
        of_brand(both)
    assert (refused.value.problems[0].file, refused.value.problems[0].line) == ("overrides.csv", 2)
