"""The forecast page: weekly demand behind and ahead, for all markets or one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlmodel import Session

from api.services.brands import brand_version
from api.services.forecasts import latest_forecast
from core.brand import Brand
from inventory.demand import store
from inventory.demand.records import ForecastRecord

QUANTILES = ("p05", "p25", "p50", "p75", "p95")
WEEKS_BEHIND = 52
_DAYS = 7


@dataclass(frozen=True, slots=True)
class MarketDemand:
    """Units that one market will ask for over the horizon."""

    region: str
    name: str
    mean: float


@dataclass(frozen=True, slots=True)
class ForecastPage:
    """One forecast for one market or all; `chart` holds `history` and `forecast` rows by week."""

    region: str
    region_name: str
    source: str
    weeks: int
    total: float
    regions: Sequence[MarketDemand]
    chart: dict[str, Any]
    facts: Sequence[tuple[str, str]]


def forecast_page(session: Session, brand: Brand, region: str) -> ForecastPage | None:
    """Returns the newest forecast of the brand, or the one of its folder; None without either.

    A `region` that the brand does not have means all markets.
    """
    record = _newest(session, brand_version(session))
    frame = _weekly(session, brand, record)
    if frame is None or frame.empty:
        return None
    names = dict(zip(brand.table("regions")["region"], brand.table("regions")["name"], strict=True))
    chosen = region if region in names else ""
    own = frame[frame["region"] == chosen] if chosen else frame
    markets = _markets(frame, names)
    return ForecastPage(
        region=chosen,
        region_name=names.get(chosen) or chosen,
        source=_source(record, chosen),
        weeks=frame["start"].nunique(),
        total=sum(market.mean for market in markets),
        regions=markets,
        chart={"history": _history(brand, chosen), "forecast": _ahead(own)},
        facts=_facts(record) if record else (),
    )


def _newest(session: Session, version: str) -> ForecastRecord | None:
    finished = (record for record in store.forecasts(session, 50) if record.finished_at)
    return next((record for record in finished if record.brand_version == version), None)


def _weekly(session: Session, brand: Brand, record: ForecastRecord | None) -> pd.DataFrame | None:
    """Returns units by week and region with quantiles: a market's own where the run kept them."""
    if record is not None and (record.result or {}).get("regions"):
        frame = pd.DataFrame((record.result or {})["regions"])
        return frame.assign(start=pd.to_datetime(frame["start"]))
    made = latest_forecast(session, brand_version(session))
    return _summed(made if made is not None else brand.table("forecast"))


def _summed(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns items added up by week and region; a forecast without quantiles has no width."""
    filled = frame.assign(**{name: frame[name].fillna(frame["mean"]) for name in QUANTILES})
    columns = ["mean", *QUANTILES]
    return filled.groupby(["start", "region"], as_index=False, observed=True)[columns].sum()


def _markets(frame: pd.DataFrame, names: dict[str, str]) -> list[MarketDemand]:
    totals = frame.groupby("region", observed=True)["mean"].sum().sort_values(ascending=False)
    return [
        MarketDemand(str(region), names.get(str(region)) or str(region), float(mean))
        for region, mean in totals.items()
    ]


def _source(record: ForecastRecord | None, region: str) -> str:
    if record is None:
        return "the brand's own forecast, items added up as if they moved together"
    return "market forecast" if region else "markets added up as if they moved together"


def _history(brand: Brand, region: str) -> list[dict[str, Any]]:
    demand = brand.table("demand")
    since = pd.Timestamp(brand.today) - pd.Timedelta(weeks=WEEKS_BEHIND)
    seen = demand[(demand["date"] <= pd.Timestamp(brand.today)) & (demand["date"] > since)]
    if region:
        seen = seen[seen["region"] == region]
    monday = seen["date"] - pd.to_timedelta(seen["date"].dt.day_of_week, unit="D")
    weeks = seen["quantity"].groupby(monday).sum()
    # The first and the last week are cut by the window: half a week would look like a slump.
    whole = weeks[[_whole(week, since, brand) for week in weeks.index]]
    return [
        {"start": f"{week:%Y-%m-%d}", "quantity": float(units)} for week, units in whole.items()
    ]


def _whole(week: pd.Timestamp, since: pd.Timestamp, brand: Brand) -> bool:
    last = week + pd.Timedelta(days=_DAYS - 1)
    return bool(week > since and last <= pd.Timestamp(brand.today))


def _ahead(frame: pd.DataFrame) -> list[dict[str, Any]]:
    weeks = frame.groupby("start")[["mean", *QUANTILES]].sum().sort_index()
    return [
        {"start": f"{week:%Y-%m-%d}"} | {name: round(float(row[name]), 2) for name in row.index}
        for week, row in weeks.iterrows()
    ]


def _facts(record: ForecastRecord) -> list[tuple[str, str]]:
    result, accuracy = record.result or {}, record.accuracy or {}
    facts = [
        ("Made", f"{record.finished_at:%-d %b %Y %H:%M} UTC" if record.finished_at else ""),
        ("Series", f"{result.get('series', 0):,}"),
        ("Time taken", f"{result.get('seconds', 0):.1f} s"),
        *((name, text) for name, text in _judged(accuracy)),
        *((name.replace("_", " "), f"{count:,} series") for name, count in _models(result)),
    ]
    return [(name, text) for name, text in facts if text]


def _models(result: dict[str, Any]) -> list[tuple[str, int]]:
    models: dict[str, int] = result.get("models", {})
    return sorted(models.items(), key=lambda model: -model[1])


def _judged(accuracy: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns the measures of a backtest that a planner reads first, where one was made."""
    market = accuracy.get("region", {})
    told = {"wape": "Error by market (WAPE)", "p90_hit": "Within P90", "fva_share": "Beats naive"}
    return [
        (label, f"{100 * market[name]:.1f} %")
        for name, label in told.items()
        if isinstance(market.get(name), int | float)
    ]
