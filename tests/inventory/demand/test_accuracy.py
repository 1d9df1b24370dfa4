from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.brand import Brand
from core.errors import BadInput
from core.folder.writer import complete
from inventory.demand.accuracy import (
    EVIDENCE_WEEKS,
    FEWEST_JUDGED,
    PEERS,
    Accuracy,
    Scores,
    _alarms,
    backtest,
    score,
    spread_origins,
)
from inventory.demand.forecast import forecast
from inventory.demand.history import History
from inventory.demand.naive import Guess, naive_guess
from inventory.demand.quantiles import COLUMNS, LEVELS
from inventory.demand.season import YEAR
from inventory.demand.smoothing import START_WEEKS
from tests.inventory.demand.market import Units, brand_with, noisy

FIRST, TODAY = date(2025, 6, 2), date(2026, 9, 6)
RARE_DAYS = {TODAY - timedelta(days=28 * at + 3) for at in range(EVIDENCE_WEEKS - 1)}


def mixed(seed: int = 6) -> Units:
    """MUG and CUP sell daily, FORK in one week fewer than counts, LID in Germany alone."""
    draw = noisy(seed)

    def units(day: date, region: str, item: str) -> float:
        drawn = draw(day, region, item)
        if item == "FORK":
            return float(day in RARE_DAYS)
        return 0.0 if (item, region) == ("LID", "TH") else drawn

    return units


@pytest.fixture(scope="module")
def brand() -> Brand:
    return brand_with(mixed(), FIRST, TODAY, items=("MUG", "CUP", "FORK", "LID"))


@pytest.fixture(scope="module")
def judged(brand: Brand) -> Accuracy:
    return backtest(brand, 3, 4)


def guess(mean: list[list[float]], p90: list[list[float]]) -> Guess:
    """A guess whose other quantiles stand at half the mean below P90 and at P90 above it."""
    center, high = np.array(mean), np.array(p90)
    levels = [center / 2 if level < 0.9 else high for level in LEVELS]
    return Guess(center, np.stack(levels, axis=-1))


def test_a_perfect_forecast_misses_nothing() -> None:
    came = np.array([[1.0, 2.0], [3.0, 0.0]])
    perfect = Guess(came, np.repeat(came[..., None], len(LEVELS), axis=2))
    assert score(perfect, naive_guess(came, 2), came) == Scores(0, 0, 0, 0, 0, 1, 1)


def test_scores_of_one_cell_by_hand() -> None:
    """10 came, 8 were expected with P90 at 9: wape and bias 0.2, pinball 2 * 0.9 * 1 / 10."""
    came = np.array([[10.0]])
    made = score(guess([[8.0]], [[9.0]]), guess([[8.0]], [[9.0]]), came)
    assert made.wape == pytest.approx(0.2)
    assert made.bias == pytest.approx(-0.2)
    assert made.pinball_p50 == pytest.approx(2 * 0.5 * 6.0 / 10)
    assert made.pinball_p90 == pytest.approx(0.18)
    assert made.pinball_p95 == pytest.approx(2 * 0.95 * 1.0 / 10)
    assert made.p90_hit == 0.0
    assert made.fva_share == 1.0


def test_scores_of_two_series_by_hand() -> None:
    """Of 20 units that came, 2 + 1 + 4 + 1 were missed; two of four weeks stood within P90."""
    came = np.array([[6.0, 4.0], [0.0, 10.0]])
    ours = guess([[4.0, 5.0], [4.0, 9.0]], [[5.0, 6.0], [5.0, 8.0]])
    naive = guess([[6.0, 6.0], [0.0, 0.0]], [[6.0, 6.0], [0.0, 0.0]])
    made = score(ours, naive, came)
    assert made.wape == pytest.approx(8 / 20)
    assert made.bias == pytest.approx((-2 + 1 + 4 - 1) / 20)
    losses = [0.9 * 1, 0.1 * 2, 0.1 * 5, 0.9 * 2]
    assert made.pinball_p90 == pytest.approx(2 * sum(losses) / 20)
    assert made.p90_hit == pytest.approx(2 / 4)
    naive_losses = [0.1 * 2, 0.9 * 10]
    no_worse = [losses[0] + losses[1] <= naive_losses[0], losses[2] + losses[3] <= naive_losses[1]]
    assert no_worse == [False, True]
    assert made.fva_share == pytest.approx(0.5)


def test_weeks_without_stock_are_nobodys_miss() -> None:
    came = np.array([[6.0, 0.0], [4.0, 10.0]])
    counted = np.array([[True, False], [True, True]])
    ours = guess([[6.0, 99.0], [4.0, 10.0]], [[6.0, 99.0], [4.0, 10.0]])
    made = score(ours, ours, came, counted)
    assert (made.wape, made.bias, made.p90_hit) == (0.0, 0.0, 1.0)


def test_nothing_came_and_nothing_was_said() -> None:
    made = score(guess([[0.0]], [[0.0]]), guess([[0.0]], [[0.0]]), np.zeros((1, 1)))
    assert (made.wape, made.p90_hit, made.fva_share) == (0.0, 1.0, 1.0)


@given(st.integers(1, 260), st.integers(1, 30), st.integers(1, 26))
def test_origins_are_spread_over_the_last_year_and_never_overlap(
    have: int, origins: int, weeks: int
) -> None:
    assume(have - START_WEEKS >= origins * weeks)
    ends = spread_origins(have, origins, weeks)
    assert len(ends) == origins
    assert ends[-1] == have - weeks
    assert ends[0] >= START_WEEKS
    steps = set(np.diff(ends).tolist())
    assert len(steps) <= 1
    assert all(step >= weeks for step in steps)
    if origins * weeks <= YEAR:
        assert have - ends[0] <= YEAR


def test_twelve_origins_are_a_month_apart() -> None:
    ends = spread_origins(104, 12, 4)
    assert set(np.diff(ends).tolist()) == {4}
    assert set(np.diff(spread_origins(104, 4, 4)).tolist()) == {13}


@pytest.mark.parametrize(
    ("have", "origins", "weeks"), [(19, 3, 4), (104, 0, 4), (104, 1, 0), (8, 1, 1)]
)
def test_origins_that_do_not_fit_are_refused(have: int, origins: int, weeks: int) -> None:
    with pytest.raises(BadInput, match="origins"):
        spread_origins(have, origins, weeks)


def test_a_backtest_that_the_history_cannot_carry_is_refused(brand: Brand) -> None:
    with pytest.raises(BadInput, match="origins"):
        backtest(brand, 20, 4)


def test_origins_are_the_sundays_before_what_is_judged(judged: Accuracy) -> None:
    assert judged.origins == tuple(TODAY - timedelta(weeks=4 + back * 17) for back in (2, 1, 0))
    assert {origin.weekday() for origin in judged.origins} == {6}


def test_each_origin_is_the_forecast_of_that_day(brand: Brand, judged: Accuracy) -> None:
    """Scores of the latest origin, worked out again from a forecast made on its Sunday."""
    origin = judged.origins[-1]
    made = forecast(replace(brand, today=origin), 4).regions
    said = made.pivot_table(index="region", columns="start", values=["mean", "p90"])
    demand = brand.table("demand")
    after = demand[
        (demand["date"] > pd.Timestamp(origin)) & (demand["date"] <= pd.Timestamp(TODAY))
    ]
    week = after["date"] - pd.to_timedelta(after["date"].dt.day_of_week, unit="D")
    came = after.groupby(["region", week])["quantity"].sum().unstack()
    missed = np.abs(said["mean"].to_numpy() - came.to_numpy()).sum()
    rows = judged.by_origin
    row = rows[(rows["origin"] == pd.Timestamp(origin)) & (rows["level"] == "region")].iloc[0]
    assert row["wape"] == pytest.approx(missed / came.to_numpy().sum())
    assert row["p90_hit"] == pytest.approx((came.to_numpy() <= said["p90"].to_numpy()).mean())


def test_series_with_too_few_weeks_of_demand_are_not_scored(brand: Brand, judged: Accuracy) -> None:
    """FORK sold in 7 weeks, LID never in Thailand; everybody else is scored."""
    whole = History.of(brand)
    busy = (whole.matrix(0, whole.count) > 0).sum(axis=1)
    assert sorted(set(busy.tolist()))[:2] == [0, EVIDENCE_WEEKS - 1]
    scored = set(zip(judged.by_series["item"], judged.by_series["region"], strict=True))
    both = {(item, region) for item in ("MUG", "CUP") for region in ("DE", "TH")}
    assert scored == {*both, ("LID", "DE")}


def test_all_origins_together_weigh_by_demand(judged: Accuracy) -> None:
    """The whole error is that of the origins, each weighed by what came."""
    rows = judged.by_origin[judged.by_origin["level"] == "item_region"]
    assert len(rows) == 3
    assert rows["wape"].min() <= judged.item_region["ours"].wape <= rows["wape"].max()
    assert rows["p90_hit"].mean() == pytest.approx(judged.item_region["ours"].p90_hit)


def test_series_add_up_to_the_loss_of_all(judged: Accuracy) -> None:
    series = judged.by_series
    total = series["demand"].sum()
    ours, naive = judged.item_region["ours"], judged.item_region["naive"]
    assert series["loss_ours"].sum() / total == pytest.approx(ours.pinball_p90)
    assert series["loss_naive"].sum() / total == pytest.approx(naive.pinball_p90)
    assert series["bias"].sum() / total == pytest.approx(ours.bias)
    assert (series["loss_ours"] <= series["loss_naive"]).mean() == pytest.approx(ours.fva_share)


def test_markets_add_up_to_the_scores_of_all(judged: Accuracy) -> None:
    markets = judged.by_region
    ours, naive = judged.region["ours"], judged.region["naive"]
    share = markets["demand"] / markets["demand"].sum()
    assert (markets["wape"] * share).sum() == pytest.approx(ours.wape)
    assert (markets["bias"] * share).sum() == pytest.approx(ours.bias)
    assert (markets["wape_naive"] * share).sum() == pytest.approx(naive.wape)
    assert (markets["pinball_p90"] * share).sum() == pytest.approx(ours.pinball_p90)
    assert markets["p90_hit"].mean() == pytest.approx(ours.p90_hit)
    assert (markets["weeks"] == 3 * 4).all()


def test_series_without_stock_do_not_lose_by_it() -> None:
    """Mugs ran out over the judged weeks: neither the scores nor the rows of series count them."""
    plain = brand_with(noisy(6, 4.0), FIRST, TODAY)
    out = TODAY - timedelta(days=27)
    demand = plain.table("demand")
    gone = (demand["item"] == "MUG") & (demand["date"] >= pd.Timestamp(out))
    told = pd.DataFrame([{"item": "MUG", "start": pd.Timestamp(out), "end": pd.Timestamp(TODAY)}])
    brand = plain.with_table("demand", demand[~gone].reset_index(drop=True))
    made = backtest(brand.with_table("stockouts", complete("stockouts", told)), 1, 4)
    assert made.item_region["ours"].bias < 0.3
    mugs = made.by_series[made.by_series["item"] == "MUG"]
    assert mugs["demand"].sum() == 0
    assert (mugs["loss_ours"] == 0).all()
    assert (mugs["bias"] == 0).all()


def test_ours_beats_the_naive_forecast_on_noise(judged: Accuracy) -> None:
    for level in (judged.item_region, judged.region):
        assert level["ours"].wape < level["naive"].wape
        assert level["ours"].pinball_p90 < level["naive"].pinball_p90
        assert level["naive"].fva_share == 1.0


def test_a_document_names_levels_and_peers(judged: Accuracy) -> None:
    document = judged.as_json()
    assert set(document) == {"item_region", "region", *PEERS[1:]}
    assert document["region"]["wape"] == judged.region["ours"].wape
    assert set(document["naive"]) == {"item_region", "region"}


def test_overrides_are_judged_by_themselves() -> None:
    """A decision of the past does not touch the scores of statistics; what it was worth is told."""
    plain = brand_with(noisy(6, 4.0), FIRST, TODAY)
    decided = pd.DataFrame(
        [
            {
                "override": "WRONG", "item": "MUG", "start": TODAY - timedelta(days=27),
                "end": TODAY, "factor": 3.0, "who": "Pia", "why": "A hunch",
                "made": TODAY - timedelta(days=60),
            }
        ]
    )  # fmt: skip
    for column in ("start", "end", "made"):
        decided[column] = pd.to_datetime(decided[column])
    one = backtest(plain, 1, 4)
    other = backtest(plain.with_table("overrides", complete("overrides", decided)), 1, 4)
    assert one.item_region == other.item_region
    (row,) = other.overrides.to_dict("records")
    assert row["override"] == "WRONG"
    assert row["error_with"] > row["error_without"]
    assert row["value_added"] < 0
    assert one.overrides.empty


def alarms(**changes: object) -> list[tuple[str, str]]:
    """Kind and market of what is noticed about two markets, the first of which is changed."""
    calm = {"demand": 100.0, "weeks": 12, "bias": 0.0, "bias_error": 0.01, "p90_hit": 0.9}
    rows = [{"region": "TH", **calm, **changes}, {"region": "DE", **calm}]
    return [(alarm.kind, alarm.region) for alarm in _alarms(pd.DataFrame(rows))]


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, []),
        ({"bias": 0.3}, ["bias"]),
        ({"bias": -0.3}, ["bias"]),
        ({"bias": 0.2}, []),
        ({"bias": 0.3, "bias_error": 0.11}, []),
        ({"p90_hit": 0.75}, ["hit"]),
        ({"p90_hit": 0.81}, []),
        ({"bias": -0.5, "p90_hit": 0.5}, ["bias", "hit"]),
        ({"bias": -0.5, "weeks": FEWEST_JUDGED - 1}, []),
        ({"bias": -0.5, "p90_hit": 0.5, "demand": 0.0}, []),
    ],
)
def test_an_alarm_tells_of_a_market_that_leans_or_whose_p90_does_not_hold(
    changes: dict[str, object], kinds: list[str]
) -> None:
    """A lean counts when it is large and beyond three standard errors; few weeks say nothing."""
    assert alarms(**changes) == [(kind, "TH") for kind in kinds]


def test_few_weeks_raise_no_alarm(brand: Brand) -> None:
    assert backtest(brand, 1, 4).alarms == ()


def test_progress_rises_over_all_origins(brand: Brand) -> None:
    told: list[tuple[float, str]] = []
    backtest(brand, 2, 4, report=lambda share, doing: told.append((share, doing)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] > 0.8
    assert {doing for _, doing in told} == {"Planning date 1 of 2", "Planning date 2 of 2"}


def test_tables_have_the_columns_that_reports_read(judged: Accuracy) -> None:
    assert {"origin", "level", "wape", "bias", "pinball_p90", "p90_hit"} <= set(judged.by_origin)
    assert {"region", "item", "demand", "loss_ours", "loss_naive"} <= set(judged.by_series)
    assert {"region", "wape", "bias", "pinball_p90", "p90_hit"} <= set(judged.by_region)
    assert len(COLUMNS) == len(LEVELS)
