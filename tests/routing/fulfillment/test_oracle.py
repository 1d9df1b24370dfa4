"""The planner against a slow one that tries every option and prices it independently."""

from dataclasses import replace

import pytest

from core.brand import Weights
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.cost import Costing
from routing.fulfillment.options import promised_by, ways_of
from routing.fulfillment.order import Effort, Wishes
from routing.fulfillment.planning import plan
from routing.fulfillment.search import search
from routing.fulfillment.wants import wants_of
from tests.routing.fulfillment.orders import RULES_DAYS, EveryOption, random_brand, random_order

WEIGHTS = Weights(carbon_price_per_tonne=80, lateness_cost_per_day=2, split_cost=1.5)

PATIENT = Effort(options=400_000, work=400_000)
"""Enough for a proof in every case; the default answers in milliseconds, maybe with a gap."""


@pytest.mark.parametrize("seed", range(40))
def test_no_option_is_cheaper_than_the_plan(seed: int) -> None:
    brand = replace(random_brand(seed), rules_date=RULES_DAYS[seed % 2], weights=WEIGHTS)
    context = PlanningContext.of(brand)
    order, stock = random_order(brand, seed)
    wants = wants_of(order, context.catalog)
    ways, _ = ways_of(order, wants, stock, context, Wishes())
    lateness = {(way.lane.site.site, way.customs, way.lane.service.service): way.lateness
                for way in ways}  # fmt: skip
    oracle = EveryOption(brand, context, order, stock, lateness)

    found = search(Costing(wants, ways, context, 0.08), True, PATIENT)
    units, cost = oracle.cheapest()

    assert found.gap == 0
    assert sum(found.covered) == units
    assert (found.best.cost if found.best else 0.0) == pytest.approx(cost, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_the_document_tells_what_the_search_found(seed: int) -> None:
    brand = replace(random_brand(seed), weights=WEIGHTS)
    context = PlanningContext.of(brand)
    order, stock = random_order(brand, seed)
    made = plan(order, stock, context)
    served = sum(line.quantity for leg in made.legs for line in leg.lines)
    missing = sum(short.quantity for short in made.unserved)
    assert served + missing == sum(line.quantity for line in order.lines)
    assert all(stock[key] >= units for key, units in made.units.items())
    assert made.promise.by == promised_by(order, context)
    borne = made.decision.objective["duty"].minor + made.decision.objective["fees"].minor
    landed = made.landed_cost
    assert abs(landed.duty.minor + landed.fees.minor - borne) <= 2 * len(made.legs) + 1
    assert abs(landed.shipping.minor - made.decision.objective["shipping"].minor) <= len(made.legs)
