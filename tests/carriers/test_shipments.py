from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from carriers.delays import VERY_LIKELY, eta, judged, late_probability
from carriers.shipments import CompensationPolicy, Outlook, Shipment, ShipmentLine, tracked
from carriers.tracking import Status, TrackingEvent
from core.errors import BadInput
from core.money import Money

SENT = datetime(2026, 9, 7, 8, 0, tzinfo=UTC)
POLICY = CompensationPolicy()


def after(hours: float) -> datetime:
    return SENT + timedelta(hours=hours)


def express_parcel() -> Shipment:
    """Planned to take 48 hours, 72 at the slowest, and promised within 72."""
    return Shipment(
        id="shp_1", plan="pln_1", leg=0, order="O-1", site="DE-HAM", region="DE",
        service="EXPRESS", carrier="Fleet", tracking_code="shp_1", customs_route="domestic",
        lines=(ShipmentLine(1, "MUG", 2),), created_at=SENT,
        outlook=Outlook(after(48), after(72)), promised_by=after(72), value=Money(10_000, "EUR"),
    )  # fmt: skip


@pytest.fixture
def parcel() -> Shipment:
    return express_parcel()


def delivered(parcel: Shipment, hours: float) -> Shipment:
    event = TrackingEvent("Fleet", "shp_1", "DLV", Status.DELIVERED, after(hours))
    return tracked(parcel, [event])


def test_at_dispatch_the_risk_is_what_the_plan_said(parcel: Shipment) -> None:
    assert late_probability(parcel, SENT) == pytest.approx(0.05)


def test_a_promise_at_the_median_is_a_coin_toss(parcel: Shipment) -> None:
    assert late_probability(replace(parcel, promised_by=after(48)), SENT) == pytest.approx(0.5)


def test_the_risk_is_that_of_simulated_parcels_still_on_their_way(parcel: Shipment) -> None:
    """Of drawn parcels that take more than 60 hours, the share beyond 72 is the probability."""
    shape = np.log(72 / 48) / stats.norm.ppf(0.95)
    drawn = stats.lognorm.rvs(shape, scale=48, size=400_000, random_state=1)
    waiting = drawn[drawn > 60]
    assert late_probability(parcel, after(60)) == pytest.approx((waiting > 72).mean(), abs=0.01)


def test_the_expected_arrival_is_the_median_of_parcels_still_on_their_way(parcel: Shipment) -> None:
    shape = np.log(72 / 48) / stats.norm.ppf(0.95)
    drawn = stats.lognorm.rvs(shape, scale=48, size=400_000, random_state=2)
    expected = eta(parcel, after(60))
    assert expected is not None
    hours = (expected - SENT).total_seconds() / 3600
    assert hours == pytest.approx(np.median(drawn[drawn > 60]), abs=0.3)


@settings(max_examples=100)
@given(st.floats(0, 200), st.floats(0, 50))
def test_waiting_longer_never_makes_a_promise_safer(hours: float, more: float) -> None:
    parcel = express_parcel()
    sooner = late_probability(parcel, after(hours))
    assert 0.0 <= sooner <= late_probability(parcel, after(hours + more)) + 1e-9 <= 1.0 + 1e-9


def test_silence_raises_the_risk(parcel: Shipment) -> None:
    """Two parcels are 47 hours old; one was scanned an hour ago, the other 46 hours ago."""
    fresh = replace(parcel, status=Status.IN_TRANSIT, last_event_at=after(46))
    silent = replace(parcel, status=Status.IN_TRANSIT, last_event_at=after(1))
    assert late_probability(fresh, after(47)) < late_probability(silent, after(47))
    assert late_probability(fresh, after(47)) == late_probability(parcel, after(47))


def test_a_parcel_that_waits_in_a_shop_is_not_stuck(parcel: Shipment) -> None:
    waiting = replace(parcel, status=Status.AVAILABLE_FOR_PICKUP, last_event_at=after(1))
    assert late_probability(waiting, after(47)) == late_probability(parcel, after(47))


def test_what_arrived_in_time_is_never_late(parcel: Shipment) -> None:
    made = judged(delivered(parcel, 71), after(500), POLICY)
    assert (made.late_since, made.compensation) == (None, None)
    assert late_probability(made, after(500)) == 0.0


def test_a_likely_delay_is_marked_and_not_yet_paid(parcel: Shipment) -> None:
    hopeless = replace(parcel, promised_by=after(40))
    made = judged(hopeless, after(39.9), POLICY)
    assert late_probability(hopeless, after(39.9)) >= VERY_LIKELY
    assert made.late_since == after(39.9)
    assert made.compensation is None


def test_a_mark_is_lifted_from_a_parcel_that_came_in_time_after_all(parcel: Shipment) -> None:
    marked = judged(replace(parcel, promised_by=after(40)), after(39.9), POLICY)
    assert judged(delivered(marked, 39.95), after(41), POLICY).late_since is None


def test_the_first_mark_stays(parcel: Shipment) -> None:
    first = judged(parcel, after(73), POLICY)
    assert judged(first, after(99), POLICY).late_since == after(73)


@pytest.mark.parametrize(
    ("hours", "owed"),
    [(72, None), (72.1, 1000), (95.9, 1000), (96, 1500), (120, 2000), (999, 2500)],
)
def test_compensation_grows_with_full_days_up_to_a_quarter(
    parcel: Shipment, hours: float, owed: int | None
) -> None:
    made = POLICY.owed(delivered(parcel, hours), after(5000))
    assert made == (None if owed is None else Money(owed, "EUR"))


def test_a_cancelled_shipment_is_refunded_elsewhere(parcel: Shipment) -> None:
    assert POLICY.owed(replace(parcel, status=Status.CANCELLED), after(500)) is None
    assert late_probability(replace(parcel, status=Status.CANCELLED), after(500)) == 0.0


def test_a_parcel_on_its_way_back_will_not_arrive(parcel: Shipment) -> None:
    returning = replace(parcel, status=Status.RETURN_TO_SENDER)
    assert late_probability(returning, after(1)) == 1.0
    assert eta(returning, after(1)) is None


def test_a_service_without_spread_is_certain(parcel: Shipment) -> None:
    certain = replace(parcel, outlook=Outlook(after(48), after(48)))
    assert late_probability(certain, after(1)) == 0.0
    assert eta(certain, after(1)) == after(48)


def test_an_outlook_that_runs_backward_is_refused() -> None:
    with pytest.raises(BadInput, match="p95"):
        Outlook(after(2), after(1))
