"""Orders planned together are planned as if each were the only one."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.benchmarks.brands import business, orders
from carriers.services import Service
from routing.fulfillment.context import PlanningContext
from routing.fulfillment.cost import Costing
from routing.fulfillment.crowd import Crowd
from routing.fulfillment.departures import moment, pickups, ticks
from routing.fulfillment.document import document_of
from routing.fulfillment.duties import Regimes
from routing.fulfillment.options import label_of, refusal, ways_of
from routing.fulfillment.order import Wishes
from routing.fulfillment.plan import Leg
from routing.fulfillment.planning import asked_of, plan, plan_many
from routing.landed_cost.cost import (
    Consignment,
    ConsignmentLine,
    assess,
    on_freight,
    tariff_category,
)
from routing.landed_cost.regime import CustomsRoute
from tests.routing.fulfillment.scenes import scene
from warehouses.calendars import pickup_at

ORDERS = 50
"""Orders of each random brand; `ENTREPOT_TOGETHER_ORDERS=10000` is a long run."""

SEEDS = range(int(os.environ.get("ENTREPOT_TOGETHER_ORDERS", "400")) // ORDERS)


@pytest.mark.parametrize("seed", SEEDS)
def test_together_gives_the_plans_of_one_at_a_time(seed: int) -> None:
    made = scene(20_000 + seed, ORDERS)
    orders = [
        (order, replace(wishes, keep_scarce=at % 3 == 0))
        for at, (order, wishes) in enumerate(made.orders)
    ]
    together = plan_many(orders, made.stock, made.context)
    alone = [plan(order, made.stock, made.context, wishes) for order, wishes in orders]
    assert together == alone
    assert [document_of(one) for one in together] == [document_of(one) for one in alone]


@pytest.mark.parametrize("seed", range(6))
def test_the_record_tells_what_every_other_way_would_have_cost(seed: int) -> None:
    """Bills of arrays are those of the costing, term by term; the cheapest options are told."""
    made = scene(50_000 + seed, 30)
    for (order, wishes), told in zip(
        made.orders, plan_many(made.orders, made.stock, made.context), strict=True
    ):
        asked = asked_of(order, wishes, made.context)
        ways, refusals = ways_of(order, asked.wants, made.stock, made.context, wishes)
        costing = Costing(asked.wants, ways, made.context)
        covered = {want.item.item: 0 for want in asked.wants}
        for leg in told.legs:
            for line in leg.lines:
                covered[line.item] += line.quantity
        load = tuple((at, n) for at, n in enumerate(covered.values()) if n)
        bills = {
            way.label: costing.bill(((at, load),)).money(made.context.currency)
            for at, way in enumerate(ways)
            if load and all(way.stock[want] >= n for want, n in load)
        }
        chosen = [leg_label(leg) for leg in told.legs]
        lost = {one.option: one for one in told.decision.rejected}
        assert len(lost) == len(told.decision.rejected)
        priced = {name: one for name, one in lost.items() if one.cost and "+" not in name}
        for name, one in priced.items():
            assert {term: units for term, units in bills[name].minor.items() if units} == (
                one.terms and one.terms.minor
            )
        shown = [one.cost.minor for one in told.decision.rejected if one.cost]
        assert shown == sorted(shown)
        for name, bill in bills.items():
            cost = sum(term.minor for term in bill.values())
            assert name in priced or chosen == [name] or cost >= shown[-1] - 10
        if len(chosen) == 1:
            assert bills[chosen[0]] == told.decision.objective
        serving_less = {way.label for way in ways} - set(bills)
        assert {name for name in lost if lost[name].cost is None} == serving_less | {
            one.option for one in refusals
        }


def leg_label(leg: Leg) -> str:
    return label_of(leg.site, leg.service, leg.customs_route, leg.customs)


def test_an_order_of_many_lines_is_planned_in_little_memory() -> None:
    """Forty lines have more bundles than could ever be numbered; their plan is searched for."""
    of = business(0)
    context = PlanningContext.of(of.brand)
    small, large = orders(np.random.default_rng(0), of, 2, 40)
    lines = tuple(replace(line, quantity=3) for line in large.lines)
    alone = plan(replace(large, lines=lines), of.stock, context)
    assert alone.legs
    assert sum(alone.units.values()) + sum(one.quantity for one in alone.unserved) == 120
    assert alone.decision.rejected
    several = [(small, Wishes()), (replace(large, lines=lines), Wishes())]
    assert plan_many(several, of.stock, context)[1] == alone


def test_no_orders_give_no_plans() -> None:
    made = scene(1)
    assert plan_many([], made.stock, made.context) == []


def test_what_is_told_later_is_what_was_seen_at_first() -> None:
    """The decision record is worked out when it is read; the stock may have changed by then."""
    made = scene(3, 5)
    stock = dict(made.stock)
    early = plan_many(made.orders, stock, made.context)
    stock.clear()
    late = plan_many(made.orders, made.stock, made.context)
    assert [one.decision for one in early] == [one.decision for one in late]


@pytest.mark.parametrize("seed", range(8))
def test_arrays_know_the_pickups_costs_and_refusals_of_every_way(seed: int) -> None:
    made = scene(30_000 + seed, 4)
    for order, wishes in made.orders:
        asked = asked_of(order, wishes, made.context)
        crowd = Crowd.of([asked], made.stock, made.context)
        for lane in made.context.lanes(order.region):
            site = made.context.rates.sites.index(lane.site.site)
            service = made.context.rates.services.index(lane.service.service)
            at = pickup_at(lane.site, order.placed_at, lane.service.pickup_days)
            assert moment(int(crowd.pickups[0, site, service])) == at
            for row in np.flatnonzero(crowd.site == site):
                said = [bool(refusal(want.item, lane)) for want in asked.wants]
                assert crowd.refuses[row, service].tolist() == said
        ways, _ = ways_of(order, asked.wants, made.stock, made.context, wishes)
        assert all(way.delivery.late_days >= 0 for way in ways)


SERVICES = [
    Service(f"S{days}", "C", "road", 5000.0, 0.0, 30.0, 120.0, frozenset(), 1e9, days)
    for days in (0.0, 0.25, 1.0, 2.5)
]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 500 * 24 * 60), min_size=1, max_size=5))
def test_departures_are_those_of_the_calendar(minutes: list[int]) -> None:
    """Across daylight saving, weekends, holidays and the turn of the year."""
    sites = scene(2).context.network.serving
    placed = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=at) for at in minutes]
    found = pickups(sites, SERVICES, np.array([ticks(at) for at in placed]))
    for at, here, there in np.ndindex(found.shape):
        wanted = pickup_at(sites[here], placed[at], SERVICES[there].pickup_days)
        assert moment(int(found[at, here, there])) == wanted


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("route", ["domestic", "bonded_release", "cross_border"])
def test_duties_in_arrays_are_those_of_the_landed_cost(seed: int, route: CustomsRoute) -> None:
    made = scene(40_000 + seed)
    context, draw = made.context, np.random.default_rng(seed)
    for region in context.network.regions:
        regime = context.regime(region.country, route)
        for _ in range(10):
            items = [item for item in context.catalog.items if draw.random() < 0.7]
            lines = tuple(
                ConsignmentLine(str(at), item, int(draw.integers(1, 4)),
                                Decimal(int(draw.integers(0, 9000))) / 100)
                for at, item in enumerate(items)
            )  # fmt: skip
            if not lines:
                continue
            freight = Decimal(int(draw.integers(0, 4000))) / 100
            landed = assess(Consignment(region.country, lines, freight), regime, context.tariffs)
            rows = [context.duty_row(region.country, item) for item in items]
            weight = sum(float(line.weight_kg) for line in lines)
            fixed, share = Regimes.of([regime]).charges(
                np.array([0]),
                goods=np.array([[float(sum(line.value for line in lines))]]),
                categories=np.array([[float(len({tariff_category(item) for item in items}))]]),
                duty=np.array([[sum(row.rate * float(line.value) if row else 0.0
                                    for row, line in zip(rows, lines, strict=True))]]),
                on_freight=np.array([[sum(
                    row.rate * float(line.weight_kg) / weight
                    for row, line in zip(rows, lines, strict=True)
                    if row and on_freight(row, regime)
                )]]),
            )  # fmt: skip
            borne = float(fixed[0, 0] + share[0, 0] * float(freight))
            assert borne == pytest.approx(float(landed.cost), rel=1e-9, abs=1e-9)
