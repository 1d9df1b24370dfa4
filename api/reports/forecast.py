"""The forecast report: one HTML page that needs nothing but a browser."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray

from api.console.rendering import day, money, number, share, words
from api.reports.charts import WEEK, Band, Fan, Weeks, compact, fan, spark
from api.services import forecast_figures as figures
from core.brand import Brand
from inventory.demand.accuracy import PEERS, Accuracy
from inventory.demand.findings import Finding
from inventory.demand.forecast import Forecast
from inventory.demand.history import History
from inventory.demand.overrides import of_brand

Floats = NDArray[np.float64]

TEMPLATES = Path(__file__).parent / "templates"

WEEKS_BEHIND = 52
MOST_REGIONS, MOST_CATEGORIES, MOST_ITEMS = 24, 8, 5
"""How far one drills: the largest are shown, the others are counted."""

MOST_FINDINGS = 12
MOST_EVENTS = 4
ABSURD = 10.0
BINS = np.linspace(-0.5, 0.5, 21)

MEMBERS = {
    "smoothing": "smoothing",
    "level": "level",
    "trend": "trend",
    "last_year": "last year",
    "prophet": "Prophet",
}
"""Methods of regions in the words of a planner."""

KINDS = {
    "clipped": "One-off lines clipped",
    "stockout": "Stock-outs masked",
    "dead": "Items that stopped selling",
    "gap": "Gaps in the data",
    "history": "Histories with something odd",
    "promotion": "Promotions",
    "override": "Overrides that change nothing",
    "bias": "Bias",
    "hit": "Hit rate",
}
LEVELS = {"item_region": "Items in regions, weekly", "region": "Regions, weekly"}

SCORES = (
    ("wape", "Error (WAPE)"),
    ("bias", "Bias"),
    ("pinball_p50", "P50 loss"),
    ("pinball_p90", "P90 loss"),
    ("pinball_p95", "P95 loss"),
    ("p90_hit", "Within P90"),
    ("fva_share", "Series no worse"),
)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure at the head of the page, with what it is measured against."""

    label: str
    value: str
    note: str
    tone: str = ""


@dataclass(frozen=True)
class Scene:
    """What every part of the page is made from."""

    brand: Brand
    made: Forecast
    accuracy: Accuracy | None
    history: History
    weeks: Weeks
    names: Mapping[str, str]
    order: Sequence[str]
    """Regions, the largest first."""
    items: Mapping[str, tuple[int, str, str]]
    """Position, name and category of each item."""


def forecast_report(brand: Brand, made: Forecast, accuracy: Accuracy | None = None) -> str:
    """Returns a forecast as one page that asks nothing of a network and runs no script.

    The same brand, forecast and accuracy give the same page.
    """
    scene = _scene(brand, made, accuracy)
    return environment().get_template("forecast.html").render(
        brand=brand,
        made=made,
        tiles=_tiles(scene),
        total=_total(scene),
        regions=[_region(scene, region) for region in scene.order[:MOST_REGIONS]],
        hidden_regions=max(0, len(scene.order) - MOST_REGIONS),
        scores=_scores(accuracy),
        origins=_origins(accuracy),
        by_region=_by_region(scene),
        added=figures.value_added(made),
        bars=_bars(made),
        alarms=accuracy.alarms if accuracy else None,
        members=_members(scene),
        cleaned=_cleaned(made.findings),
        overrides=figures.override_rows(made, of_brand(brand), accuracy),
        judged=accuracy is not None,
        drill=[_drill(scene, region) for region in scene.order[:MOST_REGIONS]],
    )  # fmt: skip


@cache
def environment() -> Environment:
    """Returns the template environment of reports; a missing name is an error, never a blank."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        number=number,
        share=share,
        day=day,
        words=words,
        compact=compact,
        place=figures.place,
        money=money,
    )
    return made


def _scene(brand: Brand, made: Forecast, accuracy: Accuracy | None) -> Scene:
    history = History.of(brand)
    regions = brand.table("regions")
    names = dict(zip(regions["region"].astype(str), regions["name"].astype(str), strict=True))
    totals = made.regions.groupby("region", observed=True)["mean"].sum()
    order = [str(region) for region in totals.sort_values(ascending=False, kind="stable").index]
    behind = min(WEEKS_BEHIND, history.weeks)
    past = [history.first + WEEK * (history.weeks - behind + at) for at in range(behind)]
    ahead = [moment.date() for moment in sorted(made.regions["start"].unique())]
    named = {region: names.get(region) or region for region in order}
    weeks = Weeks(tuple(past), tuple(ahead))
    return Scene(brand, made, accuracy, history, weeks, named, order, _items_of(brand, history))


def _items_of(brand: Brand, history: History) -> Mapping[str, tuple[int, str, str]]:
    items = brand.table("items")
    named = zip(items["item"].astype(str), items["name"], items["category"], strict=True)
    told = {item: (str(name), str(category)) for item, name, category in named}
    return {item: (at, *told[item]) for at, item in enumerate(history.items)}


def _tiles(scene: Scene) -> list[Tile]:
    made, ahead, behind = scene.made, len(scene.weeks.ahead), len(scene.weeks.behind)
    units = float(made.regions["mean"].sum())
    past = float(scene.history.by_region[:, -behind:].sum(axis=0).mean())
    tiles = [
        Tile(
            f"Expected, next {ahead} weeks",
            number(units),
            f"units, {number(units / ahead)} a week; last {behind} weeks {number(past)} a week",
        )
    ]
    if scene.accuracy is not None:
        tiles += _judged_tiles(scene.accuracy)
    added = figures.value_added(made)
    tiles.append(
        Tile(
            "Series no worse than naive",
            share(added["share"], 0),
            f"by P90 loss, {added['judged']:,} of {made.series:,} series could be judged",
        )
    )
    tiles.append(
        Tile("Series", number(made.series), f"forecast in {made.seconds:.1f} s, six quantiles each")
    )
    return tiles


def _judged_tiles(accuracy: Accuracy) -> list[Tile]:
    items, regions = accuracy.item_region, accuracy.region
    ours, naive = items["ours"], items["naive"]
    return [
        Tile(
            "Error by region (WAPE)",
            share(regions["ours"].wape),
            f"naive {share(regions['naive'].wape)}, last year's week "
            f"{share(regions['seasonal_naive'].wape)}",
            _tone(regions["ours"].wape <= regions["naive"].wape),
        ),
        Tile(
            "Error by item (WAPE)",
            share(ours.wape),
            f"naive {share(naive.wape)}, last year's week {share(items['seasonal_naive'].wape)}",
            _tone(ours.wape <= naive.wape),
        ),
        Tile(
            "P90 loss by item",
            number(ours.pinball_p90, 3),
            f"{ours.pinball_p90 / max(naive.pinball_p90, 1e-12):.2f} of the naive one",
            _tone(ours.pinball_p90 <= naive.pinball_p90),
        ),
        Tile(
            "Within P90",
            share(ours.p90_hit),
            f"should be 90 %; bias {ours.bias:+.1%}",
            _tone(0.87 <= round(ours.p90_hit, 2) <= 0.93),
        ),
    ]


def _tone(good: bool) -> str:
    return "good" if good else "bad"


def _total(scene: Scene) -> Fan:
    """Returns the picture of all regions; their quantiles are added as if they moved together."""
    summed = scene.made.regions.groupby("start")[list(_BAND)].sum().sort_index()
    names = {
        (first, last, name)
        for region in scene.order[:3]
        for first, last, name in _events(scene, region)
    }
    return fan(
        scene.weeks,
        scene.history.by_region.sum(axis=0)[-len(scene.weeks.behind) :].tolist(),
        _band(summed),
        "All regions",
        sorted(names),
        _statistical(scene, scene.made.overridden, summed["mean"]),
        (1060, 300),
    )


def _region(scene: Scene, region: str) -> Row:
    rows = scene.made.regions
    own = rows[rows["region"] == region].sort_values("start")
    at = scene.history.regions.index(region)
    changed = scene.made.overridden
    events = _events(scene, region)
    drawing = fan(
        scene.weeks,
        scene.history.by_region[at, -len(scene.weeks.behind) :].tolist(),
        _band(own),
        scene.names[region],
        events,
        _statistical(scene, changed[changed["region"] == region], own.set_index("start")["mean"]),
    )
    coming = [
        (first, name) for first, _, name in events
        if scene.weeks.ahead[0] <= first < scene.weeks.end
    ]  # fmt: skip
    return {
        "region": region,
        "name": scene.names[region],
        "fan": drawing,
        "units": float(own["mean"].sum()),
        "events": coming[:MOST_EVENTS],
        "more_events": max(0, len(coming) - MOST_EVENTS),
    }


def _band(rows: pd.DataFrame) -> Band:
    values = (rows[name].to_numpy(dtype=np.float64) for name in _BAND)
    return Band(*values)


_BAND = ("mean", "p05", "p25", "p75", "p95")


def _statistical(scene: Scene, changed: pd.DataFrame, mean: "pd.Series[float]") -> Floats:
    """Returns what statistics said in each week that somebody overrode, NaN in the others."""
    by_week = changed.groupby("start")[["mean", "statistical"]].sum()
    moved = (by_week["mean"] - by_week["statistical"]).reindex(mean.index)
    return (mean - moved).to_numpy(dtype=np.float64)


def _events(scene: Scene, region: str) -> list[tuple[date, date, str]]:
    rows = scene.made.events
    own = rows[rows["region"] == region].sort_values(["start", "event"])
    return [
        (first.date(), last.date(), str(name))
        for first, last, name in zip(
            pd.to_datetime(own["start"]), pd.to_datetime(own["end"]), own["event"], strict=True
        )
    ]


def _scores(accuracy: Accuracy | None) -> list[Row]:
    """Returns for each level its scores by forecaster, and which forecaster is best at each."""
    if accuracy is None:
        return []
    levels = {"item_region": accuracy.item_region, "region": accuracy.region}
    return [
        {
            "level": LEVELS[level],
            "columns": [label for _, label in SCORES],
            "rows": [
                {"peer": words(peer), "ours": peer == "ours", "cells": _cells(scores, peer)}
                for peer in PEERS
            ],
        }
        for level, scores in levels.items()
    ]


def _cells(scores: Mapping[str, Any], peer: str) -> list[Row]:
    return [
        {"text": _score(name, asdict(scores[peer])[name]), "best": _best(scores, name) == peer}
        if (name, peer) != ("fva_share", "naive")
        else {"text": "itself", "best": False}
        for name, _ in SCORES
    ]


def _score(name: str, value: float) -> str:
    return f"{value:.3f}" if name.startswith("pinball") else share(value)


def _best(scores: Mapping[str, Any], name: str) -> str:
    """Returns the peer that is nearest to what a score should be."""
    aim = {"p90_hit": 0.9, "fva_share": 1.0}.get(name, 0.0)
    judged = PEERS if name != "fva_share" else [peer for peer in PEERS if peer != "naive"]
    return min(judged, key=lambda peer: abs(asdict(scores[peer])[name] - aim))


def _origins(accuracy: Accuracy | None) -> list[Row]:
    if accuracy is None:
        return []
    wide: dict[str, Row] = {}
    for row in figures.records(accuracy.by_origin):
        wide.setdefault(row["origin"], {"origin": row["origin"]})[row["level"]] = row
    return [wide[origin] for origin in sorted(wide)]


def _by_region(scene: Scene) -> list[Row]:
    if scene.accuracy is None:
        return []
    rows = {row["region"]: row for row in figures.records(scene.accuracy.by_region)}
    return [
        {name: _sane(cell) for name, cell in rows[region].items()} | {"name": scene.names[region]}
        for region in scene.order
        if region in rows
    ]


def _sane(cell: Any) -> Any:
    """Returns a share; None where next to no demand came to divide by."""
    return None if isinstance(cell, float) and abs(cell) > ABSURD else cell


def _bars(made: Forecast) -> list[Row]:
    """Returns how many series save which share of the naive loss, in bars of five percent."""
    known = made.series_methods["value_added"].dropna().to_numpy(dtype=np.float64)
    if not known.size:
        return []
    heights, _ = np.histogram(np.clip(known, -0.4999, 0.4999), BINS)
    most = heights.max()
    return [
        {
            "x": 20 + 48 * at, "height": round(150 * count / most, 1), "count": int(count),
            "low": float(low), "high": float(high), "good": low > -1e-9,
        }
        for at, (count, low, high) in enumerate(zip(heights, BINS[:-1], BINS[1:], strict=True))
    ]  # fmt: skip


def _members(scene: Scene) -> Row:
    methods = scene.made.regions.groupby("region", observed=True)["method"].first()
    used = {region: str(methods[region]).split("+") for region in scene.order}
    seen = {name for names in used.values() for name in names}
    columns = [name for name in MEMBERS if name in seen] + sorted(seen - MEMBERS.keys())
    return {
        "columns": [MEMBERS.get(name, words(name)) for name in columns],
        "rows": [
            {"name": scene.names[region], "flags": [name in names for name in columns]}
            for region, names in used.items()
        ],
    }


def _cleaned(findings: Sequence[Finding]) -> list[Row]:
    return [
        {
            "kind": KINDS.get(kind, words(kind).capitalize()),
            "count": count,
            "first": [one for one in findings if one.kind == kind][:MOST_FINDINGS],
        }
        for kind, count in figures.counts(findings).items()
    ]


def _drill(scene: Scene, region: str) -> Row:
    """Returns a region with its largest categories, and each with its largest items."""
    frame = _frame_of(scene, region)
    sums = frame.groupby("category")["mean"].sum().sort_values(ascending=False, kind="stable")
    shown = [str(name) for name in sums.index[:MOST_CATEGORIES]]
    return {
        "name": scene.names[region],
        "units": float(sums.sum()),
        "categories": [
            _category(scene, region, name, frame[frame["category"] == name]) for name in shown
        ],
        "hidden": max(0, len(sums) - MOST_CATEGORIES),
    }


def _frame_of(scene: Scene, region: str) -> pd.DataFrame:
    frame = scene.made.frame
    own = frame[frame["region"] == region]
    category = [scene.items[item][2] for item in own["item"]]
    return own.assign(category=pd.Series(category, index=own.index, dtype="str"))


def _category(scene: Scene, region: str, name: str, rows: pd.DataFrame) -> Row:
    sums = rows.groupby("item", observed=True)["mean"].sum()
    largest = sums.sort_values(ascending=False, kind="stable").index[:MOST_ITEMS]
    methods = scene.made.series_methods
    own = methods[methods["region"] == region]
    told = zip(own["item"].astype(str), own["method"], own["value_added"], strict=True)
    known = {item: (words(str(method)), float(added)) for item, method, added in told}
    return {
        "name": name or "without a category",
        "units": float(sums.sum()),
        "count": len(sums),
        "rows": [_item(scene, region, str(item), rows, known) for item in largest],
    }


def _item(
    scene: Scene, region: str, item: str, rows: pd.DataFrame, known: Mapping[str, tuple[str, float]]
) -> Row:
    own = rows[rows["item"] == item].sort_values("start")
    band = _band(own)
    at, name, _ = scene.items[item]
    series = at * len(scene.history.regions) + scene.history.regions.index(region)
    past = scene.history.matrix(series, series + 1)[0, -len(scene.weeks.behind) :]
    history, area, line = spark(scene.weeks, past.tolist(), band.mean, band.low, band.high)
    method, added = known[item]
    return {
        "item": item,
        "name": name,
        "mean": float(band.mean.mean()),
        "low": float(np.mean(band.low)),
        "high": float(np.mean(band.high)),
        "past": float(past.mean()),
        "method": method,
        "added": None if np.isnan(added) else added,
        "history": history,
        "area": area,
        "line": line,
    }
