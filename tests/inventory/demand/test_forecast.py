from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.brand import Brand
from core.errors import BadInput
from core.folder.schema import schemas
from inventory.demand import newcomers
from inventory.demand.accuracy import Guess, backtest, naive_guess, score
from inventory.demand.coherence import HIGHEST, LOWEST, ratios
from inventory.demand.forecast import forecast
from inventory.demand.quantiles import COLUMNS
from tests.inventory.demand.market import brand_with, noisy, steady

FIRST, TODAY = date(2026, 3, 2), date(2026, 9, 6)


@pytest.fixture(scope="module")
def market() -> Brand:
    """Half a year of random demand; PLATE has never been sold, FORK not in Thailand."""

    draw = noisy(4)

    def units(day: date, region: str, item: str) -> float:
        if item == "PLATE" or (item == "FORK" and region == "TH"):
            return 0.0
        return draw(day, region, item)

    return brand_with(units, FIRST, TODAY, items=("MUG", "CUP", "FORK", "PLATE"))


@pytest.fixture(scope="module")
def frame(market: Brand) -> pd.DataFrame:
    return forecast(market, 6).frame


def test_the_frame_is_a_forecast_file(frame: pd.DataFrame) -> None:
    """Each week, region and item has one row, and the columns are those of forecast.parquet."""
    assert tuple(frame.columns) == schemas()["forecast"].columns
    assert len(frame) == 6 * 2 * 4
    assert not frame.duplicated(["start", "region", "item"]).any()


def test_weeks_are_the_mondays_after_the_planning_date(frame: pd.DataFrame) -> None:
    starts = frame["start"].drop_duplicates()
    assert starts.iloc[0] == pd.Timestamp("2026-09-07")
    assert set(starts.dt.day_of_week) == {0}
    assert set(starts.diff().dropna().dt.days) == {7}


def test_quantiles_are_ordered_finite_and_never_negative(frame: pd.DataFrame) -> None:
    quantiles = frame[list(COLUMNS)].to_numpy()
    assert np.isfinite(frame[["mean", *COLUMNS]].to_numpy()).all()
    assert (quantiles >= 0).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_items_add_up_to_their_region(market: Brand) -> None:
    made = forecast(market, 6)
    items = made.frame.groupby(["start", "region"])["mean"].sum()
    regions = made.regions.set_index(["start", "region"])["mean"]
    assert np.allclose(items, regions[items.index])


def test_the_same_seed_gives_the_same_forecast(market: Brand, frame: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(forecast(market, 6, seed=0).frame, frame)


def test_a_new_item_sells_like_its_category(frame: pd.DataFrame) -> None:
    plates = frame[(frame["item"] == "PLATE") & (frame["region"] == "DE")]
    others = frame[(frame["item"] != "PLATE") & (frame["region"] == "DE")]
    assert plates["mean"].mean() == pytest.approx(others["mean"].mean(), rel=0.01)
    assert (plates["p95"] > plates["mean"]).all()


def test_an_item_that_never_sold_in_a_region_is_not_expected_there(frame: pd.DataFrame) -> None:
    forks = frame[(frame["item"] == "FORK") & (frame["region"] == "TH")]
    assert (forks[["mean", "p95"]] == 0).all(axis=None)


def test_a_young_item_opens_a_market_at_its_categorys_share() -> None:
    """Thailand asks for half of what Germany does; the new cup, so far German, may follow."""
    mean = np.array([[20.0, 10.0], [8.0, 0.0]])
    weeks = np.array([[100.0, 100.0], [5.0, 0.0]])
    made = newcomers.fill(mean, mean, weeks, np.zeros(2, dtype=np.int32))
    share = 10.0 / 38.0
    assert made.mean[1, 1] == pytest.approx(8.0 / (28.0 / 38.0) * share)


def test_a_brand_new_category_keeps_a_tail() -> None:
    """Nothing is known of lamps: none is expected, but one may be asked for."""
    brand = brand_with(steady, FIRST, TODAY, items=("MUG", "LAMP"))
    items = brand.table("items").assign(category=["kitchen", "light"])
    made = forecast(brand.with_table("items", items), 2)
    lamps = made.frame[made.frame["item"] == "LAMP"]
    assert (lamps["mean"] == 0).all()
    assert (lamps["p95"] == 1).all()
    assert made.models["no_evidence"] == 2


@settings(max_examples=50, deadline=None)
@given(
    arrays(np.float64, (3, 4), elements=st.floats(0, 1e6)),
    arrays(np.float64, (5, 3), elements=st.floats(0, 1e6)),
)
def test_coherence_never_more_than_doubles_or_halves(region: np.ndarray, item: np.ndarray) -> None:
    made = ratios(region, item)
    assert ((made >= LOWEST) & (made <= HIGHEST)).all()


@pytest.mark.parametrize("weeks", [0, -1, 105])
def test_a_horizon_outside_two_years_is_refused(market: Brand, weeks: int) -> None:
    with pytest.raises(BadInput, match="horizon"):
        forecast(market, weeks)


def test_a_single_region_and_item_with_one_week_is_forecast() -> None:
    brand = brand_with(steady, date(2026, 8, 31), TODAY, items=("MUG",), regions=("DE",))
    made = forecast(brand, 2)
    assert made.frame["mean"].tolist() == [14.0, 14.0]


def test_scores_of_a_perfect_forecast() -> None:
    came = np.array([[1.0, 2.0], [3.0, 0.0]])
    perfect = Guess(came, np.repeat(came[..., None], 6, axis=2))
    made = score(perfect, naive_guess(came, 2), came)
    assert (made.wape, made.bias, made.pinball_p90, made.p90_hit) == (0.0, 0.0, 0.0, 1.0)


def test_scores_by_hand() -> None:
    """10 came, 8 were expected with P90 at 9: wape and bias 0.2, pinball 2 * 0.9 * 1 / 10."""
    came = np.array([[10.0]])
    guess = Guess(np.array([[8.0]]), np.array([[[5.0, 6.0, 8.0, 8.5, 9.0, 9.5]]]))
    made = score(guess, guess, came)
    assert made.wape == pytest.approx(0.2)
    assert made.bias == pytest.approx(-0.2)
    assert made.pinball_p90 == pytest.approx(0.18)
    assert made.p90_hit == 0.0
    assert made.fva_share == 1.0


def test_a_backtest_judges_ours_beside_its_peers() -> None:
    brand = brand_with(noisy(6), FIRST, TODAY)
    made = backtest(brand, 3, 4).as_json()
    assert set(made) == {"item_region", "region", "naive", "seasonal_naive"}
    assert made["item_region"]["wape"] < made["naive"]["item_region"]["wape"]
    assert made["naive"]["region"]["fva_share"] == 1.0


def test_a_backtest_that_the_history_cannot_carry_is_refused(market: Brand) -> None:
    with pytest.raises(BadInput, match="origins"):
        backtest(market, 20, 4)
