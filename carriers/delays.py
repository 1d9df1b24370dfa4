"""Delays: how likely a shipment is to break its promise, before and after it did."""

import math
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import NormalDist

from carriers.shipments import CompensationPolicy, Outlook, Shipment
from carriers.tracking import LOST_TO_CUSTOMER, Status

VERY_LIKELY = 0.9
"""From this probability on a shipment is marked late although its promise is not over yet."""

_Z95 = 1.6448536269514722
_LEAST_HOURS = 1e-3
_QUIET = timedelta(hours=24)
"""No scan for this long says nothing yet."""


def late_probability(shipment: Shipment, now: datetime) -> float:
    """Returns the probability that a shipment arrives after its promise, 0 to 1.

    The time from creation to arrival is log-normal through the planned median and 95 % point:
    `mu = ln p50`, `sigma = ln(p95 / p50) / 1.645`. What has not arrived by now arrives late with
    `P = S(promise) / S(now)`, S being the share that takes longer. Silence adds to it: with
    q hours since the last scan beyond a grace of a day or half the median, whichever is longer,
    the parcel is taken to be stuck with `1 - exp(-q / w)`, w the hours between median and 95 %
    point (at least a day), and a stuck parcel is late.
    """
    if shipment.status in LOST_TO_CUSTOMER:
        return 0.0 if shipment.status is Status.CANCELLED else 1.0
    if shipment.delivered_at is not None or now >= shipment.promised_by:
        return 1.0 if shipment.past_promise(now) else 0.0
    beyond_promise = _longer(shipment, shipment.promised_by)
    beyond_now = _longer(shipment, now)
    slow = min(1.0, beyond_promise / beyond_now) if beyond_now > 0.0 else 1.0
    return 1.0 - (1.0 - slow) * (1.0 - _stuck(shipment, now))


def eta(shipment: Shipment, now: datetime) -> datetime | None:
    """Returns when a shipment is expected: the median of what can still happen.

    The moment of delivery once it was delivered; None where nothing will arrive.
    """
    if shipment.delivered_at is not None:
        return shipment.delivered_at
    if shipment.status in LOST_TO_CUSTOMER:
        return None
    mu, sigma = _fitted(shipment.created_at, shipment.outlook)
    remaining = _longer(shipment, now)
    if sigma == 0.0 or remaining < 1e-6:
        return max(shipment.outlook.p50, now)
    hours = math.exp(mu + sigma * NormalDist().inv_cdf(1.0 - remaining / 2.0))
    return max(shipment.created_at + timedelta(hours=hours), now)


def judged(shipment: Shipment, now: datetime, policy: CompensationPolicy) -> Shipment:
    """Returns the shipment marked late where it is, with what is owed for it.

    Late is what has broken its promise or will very likely break it. The mark stays with a
    shipment that broke its promise, and is lifted from one that arrived in time after all.
    Compensation is owed for a broken promise only, never for a likely one.
    """
    late = late_probability(shipment, now) >= VERY_LIKELY
    since = (shipment.late_since or now) if late else None
    return replace(shipment, late_since=since, compensation=policy.owed(shipment, now))


def _longer(shipment: Shipment, moment: datetime) -> float:
    """Returns the share of such shipments that take longer than until a moment."""
    mu, sigma = _fitted(shipment.created_at, shipment.outlook)
    hours = _hours(moment - shipment.created_at)
    if hours <= 0.0:
        return 1.0
    if sigma == 0.0:
        return 1.0 if math.log(hours) < mu else 0.0
    return 0.5 * math.erfc((math.log(hours) - mu) / (sigma * math.sqrt(2.0)))


def _fitted(start: datetime, outlook: Outlook) -> tuple[float, float]:
    median = max(_hours(outlook.p50 - start), _LEAST_HOURS)
    slow = max(_hours(outlook.p95 - start), median)
    return math.log(median), math.log(slow / median) / _Z95


def _stuck(shipment: Shipment, now: datetime) -> float:
    if shipment.last_event_at is None or shipment.status is Status.AVAILABLE_FOR_PICKUP:
        return 0.0
    median = shipment.outlook.p50 - shipment.created_at
    silent = now - shipment.last_event_at - max(_QUIET, median / 2)
    spread = max(shipment.outlook.p95 - shipment.outlook.p50, _QUIET)
    return 1.0 - math.exp(-max(0.0, silent / spread))


def _hours(span: timedelta) -> float:
    return span.total_seconds() / 3600.0
