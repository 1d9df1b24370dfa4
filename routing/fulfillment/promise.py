"""Promises: when goods arrive, as a probability distribution."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from statistics import NormalDist

from warehouses.calendars import Doorstep

_NORMAL = NormalDist()
_Z95 = _NORMAL.inv_cdf(0.95)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Transit:
    """Days from pickup to arrival: log-normal with the given median and 95 % quantile.

    Where both are equal (or the median is 0) the time is certain.
    """

    p50_days: float
    p95_days: float

    @cached_property
    def _sigma(self) -> float:
        if self.p50_days <= 0 or self.p95_days <= self.p50_days:
            return 0.0
        return math.log(self.p95_days / self.p50_days) / _Z95

    @cached_property
    def mean_days(self) -> float:
        """Expected days."""
        return self.p50_days * math.exp(self._sigma**2 / 2)

    def probability_within(self, days: float) -> float:
        """Returns the probability of arriving within some days of pickup."""
        if self._sigma == 0:
            return float(self.p50_days <= days)
        if days <= 0:
            return 0.0
        return _NORMAL.cdf(math.log(days / self.p50_days) / self._sigma)

    @cached_property
    def usual(self) -> tuple[timedelta, timedelta]:
        """The median and the 95 % quantile."""
        return self.quantile(0.5) * _DAY, self.quantile(0.95) * _DAY

    def quantile(self, probability: float) -> float:
        """Returns the days within which goods arrive with a probability between 0 and 1."""
        if self._sigma == 0:
            return self.p50_days
        return self.p50_days * math.exp(self._sigma * _NORMAL.inv_cdf(probability))

    def expected_late_days(self, days: float) -> float:
        """Returns the expected days beyond a limit: E[max(0, T - days)].

        The closed form is that of a call option on a log-normal price without interest.
        """
        if days <= 0 or self._sigma == 0:
            return max(0.0, self.mean_days - days)
        log_ratio = math.log(self.p50_days / days)
        beyond = _NORMAL.cdf(log_ratio / self._sigma)
        weighted = _NORMAL.cdf(log_ratio / self._sigma + self._sigma)
        return max(0.0, self.mean_days * weighted - days * beyond)


@dataclass(frozen=True, slots=True)
class Delivery:
    """When one leg is handed over, against the moment promised; moments in UTC."""

    p50: datetime
    p95: datetime
    probability: float
    late_days: float


def delivery(pickup: datetime, transit: Transit, door: Doorstep, by: datetime) -> Delivery:
    """Returns the delivery of goods picked up at a moment and promised by another.

    Goods that arrive on a day without delivery wait for the next one, so a promise that ends on
    such a day must be kept on the day before it.
    """
    return delivery_before(pickup, transit, door, door.latest_arrival(by))


def delivery_before(
    pickup: datetime, transit: Transit, door: Doorstep, latest: datetime
) -> Delivery:
    """Returns the delivery of goods that must arrive by a moment to keep the promise."""
    limit = (latest - pickup) / _DAY
    p50, p95 = transit.usual
    return Delivery(
        p50=door.handed_over(pickup + p50),
        p95=door.handed_over(pickup + p95),
        probability=transit.probability_within(limit),
        late_days=transit.expected_late_days(limit),
    )
