import numpy as np
import pytest
from numpy.typing import NDArray

from inventory.demand.calibration import (
    FACTORS,
    FEWEST_WEEKS,
    FIRST_CLASS,
    ORIGINS,
    neutral,
    trials,
)
from inventory.demand.levels import Calibration, Part, calibrated, classes, levels
from inventory.demand.quantiles import LEVELS

Floats = NDArray[np.float64]

P90 = LEVELS.index(0.90)
P25 = LEVELS.index(0.25)
P05, P95 = 0, len(LEVELS) - 1
RATE = 400.0
CLASS = int(classes(np.array([RATE]))[0])


def noise(before: float, after: float, series: int = 800, weeks: int = 120) -> Floats:
    """Demand of 400 a week whose spread changes when the first trial begins."""
    rng = np.random.default_rng(7)
    spread = np.where(np.arange(weeks) < weeks - ORIGINS[-1], before, after)
    return np.maximum(rng.normal(RATE, spread, (series, weeks)), 1.0)


def calibration(sample: Part) -> Calibration:
    return trials(sample).calibration()


def test_quantiles_that_were_too_narrow_are_widened() -> None:
    """Demand grew three times as restless as the past that the trials saw."""
    found = calibration(Part(noise(20.0, 60.0)))
    assert found[CLASS, P90] > 1.1
    assert found[CLASS, P25] > 1.1


def test_quantiles_that_were_too_wide_are_drawn_in() -> None:
    found = calibration(Part(noise(60.0, 20.0)))
    assert found[CLASS, P90] < 0.95
    assert found[CLASS, P25] < 0.95


def test_quantiles_that_hold_are_left_alone() -> None:
    found = calibration(Part(noise(20.0, 20.0)))
    assert found[CLASS] == pytest.approx(np.ones(len(LEVELS)), abs=0.08)


def test_a_calibrated_past_holds_more_nearly_what_it_says() -> None:
    demand = noise(20.0, 60.0)
    found = levels(Part(demand[:, :-12]))
    came = demand[:, -12:]
    factors = calibration(Part(demand[:, :-12]))
    shares = [
        float((came <= made.quantiles[:, P90, None]).mean())
        for made in (found, calibrated(found, factors))
    ]
    assert abs(shares[1] - 0.90) <= abs(shares[0] - 0.90)


@pytest.mark.parametrize("weeks", [1, FEWEST_WEEKS - 1])
def test_little_history_is_no_reason_to_doubt(weeks: int) -> None:
    assert np.array_equal(calibration(Part(noise(20.0, 60.0, 10)[:, :weeks])), neutral())


def test_few_series_move_a_factor_less_than_many() -> None:
    few, many = (calibration(Part(noise(20.0, 60.0, count)))[CLASS, P90] for count in (8, 800))
    assert 1.0 <= few < many


def test_classes_without_a_series_and_those_of_single_units_stay_neutral() -> None:
    found = calibration(Part(noise(20.0, 60.0)))
    assert (found[:CLASS] == 1.0).all()
    rare = np.random.default_rng(1).poisson(0.2, (500, 80)).astype(float)
    assert (calibration(Part(rare))[:FIRST_CLASS] == 1.0).all()


def test_factors_stay_within_their_grid() -> None:
    for demand in (noise(1.0, 300.0), noise(150.0, 1.0)):
        found = calibration(Part(demand))
        assert found.min() >= FACTORS[0]
        assert found.max() <= FACTORS[-1]


def test_weeks_without_stock_are_no_low_demand() -> None:
    """Their zeros counted as within every quantile, and P05 moved out by a fifth."""
    demand = noise(20.0, 20.0)
    hidden = np.random.default_rng(2).random(demand.shape) < 0.25
    blind, known = (
        calibration(Part(np.where(hidden, 0.0, demand), hidden)),
        calibration(Part(demand)),
    )
    assert blind[CLASS, [P05, P95]] == pytest.approx(known[CLASS, [P05, P95]], abs=0.08)
