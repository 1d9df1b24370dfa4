from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from core.places import countries
from tests.builders import brand_of
from warehouses.calendars import Doorstep, dispatch_at, pickup_at, public_holidays, works_on
from warehouses.network import Network, Site


def site(country: str, zone: str, **more: object) -> Site:
    row = {"site": "S", "tier": "central", "country": country, "latitude": 0, "longitude": 0,
           "time_zone": zone, **more}  # fmt: skip
    return Network.of(brand_of(sites=[row])).site["S"]


HAMBURG = site("DE", "Europe/Berlin", cutoff="15:00")
DUBAI = site("AE", "Asia/Dubai", cutoff="17:00")
CHINA = site("CN", "Asia/Shanghai", cutoff="18:00", working_days="123456")
LOS_ANGELES = site("US", "America/Los_Angeles", cutoff="02:30")
SITES = [HAMBURG, DUBAI, CHINA, LOS_ANGELES]

moments = st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # zone is added


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_an_order_up_to_the_cutoff_leaves_on_its_day() -> None:
    assert dispatch_at(HAMBURG, utc("2026-09-07T13:00:00")) == utc("2026-09-07T13:00:00")
    assert dispatch_at(HAMBURG, utc("2026-09-07T13:00:01")) == utc("2026-09-08T13:00:00")


def test_weekends_and_public_holidays_are_waited_for() -> None:
    friday = utc("2026-09-11T14:00:00")
    assert dispatch_at(HAMBURG, friday) == utc("2026-09-14T13:00:00")
    unity = utc("2025-10-02T20:00:00")
    assert dispatch_at(HAMBURG, unity) == utc("2025-10-06T13:00:00")


def test_the_national_days_stop_a_chinese_site() -> None:
    assert dispatch_at(CHINA, utc("2024-09-30T12:00:00")) == utc("2024-10-05T10:00:00")


def test_the_cutoff_follows_daylight_saving() -> None:
    assert dispatch_at(HAMBURG, utc("2026-01-12T08:00:00")) == utc("2026-01-12T14:00:00")
    assert dispatch_at(HAMBURG, utc("2026-07-13T08:00:00")) == utc("2026-07-13T13:00:00")


def test_pickup_days_are_working_days_and_fractions_are_hours() -> None:
    friday = utc("2026-09-11T08:00:00")
    assert pickup_at(HAMBURG, friday, 0) == utc("2026-09-11T13:00:00")
    assert pickup_at(HAMBURG, friday, 1.5) == utc("2026-09-15T01:00:00")


def test_a_country_without_a_known_calendar_has_no_holidays() -> None:
    unknown = min(countries() - set(holidays.list_supported_countries()))
    assert public_holidays(unknown, 2026) == frozenset()
    assert date(2026, 12, 25) in public_holidays("DE", 2026)


def test_a_moment_without_zone_is_refused() -> None:
    with pytest.raises(BadInput, match="time zone"):
        dispatch_at(HAMBURG, datetime(2026, 9, 7))  # noqa: DTZ001  # the point of the test


@given(st.sampled_from(SITES), moments)
def test_goods_leave_at_the_cutoff_of_a_working_day_and_never_before_the_order(
    place: Site, placed: datetime
) -> None:
    sent = dispatch_at(place, placed)
    local = sent.astimezone(ZoneInfo(place.time_zone))
    assert placed <= sent <= placed + timedelta(days=20)
    assert works_on(place, local.date())
    gap = timedelta(hours=1)  # a cut-off inside the hour that spring skips
    assert abs(datetime.combine(local.date(), place.cutoff) - local.replace(tzinfo=None)) <= gap


@given(st.sampled_from(SITES), moments, st.timedeltas(timedelta(0), timedelta(days=9)))
def test_who_orders_later_is_never_served_earlier(
    place: Site, placed: datetime, later: timedelta
) -> None:
    assert dispatch_at(place, placed) <= dispatch_at(place, placed + later)
    assert pickup_at(place, placed, 2.25) <= pickup_at(place, placed + later, 2.25)


DOORS = [Doorstep("DE", 13.4), Doorstep("US", -118.0), Doorstep("SA", 46.7), Doorstep("XK", 21.0)]


def test_goods_that_arrive_on_sunday_wait_for_monday() -> None:
    berlin = DOORS[0]
    assert berlin.handed_over(utc("2026-09-13T12:00:00")) == utc("2026-09-13T23:00:00")
    assert berlin.handed_over(utc("2026-09-12T12:00:00")) == utc("2026-09-12T12:00:00")
    riyadh = DOORS[2]
    assert riyadh.handed_over(utc("2026-09-11T12:00:00")) == utc("2026-09-11T21:00:00")


@given(st.sampled_from(DOORS), moments, st.timedeltas(timedelta(days=-9), timedelta(days=9)))
def test_goods_are_there_in_time_exactly_if_they_arrive_by_the_latest_arrival(
    door: Doorstep, by: datetime, shift: timedelta
) -> None:
    arrives = by + shift
    assert (door.handed_over(arrives) <= by) == (arrives <= door.latest_arrival(by))
