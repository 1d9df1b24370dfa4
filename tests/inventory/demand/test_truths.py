"""Worlds whose rule is known, forecast as a whole: what the rule says is what must be expected.

Each tolerance is a share of the true mean; counts are random, so a truth is never met exactly.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from core.brand import Brand
from inventory.demand import joint
from inventory.demand.forecast import Forecast, forecast
from inventory.demand.partition import PARTITION_SERIES
from inventory.demand.quantiles import COLUMNS, LEVELS, count_quantiles
from tests.inventory.demand.worlds import WEEK, Floats, around, counts, weekly, world, yearly

FIRST = date(2023, 10, 2)
"""A Monday, and enough years before every planning date of this file."""

BOTH = 1.5
"""Two items ask for this many times the first one's units."""

AHEAD = 8


def days_until(today: date) -> int:
    return (today - FIRST).days + 1


def market(made: Forecast, region: str = "DE") -> Floats:
    frame = made.regions
    return frame.loc[frame["region"] == region, "mean"].to_numpy()


def item(made: Forecast, region: str = "DE", name: str = "MUG") -> Floats:
    frame = made.frame
    return frame.loc[(frame["region"] == region) & (frame["item"] == name), "mean"].to_numpy()


def error(said: Floats, truth: Floats) -> float:
    return float(np.abs(said - truth).sum() / truth.sum())


# --- events -----------------------------------------------------------------------------------

EID = {
    "AE": (date(2024, 4, 10), date(2025, 3, 30), date(2026, 3, 20), date(2027, 3, 10)),
    "SA": (date(2024, 4, 10), date(2025, 3, 30), date(2026, 3, 20), date(2027, 3, 10)),
    "ID": (date(2024, 4, 10), date(2025, 3, 31), date(2026, 3, 21), date(2027, 3, 10)),
}
"""Eid al-Fitr as kept in past years, and as estimated for the next one."""


def feast(feasts: Sequence[date], days: int) -> Floats:
    """Demand is 2.5 times the usual in the week before the feast."""
    return 20.0 * around(FIRST, days, feasts, -7, 0, 2.5)


@pytest.fixture(scope="module")
def before_eid() -> Forecast:
    today = date(2027, 1, 31)
    past = [feast(feasts[:3], days_until(today)) for feasts in EID.values()]
    brand = world(counts(np.stack(past, axis=1), regions=3), FIRST, tuple(EID))
    return forecast(brand, AHEAD)


@pytest.mark.parametrize("region", EID)
def test_the_rush_before_eid_moves_with_the_moon(before_eid: Forecast, region: str) -> None:
    """Nobody has announced the Eid of 2027, which is 10 days sooner in the year than the last.

    The two weeks of its rush are expected within 20 %, in the market and in each of its items.
    """
    days = days_until(date(2027, 1, 31))
    truth = weekly(feast(EID[region], days + WEEK * AHEAD)[days:])
    rush = slice(4, 6)  # 1 to 14 March
    for said in (market(before_eid, region) / BOTH, item(before_eid, region)):
        assert said[rush] == pytest.approx(truth[rush], rel=0.20)
        assert said[4] > 1.7 * np.median(said)
        assert error(said, truth) < 0.10


@pytest.mark.parametrize("region", ["SG", "CN"])
def test_lunar_new_year_is_expected_when_it_comes(region: str) -> None:
    """Demand doubles in the ten days before and all but stops in the four days from it on."""
    feasts = (date(2024, 2, 10), date(2025, 1, 29), date(2026, 2, 17), date(2027, 2, 6))
    days = days_until(date(2027, 1, 3))
    long = days + WEEK * AHEAD
    rule = around(FIRST, long, feasts, -10, 0, 2.0) * around(FIRST, long, feasts, 0, 4, 0.3)
    made = forecast(world(counts(20.0 * rule[:days]), FIRST, (region,)), AHEAD)
    truth = weekly(20.0 * rule[days:])
    assert market(made, region)[3:5] / BOTH == pytest.approx(truth[3:5], rel=0.20)
    assert item(made, region)[3:5] == pytest.approx(truth[3:5], rel=0.20)
    assert market(made, region)[3] > 1.3 * market(made, region)[0]


def test_a_sale_of_the_brands_own_is_expected_when_planned_again() -> None:
    """Founders' week came in May, then in October, and triples demand; it is next in January."""
    sales = (date(2024, 5, 13), date(2024, 10, 14), date(2025, 5, 12), date(2025, 10, 20))
    coming = date(2026, 1, 19)
    days = days_until(date(2026, 1, 4))
    events = [
        {"event": "Founders' week", "start": day, "end": day + timedelta(days=6), "region": "*"}
        for day in (*sales, coming)
    ]
    rule = around(FIRST, days, sales, 0, 7, 3.0)
    made = forecast(world(counts(20.0 * rule), FIRST, events=events), 4)
    for said in (market(made) / BOTH, item(made)):
        assert said[2] == pytest.approx(420.0, rel=0.20)
        assert said[[0, 3]] == pytest.approx([140.0, 140.0], rel=0.15)


# --- promotions -------------------------------------------------------------------------------


def test_a_planned_promotion_lifts_its_item_alone() -> None:
    """Every seventh week mugs are promoted and ask for 2.5 times as much, the coming fourth too."""
    weeks, regions = 104, 6
    promoted = np.zeros((weeks + AHEAD, regions, 2))
    promoted[2::7, :, 0] = 1.0
    promoted[weeks:, :, 0] = 0.0
    promoted[weeks + 3, :, 0] = 1.0
    drawn = counts(np.full(weeks, 40.0), regions, seed=3)
    drawn = np.round(drawn * (1.0 + 1.5 * promoted[:weeks]))
    names = ("DE", "FR", "IT", "ES", "NL", "BE")
    made = forecast(world(drawn, FIRST, names, step=WEEK, promotion=promoted), AHEAD)
    mugs, cups = item(made, "FR"), item(made, "FR", "CUP")
    assert mugs[3] / np.median(mugs) == pytest.approx(2.5, rel=0.15)
    assert cups[3] / np.median(cups) == pytest.approx(1.0, rel=0.15)
    lifted = (2.5 * 40.0 + 20.0) / (40.0 + 20.0)
    assert market(made, "FR")[3] / np.median(market(made, "FR")) == pytest.approx(lifted, rel=0.15)


# --- levels, trends, seasons ------------------------------------------------------------------

TWO_YEARS = WEEK * 104


@pytest.mark.parametrize(("before", "after"), [(10.0, 20.0), (20.0, 10.0)], ids=["up", "down"])
def test_a_level_of_twelve_weeks_is_the_level(before: float, after: float) -> None:
    """Twelve weeks after demand doubled or halved, it is expected where it is, within 10 %."""
    rule = np.where(np.arange(TWO_YEARS) < TWO_YEARS - 12 * WEEK, before, after)
    made = forecast(world(counts(rule), FIRST), AHEAD)
    truth = np.full(AHEAD, WEEK * after)
    assert error(item(made), truth) < 0.10
    assert error(market(made) / BOTH, truth) < 0.10


@pytest.mark.parametrize("amount", [10.0, -10.0], ids=["growing", "shrinking"])
def test_a_steady_trend_is_followed_within_a_fifth(amount: float) -> None:
    """Demand has doubled or halved over two years; eight weeks on it is within 20 % of the line."""
    low = 10.0 if amount > 0 else 20.0
    rule = low + amount * np.arange(TWO_YEARS + WEEK * AHEAD) / TWO_YEARS
    made = forecast(world(counts(rule[:TWO_YEARS]), FIRST), AHEAD)
    truth = weekly(rule[TWO_YEARS:])
    assert error(item(made), truth) < 0.20
    assert error(market(made) / BOTH, truth) < 0.20


@pytest.mark.parametrize("step", [1, WEEK], ids=["daily rows", "weekly rows"])
@pytest.mark.parametrize("weeks", [AHEAD, 52])
def test_a_yearly_season_seen_three_times_is_expected(step: int, weeks: int) -> None:
    """Demand swings by 60 % around its mean over the year; every week is met, within 8 % in all."""
    past = WEEK * 156
    rule = 20.0 * yearly(FIRST, past + WEEK * weeks, 0.6)
    drawn = counts(rule[:past])
    made = forecast(world(drawn if step == 1 else weekly(drawn), FIRST, step=step), weeks)
    truth = weekly(rule[past:])
    assert error(item(made), truth) < 0.08
    assert error(market(made) / BOTH, truth) < 0.08


def test_a_constant_is_expected_exactly() -> None:
    made = forecast(world(np.full((TWO_YEARS, 1, 2), 5.0), FIRST), AHEAD)
    assert item(made) == pytest.approx(np.full(AHEAD, 35.0), rel=0.001)
    assert market(made) == pytest.approx(np.full(AHEAD, 70.0), rel=0.001)


def test_five_years_of_days_are_forecast() -> None:
    """A stationary daily series of five years is expected at its mean within 6 %."""
    made = forecast(world(counts(np.full(WEEK * 261, 10.0)), date(2021, 7, 5)), AHEAD)
    assert error(item(made), np.full(AHEAD, 70.0)) < 0.06


# --- next to nothing --------------------------------------------------------------------------


def told(made: Forecast) -> Floats:
    return made.frame[["mean", *COLUMNS]].to_numpy(dtype=np.float64)


def test_a_brand_that_recorded_only_zeros_expects_none() -> None:
    brand = world(np.full((WEEK * 30, 1, 2), 1.0), FIRST)
    nothing = brand.table("demand").assign(quantity=0.0)
    made = forecast(brand.with_table("demand", nothing), AHEAD)
    assert (made.frame["mean"] == 0.0).all()
    assert np.isfinite(told(made)).all()


@pytest.mark.parametrize("weeks_ago", [0, 3, 15])
def test_one_sale_is_no_plan_but_no_error(weeks_ago: int) -> None:
    """A single row is a history: finite, ordered, and never more than what was sold once a week."""
    units = np.zeros((WEEK * (weeks_ago + 1), 1, 2))
    units[WEEK - 1, 0, 0] = 4.0
    brand = world(units, FIRST)
    said = told(forecast(brand, AHEAD))
    assert np.isfinite(said).all()
    assert (said >= 0.0).all()
    assert (np.diff(said[:, 1:], axis=1) >= 0.0).all()
    assert said[:, 0].max() <= 4.0


# --- sums over weeks --------------------------------------------------------------------------


def horizon(alpha: float) -> tuple[Floats, Floats, Floats]:
    """A level of 50 a week with twice a Poisson's variance, quantiles widening with the weeks."""
    mean = np.full((1, AHEAD), 50.0)
    variance = np.asarray(100.0 * (1.0 + np.arange(AHEAD) * alpha**2), dtype=np.float64)
    return mean, count_quantiles(mean, variance[None]), np.array([alpha])


@pytest.mark.parametrize("alpha", [0.05, 0.3, 0.5])
def test_a_sum_is_surer_than_its_weeks(alpha: float) -> None:
    """Not all weeks are high at once: P95 of the sum is below the sum of P95, P05 above."""
    mean, quantiles, weight = horizon(alpha)
    total = joint.sums(mean, quantiles, weight)[0, -1]
    apart = quantiles[0].sum(axis=0)
    assert total[-1] < apart[-1] - 5.0
    assert total[0] > apart[0] + 5.0


def test_a_sum_is_less_sure_where_the_level_moves() -> None:
    """Weeks share the errors of their level: with a nimble one the sum is half as wide again.

    Independent weeks would add up their variances alone.
    """
    mean, quantiles, weight = horizon(0.5)
    spread = quantiles[0, :, -1] - quantiles[0, :, 0]
    independent = float(np.sqrt((spread**2).sum()))
    total = joint.sums(mean, quantiles, weight)[0, -1]
    assert total[-1] - total[0] > 1.5 * independent


@pytest.mark.parametrize("alpha", [0.02, 0.3])
def test_quantiles_of_a_sum_are_those_of_its_rule(alpha: float) -> None:
    """Within 5 % of a level that each error moves by alpha, summed by hand.

    The error of week h is felt once by itself and alpha times by every later week.
    """
    mean, quantiles, weight = horizon(alpha)
    felt = 1.0 + alpha * np.arange(AHEAD)[::-1]
    truth = mean.sum() + 10.0 * np.sqrt((felt**2).sum()) * np.array([-1.645, 0.0, 1.282, 1.645])
    assert joint.sums(mean, quantiles, weight)[0, -1, [0, 2, 4, 5]] == pytest.approx(
        truth, rel=0.05
    )


def test_draws_keep_the_mean_of_each_week() -> None:
    mean, quantiles, weight = horizon(0.3)
    drawn = joint.draws(mean, quantiles, weight)
    assert drawn.mean(axis=1) == pytest.approx(mean, rel=1e-9)


# --- whole and parts --------------------------------------------------------------------------

REGIONS = ("DE", "FR", "TH")


@pytest.fixture(scope="module")
def brand() -> Brand:
    """Two years, a season, three markets of different size."""
    size = np.array([20.0, 6.0, 1.5])
    rule = yearly(FIRST, TWO_YEARS, 0.4)[:, None] * size
    return world(counts(rule, regions=3, seed=8), FIRST, REGIONS)


@pytest.fixture(scope="module")
def made(brand: Brand) -> Forecast:
    return forecast(brand, AHEAD, seed=4)


def test_markets_and_categories_are_the_sums_of_their_items(made: Forecast) -> None:
    """To a millionth of a unit."""
    for whole, key in ((made.regions, "region"), (made.categories, "category")):
        items = made.frame.assign(category="kitchen").groupby(["start", key])["mean"].sum()
        summed = whole.groupby(["start", key])["mean"].sum()
        assert items.to_numpy() == pytest.approx(summed[items.index].to_numpy(), abs=1e-6)
    days = made.daily.groupby("region")["mean"].sum()
    weeks = made.regions.groupby("region")["mean"].sum()
    assert days.to_numpy() == pytest.approx(weeks[days.index].to_numpy(), abs=1e-6)


def parquet(frame: pd.DataFrame) -> bytes:
    file = BytesIO()
    frame.to_parquet(file, index=False)
    return file.getvalue()


def test_the_same_brand_and_seed_write_the_same_bytes(brand: Brand, made: Forecast) -> None:
    again = forecast(brand, AHEAD, seed=4)
    assert parquet(again.frame) == parquet(made.frame)
    assert parquet(again.regions) == parquet(made.regions)


def test_the_order_of_demand_does_not_matter(brand: Brand, made: Forecast) -> None:
    rows = brand.table("demand").sample(frac=1.0, random_state=1).reset_index(drop=True)
    shuffled = forecast(brand.with_table("demand", rows), AHEAD, seed=4)
    assert parquet(shuffled.frame) == parquet(made.frame)


def test_two_processes_write_the_bytes_of_one() -> None:
    """The brand has more series than one partition holds, so that both processes have work."""
    items = tuple(f"I{at}" for at in range(PARTITION_SERIES // len(REGIONS) + 50))
    draw = np.random.default_rng(2).poisson(0.4, (30, len(REGIONS), len(items)))
    wide = world(draw.astype(np.float64), FIRST, REGIONS, items, step=WEEK)
    one = forecast(wide, 2)
    assert one.series > PARTITION_SERIES
    assert parquet(forecast(wide, 2, workers=2).frame) == parquet(one.frame)


def test_quantiles_of_a_known_spread_hold_what_they_say() -> None:
    """300 items of Poisson demand: each level covers its share of the coming weeks within 3 %."""
    weeks, items = 104, tuple(f"I{at}" for at in range(300))
    draw = np.random.default_rng(5).poisson(30.0, (weeks + AHEAD, 1, len(items)))
    drawn = np.asarray(draw, dtype=np.float64)
    made = forecast(world(drawn[:weeks], FIRST, ("DE",), items, step=WEEK), AHEAD)
    said = made.frame[list(COLUMNS)].to_numpy().reshape(AHEAD, len(items), -1)
    came = drawn[weeks:, 0, :, None]
    assert (came <= said).mean(axis=(0, 1)) == pytest.approx(np.array(LEVELS), abs=0.03)


def test_today_is_the_last_day_that_counts(brand: Brand) -> None:
    """Demand after the planning date changes nothing, however large."""
    early = replace(brand, today=brand.today - timedelta(weeks=10))
    table = brand.table("demand")
    late = table["date"] > pd.Timestamp(early.today)
    huge = table.assign(quantity=table["quantity"].where(~late, 1000.0))
    assert parquet(forecast(early.with_table("demand", huge), 2).frame) == parquet(
        forecast(early, 2).frame
    )
