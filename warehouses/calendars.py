"""Calendars: when an order leaves a site and on which days it can be handed over."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from zoneinfo import ZoneInfo

import holidays

from core.errors import BadInput
from warehouses.network import Site

_DAY = timedelta(days=1)
_HORIZON_DAYS = 370
_WEEKLY_REST = {frozenset({5, 6}): frozenset({6}), frozenset({4, 5}): frozenset({4})}


@cache
def public_holidays(country: str, year: int) -> frozenset[date]:
    """Returns the national public holidays of a year; none where the country is not known."""
    if country not in holidays.list_supported_countries():
        return frozenset()
    return frozenset(holidays.country_holidays(country, years=year))


@cache
def rest_weekdays(country: str) -> frozenset[int]:
    """Returns the weekdays (Monday = 0) on which parcels are not delivered in a country.

    Carriers deliver on one day of a two-day weekend: Saturday of Saturday and Sunday, and Saturday
    of Friday and Saturday.
    """
    if country not in holidays.list_supported_countries():
        return frozenset({6})
    weekend = frozenset(holidays.country_holidays(country).weekend)
    return _WEEKLY_REST.get(weekend, weekend)


def works_on(site: Site, day: date) -> bool:
    """Whether a site sends goods on a local day: a working weekday and no public holiday."""
    return day.isoweekday() in site.working_days and day not in public_holidays(
        site.country, day.year
    )


def dispatch_at(site: Site, placed_at: datetime) -> datetime:
    """Returns the moment (UTC) at which an order leaves a site: the next cut-off that takes it.

    An order placed up to the cut-off of a working day leaves at that cut-off. The cut-off is a
    local clock time, so its distance in hours follows daylight saving. Raises `BadInput` for a
    site that works on no day of a year.
    """
    zone = ZoneInfo(site.time_zone)
    first = _aware(placed_at).astimezone(zone).date()
    for day in _days(first):
        cutoff = _cutoff(site, zone, day)
        if cutoff >= placed_at and works_on(site, day):
            return cutoff
    raise BadInput(f"Expected a working day of site {site.site} within a year of {first}.")


def pickup_at(site: Site, placed_at: datetime, pickup_days: float) -> datetime:
    """Returns the moment (UTC) at which a carrier takes an order over.

    Whole pickup days are working days of the site after dispatch; a fraction is hours of a day.
    """
    sent = dispatch_at(site, placed_at)
    whole = int(pickup_days)
    for _ in range(whole):
        sent = dispatch_at(site, sent + timedelta(seconds=1))
    return sent + (pickup_days - whole) * _DAY


@dataclass(frozen=True, slots=True)
class Doorstep:
    """Where parcels are delivered: a country's delivery days on the local clock.

    Regions carry no time zone: the local day is taken from the longitude, an hour for 15 degrees.
    """

    country: str
    longitude: float

    @property
    def _zone(self) -> timezone:
        return _zone_of(self.longitude)

    def delivers_on(self, day: date) -> bool:
        """Whether parcels are handed over on a local day."""
        resting = day.weekday() in rest_weekdays(self.country)
        return not resting and day not in public_holidays(self.country, day.year)

    def handed_over(self, arrives_at: datetime) -> datetime:
        """Returns when (UTC) goods that arrive at a moment are handed over.

        Goods that arrive on a day without delivery wait until the next delivery day begins.
        """
        local = _aware(arrives_at).astimezone(self._zone)
        if self.delivers_on(local.date()):
            return arrives_at.astimezone(UTC)
        day = next(day for day in _days(local.date()) if self.delivers_on(day))
        return datetime.combine(day, datetime.min.time(), self._zone).astimezone(UTC)

    def latest_arrival(self, by: datetime) -> datetime:
        """Returns the last moment (UTC) at which goods may arrive to be handed over by a moment.

        `handed_over(t) <= by` holds exactly for arrivals up to this moment.
        """
        local = _aware(by).astimezone(self._zone)
        if self.delivers_on(local.date()):
            return by.astimezone(UTC)
        day = next(day for day in _days(local.date(), step=-1) if self.delivers_on(day))
        end = datetime.combine(day + _DAY, datetime.min.time(), self._zone)
        return (end - timedelta(microseconds=1)).astimezone(UTC)


@cache
def _zone_of(longitude: float) -> timezone:
    return timezone(timedelta(hours=round(longitude / 15)))


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise BadInput(f"Expected a moment with its time zone, got {moment.isoformat()}.")
    return moment


def _cutoff(site: Site, zone: ZoneInfo, day: date) -> datetime:
    return datetime.combine(day, site.cutoff, zone).astimezone(UTC)


def _days(first: date, step: int = 1) -> Iterator[date]:
    return (first + step * at * _DAY for at in range(_HORIZON_DAYS))
