"""Ways of a brand: explained from the prices of a run alone, as its whole problem explains them."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from carriers.rates import RateBook
from core.brand import Brand
from core.errors import BadInput
from routing.allocation.allocate import allocate
from routing.allocation.inputs.assembly import problem_of
from routing.allocation.prices import prices_bytes, prices_from
from routing.allocation.results.explain import Alternatives, Refused, alternatives
from routing.allocation.results.result import Allocation
from routing.allocation.results.ways import (
    CLOSED,
    NO_RATE,
    NO_STOCK_THERE,
    STAYS_CLOSED,
    Flow,
    explained,
)
from routing.allocation.solver.solve import solve
from routing.costs import CostBook
from routing.landed_cost.tariffs import Tariffs
from tests.builders import two_sites_one_item
from tests.console.brands import six_hubs


def told(brand: Brand, made: Allocation, flow: Flow) -> Alternatives:
    """Explains a flow with prices that went through a file."""
    prices = prices_from(prices_bytes(made.prices))
    return explained(brand, prices, made.flows, made.open_sites, flow)


def scarce(brand: Brand, factor: float) -> Brand:
    """The same brand with less of everything on hand."""
    stock = brand.table("stock")
    return brand.with_table("stock", stock.assign(on_hand=(stock["on_hand"] * factor).astype(int)))


@pytest.mark.parametrize("factor", [0.2, 1.0])
def test_prices_alone_explain_a_flow_as_the_whole_problem_does(factor: float) -> None:
    brand = scarce(six_hubs(), factor)
    made = allocate(brand)
    tariffs = Tariffs.of(brand)
    book = CostBook.of(brand, RateBook.of(brand, brand.today), tariffs)
    problem = problem_of(brand, book, tariffs, brand.table("forecast"))
    solution = solve(problem, 1e-3)
    for region in problem.axes.regions:
        for bucket in brand.table("forecast")["start"].unique():
            flow = Flow("LAMP", region, bucket.date())
            whole = alternatives(problem, solution, "LAMP", region, flow.bucket)
            alone = told(brand, made, flow)
            known = {(way.site, way.customs, way.service): way for way in alone.ways}
            assert alone.demand_price == pytest.approx(whole.demand_price, abs=1e-4)
            for way in whole.ways:
                other = known[way.site, way.customs, way.service]
                assert other.units == way.units
                assert other.reduced_cost == pytest.approx(way.reduced_cost, abs=1e-4)
                assert other.stock == pytest.approx(way.stock, abs=1e-4)


def test_units_of_the_ways_are_those_of_the_plan() -> None:
    brand = six_hubs()
    made = allocate(brand)
    keys = ["item", "region", "bucket"]
    sums = made.flows.groupby(keys, as_index=False)["quantity"].sum()
    for item, region, bucket, units in sums[[*keys, "quantity"]].to_numpy().tolist():
        ways = told(brand, made, Flow(item, region, bucket.date())).ways
        assert sum(way.units for way in ways if way.site) == units


@pytest.mark.parametrize(
    ("table", "changes", "refused"),
    [
        ("sites", {"status": ["open", "closed"]}, ("TH-BKK", "", CLOSED)),
        ("stock", {"on_hand": [50, 0]}, ("TH-BKK", "", NO_STOCK_THERE)),
        ("items", {"hazard": "lithium"}, ("DE-HAM", "EXPRESS", "hazard not accepted: lithium")),
        ("services", {"max_weight_kg": [0.3, 30.0]},
         ("DE-HAM", "EXPRESS", "too heavy: 0.4 kg, at most 0.3")),
        ("services", {"max_length_cm": [5.0, 100.0]},
         ("DE-HAM", "EXPRESS", "too long: 10 cm, at most 5")),
        ("rates", {"weight_to_kg": 0.2}, ("DE-HAM", "EXPRESS", "heavier than its rates")),
    ],
)  # fmt: skip
def test_what_cannot_be_done_says_why(
    table: str, changes: Mapping[str, Any], refused: tuple[str, str, str]
) -> None:
    brand = two_sites_one_item()
    brand = brand.with_table(table, brand.table(table).assign(**changes))
    found = told(brand, allocate(brand), Flow("MUG", "DE"))
    assert refused in {(one.site, one.service, one.reason) for one in found.refused}
    usable = {(way.site, way.service) for way in found.ways}
    assert not {refused[:2], (refused[0], "")} & usable


def test_a_service_without_a_rate_from_there_is_told() -> None:
    brand = two_sites_one_item()
    rates = brand.table("rates")
    near = (rates["site"] == "TH-BKK") & (rates["region"] == "DE") & (rates["service"] == "ECONOMY")
    brand = brand.with_table("rates", rates[~near])
    found = told(brand, allocate(brand), Flow("MUG", "DE"))
    assert Refused("TH-BKK", "ECONOMY", NO_RATE) in found.refused


def test_sites_that_are_not_opened_offer_nothing() -> None:
    brand = two_sites_one_item()
    sites = brand.table("sites").assign(status="decide", fixed_cost=[1.0, 10_000.0])
    brand = brand.with_table("sites", sites)
    made = allocate(brand)
    found = told(brand, made, Flow("MUG", "TH"))
    assert made.open_sites == ("DE-HAM",)
    assert {way.site for way in found.ways} == {"DE-HAM", ""}
    assert Refused("TH-BKK", "", STAYS_CLOSED) in found.refused


@pytest.mark.parametrize(
    ("flow", "words"),
    [
        (Flow("CUP", "DE"), "one of the items of the brand, got CUP"),
        (Flow("MUG", "FR"), "one of the regions of the brand, got FR"),
        (Flow("MUG", "DE", date(2030, 1, 1)), "not in 2030-01-01"),
    ],
)
def test_a_flow_that_is_not_there_is_refused(flow: Flow, words: str) -> None:
    brand = two_sites_one_item()
    with pytest.raises(BadInput, match=words):
        told(brand, allocate(brand), flow)


@pytest.mark.parametrize(
    ("day", "found"),
    [
        (date(2026, 9, 13), True), (date(2026, 10, 4), True), (date(2026, 10, 5), False),
        (date(2030, 1, 1), False), (date(2026, 9, 6), False),
    ],
)  # fmt: skip
def test_a_day_is_found_within_the_horizon_and_nowhere_else(day: date, found: bool) -> None:
    """Any day after the horizon was once answered with the last bucket, without a word."""
    brand = two_sites_one_item()
    starts = pd.date_range("2026-09-07", periods=4, freq="7D")
    weeks = [brand.table("forecast").assign(start=start) for start in starts]
    brand = brand.with_table("forecast", pd.concat(weeks, ignore_index=True))
    made, asked = allocate(brand), Flow("MUG", "DE", day)
    if found:
        assert told(brand, made, asked).bucket == day - timedelta(days=day.weekday())
    else:
        with pytest.raises(BadInput, match=f"not in {day}"):
            told(brand, made, asked)


def test_flows_are_named_as_people_write_them() -> None:
    assert Flow.parse("A/B/DE") == Flow("A/B", "DE")
    assert Flow.parse("A/B/DE/2026-09-07") == Flow("A/B", "DE", date(2026, 9, 7))
    for text in ("", "MUG", "/DE", "MUG/", "/2026-09-07/DE"):
        with pytest.raises(BadInput, match="ITEM/REGION"):
            Flow.parse(text)
