from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.brand import Brand
from inventory.demand.findings import Finding
from inventory.demand.history import History
from inventory.demand.stockouts import Weekly, closed_weeks, silences
from tests.inventory.demand.market import Units, brand_with, noisy, steady

FIRST, SUNDAY = date(2025, 6, 2), date(2026, 9, 6)
Matrix = NDArray[np.float64]


def weekly(demand: Matrix) -> Weekly:
    item, week = np.nonzero(demand)
    return Weekly.of(item, week, demand[item, week], demand.shape[1])


def found(demand: Matrix, closed: Sequence[int] = ()) -> list[tuple[int, int, int]]:
    """The silences of a matrix [item, week], as item, first week and week after the last."""
    shut = np.isin(np.arange(demand.shape[1]), closed)
    told = silences(weekly(demand), shut)
    return list(zip(told.item.tolist(), told.begin.tolist(), told.end.tolist(), strict=True))


def sells(seed: int, mean: float, weeks: int = 104, share: float = 1.0) -> Matrix:
    """One item: in a share of its weeks it sells, then by a Poisson count of at least 1."""
    random = np.random.default_rng(seed)
    return (random.random((1, weeks)) < share) * (1.0 + random.poisson(mean, (1, weeks)))


def without(units: Units, item: str, begin: date, end: date) -> Units:
    """The same demand, but for one item nothing from one day to another."""
    return lambda day, region, one: (
        0.0 if one == item and begin <= day <= end else units(day, region, one)
    )


def told(brand: Brand, kind: str) -> list[Finding]:
    return [finding for finding in History.of(brand).findings if finding.kind == kind]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 9))))
def test_units_of_a_week_add_up_in_any_order(rows: list[tuple[int, int, int]]) -> None:
    """What a dictionary of item and week adds up to, sorted, without what sold nothing."""
    summed: dict[tuple[int, int], int] = {}
    for item, week, units in rows:
        summed[item, week] = summed.get((item, week), 0) + units
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    made = Weekly.of(table[:, 0], table[:, 1], table[:, 2].astype(float), 6)
    found = zip(made.item.tolist(), made.week.tolist(), made.units.tolist(), strict=True)
    assert list(found) == [(*key, units) for key, units in sorted(summed.items()) if units]


@pytest.mark.parametrize("weeks", [1, 3, 8, 26])
def test_a_brisk_item_that_falls_silent_is_out_of_stock(weeks: int) -> None:
    demand = sells(1, 40.0)
    demand[0, 40 : 40 + weeks] = 0
    assert found(demand) == [(0, 40, 40 + weeks)]


@pytest.mark.parametrize("seed", range(20))
def test_a_lumpy_item_without_a_stock_out_is_left_alone(seed: int) -> None:
    """It sells in one week of three, much or little; its silences last for months by chance."""
    assert found(sells(seed, 20.0, share=0.33)) == []


def test_a_lumpy_item_needs_a_longer_silence_than_a_steady_one() -> None:
    lumpy, steady_one = sells(3, 20.0, share=0.6), sells(3, 20.0, share=0.95)
    for demand in (lumpy, steady_one):
        demand[0, 50:56] = 0
    assert [bool(found(demand)) for demand in (lumpy, steady_one)] == [False, True]
    lumpy[0, 46:64] = 0
    assert len(found(lumpy)) == 1


@pytest.mark.parametrize("weeks", [range(10), range(94, 104), range(20, 60)])
def test_silence_before_after_or_for_longer_than_half_a_year_is_none(weeks: range) -> None:
    """Before it was first sold, after it was last sold, and off the shelf for forty weeks."""
    demand = sells(4, 40.0)
    demand[0, list(weeks)] = 0
    assert found(demand) == []


def test_a_season_is_no_stock_out() -> None:
    """Nothing from week 10 to 29 of each of three years; the same silence in one year only is."""
    demand = sells(5, 40.0, weeks=156)
    for year in range(3):
        demand[0, 52 * year + 10 : 52 * year + 30] = 0
    assert found(demand) == []
    once = sells(5, 40.0, weeks=156)
    once[0, 62:82] = 0
    assert found(once) == [(0, 62, 82)]


def test_closed_weeks_are_no_silence() -> None:
    demand = sells(6, 40.0)
    demand[0, 50:52] = 0
    assert found(demand, closed=(50, 51)) == []


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 15))
def test_a_partition_finds_the_stock_outs_of_its_items(seed: int, chosen: int) -> None:
    random = np.random.default_rng(seed)
    demand = np.vstack([sells(seed + at, 30.0, 60, random.uniform(0.4, 1)) for at in range(4)])
    for at in range(4):
        demand[at, (gap := random.integers(10, 40)) : gap + random.integers(1, 9)] = 0
    kept = [at for at in range(4) if chosen >> at & 1]
    alone = [(kept[at], begin, end) for at, begin, end in found(demand[kept])]
    assert alone == [one for one in found(demand) if one[0] in kept]


def test_a_planted_stock_out_is_hidden_and_told() -> None:
    """Five weeks without mugs: unknown in both regions, while cups are known throughout."""
    begin = FIRST + timedelta(weeks=30)
    rule = without(noisy(7), "MUG", begin, begin + timedelta(days=34))
    brand = brand_with(rule, FIRST, SUNDAY)
    history = History.of(brand)
    mugs, cups = history.hidden_matrix(0, 2), history.hidden_matrix(2, 4)
    assert np.flatnonzero(mugs.all(axis=0)).tolist() == list(range(30, 35))
    assert mugs.sum() == 10
    assert not cups.any()
    [finding] = told(brand, "stockout")
    assert (finding.item, finding.region, finding.day) == ("MUG", "", begin)
    assert "5 weeks" in finding.text


def test_a_region_before_its_first_demand_is_not_hidden() -> None:
    """Thailand starts to buy after the stock-out of the mugs that Germany bought before."""
    begin = FIRST + timedelta(weeks=30)
    rule = without(noisy(7), "MUG", begin, begin + timedelta(days=34))
    history = History.of(
        brand_with(
            lambda day, region, item: (
                0.0 if region == "TH" and day < begin else rule(day, region, item)
            ),
            FIRST,
            SUNDAY,
        )
    )
    assert history.hidden_matrix(0, 2).sum(axis=1).tolist() == [5, 0]


def out(**row: object) -> pd.DataFrame:
    empty = {"item": "MUG", "region": ""}
    frame = pd.DataFrame([empty | row]).astype({"start": "datetime64[s]", "end": "datetime64[s]"})
    return frame.astype({"item": "str", "region": "str"})


@pytest.mark.parametrize(
    ("start", "end", "weeks"),
    [
        ("2026-06-01", "2026-06-07", [52]),
        ("2026-06-04", "2026-06-14", [52, 53]),
        ("2026-06-05", "2026-06-10", []),
        ("2026-08-31", "2099-12-31", [65]),
        ("2020-01-01", "2025-06-05", [0]),
    ],
    ids=[
        "a week",
        "from Thursday",
        "three days of two weeks",
        "until further notice",
        "since ever",
    ],
)
def test_a_stated_stock_out_hides_weeks_by_most_of_their_days(
    start: str, end: str, weeks: list[int]
) -> None:
    brand = brand_with(steady, FIRST, SUNDAY).with_table(
        "stockouts", out(start=start, end=end, region="TH")
    )
    hidden = History.of(brand).hidden_matrix(0, 4)
    assert np.argwhere(hidden).tolist() == [[1, week] for week in weeks]
    assert [(one.item, one.region) for one in told(brand, "stockout")] == [("MUG", "TH")] * bool(
        weeks
    )


def test_a_stock_out_without_a_region_is_everywhere_and_told_once() -> None:
    brand = brand_with(steady, FIRST, SUNDAY).with_table(
        "stockouts", out(start="2026-06-01", end="2026-06-14")
    )
    assert np.argwhere(History.of(brand).hidden_matrix(0, 4)).tolist() == [
        [0, 52], [0, 53], [1, 52], [1, 53],
    ]  # fmt: skip
    [finding] = told(brand, "stockout")
    assert (finding.region, finding.day) == ("", date(2026, 6, 1))


def test_a_closed_shop_is_a_gap_and_no_stock_out() -> None:
    """Nobody sells anything in two weeks of one summer, and in the week of Christmas."""
    shut = {FIRST + timedelta(weeks=week) for week in (20, 21, 29)}
    rule = noisy(8)
    brand = brand_with(
        lambda day, region, item: (
            0.0 if day - timedelta(days=day.weekday()) in shut else rule(day, region, item)
        ),
        FIRST,
        SUNDAY,
    )
    history = History.of(brand)
    assert np.flatnonzero(history.closed).tolist() == [20, 21, 29]
    assert history.hidden.size == 0
    assert [(one.kind, one.day) for one in history.findings] == [
        ("gap", FIRST + timedelta(weeks=20)),
        ("gap", FIRST + timedelta(weeks=29)),
    ]


def test_data_that_end_before_today_are_a_gap() -> None:
    brand = replace(brand_with(noisy(9), FIRST, SUNDAY), today=SUNDAY + timedelta(weeks=3))
    [finding] = told(brand, "gap")
    assert (finding.day, "3 weeks" in finding.text) == (SUNDAY + timedelta(days=1), True)


def test_a_small_shop_with_quiet_weeks_is_not_closed_in_them() -> None:
    demand = np.vstack([sells(seed, 3.0, share=0.4) for seed in (1, 2)])
    assert (demand.sum(axis=0) == 0).sum() > 20
    assert not closed_weeks(weekly(demand)).any()


def test_an_item_that_nobody_wanted_for_a_year_is_dead() -> None:
    """Cups were last sold 365 days before today; with 364, or declared out of stock, they live."""
    rule, last = noisy(10), SUNDAY - timedelta(days=365)

    def cups_until(day: date) -> Brand:
        return brand_with(without(rule, "CUP", day + timedelta(days=1), SUNDAY), FIRST, SUNDAY)

    history = History.of(cups_until(last))
    assert history.dead.tolist() == [False, True]
    assert [(one.item, one.day) for one in told(cups_until(last), "dead")] == [("CUP", last)]
    assert not History.of(cups_until(last + timedelta(days=1))).dead.any()
    stated = out(item="CUP", start="2026-01-05", end="2026-08-30")
    assert not History.of(cups_until(last).with_table("stockouts", stated)).dead.any()


def test_an_item_that_never_sold_is_not_dead() -> None:
    brand = brand_with(noisy(11), FIRST, SUNDAY, items=("MUG", "CUP"))
    only_mugs = brand.table("demand").query("item == 'MUG'")
    assert History.of(brand.with_table("demand", only_mugs)).dead.tolist() == [False, False]
