"""Levels: what one week of every item and region is expected to bring, one partition at a time.

A partition is a range of whole items. Everything here is a pure function of a partition's own
history and of a few small tables about the whole brand, so partitions can be done anywhere, in any
order, again and again, with the same result.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inventory.demand.naive import pinball
from inventory.demand.quantiles import LEVELS, count_quantiles, monotone
from inventory.demand.smoothing import BLOCK, INTERMITTENT, Flags, Smoothed, expected, smooth

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

METHODS = (
    "smoothing", "smoothing_imapa", "naive", "category", "no_evidence", "never_sold", "dead",
)  # fmt: skip
SMOOTHING, IMAPA, NAIVE, CATEGORY, NO_EVIDENCE, NEVER_SOLD, DEAD = range(len(METHODS))

TAIL_UNITS = 1.0
"""P95 of a series of which nothing is known: its mean is 0, yet somebody may ask."""

OWN_WEEKS = 26
"""A series shows its own shape in this many of its latest weeks; younger ones borrow a formula."""

CALM_WEEKS, CALM_SHARE, CALM_RARE = 8, 0.4, 0.15
"""So much of the mean is that of the last 8 weeks without the highest: one large order among
thousands of lumpy series moves demand that is not there next week. Less for intermittent series,
whose highest week may be all they have."""

OWN_SHARE = 0.3
"""Share of a series' own shape in its quantiles; the rest are those of counts."""

NAIVE_SHARE, NAIVE_FROM = 0.3, 0.90
"""From this level up, so much of a quantile is the naive forecast's: methods that err in different
ways hold the tail better together. Lower down the naive one is too often the last week's 0."""

MOST_HIDDEN = 0.2
"""Share of these weeks that may have been without stock: what fills them has no spread."""

JUDGED = 4
"""Weeks of each of the trials in which smoothing and the naive forecast are compared."""

TRIALS = (12, 8, 4)
"""Weeks before the last one at which the trials begin."""

NAIVE_MARGIN = 0.5
"""The naive forecast takes a series over when its loss is below this share of smoothing's."""

RATES = (0.25, 1.0, 4.0, 16.0)
"""Units a week that part series into the classes whose quantiles are calibrated together."""

Calibration = Floats
"""Factors on the quantiles of each class, [class, level]."""


@dataclass(frozen=True, slots=True)
class Part:
    """The past of whole items: demand [series, week], regions of an item together.

    `season` is the index of each series' category [series, week] or None, `lift` what promotion
    and price multiplied each week by, or None; `hidden` flags weeks without stock.
    """

    demand: Floats
    hidden: Flags | None = None
    season: Floats | None = None
    lift: Floats | None = None

    def plain(self) -> Floats:
        """Returns demand as it would have been in an average week without promotion."""
        demand = self.demand
        for factor in (self.season, self.lift):
            if factor is not None:
                demand = demand / np.maximum(factor, 1e-9)
        return demand

    def rows(self, begin: int, end: int) -> "Part":
        """Returns some of its series."""
        cut = slice(begin, end)
        return Part(
            self.demand[cut],
            None if self.hidden is None else self.hidden[cut],
            None if self.season is None else self.season[cut],
            None if self.lift is None else self.lift[cut],
        )

    def before(self, week: int) -> "Part":
        """Returns the past as it stood before a week."""
        return Part(
            self.demand[:, :week],
            None if self.hidden is None else self.hidden[:, :week],
            None if self.season is None else self.season[:, :week],
            None if self.lift is None else self.lift[:, :week],
        )


@dataclass(frozen=True, slots=True)
class Levels:
    """An average week ahead for every series; arrays of shape [series], quantiles [series, level].

    `weeks` counts weeks since the first demand, 0 for none; `value_added` is the share of P90 loss
    that smoothing saved against the naive forecast over the last 12 weeks, NaN where neither lost.
    """

    mean: Floats
    variance: Floats
    quantiles: Floats
    alpha: Floats
    weeks: Floats
    method: NDArray[np.int8]
    value_added: Floats

    @property
    def count(self) -> int:
        """Number of series."""
        return len(self.mean)

    def rows(self, begin: int, end: int) -> "Levels":
        """Returns the levels of some series."""
        return Levels(*(getattr(self, name)[begin:end] for name in _FIELDS))

    @classmethod
    def joined(cls, parts: "list[Levels]") -> "Levels":
        """Returns several partitions as one."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS))


_FIELDS = ("mean", "variance", "quantiles", "alpha", "weeks", "method", "value_added")


def levels(part: Part, calibration: Calibration | None = None) -> Levels:
    """Returns the levels of a partition.

    The mean is exponential smoothing, averaged with aggregated buckets for intermittent series, and
    leans on the last weeks without their highest. The quantiles are weighted means: of those of
    counts with that mean and the recent spread, of those of the series' own last half year scaled
    to the mean, and in the upper tail of the naive forecast's. The first know the rate, the second
    the shape, and together they lost less on real orders than each. Calibrated by class last.
    A series on which the naive forecast clearly lost less in its last three trials gets that one,
    unless it is intermittent: its last week is mostly 0, and that is no mean.
    """
    blocks = [
        _block(part.rows(begin, begin + BLOCK)) for begin in range(0, len(part.demand), BLOCK)
    ]
    found = Levels.joined(blocks) if blocks else _block(part)
    return found if calibration is None else calibrated(found, calibration)


def _block(part: Part) -> Levels:
    demand = part.plain()
    weeks = demand.shape[1]
    marks = tuple(weeks - back for back in TRIALS if weeks - back >= JUDGED)
    state = smooth(demand, part.hidden, marks)
    if part.hidden is not None:
        demand = np.where(part.hidden, state.level[:, None], demand)
    calm = np.where(state.zeros > INTERMITTENT, CALM_RARE, CALM_SHARE)
    mean = (1.0 - calm) * expected(demand, state) + calm * _calm(demand)
    ours, peer = _losses(demand, state, marks)
    naive = (peer < NAIVE_MARGIN * ours) & (state.zeros <= INTERMITTENT)
    mean = np.where(naive, demand[:, -1], mean)
    quantiles = _quantiles(demand, mean, state, _shown(part.hidden, len(demand)))
    if naive.any():
        quantiles[naive] = _naive_quantiles(demand[naive])
    own = np.where(state.zeros > INTERMITTENT, IMAPA, SMOOTHING)
    saved = np.divide(ours, peer, out=np.full_like(ours, np.nan), where=peer > 0)
    return Levels(
        mean=mean,
        variance=state.variance,
        quantiles=quantiles,
        alpha=np.where(naive, 1.0, state.alpha),
        weeks=state.weeks,
        method=np.where(naive, NAIVE, own).astype(np.int8),
        value_added=1.0 - np.where(naive, np.minimum(saved, 1.0), saved),
    )


def _calm(demand: Floats) -> Floats:
    """Returns the mean of the last weeks without the highest, weeks before the first demand out."""
    recent = demand[:, -CALM_WEEKS:]
    began = np.where(demand.any(axis=1), (demand != 0).argmax(axis=1), 0)
    seen = np.minimum(demand.shape[1] - began, recent.shape[1])
    calm = (recent.sum(axis=1) - recent.max(axis=1)) / np.maximum(seen - 1, 1)
    return np.asarray(np.where(seen > 1, calm, recent[:, -1]))


def _quantiles(demand: Floats, mean: Floats, state: Smoothed, shown: Flags) -> Floats:
    counted = count_quantiles(mean, state.variance)
    old = np.flatnonzero((state.weeks >= OWN_WEEKS) & (mean > 0) & shown)
    if not old.size:
        return counted
    own = _own_shape(demand[old], mean[old])
    told = ~np.isnan(own[:, 0])
    rows = old[told]
    counted[rows] += OWN_SHARE * (own[told] - counted[rows])
    upper = np.array(LEVELS) >= NAIVE_FROM
    counted[old] += NAIVE_SHARE * upper * (_naive_quantiles(demand[old]) - counted[old])
    return monotone(counted)


def _shown(hidden: Flags | None, count: int) -> Flags:
    """Returns the series that could be sold often enough of late to show their own shape."""
    if hidden is None:
        return np.ones(count, dtype=bool)
    return np.asarray(hidden[:, -OWN_WEEKS:].mean(axis=1) <= MOST_HIDDEN)


def _own_shape(demand: Floats, mean: Floats) -> Floats:
    """Returns the quantiles of the last half year scaled to the mean; NaN without demand there."""
    recent = demand[:, -OWN_WEEKS:]
    average = recent.mean(axis=1)
    sold = average > 0
    scale = np.divide(mean, average, out=np.full_like(mean, np.nan), where=sold)
    return np.asarray(sorted_quantiles(np.sort(recent, axis=1), LEVELS) * scale[:, None])


def sorted_quantiles(ordered: Floats, levels: tuple[float, ...]) -> Floats:
    """Returns linearly interpolated quantiles of rows that are sorted, [row, level]."""
    at = np.array(levels) * (ordered.shape[1] - 1)
    low = np.floor(at).astype(np.intp)
    high = np.minimum(low + 1, ordered.shape[1] - 1)
    share = at - low
    return np.asarray(ordered[:, low] * (1.0 - share) + ordered[:, high] * share)


def _naive_quantiles(demand: Floats) -> Floats:
    changes = np.sort(np.diff(demand[:, -OWN_WEEKS - 1 :], axis=1), axis=1)
    return monotone(demand[:, -1:] + sorted_quantiles(changes, LEVELS))


def _losses(demand: Floats, state: Smoothed, marks: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Returns the P90 loss of smoothing and of the naive forecast, summed over the trials."""
    ours, peer = np.zeros(len(demand)), np.zeros(len(demand))
    p90 = LEVELS[4:5]
    for at, mark in enumerate(marks):
        came = demand[:, mark : mark + JUDGED]
        level, spread = state.marked[at]
        said = count_quantiles(level, spread, p90)
        ours += pinball(said, came, p90[0]).sum(axis=1)
        past = demand[:, max(0, mark - OWN_WEEKS - 1) : mark]
        changes = np.sort(np.diff(past, axis=1), axis=1)
        naive = np.maximum(past[:, -1:] + sorted_quantiles(changes, p90), 0.0)
        peer += pinball(naive, came, p90[0]).sum(axis=1)
    return ours, peer


def classes(mean: Floats) -> NDArray[np.intp]:
    """Returns the class of each series by its units a week, 0 to `len(RATES)`."""
    return np.searchsorted(np.array(RATES), mean, side="right")


def calibrated(found: Levels, calibration: Calibration) -> Levels:
    """Returns levels whose quantiles stand off the mean by the factors of their class, in order."""
    center = found.mean[:, None]
    stretched = center + (found.quantiles - center) * calibration[classes(found.mean)]
    kept = np.where(found.quantiles > 0, stretched, 0.0)
    return replace(found, quantiles=monotone(kept))
