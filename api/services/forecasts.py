"""Forecasts as jobs: asked for, made from the current brand, kept for whoever plans next."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlmodel import Session

from api.queue.records import JobRecord
from api.queue.store import enqueue, job_of
from api.services.brands import brand_version, current_brand, planned_weeks
from api.services.forecast_figures import (
    counts,
    finding_row,
    override_rows,
    records,
    value_added,
)
from api.services.overrides import past_overrides, with_overrides
from api.services.tables import read_table
from core.brand import Brand
from core.clock import Clock
from core.errors import BadInput, Conflict, NotFound
from core.ids import Entropy, mint
from inventory.demand import joint, overrides, store
from inventory.demand.accuracy import Accuracy
from inventory.demand.forecast import Forecast
from inventory.demand.overrides import Override
from inventory.demand.parts import ForecastPart
from inventory.demand.quantiles import COLUMNS
from inventory.demand.records import ForecastPartRecord, ForecastRecord

KIND = "forecast.run"

FINDINGS_KEPT = 500
"""Most findings that are kept one by one; all are counted."""

SERIES_COLUMNS = ("method", "alpha", "value_added")
"""What is kept of each series beside its weeks."""

GROUP_ROWS = 4_096
"""Fewest rows that are read at a time from a part of a large forecast."""

USUAL_ALPHA = 0.1
"""Smoothing weight of a series that kept none."""

ITEM, CATEGORY, REGION = "item", "category", "region"
LEVELS = (ITEM, CATEGORY, REGION)

Row = dict[str, Any]
SeriesKey = tuple[str, str, str]
"""What orders rows of series: the region, the category or item ("" for a region), the week."""


@dataclass(frozen=True, slots=True)
class ForecastView:
    """A forecast and the job that makes it."""

    forecast: ForecastRecord
    job: JobRecord


@dataclass(frozen=True, slots=True)
class ForecastInputs:
    """What the job of a forecast computes: the brand, with every override that stands.

    `past` holds overrides that ended since: a backtest judges them, no forecast applies them.
    """

    asked: ForecastRecord
    brand: Brand
    version: str
    past: tuple[Override, ...]


def request_forecast(
    session: Session, weeks: int | None, seed: int, origins: int, clock: Clock, entropy: Entropy
) -> ForecastView:
    """Returns a forecast of the current brand that a job will make.

    Without `weeks` the horizon is the brand's own. `origins` past planning dates judge it; 0 means
    that nothing is judged. Raises `NotFound` before a brand is loaded.
    """
    version, horizon = brand_version(session), weeks or planned_weeks(session)
    forecast = mint("fct", clock.now(), entropy)
    job = enqueue(session, KIND, forecast, {}, clock, entropy)
    record = ForecastRecord(
        id=forecast,
        brand_version=version,
        weeks=horizon,
        seed=seed,
        origins=origins,
        job=job.id,
        created_at=clock.now(),
    )
    store.add(session, record)
    return ForecastView(record, job)


def forecast_inputs(session: Session, forecast: str) -> ForecastInputs:
    """Returns what the job of a forecast computes, as it is now; raises `NotFound`."""
    asked = store.forecast_of(session, forecast)
    brand = with_overrides(session, current_brand(session))
    return ForecastInputs(asked, brand, brand_version(session), past_overrides(session))


def result_document(brand: Brand, made: Forecast, accuracy: Accuracy | None) -> Row:
    """Returns what is kept of a forecast beside its frame: what pages show without reading it."""
    return {
        **made.summary(),
        "regions": records(made.regions),
        "categories": records(made.categories),
        "events": records(made.events),
        "shifts": records(_shifts(made)),
        "overrides": override_rows(made, overrides.of_brand(brand), accuracy),
        "value_added": value_added(made),
        "finding_counts": counts(made.findings),
        "findings": [finding_row(found) for found in made.findings[:FINDINGS_KEPT]],
    }


def accuracy_document(accuracy: Accuracy) -> Row:
    """Returns how good a forecast was, by level and peer, by origin and region, with alarms."""
    return {
        **accuracy.as_json(),
        "by_origin": records(accuracy.by_origin),
        "by_region": records(accuracy.by_region),
        "overrides": records(accuracy.overrides),
        "alarms": [finding_row(found) for found in accuracy.alarms[:FINDINGS_KEPT]],
        "alarm_counts": counts(accuracy.alarms),
    }


def forecast_view(session: Session, forecast: str) -> ForecastView:
    """Returns a forecast with its job; raises `NotFound`."""
    record = store.forecast_of(session, forecast)
    return ForecastView(record, job_of(session, record.job))


def forecast_views(
    session: Session, limit: int, after: str | None = None
) -> Sequence[ForecastView]:
    """Returns forecasts with their jobs, newest first; `after` is the last id seen."""
    found = store.forecasts(session, limit, after)
    return [ForecastView(record, job_of(session, record.job)) for record in found]


def series_rows(
    session: Session,
    forecast: str,
    level: str,
    region: str | None,
    item: str | None,
    after: SeriesKey | None,
    limit: int,
) -> list[Row]:
    """Returns weeks of the series of one level, ordered by region, category or item, and start.

    Rows hold `start`, `region`, `item`, `category`, `mean` and quantiles, None where a level has
    none. Raises `NotFound`, and `Conflict` before the job has ended.
    """
    record = _finished(session, forecast)
    if level == ITEM:
        ordered = _item_rows(session, record, region, item, after, limit)
    else:
        ordered = _sorted(_kept(record, level, region), level, after)
    empty = dict.fromkeys((ITEM, CATEGORY, *COLUMNS))
    page = ordered.head(limit).drop(columns=list(SERIES_COLUMNS), errors="ignore")
    return [empty | row for row in records(page)]


def _sorted(frame: pd.DataFrame, level: str, after: SeriesKey | None) -> pd.DataFrame:
    """Returns rows in their order, those behind a key."""
    ordered = frame.sort_values(list(dict.fromkeys((REGION, level, "start"))))
    return ordered if after is None else ordered[_beyond(ordered, level, after)]


def _item_rows(
    session: Session,
    record: ForecastRecord,
    region: str | None,
    item: str | None,
    after: SeriesKey | None,
    limit: int,
) -> pd.DataFrame:
    """Returns rows behind a key in their order: at least `limit`, or all that are left."""
    found: list[pd.DataFrame] = []
    for place, part in _places(session, record, region, item, after):
        content = store.part_content(session, record.id, part)
        rows = _read(content, place, None if item is None else [item])
        found.append(_sorted(rows, ITEM, after))
        if sum(map(len, found)) >= limit:
            break
    return pd.concat(found) if found else pd.DataFrame()


def _places(
    session: Session,
    record: ForecastRecord,
    region: str | None,
    item: str | None,
    after: SeriesKey | None,
) -> Iterator[tuple[str, int]]:
    """Yields each region and part in which rows behind a key may stand, in their order."""
    parts = store.parts_of(session, record.id)
    regions = sorted({str(row["region"]) for row in (record.result or {}).get("regions", [])})
    for place in regions if region is None else [region]:
        if after is not None and place < after[0]:
            continue
        for part in parts:
            passed = after is not None and (place, part.last) < after[:2] and part.last != ""
            if not passed and (item is None or part.may_hold([item])):
                yield place, part.number


def series_key(level: str, row: Row) -> SeriesKey:
    """Returns what orders a row of a level."""
    return (str(row["region"]), "" if level == REGION else str(row[level]), str(row["start"]))


def _kept(record: ForecastRecord, level: str, region: str | None) -> pd.DataFrame:
    """Returns the weeks of regions or categories, which are kept beside the frame."""
    rows = (record.result or {}).get({CATEGORY: "categories", REGION: "regions"}[level], [])
    own = [row for row in rows if region in (None, row["region"])]
    frame = pd.DataFrame(own, columns=None if own else [REGION, level, "start", "mean"])
    return frame.assign(start=pd.to_datetime(frame["start"]))


def _beyond(frame: pd.DataFrame, level: str, after: SeriesKey) -> "pd.Series[bool]":
    """Returns a flag for each row that stands behind a key."""
    region, name, start = after
    beyond = frame["start"] > pd.Timestamp(start)
    if level != REGION:
        beyond = (frame[level] > name) | ((frame[level] == name) & beyond)
    return (frame[REGION] > region) | ((frame[REGION] == region) & beyond)


def lead_time(session: Session, forecast: str, item: str, region: str, weeks: int) -> Row:
    """Returns `mean` and quantiles of the units asked for over the first `weeks` weeks together.

    Raises `NotFound` for an unknown series, `BadInput` for more weeks than were forecast, and
    `Conflict` before the job has ended.
    """
    record = _finished(session, forecast)
    rows = _frame(session, record, region, item).sort_values("start")
    if rows.empty:
        raise NotFound("series", f"{item} in {region}")
    if len(rows) < weeks:
        raise BadInput(f"Expected at most {len(rows)} weeks, got {weeks}.")
    return _summed(rows.head(weeks), record.seed)


def latest_forecast(session: Session, version: str) -> pd.DataFrame | None:
    """Returns the newest finished forecast of a brand version in the layout of `forecast.parquet`.

    None where no forecast of that version has finished.
    """
    forecast = store.latest(session, version)
    return None if forecast is None else forecast_table(session, forecast)


def forecast_table(session: Session, forecast: str) -> pd.DataFrame:
    """Returns a finished forecast in the layout of `forecast.parquet`."""
    contents = [
        store.part_content(session, forecast, part.number)
        for part in store.parts_of(session, forecast)
    ]
    return read_table("forecast", contents)


def newest_finished(session: Session, version: str) -> ForecastRecord | None:
    """Returns the newest finished forecast of a brand version without its frame; None without."""
    finished = (record for record in store.forecasts(session, 50) if record.finished_at)
    return next((record for record in finished if record.brand_version == version), None)


def as_parquet(frame: pd.DataFrame, group_rows: int | None = None) -> bytes:
    """Returns a frame as compressed Parquet; readers skip whole groups that a filter excludes."""
    content = frame.to_parquet(None, index=False, compression="zstd", row_group_size=group_rows)
    return bytes(content or b"")


def kept_frame(made: Forecast) -> bytes:
    """Returns the frame as Parquet, each row with its series' `method`, `alpha`, `value_added`."""
    series = made.series_methods
    items, regions = pd.Index(series["item"].unique()), pd.Index(series["region"].unique())

    def places(frame: pd.DataFrame) -> NDArray[np.intp]:
        item, region = items.get_indexer(frame["item"]), regions.get_indexer(frame["region"])
        return np.asarray(item * len(regions) + region)

    known = np.full(len(items) * len(regions), -1, dtype=np.intp)
    known[places(series)] = np.arange(len(series))
    rows = known[places(made.frame)]
    told = {name: series[name].array.take(rows) for name in SERIES_COLUMNS}
    return as_parquet(made.frame.assign(**told))


def item_frame(
    session: Session, forecast: str, region: str | None, items: Sequence[str] | None
) -> pd.DataFrame:
    """Returns the rows of some items of a finished forecast, of all where None is given."""
    if store.forecast_of(session, forecast).finished_at is None:
        raise Conflict(f"Forecast {forecast} has not ended yet.", "forecast-not-finished")
    found = [
        _read(store.part_content(session, forecast, part.number), region, items)
        for part in store.parts_of(session, forecast)
        if items is None or part.may_hold(items) or not part.number
    ]
    return pd.concat(found, ignore_index=True)


def part_record(forecast: str, part: ForecastPart) -> ForecastPartRecord:
    """Returns a part of a large forecast as it is kept: a group of rows for each region."""
    content = as_parquet(part.plain(), max(len(part.frame) // part.regions, GROUP_ROWS))
    return ForecastPartRecord(
        forecast=forecast,
        number=part.number,
        first_item=part.first,
        last_item=part.last,
        content=content,
    )


def _read(content: bytes, region: str | None, items: Sequence[str] | None) -> pd.DataFrame:
    """Returns the rows of a region and of some items, of all where None is given."""
    wanted: list[tuple[str, str, Any]] = [("region", "==", region)] if region else []
    wanted += [("item", "in", items)] if items else []
    frame = pd.read_parquet(io.BytesIO(content), filters=wanted or None)
    return frame if items is None or items else frame.iloc[:0]


def _finished(session: Session, forecast: str) -> ForecastRecord:
    record = store.forecast_of(session, forecast)
    if record.finished_at is None:
        raise Conflict(f"Forecast {forecast} has not ended yet.", "forecast-not-finished")
    return record


def _frame(
    session: Session, record: ForecastRecord, region: str | None, item: str | None
) -> pd.DataFrame:
    return item_frame(session, record.id, region, None if item is None else [item])


def _shifts(made: Forecast) -> pd.DataFrame:
    """Returns what overrides changed, summed: start, region, category, statistical, mean."""
    grouped = made.shifts.groupby(["start", "region", "category"], as_index=False)
    return grouped[["statistical", "mean"]].sum()


def _summed(rows: pd.DataFrame, seed: int) -> Row:
    """Returns the mean and quantiles of the sum of the weeks of one series, drawn jointly."""
    mean = rows["mean"].to_numpy(dtype=np.float64)
    quantiles = rows[list(COLUMNS)].to_numpy(dtype=np.float64)
    alpha = float(rows["alpha"].iloc[0]) if "alpha" in rows else USUAL_ALPHA
    tails = joint.sums(mean[None], quantiles[None], np.array([alpha]), seed)[0, -1]
    return {"mean": float(mean.sum())} | dict(zip(COLUMNS, tails.tolist(), strict=True))
