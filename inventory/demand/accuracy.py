"""Accuracy: forecasts made at past planning dates, judged by what came, beside two naive peers."""

from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.brand import Brand
from core.errors import BadInput
from inventory.demand.forecast import forecast
from inventory.demand.history import DAYS, History
from inventory.demand.quantiles import COLUMNS, LEVELS, monotone
from inventory.demand.regions import YEAR, Report
from inventory.demand.smoothing import START_WEEKS

Floats = NDArray[np.float64]

P50, P90, P95 = COLUMNS.index("p50"), COLUMNS.index("p90"), COLUMNS.index("p95")

PEERS = ("ours", "naive", "seasonal_naive")

JUDGED_WEEKS = 4
"""Weeks ahead that are judged unless somebody asks for more: what a reorder needs to know."""

CHANGE_WEEKS = 26
"""Weeks whose changes give the naive forecasters their quantiles."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How good a forecast was; shares of the demand that came, lower is better but for the last.

    `wape` and `bias` (forecast minus demand) judge the mean; a pinball loss is twice the quantile
    loss; `p90_hit` is the share of weeks at or below P90 and should be 0.90; `fva_share` is the
    share of series whose P90 pinball loss is no worse than the naive one.
    """

    wape: float
    bias: float
    pinball_p50: float
    pinball_p90: float
    pinball_p95: float
    p90_hit: float
    fva_share: float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Scores of the forecast and of its peers at both levels."""

    item_region: dict[str, Scores]
    region: dict[str, Scores]

    def as_json(self) -> dict[str, Any]:
        """Returns our scores by level, and under each peer's name the same for that peer."""
        levels = {"item_region": self.item_region, "region": self.region}
        ours = {level: asdict(scores["ours"]) for level, scores in levels.items()}
        peers = {
            peer: {level: asdict(scores[peer]) for level, scores in levels.items()}
            for peer in PEERS[1:]
        }
        return ours | peers


@dataclass(frozen=True, slots=True)
class Guess:
    """What one forecaster said: mean [series, week], quantiles [series, week, level]."""

    mean: Floats
    quantiles: Floats


@dataclass(frozen=True, slots=True)
class Trial:
    """One past planning date: what each forecaster said, and what came, [series, week]."""

    said: dict[str, Guess]
    came: Floats


def backtest(
    brand: Brand, origins: int, weeks: int, seed: int = 0, report: Report | None = None
) -> Accuracy:
    """Returns how well the last `origins * weeks` weeks would have been forecast.

    Planning dates stand `weeks` apart and each sees only demand before it, so every week is judged
    once. Raises `BadInput` when the history is too short for that many origins.
    """
    whole = History.of(brand)
    if origins < 1 or weeks < 1 or whole.weeks - origins * weeks < START_WEEKS:
        raise BadInput(
            f"Expected at least 1 origin and {START_WEEKS} weeks of history before the first; "
            f"{origins} origins of {weeks} weeks do not fit into {whole.weeks} weeks of demand."
        )
    items: list[Trial] = []
    regions: list[Trial] = []
    for at, end in enumerate(range(whole.weeks - origins * weeks, whole.weeks, weeks)):
        tell = _stretch(report, at, origins)
        item, region = _trial(brand, whole, end, weeks, seed=seed, report=tell)
        items.append(item)
        regions.append(region)
    return Accuracy(item_region=_judged(items), region=_judged(regions))


def score(guess: Guess, naive: Guess, came: Floats) -> Scores:
    """Returns the scores of a forecaster; all arrays are [series, week] and hold all origins."""
    total = max(float(came.sum()), 1e-12)
    loss = [2.0 * _pinball(guess.quantiles[..., at], came, LEVELS[at]) for at in (P50, P90, P95)]
    peer = _pinball(naive.quantiles[..., P90], came, LEVELS[P90]).sum(axis=1)
    return Scores(
        wape=float(np.abs(guess.mean - came).sum() / total),
        bias=float((guess.mean - came).sum() / total),
        pinball_p50=float(loss[0].sum() / total),
        pinball_p90=float(loss[1].sum() / total),
        pinball_p95=float(loss[2].sum() / total),
        p90_hit=float((came <= guess.quantiles[..., P90] + 1e-9).mean()),
        fva_share=float((loss[1].sum(axis=1) / 2.0 <= peer + 1e-9).mean()),
    )


def naive_guess(past: Floats, weeks: int) -> Guess:
    """Returns the last week repeated, with the quantiles of the last half year's changes.

    The spread does not grow with the horizon: the wider fan of a random walk would be an easier
    peer to beat.
    """
    return _with_changes(np.repeat(past[:, -1:], weeks, axis=1), np.diff(past, axis=1))


def seasonal_guess(past: Floats, weeks: int) -> Guess:
    """Returns the same weeks of last year, the last week where there is no last year."""
    have = past.shape[1]
    if have < YEAR + weeks:
        return naive_guess(past, weeks)
    mean = past[:, have - YEAR + np.arange(weeks) % YEAR]
    return _with_changes(mean, past[:, YEAR:] - past[:, :-YEAR])


def _with_changes(mean: Floats, changes: Floats) -> Guess:
    spread = np.quantile(changes[:, -CHANGE_WEEKS:], LEVELS, axis=1).T[:, None, :]
    return Guess(mean, monotone(mean[..., None] + spread))


def _pinball(quantile: Floats, came: Floats, level: float) -> Floats:
    miss = came - quantile
    return np.asarray(np.maximum(level * miss, (level - 1.0) * miss))


def _trial(
    brand: Brand, whole: History, end: int, weeks: int, *, seed: int, report: Report
) -> tuple[Trial, Trial]:
    """Returns the trials of items and of regions at the Sunday before week `end`."""
    today = whole.first + timedelta(days=DAYS * end - 1)
    made = forecast(replace(brand, today=today), weeks, seed, report)
    by_item = made.frame[["mean", *COLUMNS]].to_numpy(dtype=np.float64)
    cells = by_item.reshape(weeks, len(whole.regions), len(whole.items), -1)
    by_region = made.regions[["mean", *COLUMNS]].to_numpy(dtype=np.float64)
    return (
        _compared(
            cells.transpose(2, 1, 0, 3).reshape(whole.count, weeks, -1),
            whole.matrix(0, whole.count),
            end,
        ),
        _compared(
            by_region.reshape(weeks, len(whole.regions), -1).transpose(1, 0, 2),
            whole.by_region,
            end,
        ),
    )


def _compared(said: Floats, demand: Floats, end: int) -> Trial:
    past, weeks = demand[:, :end], said.shape[1]
    return Trial(
        said={
            "ours": Guess(said[..., 0], said[..., 1:]),
            "naive": naive_guess(past, weeks),
            "seasonal_naive": seasonal_guess(past, weeks),
        },
        came=demand[:, end : end + weeks],
    )


def _judged(trials: list[Trial]) -> dict[str, Scores]:
    """Returns the scores of each forecaster over all origins side by side."""
    came = np.concatenate([trial.came for trial in trials], axis=1)
    guesses = {peer: _joined([trial.said[peer] for trial in trials]) for peer in PEERS}
    return {peer: score(guesses[peer], guesses["naive"], came) for peer in PEERS}


def _joined(guesses: list[Guess]) -> Guess:
    return Guess(
        np.concatenate([guess.mean for guess in guesses], axis=1),
        np.concatenate([guess.quantiles for guess in guesses], axis=1),
    )


def _stretch(report: Report | None, at: int, of: int) -> Report:
    if report is None:
        return lambda share, doing: None
    return lambda share, doing: report((at + share) / of, f"Planning date {at + 1} of {of}")
