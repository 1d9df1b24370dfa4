"""The planner against a brute force that tries every split, site, service and customs route."""

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from routing.fulfillment.choice import choose
from routing.fulfillment.cost import Costing
from routing.fulfillment.crowd import Crowd
from routing.fulfillment.options import ways_of
from routing.fulfillment.order import Effort
from routing.fulfillment.plan import Plan
from routing.fulfillment.planning import asked_of, plan
from routing.fulfillment.search import search
from tests.routing.fulfillment.brute import Brute
from tests.routing.fulfillment.scenes import Scene, scene

ORDERS = 10
"""Orders of each random brand; `ENTREPOT_ORACLE_ORDERS=2000` is a long run."""

SEEDS = range(int(os.environ.get("ENTREPOT_ORACLE_ORDERS", "200")) // ORDERS)

PATIENT = Effort(options=400_000, work=400_000)


def each_order(seed: int, count: int = ORDERS) -> Iterator[tuple[Scene, int]]:
    made = scene(seed, count)
    return ((made, at) for at in range(count))


def served(made: Plan) -> int:
    return sum(line.quantity for leg in made.legs for line in leg.lines)


def told_cost(made: Plan) -> float:
    return sum(term.minor for term in made.decision.objective.values()) / 100


@pytest.mark.parametrize("seed", SEEDS)
def test_the_plan_serves_the_most_units_at_the_least_cost(seed: int) -> None:
    for made, at in each_order(seed):
        (order, wishes), brute = made.orders[at], Brute(made, at)
        units, cost = brute.cheapest()
        planned = plan(order, made.stock, made.context, wishes)
        asked = asked_of(order, wishes, made.context)
        choice = choose(Crowd.of([asked], made.stock, made.context))

        assert (served(planned), planned.decision.gap) == (units, 0.0)
        assert float(choice.cost[0]) == pytest.approx(cost, rel=1e-9, abs=1e-9)
        assert told_cost(planned) == pytest.approx(cost, abs=0.05)  # nine terms of whole cents


@pytest.mark.parametrize("seed", range(5))
def test_the_brute_force_joins_consignments_as_a_literal_one_does(seed: int) -> None:
    """Trying every option at once and consignment by consignment is the same where both can."""
    for made, at in each_order(seed, 30):
        brute = Brute(made, at)
        if made.orders[at][1].allow_split and brute.choices() <= 2_000:
            assert brute.literal() == pytest.approx(brute.cheapest())


@pytest.mark.parametrize("seed", range(100, 106))
def test_the_search_for_large_orders_finds_the_same(seed: int) -> None:
    for made, at in each_order(seed):
        order, wishes = made.orders[at]
        asked = asked_of(order, wishes, made.context)
        ways, _ = ways_of(order, asked.wants, made.stock, made.context, wishes)
        found = search(Costing(asked.wants, ways, made.context), wishes.allow_split, PATIENT)
        units, cost = Brute(made, at).cheapest()
        assert (sum(found.covered), found.gap) == (units, 0.0)
        assert (found.best.cost if found.best else 0.0) == pytest.approx(cost, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("effort", [Effort(0, 0), Effort(4, 10), Effort(10, 60)])
def test_a_search_cut_short_never_claims_more_than_is_true(effort: Effort) -> None:
    for made, at in each_order(7, 40):
        order, wishes = made.orders[at]
        cut = plan(order, made.stock, made.context, replace(wishes, effort=effort))
        units, cost = Brute(made, at).cheapest()
        assert served(cut) == units
        assert told_cost(cut) * (1 - cut.decision.gap) <= cost + 0.05
        assert cost <= told_cost(cut) + 0.05
