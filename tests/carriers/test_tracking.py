from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carriers.connectors.signed_webhook import status_for
from carriers.tracking import ENDED, Status, TrackingEvent, delivered_at, status_of
from core.errors import BadInput

START = datetime(2026, 9, 7, 8, 0, tzinfo=UTC)


def event(status: Status, hours: float, raw: str = "") -> TrackingEvent:
    return TrackingEvent(
        "Post", "shp_1", raw or status.value, status, START + timedelta(hours=hours)
    )


events = st.builds(event, st.sampled_from(Status), st.integers(0, 5))


@settings(max_examples=300)
@given(st.lists(events, max_size=8), st.randoms(use_true_random=False))
def test_order_and_repeats_do_not_change_where_a_parcel_stands(
    told: list[TrackingEvent], random: st.DataObject
) -> None:
    shuffled = told + told[:3]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert status_of(shuffled) is status_of(told)
    assert delivered_at(shuffled) == delivered_at(told)


@settings(max_examples=300)
@given(st.lists(events, min_size=1, max_size=8))
def test_an_ending_is_undone_by_no_scan_of_a_moving_parcel(told: list[TrackingEvent]) -> None:
    moving = [event(Status.IN_TRANSIT, 100), event(Status.OUT_FOR_DELIVERY, 101)]
    if status_of(told) in ENDED:
        assert status_of(told + moving) is status_of(told)


def test_a_late_scan_does_not_undo_a_delivery() -> None:
    told = [event(Status.DELIVERED, 10), event(Status.IN_TRANSIT, 12)]
    for order in permutations(told):
        assert status_of(order) is Status.DELIVERED


def test_a_parcel_that_came_back_is_not_delivered() -> None:
    told = [event(Status.DELIVERED, 10), event(Status.RETURN_TO_SENDER, 20)]
    assert status_of(told) is Status.RETURN_TO_SENDER


def test_a_failed_attempt_may_be_followed_by_another() -> None:
    told = [event(Status.FAILURE, 10), event(Status.OUT_FOR_DELIVERY, 30)]
    assert status_of(told) is Status.OUT_FOR_DELIVERY
    assert status_of([*told, event(Status.DELIVERED, 31)]) is Status.DELIVERED


def test_a_code_that_nobody_knows_is_unknown_and_never_in_transit() -> None:
    assert status_for("Post", "ZX-81") is Status.UNKNOWN
    assert status_of([event(Status.UNKNOWN, 1, "ZX-81")]) is Status.UNKNOWN


def test_an_unknown_code_hides_nothing_that_is_known() -> None:
    told = [event(Status.PRE_TRANSIT, 1), event(Status.UNKNOWN, 2, "ZX-81")]
    assert status_of(told) is Status.PRE_TRANSIT


def test_nothing_reported_means_not_handed_over() -> None:
    assert status_of([]) is Status.PRE_TRANSIT


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("OFD", Status.OUT_FOR_DELIVERY),
        (" dlv ", Status.DELIVERED),
        ("rts", Status.RETURN_TO_SENDER),
    ],
)
def test_codes_are_read_whatever_their_case(raw: str, status: Status) -> None:
    assert status_for("Post", raw) is status


def test_every_common_status_is_its_own_code() -> None:
    for status in Status:
        assert status_for("any", status.value) is status


def test_an_event_without_an_offset_is_refused() -> None:
    with pytest.raises(BadInput, match="offset"):
        TrackingEvent("Post", "shp_1", "IT", Status.IN_TRANSIT, datetime(2026, 9, 7))  # noqa: DTZ001
