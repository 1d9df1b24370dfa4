import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from inventory.demand import boosting
from inventory.demand.boosting import LEAST_WEEKS, Place, as_of, forecast_means, wins
from inventory.demand.promotions import Effects, Part, estimate
from inventory.demand.smoothing import expected, smooth

ITEMS, STORES, WEEKS, AHEAD = 8, 10, 90, 4
MANY = WEEKS + AHEAD


def deals(seed: int = 0) -> tuple[Part, Place, np.ndarray]:
    """A chain's stores: deals in 15 % of the weeks; returns the expected units ahead as well.

    A deal multiplies demand by 4.5 in the stores with odd numbers and by 1.6 in the others, which
    no effect of an item alone can say.
    """
    drawn = np.random.default_rng(seed)
    item, store = np.repeat(np.arange(ITEMS), STORES), np.tile(np.arange(STORES), ITEMS)
    deal = (drawn.random((ITEMS, MANY)) < 0.15)[item].astype(float)
    level = drawn.gamma(3.0, 4.0, len(item))[:, None]
    mean = level * np.exp(np.where(store % 2, 1.5, 0.5)[:, None] * deal)
    units = drawn.negative_binomial(8.0, 8.0 / (8.0 + mean)).astype(float)
    part = Part(
        demand=units[:, :WEEKS],
        hidden=np.zeros((len(item), WEEKS), bool),
        promotion=deal,
        price=np.full(deal.shape, np.nan),
        item=item,
        category=np.arange(ITEMS) % 2,
        categories=2,
    )
    return part, Place(store, np.arange(ITEMS), STORES), mean[:, WEEKS:]


def smoothed(part: Part, origin: int) -> np.ndarray:
    known = part.demand[:, :origin]
    return np.repeat(expected(known, smooth(known))[:, None], AHEAD, axis=1)


@pytest.fixture(scope="module")
def chain() -> tuple[Part, Place, np.ndarray, np.ndarray]:
    part, place, truth = deals()
    return part, place, truth, forecast_means(part, place, estimate(part), seed=0)


def test_deals_that_work_in_some_stores_are_forecast_there(
    chain: tuple[Part, Place, np.ndarray, np.ndarray],
) -> None:
    part, place, truth, means = chain
    odd = (place.region % 2 == 1)[:, None] & (part.promotion[:, WEEKS:] > 0)
    even = (place.region % 2 == 0)[:, None] & (part.promotion[:, WEEKS:] > 0)
    assert means[odd].sum() == pytest.approx(truth[odd].sum(), rel=0.2)
    assert means[even].sum() == pytest.approx(truth[even].sum(), rel=0.2)


def test_means_are_closer_than_smoothing_and_unbiased(
    chain: tuple[Part, Place, np.ndarray, np.ndarray],
) -> None:
    part, _, truth, means = chain
    assert np.abs(means - truth).sum() < 0.9 * np.abs(smoothed(part, WEEKS) - truth).sum()
    assert means.sum() == pytest.approx(truth.sum(), rel=0.1)


def test_the_same_seed_gives_the_same_means_to_the_last_bit(
    chain: tuple[Part, Place, np.ndarray, np.ndarray],
) -> None:
    part, place, _, means = chain
    assert forecast_means(part, place, estimate(part), seed=0).tobytes() == means.tobytes()
    assert forecast_means(part, place, estimate(part), seed=1).tobytes() != means.tobytes()


def test_parts_are_predicted_apart_by_one_model() -> None:
    part, place, _ = deals(1)
    found = estimate(part)
    model = boosting.train(part, place, found, seed=0)
    half, rows = ITEMS // 2, part.item < ITEMS // 2
    first = replace(
        part,
        demand=part.demand[rows],
        hidden=part.hidden[rows],
        promotion=part.promotion[rows],
        price=part.price[rows],
        item=part.item[rows],
        category=part.category[:half],
    )
    its_place = Place(place.region[rows], place.item[:half], STORES)
    made = boosting.predict(model, first, its_place, found.of(0, half))
    whole = boosting.predict(model, part, place, found)
    assert made.sum() == pytest.approx(whole[rows].sum(), rel=0.02)


def test_trees_win_against_smoothing_and_lose_against_the_truth() -> None:
    part, place, _ = deals(2)
    origins = (WEEKS - 2 * AHEAD, WEEKS - AHEAD)
    truth = {origin: part.demand[:, origin : origin + AHEAD] for origin in origins}
    assert wins(part, place, {origin: smoothed(part, origin) for origin in origins}, seed=0)
    assert not wins(part, place, truth, seed=0)


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.02, False), (1.1, True)], ids=["too little", "enough"]
)
def test_trees_win_by_three_percent(factor: float, verdict: bool) -> None:
    part, place, _ = deals(3)
    origin = WEEKS - AHEAD
    truth, then = part.demand[:, origin:], as_of(part, origin, AHEAD)
    miss = forecast_means(then, place, estimate(then), seed=0) - truth
    assert wins(part, place, {origin: truth + factor * miss}, seed=0) == verdict
    part.hidden[0, origin] = True
    strange = truth + 1.02 * miss
    strange[0, origin - WEEKS] += 1e6
    assert not wins(part, place, {origin: strange}, seed=0), "a hidden week was judged"


def test_a_smaller_absolute_error_is_no_win_when_the_squared_error_grows() -> None:
    """On rare demand a forecast of nothing has the smaller absolute error."""
    part, place, _ = deals(3)
    origin = WEEKS - AHEAD
    truth, then = part.demand[:, origin:], as_of(part, origin, AHEAD)
    miss = np.abs(forecast_means(then, place, estimate(then), seed=0) - truth)
    assert not wins(part, place, {origin: truth + 1.1 * miss.mean()}, seed=0)


def test_sold_out_weeks_do_not_lower_the_means() -> None:
    part, place, truth = deals(7)
    out = np.random.default_rng(7).random(part.demand.shape) < 0.3
    out[:, -AHEAD:] = np.arange(len(out))[:, None] % 2
    part = replace(part, demand=np.where(out, 0.0, part.demand), hidden=out)
    made = forecast_means(part, place, estimate(part), seed=0)
    assert made.sum() == pytest.approx(truth.sum(), rel=0.1)


def test_means_know_nothing_of_the_weeks_after_their_origin() -> None:
    part, place, _ = deals(4)
    told = replace(part, demand=part.demand.copy())
    told.demand[:, -AHEAD:] *= 100.0
    origin, none = WEEKS - AHEAD, Effects(np.zeros(ITEMS), np.zeros(ITEMS))
    blind, seeing = (
        forecast_means(as_of(one, origin, AHEAD), place, none, seed=0) for one in (part, told)
    )
    assert (blind == seeing).all()


def test_a_region_that_fell_is_corrected_downwards() -> None:
    part, place, _ = deals(5)
    fallen = replace(part, demand=part.demand.copy())
    fallen.demand[place.region == 0, -AHEAD:] = 0.0
    model = boosting.train(fallen, place, estimate(fallen), seed=0)
    assert model.correction[0] == 0.8
    assert model.correction[1:].mean() == pytest.approx(1.0, abs=0.1)


def test_series_without_demand_are_expected_to_stay_so() -> None:
    part, place, _ = deals(6)
    part.demand[3], part.demand[7, :-1] = 0.0, 0.0
    made = forecast_means(part, place, estimate(part), seed=0)
    assert not made[3].any()
    assert np.isfinite(made).all()
    assert (made >= 0.0).all()


def test_a_short_history_is_refused() -> None:
    part, place, _ = deals()
    none = Effects(np.zeros(ITEMS), np.zeros(ITEMS))
    with pytest.raises(ValueError, match="26 weeks"):
        forecast_means(as_of(part, LEAST_WEEKS - 1, AHEAD), place, none, seed=0)
    made = forecast_means(as_of(part, LEAST_WEEKS, AHEAD), place, none, seed=0)
    assert made.shape == (ITEMS * STORES, AHEAD)


def test_without_the_extra_the_module_loads_and_says_so() -> None:
    said = (
        "import sys; sys.modules['lightgbm'] = None;"
        "from inventory.demand.boosting import available; print(available())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", said], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "False\n"
    assert boosting.available()
