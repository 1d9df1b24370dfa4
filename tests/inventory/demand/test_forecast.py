from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from core.brand import Brand
from core.errors import BadInput
from core.folder.schema import schemas
from core.folder.writer import complete
from inventory.demand.forecast import MOST_WEEKS, Forecast, forecast
from inventory.demand.quantiles import COLUMNS
from tests.inventory.demand.market import Units, brand_with, noisy, steady

FIRST, TODAY = date(2025, 9, 1), date(2026, 9, 6)
ITEMS = ("MUG", "CUP", "FORK", "PLATE", "POT", "LAMP")
LAUNCH, LAST_POT = date(2026, 7, 13), date(2025, 9, 7)
WEEKS = 6


def assorted(seed: int = 4) -> Units:
    """Of six items FORK sells in Germany only, CUP is new, PLATE never sold, POT died last year."""
    draw = noisy(seed)

    def units(day: date, region: str, item: str) -> float:
        drawn = draw(day, region, item)
        sells = {
            "PLATE": False,
            "FORK": region == "DE",
            "CUP": day >= LAUNCH and region == "DE",
            "POT": day < LAST_POT,
            "LAMP": False,
        }
        return drawn if sells.get(item, True) else 0.0

    return units


def in_two_categories(brand: Brand) -> Brand:
    """The lamp, which nobody ever bought, is the only light."""
    items = brand.table("items")
    kind = items["item"].map(lambda item: "light" if item == "LAMP" else "kitchen").astype("str")
    return brand.with_table("items", items.assign(category=kind))


def with_rows(brand: Brand, table: str, *rows: Mapping[str, object]) -> Brand:
    return brand.with_table(table, complete(table, pd.DataFrame(list(rows))))


def cells(made: Forecast, item: str, region: str) -> pd.DataFrame:
    frame = made.frame
    return frame[(frame["item"] == item) & (frame["region"] == region)]


def means(made: Forecast) -> "pd.Series[float]":
    return made.frame.set_index(["start", "region", "item"])["mean"].sort_index()


@pytest.fixture(scope="module")
def market() -> Brand:
    return in_two_categories(brand_with(assorted(), FIRST, TODAY, items=ITEMS))


@pytest.fixture(scope="module")
def made(market: Brand) -> Forecast:
    return forecast(market, WEEKS)


def test_the_frame_is_a_forecast_file(made: Forecast) -> None:
    """Each week, region and item has one row, and the columns are those of forecast.parquet."""
    frame = made.frame
    assert tuple(frame.columns) == schemas()["forecast"].columns
    assert len(frame) == WEEKS * 2 * len(ITEMS)
    assert not frame.duplicated(["start", "region", "item"]).any()
    assert made.series == 2 * len(ITEMS)


def test_rows_stand_by_week_then_region_then_item_as_the_brand_names_them(
    market: Brand, made: Forecast
) -> None:
    regions, items = list(market.table("regions")["region"]), list(market.table("items")["item"])
    starts = made.frame["start"].drop_duplicates()
    expected = [(start, region, item) for start in starts for region in regions for item in items]
    assert (
        list(made.frame[["start", "region", "item"]].itertuples(index=False, name=None)) == expected
    )


def test_weeks_are_the_mondays_after_the_planning_date(made: Forecast) -> None:
    starts = made.frame["start"].drop_duplicates()
    assert starts.iloc[0] == pd.Timestamp("2026-09-07")
    assert set(starts.dt.day_of_week) == {0}
    assert set(starts.diff().dropna().dt.days) == {7}


def test_quantiles_are_ordered_finite_and_never_negative(made: Forecast) -> None:
    for frame in (made.frame, made.regions):
        quantiles = frame[list(COLUMNS)].to_numpy()
        assert np.isfinite(frame[["mean", *COLUMNS]].to_numpy()).all()
        assert (quantiles >= 0).all()
        assert (np.diff(quantiles, axis=1) >= 0).all()


def test_items_add_up_to_their_region_and_category(market: Brand, made: Forecast) -> None:
    kind = dict(zip(market.table("items")["item"], market.table("items")["category"], strict=True))
    frame = made.frame.assign(category=made.frame["item"].map(kind))
    by_region = frame.groupby(["start", "region"])["mean"].sum()
    regions = made.regions.set_index(["start", "region"])["mean"]
    assert np.allclose(by_region, regions[by_region.index], rtol=0, atol=1e-6)
    by_category = frame.groupby(["start", "region", "category"])["mean"].sum()
    categories = made.categories.set_index(["start", "region", "category"])["mean"]
    assert len(categories) == len(by_category) == WEEKS * 2 * 2
    assert np.allclose(by_category, categories[by_category.index], rtol=0, atol=1e-6)


def test_days_add_up_to_their_weeks(made: Forecast) -> None:
    days = made.daily
    week = days["date"] - pd.to_timedelta(days["date"].dt.day_of_week, unit="D")
    summed = days.groupby([week, "region"])["mean"].sum()
    regions = made.regions.set_index(["start", "region"])["mean"]
    assert len(days) == WEEKS * 7 * 2
    assert np.allclose(summed, regions[summed.index.set_names(["start", "region"])])


def test_the_days_of_a_week_follow_the_weekdays_of_their_region() -> None:
    """Germans buy on Saturdays, Thais on Mondays."""
    busy = {"DE": 5, "TH": 0}
    brand = brand_with(
        lambda day, region, item: 8.0 if day.weekday() == busy[region] else 1.0,
        date(2026, 3, 2),
        TODAY,
    )
    days = forecast(brand, 2).daily
    for region, weekday in busy.items():
        own = days[days["region"] == region].groupby(days["date"].dt.day_of_week)["mean"].sum()
        assert own[weekday] / own.sum() == pytest.approx(8 / 14)


def test_steady_demand_goes_on() -> None:
    made = forecast(brand_with(steady, FIRST, TODAY), 8)
    expected = {("MUG", "DE"): 14.0, ("MUG", "TH"): 7.0, ("CUP", "DE"): 7.0, ("CUP", "TH"): 3.5}
    for (item, region), units in expected.items():
        assert np.allclose(cells(made, item, region)["mean"], units, rtol=1e-6)


def test_the_same_seed_gives_the_same_forecast(market: Brand, made: Forecast) -> None:
    again = forecast(market, WEEKS, seed=0)
    for name in ("frame", "regions", "categories", "daily", "series_methods"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(made, name))


def test_the_order_of_rows_says_nothing(market: Brand, made: Forecast) -> None:
    shuffled = market
    for table in ("items", "demand"):
        rows = market.table(table).sample(frac=1.0, random_state=3).reset_index(drop=True)
        shuffled = shuffled.with_table(table, rows)
    other = forecast(shuffled, WEEKS)
    assert np.allclose(means(other), means(made))
    for name in COLUMNS:
        one, two = (
            told.frame.set_index(["start", "region", "item"])[name].sort_index()
            for told in (made, other)
        )
        assert np.allclose(one, two)


def test_what_came_after_the_planning_date_is_never_looked_at() -> None:
    units = assorted()
    known = {
        (day, region, item): units(day, region, item)
        for day in (FIRST + timedelta(days=at) for at in range((TODAY - FIRST).days + 29))
        for region in ("DE", "TH")
        for item in ITEMS[:2]
    }
    later = brand_with(
        lambda *cell: known[cell] * (9.0 if cell[0] > TODAY else 1.0),
        FIRST,
        TODAY + timedelta(days=28),
        items=ITEMS[:2],
    )
    now = brand_with(lambda *cell: known[cell], FIRST, TODAY, items=ITEMS[:2])
    pd.testing.assert_frame_equal(
        forecast(replace(later, today=TODAY), 3).frame, forecast(now, 3).frame
    )


def test_a_new_item_sells_like_its_category(made: Forecast) -> None:
    """PLATE takes the mean of the kitchen items that ever sold in Germany."""
    plates = cells(made, "PLATE", "DE")
    others = [cells(made, item, "DE")["mean"].mean() for item in ("MUG", "CUP", "FORK")]
    assert min(others) * 0.5 < plates["mean"].mean() < max(others)
    assert (plates["p95"] > plates["mean"]).all()


def test_a_young_item_is_expected_in_the_market_it_has_not_reached(made: Forecast) -> None:
    assert (cells(made, "CUP", "TH")["mean"] > 0).all()
    reached, not_yet = (cells(made, "CUP", region)["mean"].to_numpy() for region in ("DE", "TH"))
    assert (not_yet < reached).all()


def test_an_item_that_never_sold_in_a_region_is_not_expected_there(made: Forecast) -> None:
    assert (cells(made, "FORK", "TH")[["mean", "p95"]] == 0).all(axis=None)


def test_nobody_expects_the_dead(made: Forecast) -> None:
    """No pot was asked for over a year: nothing is expected, and a finding says so."""
    for region in ("DE", "TH"):
        assert (cells(made, "POT", region)[["mean", *COLUMNS]] == 0).all(axis=None)
    assert [found.item for found in made.findings if found.kind == "dead"] == ["POT"]


def test_a_brand_new_category_keeps_a_tail(made: Forecast) -> None:
    """Nothing is known of lamps: none is expected, but one may be asked for."""
    for region in ("DE", "TH"):
        lamps = cells(made, "LAMP", region)
        assert (lamps["mean"] == 0).all()
        assert (lamps["p90"] == 0).all()
        assert (lamps["p95"] == 1).all()


def test_methods_and_models_count_every_series_once(made: Forecast) -> None:
    methods = made.series_methods
    assert len(methods) == made.series
    assert not methods.duplicated(["region", "item"]).any()
    items = {name: count for name, count in made.models.items() if not name.startswith("region_")}
    assert methods["method"].value_counts().to_dict() == items
    assert items["dead"] == items["no_evidence"] == 2
    assert made.models["region_smoothing"] == 2


def test_weeks_without_stock_do_not_pull_an_item_down() -> None:
    """Mugs ran out for eight weeks, and the file says so; they sell on as before."""
    out = date(2026, 7, 13)
    usual = brand_with(noisy(5, 4.0), FIRST, TODAY)
    demand = usual.table("demand")
    gone = (demand["item"] == "MUG") & (demand["date"] >= pd.Timestamp(out))
    cut = usual.with_table("demand", demand[~gone].reset_index(drop=True))
    told = with_rows(
        cut, "stockouts", {"item": "MUG", "start": pd.Timestamp(out), "end": pd.Timestamp(TODAY)}
    )
    before, after = forecast(usual, 4), forecast(told, 4)
    assert sum(found.kind == "stockout" for found in after.findings) == 1
    for item in ("MUG", "CUP"):
        for region in ("DE", "TH"):
            expected = cells(before, item, region)["mean"].mean()
            assert cells(after, item, region)["mean"].mean() == pytest.approx(expected, rel=0.15)


def test_a_promised_return_comes_back() -> None:
    """A tenth of what is sold came back a week later; of what will be sold, a tenth will."""
    brand = brand_with(steady, FIRST, TODAY)
    demand = brand.table("demand")
    back = demand.assign(
        date=demand["date"] + pd.Timedelta(days=7), quantity=demand["quantity"] / 10
    )
    back = back[back["date"] <= pd.Timestamp(TODAY)][["date", "region", "item", "quantity"]]
    made = forecast(brand.with_table("returns", complete("returns", back)), 3)
    units = made.returns.set_index(["start", "region", "item"])["mean"]
    assert len(units) == 3 * 2 * 2
    assert np.allclose(units / means(made)[units.index], 0.1, rtol=0.1)


def test_without_returns_none_are_expected(made: Forecast) -> None:
    assert made.returns.empty
    assert tuple(made.returns.columns) == ("start", "region", "item", "mean")


def test_a_decision_moves_its_cells_and_their_sums_and_nothing_else(
    market: Brand, made: Forecast
) -> None:
    decided = with_rows(
        market,
        "overrides",
        {
            "override": "FAIR", "region": "DE", "item": "MUG", "start": "2026-09-14",
            "end": "2026-09-20", "factor": 2.0, "who": "Pia", "made": "2026-09-01", "why": "A fair",
        },
    )  # fmt: skip
    after = forecast(decided, WEEKS)
    ratio = means(after) / means(made).where(means(made) > 0)
    changed = ratio[(ratio - 1.0).abs() > 1e-9]
    assert changed.to_dict() == {(pd.Timestamp("2026-09-14"), "DE", "MUG"): pytest.approx(2.0)}
    (row,) = after.overridden.to_dict("records")
    assert (row["override"], row["item"]) == ("FAIR", "MUG")
    assert row["mean"] == pytest.approx(2.0 * row["statistical"])
    summed = after.frame.groupby(["start", "region"])["mean"].sum()
    regions = after.regions.set_index(["start", "region"])["mean"]
    assert np.allclose(summed, regions[summed.index], rtol=0, atol=1e-6)


@pytest.mark.parametrize("weeks", [0, -1, MOST_WEEKS + 1])
def test_a_horizon_outside_two_years_is_refused(market: Brand, weeks: int) -> None:
    with pytest.raises(BadInput, match="horizon"):
        forecast(market, weeks)


def test_two_years_ahead_can_be_asked_for() -> None:
    made = forecast(brand_with(steady, FIRST, TODAY), MOST_WEEKS)
    assert made.frame["start"].nunique() == MOST_WEEKS
    assert np.isfinite(made.frame[["mean", *COLUMNS]].to_numpy()).all()


def test_a_single_region_and_item_with_one_week_is_forecast() -> None:
    brand = brand_with(steady, date(2026, 8, 31), TODAY, items=("MUG",), regions=("DE",))
    made = forecast(brand, 2)
    assert made.frame["mean"].tolist() == pytest.approx([14.0, 14.0])


def test_in_the_middle_of_a_week_the_next_one_is_forecast(market: Brand) -> None:
    wednesday = replace(market, today=date(2026, 9, 2))
    assert forecast(wednesday, 1).frame["start"].iloc[0] == pd.Timestamp("2026-09-07")


def test_progress_rises_and_reaches_most_of_the_way(market: Brand) -> None:
    told: list[float] = []
    forecast(market, 2, report=lambda share, doing: told.append(share))
    assert told == sorted(told)
    assert told[-1] >= 0.8
    assert max(told) <= 1.0


def test_a_summary_holds_what_every_door_shows(made: Forecast) -> None:
    summary = made.summary()
    assert summary["series"] == made.series
    assert summary["models"] == made.models
    assert set(summary) == {"series", "seconds", "series_per_minute", "models"}


def test_events_of_history_and_horizon_are_named_for_pictures(made: Forecast) -> None:
    events = made.events
    assert set(events["region"]) == {"DE", "TH"}
    assert (events["start"] <= events["end"]).all()
    unity = events[events["event"] == "German Unity Day"]
    assert unity["start"].max() == pd.Timestamp("2026-10-03")
    assert (events["start"] <= pd.Timestamp("2026-10-18")).all()
