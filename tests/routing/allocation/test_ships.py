"""Ships: priced part by part, they are the same as priced at once."""

import numpy as np
import pytest

from carriers.rates import RateBook
from core.brand import Brand
from routing import costs
from routing.allocation.allocate import allocate
from routing.allocation.inputs import ships
from routing.costs import CostBook
from routing.landed_cost.tariffs import Tariffs
from tests.routing.allocation.test_allocate import problem, teaching

__all__ = ["teaching"]


def test_items_priced_one_by_one_make_the_same_problem_and_the_same_costs(
    teaching: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, plan = problem(teaching), allocate(teaching)
    monkeypatch.setattr(costs, "LANES_AT_ONCE", 1)
    book = CostBook.of(teaching, RateBook.of(teaching, teaching.today), Tariffs.of(teaching))
    assert len(list(book.parts())) == len(whole.axes.items)
    parted, again = problem(teaching), allocate(teaching)
    for name in ("pool", "demand", "way", "cost"):
        assert np.array_equal(getattr(parted.ships, name), getattr(whole.ships, name)), name
    assert np.array_equal(parted.cheapest, whole.cheapest)
    assert again.costs == pytest.approx(plan.costs)
    assert again.kpis == pytest.approx(plan.kpis)


def test_every_ship_costs_what_its_lane_costs(teaching: Brand) -> None:
    asked = problem(teaching)
    book = CostBook.of(teaching, RateBook.of(teaching, teaching.today), Tariffs.of(teaching))
    lanes = book.at(slice(0, None))
    pools, demands = asked.pools, asked.demands
    at = pools.item[asked.ships.pool], pools.site[asked.ships.pool]
    region, bonded = demands.region[asked.ships.demand], pools.bonded[asked.ships.pool]
    told = np.where(bonded[:, None], lanes.bonded_total[(*at, region)], lanes.total[(*at, region)])
    allowed = np.broadcast_to(lanes.allowed, lanes.shape)[(*at, region)]
    cost = asked.ships.cost[asked.ships.way]
    assert np.array_equal(cost, np.where(allowed, told, np.inf))
    assert (demands.bucket[asked.ships.demand] == pools.bucket[asked.ships.pool]).all()


def test_costs_of_very_many_lanes_keep_seven_digits(
    teaching: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = problem(teaching).ships.cost
    plan = allocate(teaching)
    monkeypatch.setattr(ships, "MANY_COSTS", 0)
    assert problem(teaching).ships.cost.dtype == np.float32
    assert problem(teaching).ships.cost == pytest.approx(whole, rel=1e-6)
    again = allocate(teaching)
    assert again.bound <= again.objective
    assert again.objective == pytest.approx(plan.objective, rel=1.5e-3)
