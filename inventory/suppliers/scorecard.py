"""Supplier scores from 0 to 100 out of deliveries, surveys and offers, and what follows from them.

Each of five dimensions is one statistic, drawn towards the brand's mean while evidence is thin:

- quality, share of units found defective: `(k p0 + defects) / (k + units)`, k = 500 units
- delivery, credit for lines on time and in full: `(k p0 + credit) / (k + lines)`, k = 10 lines; a
  line earns the share of it that came, less a fourteenth of that for each day it was late
- cost, log of price paid over market: `n / (n + 5)` of the supplier's mean, the rest the prior;
  the price paid over the price agreed (deliveries) and the price agreed over the median offer for
  the item (offers) are two such means, and their logs add up
- service, log of hours until an answer: the same with k = 5 answers
- innovation, rating from 1 to 5: the same with k = 3 ratings

`p0` is the brand's own mean; where the brand has no record at all it is the value that scores 80.
A record counts half after 180 days. The posterior variance is `p (1 - p) / (k + n + 1)` for the
two shares and `s^2 / (k + n)` for the means, `s^2` pooled within suppliers; the interval carries
these through the scales to first order.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.brand import Brand
from inventory.suppliers.offers import Market
from inventory.suppliers.standing import THRESHOLD, Review, standing

Array = NDArray[np.float64]
Scale = Callable[[Array], Array]

WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"quality": 0.30, "cost": 0.20, "delivery": 0.30, "service": 0.10, "innovation": 0.10}
)
"""What each dimension counts; the two that customers feel count most."""

HALF_LIFE_DAYS = 180.0
WORTHLESS_AFTER_DAYS = 14.0
"""A line this late earns nothing: the season or the container that it was meant for has left."""

REVIEW_DAYS = 30
REVIEWS = 12
"""The state follows from a year of monthly reviews, each seeing only what was known then."""

_Z90 = 1.6448536269514722  # standard normal quantile of 95 %: a 90 % interval on both sides


@dataclass(frozen=True, slots=True)
class Score:
    """The score of one supplier, how sure it is, and what follows.

    `interval` holds the score with 90 % probability; `below_threshold` is the probability that the
    true score is below 80. `evidence` counts records by kind.
    """

    supplier: str
    name: str
    score: float
    interval: tuple[float, float]
    dimensions: Mapping[str, float]
    evidence: Mapping[str, int]
    below_threshold: float
    state: str

    def as_json(self) -> dict[str, Any]:
        """Returns the form that crosses every edge."""
        return {
            "supplier": self.supplier,
            "name": self.name,
            "score": round(self.score, 2),
            "interval": [round(end, 2) for end in self.interval],
            "dimensions": {name: round(value, 2) for name, value in self.dimensions.items()},
            "evidence": dict(self.evidence),
            "below_threshold": round(self.below_threshold, 4),
            "state": self.state,
        }


@dataclass(frozen=True, slots=True)
class _Posterior:
    """Mean and standard deviation of one statistic for each supplier."""

    mean: Array
    deviation: Array

    def scored(self, scale: Scale) -> tuple[Array, Array]:
        """Points from 0 to 100 and their standard deviation."""
        spread = scale(self.mean + self.deviation) - scale(self.mean - self.deviation)
        return scale(self.mean), np.abs(spread) / 2


def scores(brand: Brand, strict_drop: bool = False) -> tuple[Score, ...]:
    """Returns the score of every supplier of a brand, in the order of its folder.

    The same records give the same scores whatever their order. `strict_drop` drops a supplier
    whenever its score is below 80, however thin the evidence.
    """
    market = Market.of(brand)
    dates = [brand.today - timedelta(REVIEW_DAYS * back) for back in range(REVIEWS - 1, -1, -1)]
    ledger = _Ledger.of(brand, market)
    looks = [_look(ledger, np.datetime64(on, "D")) for on in dates]
    last, counted = looks[-1], evidence(brand)
    return tuple(
        Score(
            supplier=supplier.supplier,
            name=supplier.name,
            score=float(last.points[at]),
            interval=last.interval(at),
            dimensions=MappingProxyType({k: float(v[at]) for k, v in last.dimensions.items()}),
            evidence=MappingProxyType(counted[supplier.supplier]),
            below_threshold=last.review(at).below_threshold,
            state=standing([look.review(at) for look in looks if look.records[at]], strict_drop),
        )
        for at, supplier in enumerate(market.suppliers)
    )


def evidence(brand: Brand) -> dict[str, dict[str, int]]:
    """Returns, for each supplier, how many records of each kind its score rests on."""
    today = pd.Timestamp(brand.today)
    deliveries, surveys = brand.table("deliveries"), brand.table("surveys")
    received = deliveries[deliveries["received"] <= today].groupby("supplier")
    kinds = {
        "deliveries": received.size(),
        "units": received["received_quantity"].sum(),
        "answers": received["answer_hours"].count(),
        "offers": brand.table("offers").groupby("supplier").size(),
        "surveys": surveys[surveys["date"] <= today].groupby("supplier").size(),
    }
    return {
        str(supplier): {kind: int(counts.get(supplier, 0)) for kind, counts in kinds.items()}
        for supplier in brand.table("suppliers")["supplier"]
    }


@dataclass(frozen=True, slots=True)
class _Records:
    """Columns of one table as arrays [record]; `supplier` holds positions, `day` dates.

    `weight` is what the age of each record leaves of it.
    """

    columns: Mapping[str, NDArray[Any]]

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def where(self, mask: NDArray[np.bool_]) -> "_Records":
        """The records of a mask."""
        return _Records({name: column[mask] for name, column in self.columns.items()})

    def known(self, on: np.datetime64) -> "_Records":
        """The records known on a day, weighted by age."""
        past = self.where(self["day"] <= on)
        age = (on - past["day"]).astype(float)
        return _Records({**past.columns, "weight": 0.5 ** (age / HALF_LIFE_DAYS)})


@dataclass(frozen=True, slots=True)
class _Ledger:
    """All records of a brand; `suppliers` is how many there are."""

    suppliers: int
    deliveries: _Records
    surveys: _Records
    agreed: _Records

    @classmethod
    def of(cls, brand: Brand, market: Market) -> "_Ledger":
        index = {supplier.supplier: at for at, supplier in enumerate(market.suppliers)}
        return cls(
            len(index),
            _records(brand.table("deliveries"), index, "received"),
            _records(brand.table("surveys"), index, "date"),
            _agreed_over_market(market, index),
        )


@dataclass(frozen=True, slots=True)
class _Look:
    """All suppliers as of one day, arrays [supplier]; `records` counts what is known of each."""

    points: Array
    deviations: Array
    dimensions: Mapping[str, Array]
    records: Array

    def review(self, at: int) -> Review:
        """What the look says about one supplier."""
        return Review(
            float(self.points[at]), _below(float(self.points[at]), float(self.deviations[at]))
        )

    def interval(self, at: int) -> tuple[float, float]:
        """Points that hold the true score with 90 % probability."""
        half = _Z90 * float(self.deviations[at])
        return max(0.0, float(self.points[at]) - half), min(100.0, float(self.points[at]) + half)


def _records(frame: pd.DataFrame, index: Mapping[str, int], day: str) -> _Records:
    columns = {str(name): frame[name].to_numpy() for name in frame.columns}
    codes = np.array([index[str(name)] for name in frame["supplier"]], dtype=np.intp)
    days = frame[day].to_numpy().astype("datetime64[D]")
    dates = {name: c.astype("datetime64[D]") for name, c in columns.items() if c.dtype.kind == "M"}
    return _Records({**columns, **dates, "supplier": codes, "day": days})


def _look(ledger: _Ledger, on: np.datetime64) -> _Look:
    deliveries, surveys = ledger.deliveries.known(on), ledger.surveys.known(on)
    count = ledger.suppliers
    posteriors = {
        "quality": _quality(deliveries, count),
        "cost": _cost(deliveries, ledger.agreed, count),
        "delivery": _delivery(deliveries, count),
        "service": _service(deliveries, count),
        "innovation": _innovation(surveys, count),
    }
    scored = {name: posteriors[name].scored(_SCALES[name]) for name in WEIGHTS}
    points = np.zeros(count)
    variance = np.zeros(count)
    for name, weight in WEIGHTS.items():
        points += weight * scored[name][0]
        variance += (weight * scored[name][1]) ** 2
    seen = sum(np.bincount(known["supplier"], minlength=count) for known in (deliveries, surveys))
    by_name = {name: scored[name][0] for name in WEIGHTS}
    return _Look(points, np.sqrt(variance), by_name, np.asarray(seen))


def _quality(deliveries: _Records, count: int) -> _Posterior:
    """Beta posterior of the share of defective units."""
    units = deliveries["received_quantity"]
    defects = np.minimum(deliveries["defective_quantity"], units)
    return _share(deliveries, defects, units, count, 500.0, 0.01)


def _delivery(deliveries: _Records, count: int) -> _Posterior:
    """Beta posterior of the credit for lines: 1 for a line in full by its committed day."""
    late = (deliveries["received"] - deliveries["committed"]).astype(float)
    on_time = 1 - np.clip(late / WORTHLESS_AFTER_DAYS, 0.0, 1.0)
    ordered = np.maximum(deliveries["ordered_quantity"], 1e-9)
    in_full = np.minimum(deliveries["received_quantity"] / ordered, 1.0)
    return _share(deliveries, on_time * in_full, np.ones(len(late)), count, 10.0, 0.80)


def _service(deliveries: _Records, count: int) -> _Posterior:
    answered = deliveries.where(~np.isnan(deliveries["answer_hours"]))
    hours = np.log(np.maximum(answered["answer_hours"], 0.1))
    return _mean(answered, hours, count, 5.0, math.log(24.0), 0.7)


def _innovation(surveys: _Records, count: int) -> _Posterior:
    return _mean(surveys, surveys["innovation"], count, 3.0, 4.2, 0.8)


def _cost(deliveries: _Records, agreed: _Records, count: int) -> _Posterior:
    """Log of the price paid over the market: paid over agreed, times agreed over market."""
    priced = deliveries.where(deliveries["price_index"] > 0)
    paid = _mean(priced, np.log(priced["price_index"]), count, 5.0, 0.0, 0.05)
    asked = _mean(agreed, agreed["log_ratio"], count, 5.0, 0.0, 0.10)
    return _Posterior(paid.mean + asked.mean, np.hypot(paid.deviation, asked.deviation))


def _agreed_over_market(market: Market, index: Mapping[str, int]) -> _Records:
    """Log of each offer over the median offer for its item, where there is more than one."""
    suppliers: list[int] = []
    ratios: list[float] = []
    for offers in market.by_item.values():
        prices = np.array([offer.unit_cost for offer in offers])
        if len(offers) > 1 and prices.min() > 0:
            suppliers += [index[offer.supplier] for offer in offers]
            ratios += np.log(prices / np.median(prices)).tolist()
    return _Records(
        {
            "supplier": np.array(suppliers, dtype=np.intp),
            "weight": np.ones(len(suppliers)),
            "log_ratio": np.array(ratios, dtype=float),
        }
    )


def _share(
    records: _Records, hits: Array, trials: Array, count: int, strength: float, neutral: float
) -> _Posterior:
    """Beta posterior of a share: the prior is worth `strength` trials at the brand's mean."""
    hit = _per_supplier(records, hits * records["weight"], count)
    tried = _per_supplier(records, trials * records["weight"], count)
    prior = hit.sum() / tried.sum() if tried.sum() > 0 else neutral
    mean = (strength * prior + hit) / (strength + tried)
    return _Posterior(mean, np.sqrt(mean * (1 - mean) / (strength + tried + 1)))


def _mean(
    records: _Records, values: Array, count: int, strength: float, neutral: float, deviation: float
) -> _Posterior:
    """Normal posterior of a mean: the prior is worth `strength` records at the brand's mean.

    Variance within suppliers is pooled; `deviation` stands in, as one more record, while there is
    little to pool.
    """
    weight = _per_supplier(records, records["weight"], count)
    total = _per_supplier(records, values * records["weight"], count)
    prior = total.sum() / weight.sum() if weight.sum() > 0 else neutral
    own = np.divide(total, weight, out=np.full(count, prior), where=weight > 0)
    squares = float((records["weight"] * (values - own[records["supplier"]]) ** 2).sum())
    variance = (squares + deviation**2) / (weight.sum() + 1)
    mean = (strength * prior + total) / (strength + weight)
    return _Posterior(mean, np.sqrt(variance / (strength + weight)))


def _per_supplier(records: _Records, values: Array, count: int) -> Array:
    return np.bincount(records["supplier"], weights=values, minlength=count).astype(float)


def _below(points: float, deviation: float) -> float:
    """P(true score < threshold) for a normal posterior."""
    from_threshold = (THRESHOLD - points) / max(deviation, 1e-9)
    return 0.5 * (1.0 + math.erf(from_threshold / math.sqrt(2.0)))


def _linear(*knots: tuple[float, float]) -> Scale:
    """Returns the scale that runs straight through the knots (statistic, points), flat outside."""
    x, y = zip(*knots, strict=True)
    return lambda values: np.interp(values, x, y)


_SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        "quality": _linear((0.0, 100.0), (0.05, 0.0)),
        "cost": _linear((math.log(0.9), 100.0), (0.0, 80.0), (math.log(1.4), 0.0)),
        "delivery": _linear((0.0, 0.0), (1.0, 100.0)),
        "service": _linear((math.log(4), 100.0), (math.log(24), 80.0), (math.log(120), 0.0)),
        "innovation": _linear((1.0, 0.0), (5.0, 100.0)),
    }
)
"""Statistic to points: 80 stands at 1 % defects, the market price, 80 % of the
credit for delivery, an answer after 24 hours, a rating of 4.2."""
