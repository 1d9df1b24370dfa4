"""The forecast page: demand behind and ahead, from all markets down to one item of one market."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import pandas as pd
from sqlmodel import Session

from api.services.brands import brand_version
from api.services.forecast_figures import plain
from api.services.forecasts import item_frame, newest_finished
from core.brand import Brand
from inventory.demand import store
from inventory.demand.accuracy import PEERS
from inventory.demand.overrides import categories_of
from inventory.demand.records import ForecastOverrideRecord, ForecastRecord

QUANTILES = ("p05", "p25", "p50", "p75", "p95")
WEEKS_BEHIND = 52
ROWS_SHOWN = 12
ALARMS_SHOWN = 6
EVENTS_SHOWN = 6
OVERRIDES_SHOWN, WITHDRAWN_SHOWN = 50, 20
_DAYS = 7

LEVELS = {"region": "Markets", "item_region": "Items in markets"}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the brand one looks: a market, a category in it, an item of that; "" for all.

    `search` narrows the list of items, `page` counts its pages from 0.
    """

    region: str = ""
    category: str = ""
    item: str = ""
    search: str = ""
    page: int = 0

    def of(self, brand: Brand) -> "Place":
        """Returns the same place, as far as the brand has it."""
        known = categories_of(brand)
        region = self.region if self.region in set(brand.table("regions")["region"]) else ""
        item = self.item if region and self.item in known else ""
        category = known[item] if item else self.category
        category = category if region and category in set(known.values()) else ""
        return replace(self, region=region, category=category, item=item)

    @property
    def query(self) -> str:
        """The address of this place behind `?`."""
        named = {
            "region": self.region, "category": self.category, "item": self.item,
            "search": self.search, "page": self.page or "",
        }  # fmt: skip
        return urlencode({name: value for name, value in named.items() if value})

    @property
    def level(self) -> str:
        """What the place is: all, region, category or item."""
        if self.item:
            return "item"
        return "category" if self.category else ("region" if self.region else "all")


@dataclass(frozen=True, slots=True)
class Step:
    """A link to another place: its label, the units that it expects, and its own id."""

    label: str
    place: Place
    units: float = 0.0
    id: str = ""


@dataclass(frozen=True, slots=True)
class DemandPart:
    """The demand of one place; `chart` holds `history`, `forecast`, `events` and `dots` by week."""

    place: Place
    name: str
    source: str
    weeks: int
    total: float
    trail: Sequence[Step]
    below: str
    steps: Sequence[Step]
    steps_in_all: int
    pages: int
    chart: dict[str, Any]
    events: Sequence[Row]
    events_in_all: int

    def turned(self, pages: int) -> Place:
        """Returns the same list of items some pages on; an item of it is left."""
        return replace(self.place, item="", page=self.place.page + pages)


@dataclass(frozen=True, slots=True)
class Judged:
    """What the newest run says of itself: scores by level, alarms, and other facts."""

    scores: Sequence[Row]
    regions: Mapping[str, Row]
    alarms: Sequence[Row]
    alarms_in_all: int
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class OverrideLine:
    """An override as the page lists it; only those kept here can be withdrawn."""

    id: str
    what: str
    days: tuple[str, str]
    amount: str
    who: str
    made: str
    why: str
    value_added: float | None
    withdrawn: str
    can_withdraw: bool


def demand_part(session: Session, brand: Brand, wanted: Place) -> DemandPart | None:
    """Returns the newest forecast of a place, or the one of the folder; None without either.

    A place that the brand does not have means the nearest one above it.
    """
    place = wanted.of(brand)
    record = newest_finished(session, brand_version(session))
    weekly = _weekly(session, brand, record, place)
    if weekly.empty:
        return None
    names = _names(brand)
    steps, in_all = _steps(session, brand, record, place, names)
    events = _events(record, place.region)
    return DemandPart(
        place=place,
        name=_name(place, names),
        source=_told_by(weekly) if place.item and record else _source(record, place),
        weeks=weekly["start"].nunique(),
        total=float(weekly["mean"].sum()),
        trail=_trail(place, names),
        below={"all": "Markets", "region": "Categories"}.get(place.level, "Items"),
        steps=steps,
        steps_in_all=in_all,
        pages=-(-in_all // ROWS_SHOWN) if place.category else 1,
        chart={
            "history": _history(brand, place),
            "forecast": _ahead(weekly),
            "events": events,
            "dots": _dots(record, place, weekly),
        },
        events=[event for event in events if event["end"] >= brand.today.isoformat()][
            :EVENTS_SHOWN
        ],
        events_in_all=sum(event["end"] >= brand.today.isoformat() for event in events),
    )


def judged(session: Session) -> Judged | None:
    """Returns what the newest forecast of the brand says of itself; None without one."""
    record = newest_finished(session, brand_version(session))
    if record is None:
        return None
    accuracy = record.accuracy or {}
    alarms = accuracy.get("alarms", [])
    return Judged(
        scores=_scores(accuracy),
        regions={row["region"]: row for row in accuracy.get("by_region", [])},
        alarms=alarms[:ALARMS_SHOWN],
        alarms_in_all=sum(accuracy.get("alarm_counts", {}).values()),
        facts=_facts(record),
    )


def override_lines(session: Session, brand: Brand) -> tuple[list[OverrideLine], list[OverrideLine]]:
    """Returns the overrides that stand, newest first, and the last that were withdrawn."""
    record = newest_finished(session, brand_version(session))
    told = (record.accuracy or {}).get("overrides", []) if record else []
    worth = {row["override"]: row.get("value_added") for row in told}
    kept = [_kept_line(one, worth) for one in store.overrides(session)]
    folder = [_folder_line(row, worth) for row in brand.table("overrides").to_dict("records")]
    standing = [line for line in kept if not line.withdrawn]
    return (standing + folder)[:OVERRIDES_SHOWN], [line for line in kept if line.withdrawn][
        :WITHDRAWN_SHOWN
    ]


def _weekly(
    session: Session, brand: Brand, record: ForecastRecord | None, place: Place
) -> pd.DataFrame:
    """Returns a place's weeks; categories have a mean only, for quantiles do not add up."""
    if place.level == "item":
        frame = _items(session, brand, record, place.region, [place.item])
        return frame.assign(**{name: frame[name].fillna(frame["mean"]) for name in QUANTILES})
    if place.level == "category":
        return _category_weeks(session, brand, record, place)
    frame = _regions(brand, record)
    return frame[frame["region"] == place.region] if place.region else frame


def _regions(brand: Brand, record: ForecastRecord | None) -> pd.DataFrame:
    """Returns units by week and market with quantiles."""
    if record is not None and (record.result or {}).get("regions"):
        frame = pd.DataFrame((record.result or {})["regions"])
        return frame.assign(start=pd.to_datetime(frame["start"]))
    return _summed(brand.table("forecast"))


def _summed(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns items added up by week and market; a forecast without quantiles has no width."""
    filled = frame.assign(**{name: frame[name].fillna(frame["mean"]) for name in QUANTILES})
    columns = ["mean", *QUANTILES]
    return filled.groupby(["start", "region"], as_index=False, observed=True)[columns].sum()


def _category_weeks(
    session: Session, brand: Brand, record: ForecastRecord | None, place: Place
) -> pd.DataFrame:
    rows = (record.result or {}).get("categories", []) if record else []
    own = [
        row for row in rows
        if (row["region"], row["category"]) == (place.region, place.category)
    ]  # fmt: skip
    if own:
        frame = pd.DataFrame(own)
        return frame.assign(start=pd.to_datetime(frame["start"]))
    members = _members(brand, place.category)
    frame = _items(session, brand, record, place.region, members)
    return frame.groupby("start", as_index=False)[["mean"]].sum()


def _items(
    session: Session,
    brand: Brand,
    record: ForecastRecord | None,
    region: str,
    items: Sequence[str] | None,
) -> pd.DataFrame:
    if record is not None:
        return item_frame(session, record.id, region, items)
    frame = brand.table("forecast")
    own = frame[frame["region"] == region]
    return own if items is None else own[own["item"].isin(items)]


def _members(brand: Brand, category: str) -> list[str]:
    return [item for item, own in categories_of(brand).items() if own == category]


@dataclass(frozen=True, slots=True)
class _Names:
    regions: Mapping[str, str]
    items: Mapping[str, str]


def _names(brand: Brand) -> _Names:
    regions, items = brand.table("regions"), brand.table("items")
    return _Names(
        dict(zip(regions["region"], regions["name"], strict=True)),
        dict(zip(items["item"], items["name"], strict=True)),
    )


def _name(place: Place, names: _Names) -> str:
    return {
        "all": "All markets",
        "region": names.regions.get(place.region) or place.region,
        "category": place.category,
        "item": names.items.get(place.item) or place.item,
    }[place.level]


def _trail(place: Place, names: _Names) -> list[Step]:
    """Returns the way from all markets to a place, the place itself last."""
    ways = [Place(), Place(region=place.region), Place(place.region, place.category),
            Place(place.region, place.category, place.item)]  # fmt: skip
    kept = ways[: ["all", "region", "category", "item"].index(place.level) + 1]
    return [Step(_name(way, names), way) for way in kept]


def _steps(
    session: Session, brand: Brand, record: ForecastRecord | None, place: Place, names: _Names
) -> tuple[list[Step], int]:
    """Returns what one can drill into from a place, the largest first, and how many there are."""
    if place.level == "all":
        return _market_steps(_regions(brand, record), names)
    if place.level == "region":
        return _category_steps(session, brand, record, place)
    return _item_steps(session, brand, record, place, names)


def _market_steps(frame: pd.DataFrame, names: _Names) -> tuple[list[Step], int]:
    steps = [
        Step(names.regions.get(region) or region, Place(region=region), units, region)
        for region, units in _largest(frame, "region")
    ]
    return steps, len(steps)


def _category_steps(
    session: Session, brand: Brand, record: ForecastRecord | None, place: Place
) -> tuple[list[Step], int]:
    rows = (record.result or {}).get("categories", []) if record else []
    frame = pd.DataFrame([row for row in rows if row["region"] == place.region])
    if frame.empty:
        items = _items(session, brand, record, place.region, None)
        frame = items.assign(category=items["item"].map(categories_of(brand)).astype("str"))
    steps = [
        Step(name or "without a category", Place(place.region, name), units)
        for name, units in _largest(frame, "category")
        if name
    ]
    return steps, len(steps)


def _item_steps(
    session: Session, brand: Brand, record: ForecastRecord | None, place: Place, names: _Names
) -> tuple[list[Step], int]:
    wanted = place.search.casefold()
    members = [
        item for item in _members(brand, place.category)
        if wanted in f"{item} {names.items.get(item, '')}".casefold()
    ]  # fmt: skip
    found = _largest(_items(session, brand, record, place.region, members), "item")
    first = place.page * ROWS_SHOWN
    steps = [
        Step(
            names.items.get(item) or item,
            replace(place, item=item),
            units,
            item,
        )
        for item, units in found[first : first + ROWS_SHOWN]
    ]
    return steps, len(found)


def _largest(frame: pd.DataFrame, column: str) -> list[tuple[str, float]]:
    sums = frame.groupby(column, observed=True)["mean"].sum()
    ordered = sums.sort_values(ascending=False, kind="stable")
    return [(str(name), float(units)) for name, units in ordered.items()]


def _told_by(weekly: pd.DataFrame) -> str:
    """Returns by which method an item is forecast, and what that saves where it is known."""
    if "method" not in weekly:
        return "item forecast"
    first = weekly.iloc[0]
    method, saved = str(first["method"]).replace("_", " "), plain(first["value_added"])
    judged = "not judged" if saved is None else f"saves {saved:.0%} of the naive P90 loss"
    return f"by {method}; {judged}"


def _source(record: ForecastRecord | None, place: Place) -> str:
    if place.level == "category":
        return "the mean alone: quantiles of items do not add up"
    if place.level == "item":
        return "item forecast"
    if record is None:
        return "the brand's own forecast, items added up as if they moved together"
    return "market forecast" if place.region else "markets added up as if they moved together"


def _history(brand: Brand, place: Place) -> list[Row]:
    demand = brand.table("demand")
    since = pd.Timestamp(brand.today) - pd.Timedelta(weeks=WEEKS_BEHIND)
    seen = demand[(demand["date"] <= pd.Timestamp(brand.today)) & (demand["date"] > since)]
    if place.region:
        seen = seen[seen["region"] == place.region]
    if place.item:
        seen = seen[seen["item"] == place.item]
    elif place.category:
        seen = seen[seen["item"].isin(_members(brand, place.category))]
    monday = seen["date"] - pd.to_timedelta(seen["date"].dt.day_of_week, unit="D")
    weeks = seen["quantity"].groupby(monday).sum()
    if place.level != "all" and len(weeks):  # weeks without demand are weeks of zero
        weeks = weeks.reindex(pd.date_range(weeks.index.min(), weeks.index.max(), freq="7D"))
    # The first and the last week are cut by the window: half a week would look like a slump.
    whole = weeks[[_whole(week, since, brand) for week in weeks.index]].fillna(0.0)
    return [
        {"start": f"{week:%Y-%m-%d}", "quantity": float(units)} for week, units in whole.items()
    ]


def _whole(week: pd.Timestamp, since: pd.Timestamp, brand: Brand) -> bool:
    last = week + pd.Timedelta(days=_DAYS - 1)
    return bool(week > since and last <= pd.Timestamp(brand.today))


def _ahead(frame: pd.DataFrame) -> list[Row]:
    columns = [name for name in ("mean", *QUANTILES) if name in frame]
    weeks = frame.groupby("start")[columns].sum().sort_index()
    empty = dict.fromkeys(QUANTILES)
    return [
        {"start": f"{week:%Y-%m-%d}"}
        | empty
        | {name: round(float(row[name]), 2) for name in row.index}
        for week, row in weeks.iterrows()
    ]


def _events(record: ForecastRecord | None, region: str) -> list[Row]:
    rows = (record.result or {}).get("events", []) if record else []
    own = [row for row in rows if row["region"] == region]
    return sorted(own, key=lambda row: (str(row["start"]), str(row["event"])))


def _dots(record: ForecastRecord | None, place: Place, weekly: pd.DataFrame) -> list[Row]:
    """Returns what statistics said in weeks that somebody overrode, by market or category."""
    rows = (record.result or {}).get("shifts", []) if record else []
    moved: dict[str, float] = {}
    for row in rows:
        near = place.region in ("", row["region"]) and place.category in ("", row["category"])
        if near and not place.item:
            moved[row["start"]] = moved.get(row["start"], 0.0) + row["mean"] - row["statistical"]
    means = {row["start"]: row["mean"] for row in _ahead(weekly)}
    return [
        {"start": start, "statistical": round(means[start] - by, 2), "mean": means[start]}
        for start, by in sorted(moved.items())
        if start in means
    ]


def _scores(accuracy: Mapping[str, Any]) -> list[Row]:
    """Returns our scores and those of each naive peer, by level."""
    return [
        {"level": label, "peer": peer, **scores}
        for level, label in LEVELS.items()
        for peer in PEERS
        if (scores := accuracy.get(level) if peer == "ours" else accuracy.get(peer, {}).get(level))
    ]


def _facts(record: ForecastRecord) -> list[tuple[str, str]]:
    result = record.result or {}
    added = result.get("value_added") or {}
    share = added.get("share")
    facts = [
        ("Made", f"{record.finished_at:%-d %b %Y %H:%M} UTC" if record.finished_at else ""),
        ("Series", f"{result.get('series', 0):,}"),
        ("Time taken", f"{result.get('seconds', 0):.1f} s"),
        ("No worse than naive", f"{share:.0%} of {added['judged']:,}" if share is not None else ""),
        *((name.replace("_", " "), f"{count:,} series") for name, count in _models(result)),
        *((f"Found: {kind}", f"{n:,}") for kind, n in result.get("finding_counts", {}).items()),
    ]
    return [(name, text) for name, text in facts if text]


def _models(result: Mapping[str, Any]) -> list[tuple[str, int]]:
    models: dict[str, int] = result.get("models", {})
    return sorted(models.items(), key=lambda model: -model[1])


def _kept_line(record: ForecastOverrideRecord, worth: Mapping[str, Any]) -> OverrideLine:
    gone = record.withdrawn_at
    return OverrideLine(
        id=record.id,
        what=_what(record.region, record.category, record.item),
        days=(record.first_day.isoformat(), record.last_day.isoformat()),
        amount=_amount(record.factor, record.units),
        who=record.who,
        made=record.made_at.date().isoformat(),
        why=record.why,
        value_added=worth.get(record.id),
        withdrawn=f"{gone.date().isoformat()} by {record.withdrawn_by}" if gone else "",
        can_withdraw=gone is None,
    )


def _folder_line(row: Mapping[Any, Any], worth: Mapping[str, Any]) -> OverrideLine:
    return OverrideLine(
        id=row["override"],
        what=_what(row["region"], row["category"], row["item"]),
        days=(plain(row["start"]), plain(row["end"])),
        amount=_amount(plain(row["factor"]), plain(row["units"])),
        who=row["who"],
        made=plain(row["made"]),
        why=row["why"],
        value_added=worth.get(row["override"]),
        withdrawn="",
        can_withdraw=False,
    )


def _what(*globs: str) -> str:
    return ", ".join(glob for glob in globs if glob != "*") or "everything"


def _amount(factor: float | None, units: float | None) -> str:
    return f"\N{MULTIPLICATION SIGN} {factor:g}" if factor is not None else f"{units:,g} a week"
