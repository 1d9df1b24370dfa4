"""Time to survive, losses and time to recover, against simulation and a published case."""

import csv
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput
from routing.disruptions.recovery import USUAL, Recovery, stated_or_usual
from routing.disruptions.survival import Cover
from tests.routing.disruptions.scenes import FEEDS

ARRIVALS = st.lists(st.tuples(st.floats(0, 100), st.floats(0, 500)), max_size=5)


def simulated_loss(cover: Cover, until: float, steps: int = 20_000) -> float:
    """Units lost by a store run in small steps of time: stock never below zero, no waiting."""
    step = until / steps
    stock, lost, arrivals = cover.stock, 0.0, list(cover.arrivals)
    for at in range(steps):
        while arrivals and arrivals[0][0] <= at * step:
            stock += arrivals.pop(0)[1]
        stock -= cover.drain * step
        lost += max(0.0, -stock)
        stock = max(stock, 0.0)
    return lost


@settings(deadline=None)
@given(st.floats(0, 500), ARRIVALS, st.floats(0.1, 50), st.floats(1, 120))
def test_losses_are_those_of_a_store_run_step_by_step(
    stock: float, arrivals: list[tuple[float, float]], drain: float, until: float
) -> None:
    cover = Cover(stock, tuple(sorted(arrivals)), drain)
    tolerance = 5 * drain * until / 2_000 + 1e-6
    expected = simulated_loss(cover, until, 2_000)
    assert float(cover.lost([until])[0]) == pytest.approx(expected, abs=tolerance)


@settings(deadline=None)
@given(st.floats(0, 500), ARRIVALS, st.floats(0.1, 50))
def test_the_first_unit_is_lost_when_survival_ends(
    stock: float, arrivals: list[tuple[float, float]], drain: float
) -> None:
    cover = Cover(stock, tuple(sorted(arrivals)), drain)
    just_before, after = cover.lost([cover.days * (1 - 1e-9), cover.days + 1e-3])
    assert just_before == pytest.approx(0, abs=1e-4)
    late = [day for day, _ in cover.arrivals if cover.days < day <= cover.days + 1e-3]
    assert after > 0 or late


def test_goods_that_arrive_in_time_prolong_survival_and_late_ones_do_not() -> None:
    assert Cover(100, ((9.0, 50.0),), 10).days == 15
    assert Cover(100, ((11.0, 50.0),), 10).days == 10
    assert Cover(100, (), 0).days == math.inf


@pytest.mark.parametrize(
    ("scenario", "survives", "loss"),
    [("0", math.inf, 0), ("1", 2.25, 0), ("2", 45 / 35, 125_000), ("3", 0.9, 275_000)],
)
def test_the_published_case_of_three_suppliers(scenario: str, survives: float, loss: float) -> None:
    """Every supplier makes both products, so they share one stock; the dear one is served first."""
    given_ = _published()
    failed = {"0": "", "1": "S1", "2": "S2", "3": "S3"}[scenario]
    capacity = sum(v for k, v in given_["Supplier", "Capacity"].items() if k != failed)
    stock = sum(given_["Product", "Inventory"].values())
    demand = sum(given_["Product", "Demand"].values())
    cover = Cover(stock, (), max(0.0, demand - capacity))
    recovery = given_["Disruption", "TTR"][f"Scenario_{scenario}"]
    assert cover.days == pytest.approx(survives)
    cheapest = min(given_["Product", "Loss"].values())
    assert float(cover.lost([recovery])[0]) * cheapest == pytest.approx(loss)
    assert Recovery(recovery, recovery, recovery).longer_than(cover.days) == float(loss > 0)


def _published() -> dict[tuple[str, str], dict[str, float]]:
    found: dict[tuple[str, str], dict[str, float]] = {}
    with (FEEDS / "stress" / "prob1_parameters.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            group = found.setdefault((row["Type"], row["Parameter"]), {})
            group[row["Index"]] = float(row["Value"])
    return found


def test_recovery_is_triangular() -> None:
    recovery = Recovery(21, 45, 90)
    drawn = np.random.default_rng(7).triangular(21, 45, 90, 200_000)
    assert recovery.mean == 52
    for days in (0, 21, 30, 45, 60, 89, 90, 100):
        assert recovery.longer_than(days) == pytest.approx(float(np.mean(drawn > days)), abs=0.005)
    quantiles = recovery.quantiles(1000)
    assert float(quantiles.mean()) == pytest.approx(52, abs=0.01)
    assert np.quantile(drawn, 0.9) == pytest.approx(np.quantile(quantiles, 0.9), abs=0.3)


def test_a_certain_recovery_is_a_point() -> None:
    recovery = Recovery(10, 10, 10)
    assert (recovery.longer_than(9.9), recovery.longer_than(10)) == (1.0, 0.0)
    assert recovery.quantiles(3).tolist() == [10, 10, 10]


def test_what_a_supplier_does_not_state_is_filled_in() -> None:
    nothing = math.nan
    assert stated_or_usual(nothing, nothing, nothing, "flood") == USUAL["flood"]
    assert stated_or_usual(nothing, 20, nothing, "flood") == Recovery(10, 20, 40)
    assert stated_or_usual(10, nothing, 30, "flood") == Recovery(10, 20, 30)
    with pytest.raises(BadInput, match="recover_days_low <="):
        stated_or_usual(50, 20, 60, "flood")
