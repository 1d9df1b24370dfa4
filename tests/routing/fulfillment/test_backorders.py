from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from scipy.stats import lognorm

from core.brand import Brand
from core.folder.writer import complete
from routing.fulfillment.backorders import Backorders, backorders, delivery_of, pickups_of
from routing.fulfillment.context import Lane, PlanningContext, availability_of, doorstep
from routing.fulfillment.earliest import earliest_arrival
from routing.fulfillment.incoming import DELAYS, Incoming, Lot
from routing.fulfillment.order import Order, OrderLine, Wishes
from routing.fulfillment.plan import Leg, Plan
from routing.fulfillment.planning import plan
from routing.fulfillment.promise import Transit
from tests.builders import two_sites_one_item
from warehouses.calendars import Doorstep, works_on

pd = pytest.importorskip("pandas")
MONDAY = datetime(2026, 9, 7, 8, tzinfo=UTC)


def coming(*lots: tuple[str, int, str, str], late: tuple[int, ...] = ()) -> Brand:
    """The brand with lots (site, units, due, purchase order) and deliveries so many days late."""
    rows: list[dict[str, Any]] = [
        {"site": site, "item": "MUG", "quantity": units, "due": due, "purchase_order": order}
        for site, units, due, order in lots
    ]
    day = pd.Timestamp("2026-06-01")
    known = [
        {"supplier": "S", "item": "MUG", "committed": day, "received": day + pd.Timedelta(days=n),
         "ordered_quantity": 1, "received_quantity": 1}
        for n in late
    ]  # fmt: skip
    brand = two_sites_one_item().with_table("inbound", complete("inbound", pd.DataFrame(rows)))
    return (
        brand.with_table("deliveries", complete("deliveries", pd.DataFrame(known)))
        if known
        else brand
    )


def asked(brand: Brand, units: int) -> tuple[Plan, Backorders]:
    context, order = (
        PlanningContext.of(brand),
        Order("O", "DE", MONDAY, (OrderLine(1, "MUG", units),)),
    )
    made = plan(order, availability_of(brand), context)
    return made, backorders(made, order, context, Wishes(backorder=True))


def test_what_stock_lacks_is_promised_from_the_earliest_lots() -> None:
    brand = coming(("DE-HAM", 8, "2026-09-25", "PO-2"), ("DE-HAM", 5, "2026-09-10", "PO-1"))
    made, later = asked(brand, 90)  # 80 in stock
    assert [short.quantity for short in made.unserved] == [10]
    told = [(one.supply.references, sum(line.quantity for line in one.leg.lines))
            for one in later.legs]  # fmt: skip
    assert told == [(("PO-1",), 5), (("PO-2",), 5)]
    assert later.unserved == {}


def test_the_dates_of_a_back_order_are_those_worked_by_hand() -> None:
    """Due Thursday 10th: ready Friday 00:00 in Berlin, which works every day; cut-off as ordered.

    The cheapest service takes 3 days at the median from the cut-off of Friday on: Monday.
    """
    brand = coming(("DE-HAM", 5, "2026-09-10", "PO-1"))
    _, later = asked(brand, 81)
    (one,) = later.legs
    assert one.supply.ready_at == datetime(2026, 9, 10, 22, tzinfo=UTC)
    site = PlanningContext.of(brand).network.site["DE-HAM"]
    cutoff = datetime(2026, 9, 11, site.cutoff.hour - 2, site.cutoff.minute, tzinfo=UTC)
    assert one.leg.pickup_at == cutoff
    days = {"ECONOMY": 3, "EXPRESS": 1}[one.leg.service]
    expected = cutoff + timedelta(days=days)
    assert abs(one.leg.delivery.p50 - expected) <= timedelta(seconds=1)
    assert one.leg.delivery.probability < 0.5  # the region was promised 72 hours


def test_lots_that_are_overdue_are_promised_to_nobody() -> None:
    made, later = asked(coming(("DE-HAM", 5, "2026-09-06", "PO-1")), 81)
    assert made.unserved
    assert not later.legs
    assert later.unserved == {1: 1}
    assert later.probability == 0


def test_no_lot_serves_more_than_it_holds() -> None:
    _, later = asked(coming(("DE-HAM", 5, "2026-09-10", "PO-1")), 100)
    assert sum(line.quantity for one in later.legs for line in one.leg.lines) == 5
    assert later.unserved == {1: 15}


def test_goods_that_used_to_come_late_are_promised_later() -> None:
    lots = ("DE-HAM", 5, "2026-09-10", "PO-1")
    (prompt,) = asked(coming(lots), 81)[1].legs
    (late,) = asked(coming(lots, late=(0, 0, 0, 0, 0, 2, 4, 6, 8, 10, 12)), 81)[1].legs
    assert late.leg.delivery.p95 > prompt.leg.delivery.p95 + timedelta(days=5)
    few = coming(lots, late=(30,) * 9)
    assert Incoming.of(few).delays == (0,)
    assert len(Incoming.of(coming(lots, late=(3,) * 10)).delays) == DELAYS


def test_a_delivery_over_delays_agrees_with_a_simulation() -> None:
    start = datetime(2026, 9, 14, 12, tzinfo=UTC)
    delays, transit, door = (0, 0, 2, 5), Transit(3, 6), Doorstep("XX", 0.0)
    pickups = [start + timedelta(days=days) for days in delays]
    by = start + timedelta(days=6)
    found = delivery_of(pickups, transit, door, by)
    draw = np.random.default_rng(0)
    sigma = np.log(2) / 1.6448536269514722
    days = 3 * np.exp(sigma * draw.standard_normal(400_000)) + draw.choice(delays, 400_000)
    limit = (door.latest_arrival(by) - start) / timedelta(days=1)
    assert found.probability == pytest.approx((days <= limit).mean(), abs=3e-3)
    assert found.late_days == pytest.approx(np.maximum(days - limit, 0).mean(), rel=0.02)
    p95 = start + timedelta(days=float(np.quantile(days, 0.95)))
    assert door.handed_over(p95 - timedelta(hours=2)) <= found.p95
    assert found.p95 <= door.handed_over(p95 + timedelta(hours=2))


def test_legs_that_wait_for_the_same_goods_are_late_together() -> None:
    """One leg: the joint probability is that of stock times that of the back-order."""
    made, later = asked(coming(("DE-HAM", 5, "2026-09-07", "PO-1")), 81)
    (one,) = later.legs
    assert later.probability == pytest.approx(
        made.promise.probability * one.leg.delivery.probability
    )
    assert one.supply.lot.due == date(2026, 9, 7)


def test_the_hint_is_the_earliest_moment_that_any_lot_and_lane_can_promise() -> None:
    """Against the distribution of `scipy`: by the hint it holds, two seconds before it nowhere."""
    draw = np.random.default_rng(7)
    seen = 0
    for _ in range(12):
        lots = [
            (str(draw.choice(["DE-HAM", "TH-BKK"])), int(draw.integers(1, 9)),
             f"2026-09-{draw.integers(5, 24):02}", f"PO-{at}")
            for at in range(draw.integers(1, 5))
        ]  # fmt: skip
        late = tuple(int(days) for days in draw.integers(0, 9, 12)) if draw.random() < 0.6 else ()
        context = PlanningContext.of(coming(*lots, late=late))
        region = str(draw.choice(["DE", "TH"]))
        found = earliest_arrival("MUG", region, MONDAY, context, context.incoming.lots)
        known = [chances(lot, lane, region, context) for lot in context.incoming.lots
                 if lot.due >= MONDAY.date()
                 for lane in context.lanes(region) if lane.site.site == lot.site]  # fmt: skip
        assert (found is None) == (not known)
        if found is None:
            continue
        seen += 1
        by = chances(found.lot, found.lane, region, context)(found.p95)
        assert by == pytest.approx(found.probability, abs=1e-6)
        assert by >= 0.95 - 1e-6
        before = found.p95 - timedelta(seconds=2)
        assert all(chance(before) < 0.95 + 1e-6 for chance in known)
    assert seen > 6


def chances(
    lot: Lot, lane: Lane, region: str, context: PlanningContext
) -> Callable[[datetime], float]:
    """The probability that goods of a lot are handed over by a moment, from first principles."""
    median, late = lane.transit.p50_days, lane.transit.p95_days
    spread = np.log(late / median) / 1.6448536269514722
    zone, site = ZoneInfo(lane.site.time_zone), lane.site
    leaves = []
    for delay in context.incoming.delays:
        day = lot.due + timedelta(days=1 + delay)
        while not works_on(site, day):
            day += timedelta(days=1)
        leaves.append(datetime.combine(day, site.cutoff, zone).astimezone(UTC))
    door = doorstep(context.network.region[region])

    def handed_over_by(at: datetime) -> float:
        days = [(door.latest_arrival(at) - left) / timedelta(days=1) for left in leaves]
        return float(np.mean(lognorm.cdf(days, spread, scale=median)))

    return handed_over_by


def test_a_supplier_with_a_record_of_its_own_is_taken_by_it() -> None:
    brand = coming(("DE-HAM", 5, "2026-09-10", "PO-1"), late=(4,) * 12)
    context = PlanningContext.of(brand)
    assert set(context.incoming.delays_of("S")) == {4}
    assert context.incoming.delays_of("unknown") == context.incoming.delays


def test_the_probability_of_stock_and_back_orders_agrees_with_a_simulation() -> None:
    late = (0, 0, 0, 0, 1, 1, 2, 3, 5, 8)
    brand = coming(
        ("DE-HAM", 5, "2026-09-08", "PO-1"), ("TH-BKK", 6, "2026-09-08", "PO-2"), late=late
    )
    context = PlanningContext.of(brand)
    by = MONDAY + timedelta(days=12)
    order = Order("O", "DE", MONDAY, (OrderLine(1, "MUG", 91),), by)
    made = plan(order, availability_of(brand), context)
    later = backorders(made, order, context, Wishes(backorder=True))
    assert len(later.legs) == 2
    assert later.unserved == {}
    draw, runs = np.random.default_rng(3), 200_000
    limit = doorstep(context.network.region["DE"]).latest_arrival(by)
    there = np.ones(runs, dtype=bool)
    for leaves, lane in [
        *((np.full(runs, (limit - leg.pickup_at) / timedelta(days=1)), leg) for leg in made.legs),
        *(((limit - np.array(pickups_of(one.supply.lot, lane_of(context, one.leg), context)))
           [draw.integers(0, DELAYS, runs)] / timedelta(days=1), one.leg) for one in later.legs),
    ]:  # fmt: skip
        transit = lane_of(context, lane).transit
        sigma = np.log(transit.p95_days / transit.p50_days) / 1.6448536269514722
        took = transit.p50_days * np.exp(sigma * draw.standard_normal(runs))
        there &= took <= leaves.astype(float)
    assert later.probability == pytest.approx(there.mean(), abs=5e-3)


def lane_of(context: PlanningContext, leg: Leg) -> Lane:
    return context.lane("DE", leg.site, leg.service)
