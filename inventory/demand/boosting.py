"""Gradient boosting over all series at once, for brands with planned promotions or prices.

An optional extra (`pip install entrepot[ml]`): it is asked only where `available()`, and its means
are used only where it `wins` against the smoothing. Trees correct the smoothed level times the
multiplier of promotion and price: they start from its logarithm, so they learn what is common to
all series and what an effect of an item alone cannot say. All features are known at the origin of a
forecast, so no forecast feeds another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inventory.demand.promotions import (
    Effects,
    Part,
    Plan,
    chunks,
    estimate,
    multipliers,
    plan_of,
    seen_weeks,
)

# The one guarded import of the house: the extra may be missing, or its library (libgomp) may be.
try:
    import lightgbm
except (ModuleNotFoundError, OSError):
    lightgbm = None  # type: ignore[assignment]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

SAMPLED_SERIES = 20_000
"""At most so many series teach the trees."""

LEAST_WEEKS = 26
"""Shorter histories teach nothing; their means are not asked for."""

MARGIN = 0.03
"""Share of absolute error that the trees must save."""

_ROWS = 300_000
_ORIGINS = 52
_OPENING_WEEKS = 8
_ALPHA = 0.1
_LEAST_LEVEL = 0.02
_YEAR_WEEKS = 365.25 / 7
_SPANS = (1, 4, 13, 52)
_MOST_ITEMS = 500
_ROUNDS = 150
_CORRECTION = (0.8, 1.25)
_SURE_UNITS = 200.0
_CODES = ("category", "region", "item")
_FEATURES = (
    *("promotion", "price", *_CODES, "promotion_before", "promotion_usual", "price_usual"),
    *("step", "sine", "cosine", "age", "level", "zeros", "region_trend", "last_year"),
    *(f"mean_{span}" for span in _SPANS),
)
_SETTINGS = {
    "objective": "tweedie",
    "tweedie_variance_power": 1.5,
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 200,
    "cat_smooth": 100.0,
    "cat_l2": 50.0,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the series of a part belong in the whole brand."""

    region: Codes
    """Region of each series, [series]."""
    item: Codes
    """Number in the brand of each item of the part, [item]."""
    regions: int
    """Number of regions of the whole brand."""


@dataclass(frozen=True, slots=True)
class Model:
    """Trees as LightGBM's own text, never pickled, and the correction of each region."""

    text: str
    correction: Floats
    """Factor on the mean, [region]."""


def available() -> bool:
    """Returns whether the extra is installed."""
    return lightgbm is not None


def forecast_means(part: Part, place: Place, found: Effects, seed: int) -> Floats:
    """Returns the mean units of each series in the weeks that the plan looks ahead.

    [series, horizon]; needs `LEAST_WEEKS` of history, else ValueError.
    """
    return predict(train(part, place, found, seed), part, place, found)


def wins(part: Part, place: Place, rivals: Mapping[int, Floats], seed: int) -> bool:
    """Returns whether trees would have beaten given means at past origins.

    `rivals` holds the means [series, horizon] forecast from each past origin (the number of weeks
    known then). Trees win when they save 3 % of the absolute error and do not raise the squared
    error: on rare demand the absolute error alone would reward forecasts of nothing.
    """
    absolute, squared = np.zeros(2), np.zeros(2)
    for origin, means in rivals.items():
        truth = part.demand[:, origin : origin + means.shape[1]]
        seen = ~part.hidden[:, origin : origin + means.shape[1]]
        then = as_of(part, origin, truth.shape[1])
        mine = forecast_means(then, place, estimate(then), seed)
        miss = np.abs(np.stack([mine, means[:, : truth.shape[1]]]) - truth) * seen
        absolute += miss.sum(axis=(1, 2))
        squared += np.square(miss).sum(axis=(1, 2))
    saved = absolute[0] < absolute[1] * (1.0 - MARGIN)
    return bool(saved and squared[0] <= squared[1])


def as_of(part: Part, origin: int, horizon: int) -> Part:
    """Returns a part as it stood before week `origin`, with the plan of the `horizon` after it."""
    return replace(
        part,
        demand=part.demand[:, :origin],
        hidden=part.hidden[:, :origin],
        promotion=part.promotion[:, : origin + horizon],
        price=part.price[:, : origin + horizon],
    )


def train(part: Part, place: Place, found: Effects, seed: int) -> Model:
    """Returns a model of the horizon that the plan of a part looks ahead.

    The last window of that length is left out of the trees and corrects the bias of each region.
    A sample of the items of a large brand is enough of a part.
    """
    horizon = part.promotion.shape[1] - part.weeks
    if lightgbm is None or part.weeks < LEAST_WEEKS or horizon < 1:
        raise ValueError(
            f"Expected the extra ml, {LEAST_WEEKS} weeks of history and a plan ahead of them, "
            f"got {part.weeks} weeks and {horizon} ahead."
        )
    last = max(part.weeks - horizon, LEAST_WEEKS - _OPENING_WEEKS)
    text = _trees(_Known.of(part, place, found), last, horizon, seed)
    before = as_of(part, last, part.weeks - last)
    made = predict(Model(text, np.ones(place.regions)), before, place, found)
    return Model(text, _corrections(part, place, made, last))


def predict(model: Model, part: Part, place: Place, found: Effects) -> Floats:
    """Returns the mean units of each series of a part, [series, horizon], by a trained model."""
    booster = lightgbm.Booster(model_str=model.text)
    known, horizon = _Known.of(part, place, found), part.promotion.shape[1] - part.weeks
    made = np.zeros((len(part.demand), horizon))
    for rows in chunks(part.item):
        at = np.arange(rows.start, rows.stop)
        table, level = known.features(at, part.weeks, horizon)
        raw = np.asarray(booster.predict(table, raw_score=True, num_threads=1))
        made[rows] = (level * np.exp(raw)).reshape(len(at), horizon)
    ever = part.demand.any(axis=1, keepdims=True)
    return np.asarray(made * ever * model.correction[place.region][:, None])


@dataclass(frozen=True, slots=True)
class _Known:
    """What features are made of; the plan of all series at once."""

    demand: Floats
    """Units with promotion and price effects taken out, [series, week]."""
    effect: Floats
    """Multipliers of promotion and price, [series, week + horizon]."""
    seen: Floats
    plan: Plan
    codes: Floats
    trend: Floats
    """Units of each region by week, [region, week]."""

    @staticmethod
    def of(part: Part, place: Place, found: Effects) -> "_Known":
        seen = seen_weeks(part.demand, part.hidden)
        plans = [plan_of(part, rows) for rows in chunks(part.item)]
        effect = multipliers(part, found)
        demand = part.demand / effect.past
        trend = np.zeros((place.regions, part.weeks))
        np.add.at(trend, place.region, demand)
        item = place.item[part.item]
        item = item if place.item.max(initial=0) < _MOST_ITEMS else np.zeros_like(item)
        return _Known(
            demand,
            np.concatenate([effect.past, effect.future], axis=1),
            seen.astype(np.float64),
            Plan(
                np.concatenate([plan.promotion for plan in plans]),
                np.concatenate([plan.price for plan in plans]),
            ),
            np.stack([part.category[part.item], place.region, item], axis=1).astype(np.float64),
            trend,
        )

    def features(self, rows: Codes, origin: int, horizon: int) -> tuple[Floats, Floats]:
        """Returns a table [series * horizon, feature] and the level that each row starts from."""
        level = np.maximum(self._smoothed(self.demand, rows, origin), _LEAST_LEVEL)
        fixed = self._fixed(rows, origin, level)
        moving = self._moving(rows, origin, horizon)
        table = np.empty((len(rows), horizon, len(_FEATURES)))
        for at, name in enumerate(_FEATURES):
            table[..., at] = moving[name] if name in moving else fixed[name][:, None]
        start = level[:, None] * self.effect[rows, origin : origin + horizon]
        return table.reshape(-1, len(_FEATURES)), start.ravel()

    def _smoothed(self, values: NDArray[np.floating], rows: Codes, origin: int) -> Floats:
        weight = self.seen[rows, :origin] * (1.0 - _ALPHA) ** np.arange(origin)[::-1]
        total = np.maximum(weight.sum(axis=1), 1e-9)
        return np.asarray((weight * values[rows, :origin]).sum(axis=1) / total)

    def _mean(self, rows: Codes, begin: int, end: int) -> Floats:
        """Returns the mean of the seen weeks, NaN where none was seen."""
        seen = self.seen[rows, max(begin, 0) : end]
        units = (self.demand[rows, max(begin, 0) : end] * seen).sum(axis=1)
        weeks = seen.sum(axis=1)
        return np.where(weeks > 0, units / np.maximum(weeks, 1.0), np.nan)

    def _fixed(self, rows: Codes, origin: int, level: Floats) -> dict[str, Floats]:
        seen = self.seen[rows, :origin]
        busy = (self.demand[rows, :origin] > 0).sum(axis=1)
        trend = self.trend[:, :origin]
        recent, usual = trend[:, -4:].mean(axis=1), np.maximum(trend[:, -26:].mean(axis=1), 1e-9)
        made = {f"mean_{span}": self._mean(rows, origin - span, origin) / level for span in _SPANS}
        return made | {
            **dict(zip(_CODES, self.codes[rows].T, strict=True)),
            "promotion_usual": self._smoothed(self.plan.promotion, rows, origin),
            "price_usual": self._smoothed(self.plan.price, rows, origin),
            "age": seen.sum(axis=1),
            "level": np.log(level),
            "zeros": 1.0 - busy / np.maximum(seen.sum(axis=1), 1.0),
            "region_trend": (recent / usual)[self.codes[rows, 1].astype(np.int64)],
        }

    def _moving(self, rows: Codes, origin: int, horizon: int) -> dict[str, Floats]:
        week = np.arange(origin, origin + horizon)
        angle = 2.0 * np.pi * week / _YEAR_WEEKS
        shape = (len(rows), horizon)
        return {
            "promotion": self.plan.promotion[rows][:, week].astype(np.float64),
            "price": self.plan.price[rows][:, week].astype(np.float64),
            "promotion_before": self.plan.promotion[rows][:, week - 1].astype(np.float64),
            "step": np.broadcast_to(week - origin, shape).astype(np.float64),
            "sine": np.broadcast_to(np.sin(angle), shape),
            "cosine": np.broadcast_to(np.cos(angle), shape),
            "last_year": self._last_year(rows, origin, horizon),
        }

    def _last_year(self, rows: Codes, origin: int, horizon: int) -> Floats:
        """Returns three weeks around the same week last year over the mean of that year."""
        usual = np.maximum(self._mean(rows, origin - 52, origin), _LEAST_LEVEL)
        weeks = [
            self._mean(rows, origin + step - 53, min(origin + step - 50, origin)) / usual
            if origin + step >= 53
            else np.full(len(rows), np.nan)
            for step in range(horizon)
        ]
        return np.stack(weeks, axis=1)


def _trees(known: _Known, last: int, horizon: int, seed: int) -> str:
    """Returns trees taught by the weeks before `last`."""
    table, level, units = _lessons(known, last, horizon, seed)
    lessons = lightgbm.Dataset(
        table,
        label=units,
        init_score=np.log(level),
        feature_name=list(_FEATURES),
        categorical_feature=list(_CODES),
        free_raw_data=True,
    )
    booster = lightgbm.train({**_SETTINGS, "seed": seed}, lessons, num_boost_round=_ROUNDS)
    return booster.model_to_string()


def _lessons(
    known: _Known, last: int, horizon: int, seed: int
) -> tuple[NDArray[np.float32], Floats, Floats]:
    """Returns features, levels and units of seen weeks after sampled origins and series."""
    drawn = np.random.default_rng(seed)
    origins = np.arange(max(_OPENING_WEEKS, last - _ORIGINS), last)
    series = np.flatnonzero(known.demand[:, :last].any(axis=1))
    series = drawn.permutation(series)[:SAMPLED_SERIES]
    many = max(_ROWS // (len(origins) * horizon), 1)
    tables, levels, units = [], [], []
    for origin in origins:
        rows = np.sort(drawn.choice(series, min(many, len(series)), replace=False))
        ahead = min(horizon, last - int(origin))
        table, level = known.features(rows, int(origin), ahead)
        kept = known.seen[rows, origin : origin + ahead].ravel() > 0
        tables.append(table[kept].astype(np.float32))
        levels.append(level[kept])
        lifted = known.effect[rows, origin : origin + ahead]
        units.append((known.demand[rows, origin : origin + ahead] * lifted).ravel()[kept])
    return np.concatenate(tables), np.concatenate(levels), np.concatenate(units)


def _corrections(part: Part, place: Place, made: Floats, last: int) -> Floats:
    """Returns actual over expected units of each region in the last window, drawn towards 1."""
    seen = ~part.hidden[:, last:]
    actual = np.bincount(
        place.region, (part.demand[:, last:] * seen).sum(axis=1), minlength=place.regions
    )
    expected = np.bincount(place.region, (made * seen).sum(axis=1), minlength=place.regions)
    return np.asarray(np.clip((actual + _SURE_UNITS) / (expected + _SURE_UNITS), *_CORRECTION))
