from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from core.errors import BadInput
from core.folder.columns import blank
from core.folder.writer import complete
from inventory.demand.history import History
from tests.builders import brand_of
from tests.inventory.demand.market import Units, brand_with, noisy, steady

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


def test_a_history_read_in_parts_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Item by item, with a stock-out, a one-off, tenths of units, prices and planned promotions."""
    random = np.random.default_rng(6)
    brand = brand_with(noisy(6), FIRST, date(2026, 12, 6), items=("MUG", "CUP", "POT", "JUG"))
    demand = brand.table("demand").sample(frac=1.0, random_state=6, ignore_index=True)
    demand = demand.assign(
        quantity=demand["quantity"] + random.integers(0, 9, len(demand)) / 10,
        price=random.choice([9.0, 10.0, np.nan], len(demand)),
        promotion=random.choice([0.0, 0.3], len(demand)),
    )
    big = demand["date"].eq("2026-07-15") & demand["item"].eq("CUP") & demand["region"].eq("DE")
    demand.loc[big, ["quantity", "promotion"]] = (5_000.0, 0.0)
    gone = demand["date"].between("2026-07-20", "2026-08-02") & demand["item"].eq("POT")
    brand = replace(brand.with_table("demand", demand[~gone].reset_index(drop=True)), today=SUNDAY)
    whole = History.of(brand)
    monkeypatch.setattr("inventory.demand.lines.PART_ROWS", 1)
    parts = History.of(brand)
    for name in ("series", "week", "quantity", "daily", "hidden", "dead", "closed"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name)), name
    for name in ("series", "week", "promotion", "price"):
        told = getattr(whole.promotions, name), getattr(parts.promotions, name)
        assert np.array_equal(told[0], told[1], equal_nan=True), name
    assert whole.findings == parts.findings
    assert {found.kind for found in whole.findings} == {"clipped", "stockout"}


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


def test_on_a_monday_its_week_has_just_begun() -> None:
    history = History.of(brand_with(steady, FIRST, date(2026, 9, 7)))
    assert (history.weeks, history.start, history.gap) == (14, date(2026, 9, 14), 1)


def test_the_past_as_it_stood_is_the_history_of_that_day() -> None:
    """Cut before week 20, it equals what a brand of that Sunday would have read."""
    brand = brand_with(noisy(3), FIRST, date(2026, 12, 6))
    dead = brand.table("demand").query("item != 'CUP' or date < '2026-06-20'")
    brand = brand.with_table("demand", dead)
    then = FIRST + timedelta(weeks=20, days=-1)
    known, cut = History.of(replace(brand, today=then)), History.of(brand).before(20)
    assert (cut.weeks, cut.start, cut.gap) == (known.weeks, known.start, known.gap)
    for name in ("series", "week", "quantity", "daily", "hidden", "dead", "closed"):
        assert np.array_equal(getattr(cut, name), getattr(known, name)), name


def test_hidden_weeks_and_the_dead_keep_their_place_in_the_past() -> None:
    """A stock-out in weeks 4 and 5; cups die a year after week 2, not earlier."""
    brand = brand_with(noisy(4), date(2025, 6, 2), SUNDAY)
    cups_end = brand.table("demand").query("item != 'CUP' or date < '2025-06-23'")
    stated = pd.DataFrame(
        {"item": "MUG", "region": "TH", "start": ["2025-06-30"], "end": ["2025-07-13"]}
    ).astype({"start": "datetime64[s]", "end": "datetime64[s]", "item": "str", "region": "str"})
    history = History.of(brand.with_table("demand", cups_end).with_table("stockouts", stated))
    for week in (history.weeks, 30, 5):
        hidden = np.argwhere(history.before(week).hidden_matrix(0, history.count))
        assert hidden.tolist() == [[1, 4], [1, 5]][: week - 4]
    assert [history.before(week).dead[1] for week in (3, 55, 56, 60)] == [False, False, True, True]


def test_a_partition_holds_the_same_series() -> None:
    brand = brand_with(noisy(5), FIRST, SUNDAY, items=("MUG", "CUP", "POT"))
    promoted = brand.table("demand")
    promoted = promoted.assign(promotion=np.where(promoted["item"] == "POT", 0.2, 0.1))
    history = History.of(brand.with_table("demand", promoted))
    part = history.items_range(1, 3)
    assert part.items == ("CUP", "POT")
    assert part.count == 4
    assert np.array_equal(part.matrix(0, 4), history.matrix(2, 6))
    assert np.array_equal(part.hidden_matrix(0, 4), history.hidden_matrix(2, 6))
    assert np.array_equal(part.promotion_matrix(2, 4)[0], history.promotion_matrix(4, 6)[0])
    assert part.promotion_matrix(2, 4)[0] == pytest.approx(0.2)


def test_each_region_has_a_week_of_its_own() -> None:
    """Germany rests on Saturday and Sunday, the Gulf on Friday and Saturday."""
    rests = {"DE": {5, 6}, "AE": {4, 5}}
    brand = brand_with(
        lambda day, region, _: 0.0 if day.weekday() in rests[region] else 3.0,
        FIRST,
        date(2026, 9, 9),
        regions=("DE", "AE"),
    )
    profile = History.of(brand).weekday_profile()
    assert profile.tolist() == [
        [0.2, 0.2, 0.2, 0.2, 0.2, 0.0, 0.0],
        [0.2, 0.2, 0.2, 0.2, 0.0, 0.0, 0.2],
    ]


def test_a_region_that_sold_nothing_lately_has_even_days() -> None:
    """Thailand stopped nine weeks ago; eight weeks are looked at, ten would show its Mondays."""
    brand = brand_with(
        lambda day, region, _: (
            0.0 if region == "TH" and (day > date(2026, 7, 5) or day.weekday()) else 1.0
        ),
        FIRST,
        SUNDAY,
    )
    history = History.of(brand)
    assert history.weekday_profile()[1] == pytest.approx(1 / 7)
    assert history.weekday_profile(10)[1].tolist() == [1.0, 0, 0, 0, 0, 0, 0]


def test_a_brand_with_orders_only_has_a_history() -> None:
    rows = [
        {"order": f"A{day}", "line": 1, "placed_at": f"2026-08-{day:02d}T12:00:00Z",
         "region": "DE", "item": "MUG", "quantity": 2}
        for day in range(3, 31)
    ]  # fmt: skip
    brand = brand_with(steady, FIRST, SUNDAY)
    by_orders = brand.with_table("demand", blank("demand")).with_table(
        "orders", complete("orders", pd.DataFrame(rows))
    )
    history = History.of(by_orders)
    assert history.first == date(2026, 8, 3)
    assert history.by_region.tolist() == [[14.0, 14.0, 14.0, 14.0, 0.0], [0.0] * 5]


def test_ten_years_of_one_item_are_read_as_five() -> None:
    brand = brand_with(
        lambda day, _, __: float(day.weekday() == 0), date(2016, 9, 5), SUNDAY, ("MUG",), ("DE",)
    )
    history = History.of(brand)
    assert (history.weeks, history.quantity.sum()) == (260, 260.0)
    [finding] = history.findings
    assert (finding.kind, finding.day) == ("history", history.first)
    assert "262 rows" in finding.text


@pytest.mark.parametrize(
    ("units", "first", "total"),
    [
        (lambda day, _, __: float(day == date(2026, 8, 3)), FIRST, 1.0),
        (lambda _, __, ___: 5.0, FIRST, 490.0),
        (lambda day, _, __: float(day.toordinal() % 7), date(2021, 9, 6), 261 * 21.0),
    ],
    ids=["one row", "constant", "five years of days"],
)
def test_plain_series_pass_through_unchanged(units: Units, first: date, total: float) -> None:
    brand = brand_with(units, first, SUNDAY, ("MUG",), ("DE",))
    history = History.of(brand)
    kept = total if history.weeks < 260 else total * 260 / 261
    assert history.quantity.sum() == history.daily.sum() == kept
    assert {one.kind for one in history.findings} <= {"history"}


def test_rows_that_say_zero_are_a_history_of_nothing() -> None:
    brand = brand_with(steady, FIRST, SUNDAY)
    nothing = brand.table("demand").assign(quantity=0.0)
    history = History.of(brand.with_table("demand", nothing))
    assert (history.weeks, len(history.quantity), history.daily.sum()) == (14, 0, 0.0)
    assert history.findings == ()
