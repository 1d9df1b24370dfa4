"""Accuracy: forecasts made at past planning dates, judged by what came, beside two naive peers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.brand import Brand
from core.errors import BadInput
from inventory.demand import overrides
from inventory.demand.book import DAYS
from inventory.demand.findings import Finding
from inventory.demand.forecast import Forecast, forecast
from inventory.demand.history import History
from inventory.demand.lines import missing
from inventory.demand.naive import Guess, naive_guess, pinball, seasonal_guess
from inventory.demand.overrides import Override
from inventory.demand.quantiles import COLUMNS, LEVELS
from inventory.demand.regions import Report
from inventory.demand.season import YEAR
from inventory.demand.smoothing import START_WEEKS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

P50, P90, P95 = COLUMNS.index("p50"), COLUMNS.index("p90"), COLUMNS.index("p95")

PEERS = ("ours", "naive", "seasonal_naive")

JUDGED_WEEKS = 4
"""Weeks ahead that are judged unless somebody asks for more: what a reorder needs to know."""

EVIDENCE_WEEKS = 8
"""Series with demand in fewer weeks are not scored: of nothing, everything is within P90, and no
forecast is worse than another."""

BIAS_ALARM = 0.25
"""A market is off when its forecasts missed by over this share in one direction,"""

BIAS_SIGMAS = 3.0
"""and by more than so many standard errors of its weekly misses."""

HIT_ALARM = 0.10
"""A market's P90 is off when its hit rate is further than this from 0.90."""

FEWEST_JUDGED = 12
"""Weeks below which no alarm is raised."""


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


@dataclass(frozen=True)
class Accuracy:
    """Scores of the forecast and of its peers at both levels, and where they come from.

    Items count where the whole history holds demand in at least 8 weeks; markets hold all items.
    `by_origin` has a row per planning date and level, `by_region` one per market, `by_series` one
    per item and region with demand in at least 8 weeks; `overrides` says what each past override
    was worth. `alarms` name markets whose forecasts lean to one side or whose P90 does not hold.
    """

    item_region: dict[str, Scores]
    region: dict[str, Scores]
    by_origin: pd.DataFrame
    by_region: pd.DataFrame
    by_series: pd.DataFrame
    overrides: pd.DataFrame
    alarms: tuple[Finding, ...]
    origins: tuple[date, ...]
    weeks: int

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
class Trial:
    """One past planning date: what each forecaster said, and what came, [series, week].

    `counted` flags weeks that could be sold in; others are nobody's miss.
    """

    origin: date
    said: dict[str, Guess]
    came: Floats
    counted: Flags

    def only(self, rows: NDArray[np.intp]) -> "Trial":
        """Returns the trial of some series."""
        said = {
            peer: Guess(guess.mean[rows], guess.quantiles[rows])
            for peer, guess in self.said.items()
        }
        return Trial(self.origin, said, self.came[rows], self.counted[rows])


@dataclass(frozen=True)
class _Look:
    """Everything that one past planning date gives."""

    items: Trial
    regions: Trial
    overrides: pd.DataFrame


def backtest(
    brand: Brand,
    origins: int,
    weeks: int,
    seed: int = 0,
    report: Report | None = None,
    workers: int = 1,
    more: Sequence[Override] = (),
) -> Accuracy:
    """Returns how well the weeks after past planning dates would have been forecast.

    The dates are spread evenly over the last year, the latest `weeks` before the end (closer
    together or further back where the history asks for it), and each sees only what was known then.
    What came is the cleaned demand; weeks without stock do not count. Raises `BadInput` when the
    history is too short for that many origins.
    """
    whole = History.of(brand)
    try:
        ends = spread_origins(whole.weeks, origins, weeks)
    except BadInput as error:
        raise missing(brand, str(error)) from error
    looks = [
        _look(brand, whole, end, weeks, seed, _stretch(report, at, len(ends)), workers, more)
        for at, end in enumerate(ends)
    ]
    enough = np.flatnonzero(np.bincount(whole.series, minlength=whole.count) >= EVIDENCE_WEEKS)
    items, regions = [look.items.only(enough) for look in looks], [look.regions for look in looks]
    by_region = _by_region(whole, regions)
    return Accuracy(
        item_region=_judged(items),
        region=_judged(regions),
        by_origin=_by_origin(items, regions),
        by_region=by_region,
        by_series=_by_series(whole, items, enough),
        overrides=overrides.judged([look.overrides for look in looks]),
        alarms=tuple(_alarms(by_region)),
        origins=tuple(look.items.origin for look in looks),
        weeks=weeks,
    )


def spread_origins(have: int, origins: int, weeks: int) -> list[int]:
    """Returns the first judged week of each origin, rising, over the last year of `have` weeks.

    More origins than a year holds reach further back, so that no two windows overlap. Raises
    `BadInput` where `START_WEEKS` weeks do not come before the first.
    """
    room = have - START_WEEKS
    if origins < 1 or weeks < 1 or room < origins * weeks:
        raise BadInput(
            f"Expected at least 1 origin and {START_WEEKS} weeks of history before the first; "
            f"{origins} origins of {weeks} weeks do not fit into {have} weeks of demand."
        )
    step = max(weeks, min(YEAR, room) // origins)
    return [have - weeks - step * back for back in range(origins - 1, -1, -1)]


def score(guess: Guess, naive: Guess, came: Floats, counted: Flags | None = None) -> Scores:
    """Returns the scores of a forecaster; all arrays are [series, week] and hold all origins."""
    seen = np.ones_like(came) if counted is None else counted.astype(np.float64)
    total = max(float((came * seen).sum()), 1e-12)
    loss = {at: _loss(guess, came, at) * seen for at in (P50, P90, P95)}
    peer = (_loss(naive, came, P90) * seen).sum(axis=1)
    within = (came <= guess.quantiles[..., P90] + 1e-9) * seen
    no_worse = loss[P90].sum(axis=1) <= peer + 1e-9
    return Scores(
        wape=float((np.abs(guess.mean - came) * seen).sum() / total),
        bias=float(((guess.mean - came) * seen).sum() / total),
        pinball_p50=2.0 * float(loss[P50].sum() / total),
        pinball_p90=2.0 * float(loss[P90].sum() / total),
        pinball_p95=2.0 * float(loss[P95].sum() / total),
        p90_hit=_share(within.sum(), seen.sum()),
        fva_share=_share(no_worse.sum(), len(no_worse)),
    )


def _share(part: Any, whole: Any) -> float:
    return float(part / whole) if whole else 0.0


def _loss(guess: Guess, came: Floats, at: int) -> Floats:
    return pinball(guess.quantiles[..., at], came, LEVELS[at])


def _look(
    brand: Brand,
    whole: History,
    end: int,
    weeks: int,
    seed: int,
    report: Report,
    workers: int,
    more: Sequence[Override],
) -> _Look:
    """Returns the trials of items and of regions at the Sunday before week `end`."""
    today = whole.first + timedelta(days=DAYS * end - 1)
    then = replace(brand, today=today)
    made = forecast(_without_overrides(then), weeks, seed, report, workers)
    came = whole.matrix(0, whole.count)
    hidden = whole.hidden_matrix(0, whole.count)
    units = came[:, end : end + weeks]
    rows = units.reshape(len(whole.items), len(whole.regions), weeks).transpose(2, 1, 0).ravel()
    known = overrides.in_order((*overrides.of_brand(brand), *more))
    worth = overrides.value_added(made.frame, rows, known, overrides.categories_of(brand), today)
    return _Look(
        items=_compared(_item_cells(made, whole, weeks), came, ~hidden, end, today),
        regions=_compared(
            _cells(made.regions, weeks, len(whole.regions)).transpose(1, 0, 2),
            whole.by_region,
            np.ones_like(whole.by_region, dtype=bool),
            end,
            today,
        ),
        overrides=worth,
    )


def _without_overrides(brand: Brand) -> Brand:
    """Returns the brand as statistics see it: what people decided is judged by itself."""
    return brand.with_table("overrides", brand.table("overrides").iloc[:0])


def _item_cells(made: Forecast, whole: History, weeks: int) -> Floats:
    cells = _cells(made.frame, weeks, len(whole.regions) * len(whole.items))
    by_item = cells.reshape(weeks, len(whole.regions), len(whole.items), -1)
    return by_item.transpose(2, 1, 0, 3).reshape(whole.count, weeks, -1)


def _cells(frame: pd.DataFrame, weeks: int, series: int) -> Floats:
    return frame[["mean", *COLUMNS]].to_numpy(dtype=np.float64).reshape(weeks, series, -1)


def _compared(said: Floats, demand: Floats, counted: Flags, end: int, today: date) -> Trial:
    past, weeks = demand[:, :end], said.shape[1]
    return Trial(
        origin=today,
        said={
            "ours": Guess(said[..., 0], said[..., 1:]),
            "naive": naive_guess(past, weeks),
            "seasonal_naive": seasonal_guess(past, weeks),
        },
        came=demand[:, end : end + weeks],
        counted=counted[:, end : end + weeks],
    )


def _judged(trials: list[Trial]) -> dict[str, Scores]:
    """Returns the scores of each forecaster over all origins side by side."""
    came = np.concatenate([trial.came for trial in trials], axis=1)
    counted = np.concatenate([trial.counted for trial in trials], axis=1)
    guesses = {peer: _joined([trial.said[peer] for trial in trials]) for peer in PEERS}
    return {peer: score(guesses[peer], guesses["naive"], came, counted) for peer in PEERS}


def _joined(guesses: list[Guess]) -> Guess:
    return Guess(
        np.concatenate([guess.mean for guess in guesses], axis=1),
        np.concatenate([guess.quantiles for guess in guesses], axis=1),
    )


def _by_origin(items: list[Trial], regions: list[Trial]) -> pd.DataFrame:
    rows = [
        {"origin": pd.Timestamp(trial.origin), "level": level, **_shown(trial)}
        for level, trials in (("item_region", items), ("region", regions))
        for trial in trials
    ]
    return pd.DataFrame(rows)


def _shown(trial: Trial) -> dict[str, float]:
    said = score(trial.said["ours"], trial.said["naive"], trial.came, trial.counted)
    peer = score(trial.said["naive"], trial.said["naive"], trial.came, trial.counted)
    kept = {name: getattr(said, name) for name in ("wape", "bias", "pinball_p90", "p90_hit")}
    return kept | {"wape_naive": peer.wape, "pinball_p90_naive": peer.pinball_p90}


def _by_region(whole: History, trials: list[Trial]) -> pd.DataFrame:
    came = np.concatenate([trial.came for trial in trials], axis=1)
    ours = _joined([trial.said["ours"] for trial in trials])
    naive = _joined([trial.said["naive"] for trial in trials])
    miss = ours.mean - came
    total = np.where(came.sum(axis=1) > 0, came.sum(axis=1), np.nan)
    error = miss.std(axis=1) * np.sqrt(came.shape[1])
    return pd.DataFrame(
        {
            "region": list(whole.regions),
            "demand": came.sum(axis=1),
            "weeks": came.shape[1],
            "wape": np.abs(miss).sum(axis=1) / total,
            "bias": miss.sum(axis=1) / total,
            "bias_error": error / total,
            "pinball_p90": 2.0 * _loss(ours, came, P90).sum(axis=1) / total,
            "p90_hit": (came <= ours.quantiles[..., P90] + 1e-9).mean(axis=1),
            "wape_naive": np.abs(naive.mean - came).sum(axis=1) / total,
            "pinball_p90_naive": 2.0 * _loss(naive, came, P90).sum(axis=1) / total,
        }
    )


def _by_series(whole: History, trials: list[Trial], rows: NDArray[np.intp]) -> pd.DataFrame:
    """Returns what each judged series lost; `rows` are their numbers."""
    came = np.concatenate([trial.came for trial in trials], axis=1)
    seen = np.concatenate([trial.counted for trial in trials], axis=1)
    ours = _joined([trial.said["ours"] for trial in trials])
    naive = _joined([trial.said["naive"] for trial in trials])
    within = (came <= ours.quantiles[..., P90] + 1e-9) & seen
    regions, items = np.array(whole.regions, dtype=object), np.array(whole.items, dtype=object)
    return pd.DataFrame(
        {
            "region": regions[rows % len(whole.regions)],
            "item": items[rows // len(whole.regions)],
            "demand": (came * seen).sum(axis=1),
            "loss_ours": 2.0 * (_loss(ours, came, P90) * seen).sum(axis=1),
            "loss_naive": 2.0 * (_loss(naive, came, P90) * seen).sum(axis=1),
            "bias": ((ours.mean - came) * seen).sum(axis=1),
            "p90_hit": within.sum(axis=1) / np.maximum(seen.sum(axis=1), 1),
        }
    )


def _alarms(by_region: pd.DataFrame) -> list[Finding]:
    """Returns what somebody should look into: leaning forecasts and quantiles that do not hold."""
    found: list[Finding] = []
    for row in by_region.to_dict("records"):
        if row["weeks"] < FEWEST_JUDGED or not row["demand"] > 0:
            continue
        bias, sure = float(row["bias"]), BIAS_SIGMAS * float(row["bias_error"])
        if abs(bias) > max(BIAS_ALARM, sure):
            side = "above" if bias > 0 else "below"
            told = f"forecasts stood {abs(bias):.0%} {side} demand over {row['weeks']} weeks"
            found.append(Finding("bias", "", str(row["region"]), None, told))
        hit = float(row["p90_hit"])
        if abs(hit - 0.90) > HIT_ALARM:
            told = f"demand stayed within P90 in {hit:.0%} of {row['weeks']} weeks, not in 90 %"
            found.append(Finding("hit", "", str(row["region"]), None, told))
    return found


def _stretch(report: Report | None, at: int, of: int) -> Report:
    if report is None:
        return lambda share, doing: None
    return lambda share, doing: report((at + share) / of, f"Planning date {at + 1} of {of}")
