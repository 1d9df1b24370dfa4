"""Runs and comparisons: one forecast for all, and a cost difference that its parts explain."""

import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.brand import Brand
from core.errors import BadInput
from core.money import Money
from simulations import run as runs
from simulations.comparison import compare
from simulations.outcome import Outcome, outcome_of
from simulations.run import forecast_once, run, run_all
from simulations.scenarios import BASE, Scenario, scenario_of
from tests.builders import brand_of, two_sites_one_item

BRAND = two_sites_one_item()


def scenario(*overrides: dict[str, object], name: str = "what if") -> Scenario:
    return scenario_of({"name": name, "overrides": list(overrides)})


def test_the_costs_of_an_outcome_sum_to_its_objective() -> None:
    outcome = run(scenario({"demand": "*", "factor": 2}), BRAND)
    assert sum(outcome.costs.values()) == pytest.approx(outcome.objective)
    assert outcome.units["served"] + outcome.units["unmet"] == pytest.approx(100)
    assert sum(flow.quantity for flow in outcome.flows) == pytest.approx(outcome.units["served"])


def test_an_outcome_survives_its_json() -> None:
    outcome = run(scenario({"site": "DE-HAM", "status": "closed"}), BRAND)
    read = outcome_of(json.loads(json.dumps(outcome.document())))
    assert read.document() == outcome.document()


@pytest.mark.parametrize("document", [3, {}, {"scenario": {}}, {"scenario": {"name": "x"}}, []])
def test_other_json_is_no_outcome(document: object) -> None:
    with pytest.raises(BadInput):
        outcome_of(document)


def test_the_same_seed_gives_the_same_outcome() -> None:
    assert run(BASE, BRAND, seed=3).document() == run(BASE, BRAND, seed=3).document()


def test_all_scenarios_share_one_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    """The brand has no forecast: it is made once, from demand that no scenario has touched."""
    asked: list[Brand] = []
    made = BRAND.table("forecast")

    def forecast(brand: Brand, seed: int, report: object) -> pd.DataFrame:
        asked.append(brand)
        return made

    monkeypatch.setattr(runs, "demand_forecast", forecast)
    bare = BRAND.with_table("forecast", brand_of().table("forecast"))
    outcomes = run_all([BASE, scenario({"demand": "*", "factor": 1.5})], bare)
    assert asked == [bare]
    assert [outcome.units["demand"] for outcome in outcomes] == [50.0, 75.0]


def test_a_brand_with_a_forecast_keeps_it() -> None:
    assert forecast_once(BRAND) is BRAND


def test_progress_rises_to_the_end() -> None:
    told: list[float] = []
    run_all([BASE, scenario({"demand": "*", "factor": 2})], BRAND, 0, lambda s, _: told.append(s))
    assert told == sorted(told)
    assert 0.9 < told[-1] <= 1.0


def test_a_closed_site_sends_its_flows_elsewhere() -> None:
    serve: dict[str, object] = {"weight": "unmet_share_of_value", "value": 5}
    shut: dict[str, object] = {"site": "TH-BKK", "status": "closed"}
    base, closed = run_all([scenario(serve), scenario(serve, shut)], BRAND)
    (difference,) = compare([base, closed]).differences
    units = {flow.site: 0.0 for flow in difference.flows}
    for flow in difference.flows:
        units[flow.site] += flow.difference
    assert units == {"TH-BKK": -20.0, "DE-HAM": 20.0}
    assert difference.total.minor > 0
    assert difference.added == ({"site": "TH-BKK", "status": "closed"},)


def test_dearer_rates_are_rate_not_volume() -> None:
    base, dear = run_all([BASE, scenario({"rate": "*", "factor": 1.1})], BRAND)
    (difference,) = compare([base, dear]).differences
    shipping = {part.part: part for part in difference.costs}["shipping"]
    assert shipping.volume.minor == 0
    assert shipping.rate == shipping.difference == difference.total


def test_an_outcome_against_itself_differs_in_nothing() -> None:
    outcome = run(BASE, BRAND)
    (difference,) = compare([outcome, outcome]).differences
    assert difference.total == Money(0, "EUR")
    assert not difference.flows
    assert not difference.added
    assert all(base == here for base, here in difference.kpis.values())


AMOUNTS = st.floats(0, 1e6, allow_nan=False)
PARTS = ("shipping", "handling", "fixed", "unmet")


@settings(deadline=None)
@given(st.tuples(*[AMOUNTS] * 4), st.tuples(*[AMOUNTS] * 4), AMOUNTS, AMOUNTS)
def test_cost_parts_sum_to_the_difference_to_the_last_cent(
    before: tuple[float, ...], after: tuple[float, ...], served: float, now: float
) -> None:
    base, here = _outcome(before, served), _outcome(after, now)
    (difference,) = compare([base, here]).differences
    apart = [
        Money.of(b, "EUR").minor - Money.of(a, "EUR").minor
        for a, b in zip(before, after, strict=True)
    ]
    assert difference.total.minor == sum(apart)
    shown = difference.as_json()
    assert (
        sum(part["volume"]["amount"] + part["rate"]["amount"] for part in shown["costs"])
        == (shown["cost_difference"]["amount"])
    )


def _outcome(costs: tuple[float, ...], served: float) -> Outcome:
    return Outcome(
        scenario=BASE, brand="Test", currency="EUR", seed=0, status="optimal",
        objective=sum(costs), bound=0.0, units={"served": served, "unmet": served / 2},
        costs=dict(zip(PARTS, costs, strict=True)), kpis={}, unmet={}, flows=(),
    )  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(st.floats(0.1, 3.0), st.floats(0.1, 3.0))
def test_more_demand_never_costs_less(low: float, high: float) -> None:
    low, high = sorted((low, high))
    cheap, dear = run_all(
        [scenario({"demand": "*", "factor": low}), scenario({"demand": "*", "factor": high})], BRAND
    )
    assert cheap.objective <= dear.objective + 1e-6


def test_outcomes_of_different_seeds_do_not_compare() -> None:
    with pytest.raises(BadInput, match="seed"):
        compare([run(BASE, BRAND, seed=1), run(BASE, BRAND, seed=2)])


def test_one_outcome_compares_with_nothing() -> None:
    with pytest.raises(BadInput, match="at least two"):
        compare([run(BASE, BRAND)])
