from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.demand.promotions import (
    Effects,
    Losses,
    Part,
    candidates,
    effects,
    estimate,
    joined,
    losses,
    multipliers,
    plan_of,
    sum_losses,
    tally,
)

WEEKS, AHEAD, REGIONS = 104, 4, 5
DOUBLED = float(np.log(2.0))


def market(
    seed: int = 0,
    items: int = 120,
    units: float = 0.8,
    uplift: float = 0.0,
    elasticity: float = 0.0,
    promoted: float = 0.0,
    prices: bool = False,
    categories: int = 3,
) -> Part:
    """Lumpy counts whose levels wander; promotions of strength 0.2 to 1 and prices 30 % down."""
    drawn = np.random.default_rng(seed)
    shape = (items * REGIONS, WEEKS + AHEAD)
    level = units * drawn.gamma(1.0, 1.0, (shape[0], 1)) + 0.05
    wander = np.exp(np.cumsum(drawn.normal(0.0, 0.03, shape), axis=1))
    strength = (drawn.random(shape) < promoted) * drawn.uniform(0.2, 1.0, shape)
    moved = np.log(drawn.choice([1.0, 1.0, 1.0, 0.9, 0.8, 0.7, 1.1], shape)) * prices
    mean = level * wander * np.exp(uplift * strength + elasticity * moved)
    usual = drawn.uniform(5.0, 50.0, (shape[0], 1))
    return Part(
        demand=drawn.negative_binomial(2.0, 2.0 / (2.0 + mean[:, :WEEKS])).astype(float),
        hidden=np.zeros((shape[0], WEEKS), bool),
        promotion=strength,
        price=usual * np.exp(moved) if prices else np.full(shape, np.nan),
        item=np.repeat(np.arange(items), REGIONS),
        category=np.arange(items) % categories,
        categories=categories,
    )


def items_of(part: Part, begin: int, end: int) -> Part:
    rows = slice(*np.searchsorted(part.item, (begin, end)))
    return replace(
        part,
        demand=part.demand[rows],
        hidden=part.hidden[rows],
        promotion=part.promotion[rows],
        price=part.price[rows],
        item=part.item[rows] - begin,
        category=part.category[begin:end],
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_promotion_that_doubles_demand_is_found_doubling_it(seed: int) -> None:
    part = market(seed, uplift=DOUBLED, promoted=0.15)
    found = estimate(part)
    assert np.exp(found.promotion[found.promotion > 0].mean()) == pytest.approx(2.0, rel=0.15)
    assert (found.promotion > 0).mean() > 0.6
    assert not found.elasticity.any()


@pytest.mark.parametrize("seed", range(3))
def test_an_elasticity_of_two_is_found(seed: int) -> None:
    found = estimate(market(seed, elasticity=-2.0, prices=True))
    assert found.elasticity.mean() == pytest.approx(-2.0, rel=0.2)
    assert not found.promotion.any()


def test_promotion_and_price_are_told_apart() -> None:
    found = estimate(market(1, units=3.0, uplift=0.7, elasticity=-2.0, promoted=0.2, prices=True))
    assert found.promotion.mean() == pytest.approx(0.7, rel=0.15)
    assert found.elasticity.mean() == pytest.approx(-2.0, rel=0.2)


def test_the_uplift_is_that_of_the_likeliest_split_of_each_quarter() -> None:
    """Oracle: of all uplifts on a grid, the likeliest spread of 13 weeks' units over the weeks."""
    part = market(2, items=20, units=20.0, uplift=0.8, promoted=0.2, categories=1)
    units, strength = (array[:, :WEEKS].reshape(-1, 13) for array in (part.demand, part.promotion))

    def likelihood(uplift: float) -> float:
        share = np.exp(uplift * strength)
        trust = 1.0 / (1.0 + 0.25 * units.mean(axis=1))
        told = (units * np.log(share / share.sum(axis=1, keepdims=True))).sum(axis=1)
        return float((trust * told).sum())

    best = max(np.arange(0.0, 2.0, 0.005), key=likelihood)
    assert estimate(part).promotion.mean() == pytest.approx(best, rel=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_a_price_that_is_only_noise_changes_nothing(seed: int) -> None:
    part = market(seed)
    noise = 10.0 * np.exp(np.random.default_rng(seed).normal(0.0, 0.15, part.price.shape))
    made = multipliers(replace(part, price=noise), estimate(replace(part, price=noise)))
    assert (made.past == 1.0).all()
    assert (made.future == 1.0).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_promotion_that_moves_nothing_changes_nothing(seed: int) -> None:
    assert not estimate(market(seed, promoted=0.15)).promotion.any()


def test_a_category_without_uplift_does_not_borrow_that_of_another() -> None:
    part = market(3, units=3.0, promoted=0.15, categories=2)
    raised = market(3, units=3.0, promoted=0.15, uplift=1.0, categories=2)
    answers = (part.category == 0)[part.item][:, None]
    found = estimate(replace(part, demand=np.where(answers, raised.demand, part.demand)))
    assert found.promotion[part.category == 0].mean() == pytest.approx(1.0, rel=0.15)
    assert found.promotion[part.category == 1].mean() < 0.05


def proof(gains: tuple[float, float], noise: tuple[float, float]) -> Losses:
    """Losses of two categories where promotion saves `gains` of 100 with these standard errors."""
    sums = np.array([[100.0, 100.0 - gain, 100.0, 100.0 - gain] for gain in gains])
    with_promotion = np.array([0.0, 1.0, 0.0, 1.0])
    error = with_promotion[:, None] * with_promotion
    return Losses(sums, np.stack([error * sigma**2 for sigma in noise]))


@pytest.mark.parametrize(
    ("gains", "noise", "admitted"),
    [
        ((10.0, 10.0), (1.0, 1.0), [True, True]),
        ((1.0, 1.0), (0.1, 0.1), [False, False]),
        ((10.0, 10.0), (8.0, 8.0), [False, False]),
        ((20.0, -1.0), (1.0, 1.0), [True, False]),
        ((20.0, 0.5), (1.0, 1.0), [True, True]),
        ((10.0, -10.0), (3.0, 3.0), [True, False]),
        ((10.0, -10.0), (4.0, 4.0), [False, False]),
    ],
    ids=["clear", "small", "chance", "one loses", "one follows", "alone", "alone by chance"],
)
def test_effects_are_admitted_where_the_trial_proves_them(
    gains: tuple[float, float], noise: tuple[float, float], admitted: list[bool]
) -> None:
    part = market(3, units=3.0, uplift=DOUBLED, promoted=0.15, categories=2)
    found = effects(tally(part), proof(gains, noise))
    assert [bool((found.promotion[part.category == at] > 0).all()) for at in (0, 1)] == admitted
    assert [bool(found.promotion[part.category == at].any()) for at in (0, 1)] == admitted


def test_candidates_know_nothing_of_the_trial() -> None:
    part = market(3, units=3.0, uplift=DOUBLED, promoted=0.15)
    told = replace(part, demand=part.demand.copy())
    told.demand[:, -13:] *= 1.0 + 9.0 * (part.promotion[:, WEEKS - 13 : WEEKS] > 0)
    for blind, seeing in zip(candidates(tally(part)), candidates(tally(told)), strict=True):
        assert (blind.promotion == seeing.promotion).all()


def test_an_item_never_promoted_takes_the_uplift_of_its_category() -> None:
    part = market(4, units=3.0, uplift=DOUBLED, promoted=0.15, categories=1)
    part.promotion[part.item == 0, :WEEKS] = 0.0
    part.promotion[part.item == 0, WEEKS:] = 1.0
    made = multipliers(part, estimate(part))
    assert (made.past[part.item == 0] == 1.0).all()
    assert made.future[part.item == 0] == pytest.approx(2.0, rel=0.15)


def test_effects_have_the_sign_that_trade_knows() -> None:
    """Demand that falls under promotion and rises with the price tells of something else."""
    found = estimate(market(5, units=3.0, uplift=-1.0, elasticity=2.0, promoted=0.2, prices=True))
    assert not found.promotion.any()
    assert not found.elasticity.any()


def test_weeks_sold_out_under_promotion_do_not_lower_the_uplift() -> None:
    part = market(6, units=3.0, uplift=DOUBLED, promoted=0.3)
    out = (part.promotion[:, :WEEKS] > 0) & (np.random.default_rng(6).random((600, WEEKS)) < 0.5)
    part = replace(part, demand=np.where(out, 0.0, part.demand))
    blind, seeing = estimate(part), estimate(replace(part, hidden=out))
    assert np.exp(seeing.promotion.mean()) == pytest.approx(2.0, rel=0.15)
    assert blind.promotion.mean() < 0.3


def test_parts_worked_apart_find_what_the_whole_finds() -> None:
    whole = market(7, units=2.0, uplift=DOUBLED, elasticity=-2.0, promoted=0.2, prices=True)
    parts = [items_of(whole, begin, begin + 40) for begin in (0, 40, 80)]
    total = joined([tally(part) for part in parts])
    rivals = candidates(total)
    proofs = [
        losses(part, [one.of(40 * at, 40 * at + 40) for one in rivals])
        for at, part in enumerate(parts)
    ]
    assert np.allclose(sum_losses(proofs).sums, losses(whole, rivals).sums)
    found, one = effects(total, sum_losses(proofs)), estimate(whole)
    assert found.promotion == pytest.approx(one.promotion, abs=0.02)
    assert found.elasticity == pytest.approx(one.elasticity, abs=0.06)


def test_a_price_not_recorded_moves_as_in_the_other_regions() -> None:
    """Sales rows bring prices, so a week without sales in a region has none of its own."""
    part = market(8, items=1, categories=1)
    price = np.full(part.price.shape, 20.0)
    price[:, 50] = 10.0
    price[0, 50], price[:, 60], price[:, WEEKS:] = np.nan, np.nan, np.nan
    made = plan_of(replace(part, price=price), slice(0, REGIONS)).price
    assert made[:, 50] == pytest.approx(np.log(0.5))
    assert not made[:, 60].any()
    assert not made[:, WEEKS:].any()


def test_an_unknown_price_ahead_is_the_recent_one() -> None:
    part = market(9, items=1, categories=1)
    price = np.full(part.price.shape, 20.0)
    price[:, 80:WEEKS], price[:, WEEKS:] = 25.0, np.nan
    made = plan_of(replace(part, price=price), slice(0, REGIONS)).price
    assert made[:, WEEKS:] == pytest.approx(np.log(1.25))


def test_strength_is_measured_against_a_full_promotion() -> None:
    part = market(10, units=3.0, uplift=DOUBLED, promoted=0.15)
    percent = replace(part, promotion=100.0 * part.promotion, full=100.0)
    assert estimate(percent).promotion == pytest.approx(estimate(part).promotion)


@pytest.mark.parametrize("series", [np.zeros(WEEKS), np.eye(1, WEEKS, 50)[0], np.full(WEEKS, 3.0)])
def test_series_that_say_nothing_stay_as_they_are(series: np.ndarray) -> None:
    part = market(11, items=1, promoted=0.2, prices=True, categories=1)
    part = replace(part, demand=np.tile(series, (REGIONS, 1)))
    made = multipliers(part, estimate(part))
    assert (made.past == 1.0).all()
    assert (made.future == 1.0).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(0, 5))
def test_multipliers_stay_in_bounds_whatever_the_table_holds(
    seed: int, weeks: int, ahead: int
) -> None:
    drawn = np.random.default_rng(seed)
    shape = (6, weeks + ahead)
    part = Part(
        demand=drawn.poisson(drawn.choice([0.1, 1e6], (6, 1)), (6, weeks)).astype(float),
        hidden=drawn.random((6, weeks)) < 0.2,
        promotion=drawn.choice([0.0, 1.0, 1000.0, np.nan], shape),
        price=drawn.choice([np.nan, 0.0, 1e-9, 1e9], shape),
        item=np.array([0, 0, 1, 1, 1, 3]),
        category=np.array([0, 2, 2, 2]),
        categories=4,
    )
    for found in (estimate(part), Effects(np.full(4, 2.3), np.full(4, -6.0))):
        made = multipliers(part, found)
        assert made.future.shape == (6, ahead)
        both = np.concatenate([made.past, made.future], axis=1)
        assert ((both > 0.0999) & (both < 10.001)).all()


@pytest.mark.parametrize(
    "change",
    [
        {"item": np.array([1, 0, 0, 0, 0])},
        {"item": np.array([0])},
        {"promotion": np.zeros((5, WEEKS - 1)), "price": np.zeros((5, WEEKS - 1))},
        {"price": np.zeros((5, WEEKS))},
        {"hidden": np.zeros((5, 1), bool)},
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Expected"):
        replace(market(items=1, categories=1), **change)
