"""Checks of rows against each other: ids that exist, keys that repeat, dates that overlap."""

from collections.abc import Callable, Mapping
from datetime import date

import numpy as np
import pandas as pd

from core.errors import Problem
from core.folder.cells import Flags
from core.folder.columns import Findings, RawTable, nearest
from core.folder.schema import REQUIRED_TABLES, TableSchema, schemas
from core.texts import like

_MOST_HINTED = 20_000
_FAR = pd.Timestamp("9999-12-31")
_LONG_AGO = pd.Timestamp("0001-01-01")

EARLIEST_RECORD = pd.Timestamp("1990-01-01")
"""No record that a forecast could use is older; an earlier date is a slip of the keyboard."""

YEARS_AHEAD = 3
"""Nor does anybody plan further after today."""

Frames = Mapping[str, pd.DataFrame]


def check_table(raw: RawTable, schema: TableSchema, frame: pd.DataFrame, found: Findings) -> None:
    """Ensures that keys are unique (or follow each other in time) and that rows make sense."""
    if schema.dated:
        check_dates(raw, schema, frame, found)
    elif schema.key and set(schema.key) <= set(raw.columns) | _optional(schema):
        check_keys(raw, schema, frame, found)
    for column, say, rule in _ROW_RULES.get(schema.name, ()):
        found.add_rows(raw, column, rule(frame), lambda _, say=say: say)  # type: ignore[misc]
    if schema.name == "forecast":
        check_means(raw, frame, found)


def check_means(raw: RawTable, frame: pd.DataFrame, found: Findings) -> None:
    """Ensures that a distribution with the quantiles of each forecast can have its mean.

    Each unit of chance between two quantiles lies between them: that gives the least mean, and with
    the upper 5 % at most `FAR_TAIL` times P95 on average, the most. `MEAN_SLACK` of P95 may be
    missing, as making items add up to their regions may move means alone.
    """
    quantiles = frame[list(QUANTILES)].to_numpy(dtype=float)
    mean, p95 = frame["mean"].to_numpy(dtype=float), quantiles[:, -1]
    least = quantiles @ _LEAST_MASS - MEAN_SLACK * p95 - 1.0
    most = quantiles @ _MOST_MASS + np.maximum(FAR_TAIL * p95, FAR_UNITS) * 0.05
    found.add_rows(
        raw,
        "mean",
        (mean < least) | (mean > most),
        lambda row: (
            f"expected a mean from {max(least[row], 0.0):,.1f} to {most[row]:,.1f} beside these "
            f"quantiles, got {mean[row]:,.1f}; correct the mean or the quantiles"
        ),
    )


QUANTILES = ("p05", "p25", "p50", "p75", "p90", "p95")
_LEAST_MASS = np.array([0.20, 0.25, 0.25, 0.15, 0.05, 0.05])
_MOST_MASS = np.array([0.05, 0.20, 0.25, 0.25, 0.15, 0.10])
"""Chance between each quantile and the next one, and between it and the one before; the upper 5 %
begin at P95."""

MEAN_SLACK = 0.2
"""Share of P95 by which a mean may be too low."""

FAR_TAIL, FAR_UNITS = 100.0, 2000.0
"""Times P95, and units, at which the upper 5 % end at the latest on average: rare demand has its
mean from days that no quantile sees."""


def check_across(raws: Mapping[str, RawTable], frames: Frames, found: Findings) -> None:
    """Ensures that every id names a row of its table, across all files."""
    for name, raw in raws.items():
        for column in raw.columns:
            target = _target(name, column)
            if target in found.unreadable or (
                target in raws and not _has_ids(target, raws[target])
            ):
                continue  # its own problem is listed; that nothing names it would only hide it
            if target in raws:
                check_references(name, column, raw, frames, found)
            elif target and target not in REQUIRED_TABLES and (frames[name][column] != "").any():
                missing = f"file is missing; {raw.file} refers to it by {column}"
                found.add(Problem(f"{target}.csv", 0, 0, missing))
    _check_zones(raws, frames, found)
    _check_bonded_stock(raws, frames, found)
    for name, column, target in _GLOBS:
        if name in raws and len(frames[target.partition(".")[0]]):
            _check_globs(raws[name], column, frames[name][column], _cells(frames, target), found)
    if "overrides" in raws:
        _check_selection(raws["overrides"], frames, found)


def check_records(
    raws: Mapping[str, RawTable], frames: Frames, today: date, found: Findings
) -> None:
    """Ensures that days of demand and of what bears on it lie neither long ago nor far ahead."""
    latest = pd.Timestamp(today) + pd.DateOffset(years=YEARS_AHEAD)
    say = (
        f"expected a day from {EARLIEST_RECORD:%Y-%m-%d} to {latest:%Y-%m-%d}, "
        f"{YEARS_AHEAD} years after today of brand.toml, got "
    )
    for name, columns in _RECORDS.items():
        for column in columns if name in raws else ():
            days = frames[name][column]
            zone = days.dt.tz
            early = days < EARLIEST_RECORD.tz_localize(zone)
            late = days >= (latest + pd.Timedelta(days=1)).tz_localize(zone)
            found.add_rows(
                raws[name],
                column,
                (early | late).to_numpy(bool),
                lambda row, days=days: f"{say}{days.iloc[row]:%Y-%m-%d}",  # type: ignore[misc]
            )


_RECORDS = {
    "demand": ("date",),
    "returns": ("date",),
    "orders": ("placed_at",),
    "stockouts": ("start",),
    "overrides": ("start", "end", "made"),
}


def check_keys(raw: RawTable, schema: TableSchema, frame: pd.DataFrame, found: Findings) -> None:
    """Ensures that no two rows have the same key."""
    key = list(schema.key)
    repeated = frame.duplicated(key).to_numpy(bool) & _named(frame, key[:1])
    if not repeated.any():
        return
    several = frame.duplicated(key, keep=False).to_numpy(bool)
    group = np.zeros(len(frame), dtype=np.int64)
    group[several] = frame.loc[several, key].groupby(key, sort=False, dropna=False).ngroup()
    _, first = np.unique(group[several], return_index=True)
    lines = raw.lines[several][first]
    hint = _REPEATS.get(schema.name, "")
    found.add_rows(
        raw,
        key[-1],
        repeated,
        lambda row: f"repeats the {', '.join(key)} of line {lines[group[row]]}{hint}",
    )


_REPEATS = dict.fromkeys(("demand", "returns"), "; add the quantities of a day up")


def check_dates(raw: RawTable, schema: TableSchema, frame: pd.DataFrame, found: Findings) -> None:
    """Ensures that rows of one key do not overlap in time, and end after they begin."""
    begin = frame["valid_from"].fillna(_LONG_AGO)
    end = frame["valid_to"].fillna(_FAR)
    found.add_rows(
        raw, "valid_to", (end < begin).to_numpy(bool), lambda _: "valid_to is before valid_from"
    )
    key = list(schema.key)
    order = frame.assign(_begin=begin, _end=end, _row=np.arange(len(frame)))
    order = order.sort_values([*key, "_begin", "_row"], kind="stable")
    same = (order[key] == order[key].shift()).all(axis=1)
    latest = order.groupby(key, sort=False, dropna=False)["_end"].cummax().shift()
    overlap = np.zeros(len(frame), dtype=bool)
    overlap[order["_row"].to_numpy()] = (same & (order["_begin"] <= latest)).to_numpy(bool)
    earlier = np.zeros(len(frame), dtype=np.int64)
    earlier[order["_row"].to_numpy()] = order["_row"].shift(fill_value=0).to_numpy()
    found.add_rows(
        raw,
        "valid_from",
        overlap,
        lambda row: f"dates overlap with line {raw.lines[earlier[row]]}, which has the same key",
    )


def check_references(
    table: str, column: str, raw: RawTable, frames: Frames, found: Findings
) -> None:
    """Ensures that each id of one column names a row of the table that it refers to."""
    target, target_column = schemas()[table].attribute(column).refers.split(".")
    known = pd.Index(frames[target][target_column].unique())
    ids = frames[table][column]
    unknown = ((ids != "") & ~ids.isin(known)).to_numpy(bool)
    if not unknown.any():
        return
    names = [str(name) for name in known]
    found.add_rows(raw, column, unknown, lambda row: _unknown(target, str(ids.iloc[row]), names))


def _target(table: str, column: str) -> str:
    """Returns the table whose ids a column holds; empty for a column that holds none."""
    if column not in schemas()[table].columns:
        return ""
    return schemas()[table].attribute(column).refers.partition(".")[0]


def _has_ids(table: str, raw: RawTable) -> bool:
    """Whether a table that others refer to has the column of its ids, which is its key."""
    return set(schemas()[table].key) <= set(raw.columns)


def _unknown(table: str, name: str, known: list[str]) -> str:
    singular = table.removesuffix("s")
    if not known:
        return f"unknown {singular} {name!r}; {table} has no usable row"
    hint = nearest(name, known) if len(known) <= _MOST_HINTED else f"see {table}"
    return (
        f"unknown {singular} {name!r}; {hint}"
        if len(hint) < 200
        else f"unknown {singular} {name!r}"
    )


def _optional(schema: TableSchema) -> set[str]:
    return {attribute.name for attribute in schema.attributes if not attribute.required}


def _named(frame: pd.DataFrame, columns: list[str]) -> Flags:
    return (frame[columns].astype("str") != "").all(axis=1).to_numpy(bool)


def _check_zones(raws: Mapping[str, RawTable], frames: Frames, found: Findings) -> None:
    if "rates" not in raws or "zones" in found.unreadable:
        return
    rates, zones = frames["rates"], frames["zones"]
    key = ["service", "site", "zone"]
    known = pd.MultiIndex.from_frame(zones[key])
    missing = (rates["zone"] != "").to_numpy(bool) & ~pd.MultiIndex.from_frame(rates[key]).isin(
        known
    )
    found.add_rows(
        raws["rates"],
        "zone",
        missing,
        lambda _: "zones has no region of this service, site and zone",
    )


def _check_globs(
    raw: RawTable, column: str, globs: "pd.Series[str]", known: list[str], found: Findings
) -> None:
    """Ensures that each glob matches something; an empty one is a problem of its own."""
    nothing = {glob for glob in globs.unique() if glob and not like(known, glob).any()}
    hint = known if len(known) <= _MOST_HINTED else known[:0]
    found.add_rows(
        raw,
        column,
        globs.isin(nothing).to_numpy(bool),
        lambda row: (
            f"{globs.iloc[row]!r} matches nothing; {_nearest_or_glob(globs.iloc[row], hint)}"
        ),
    )


def _check_selection(raw: RawTable, frames: Frames, found: Findings) -> None:
    """Ensures that some item is of the category and of the name that an override selects."""
    items, overrides = frames["items"], frames["overrides"]
    names, groups = [str(one) for one in items["item"]], [str(one) for one in items["category"]]
    empty = {
        (item, group)
        for item, group in set(zip(overrides["item"], overrides["category"], strict=True))
        if (named := like(names, item)).any()
        and (grouped := like(groups, group)).any()
        and not (named & grouped).any()
    }
    pairs = pd.MultiIndex.from_frame(overrides[["item", "category"]])
    found.add_rows(
        raw,
        "item",
        np.array([pair in empty for pair in pairs], dtype=bool),
        lambda row: f"no item like {pairs[row][0]!r} has a category like {pairs[row][1]!r}",
    )


def _nearest_or_glob(glob: str, known: list[str]) -> str:
    hint = nearest(glob, known) if known else ""
    return hint if 0 < len(hint) < 200 else "expected a name, or a glob such as US-*"


def _cells(frames: Frames, target: str) -> list[str]:
    table, _, column = target.partition(".")
    return [str(name) for name in frames[table][column].unique()]


_GLOBS = (
    ("overrides", "region", "regions.region"),
    ("overrides", "category", "items.category"),
    ("overrides", "item", "items.item"),
    ("events", "region", "regions.region"),
)
"""Columns of globs, and the ids that each has to match one of."""


def _check_bonded_stock(raws: Mapping[str, RawTable], frames: Frames, found: Findings) -> None:
    if "stock" not in raws or "sites" in found.unreadable:
        return
    sites = frames["sites"].drop_duplicates("site").set_index("site")["customs"]
    at_free_site = frames["stock"]["site"].map(sites) == "free"
    wrong = (at_free_site & (frames["stock"]["customs"] == "bonded")).to_numpy(bool)
    found.add_rows(
        raws["stock"],
        "customs",
        wrong,
        lambda _: "bonded stock needs a site whose customs is bonded",
    )


def _quantiles_fall(frame: pd.DataFrame) -> Flags:
    quantiles = frame[list(QUANTILES)].to_numpy()
    falls: Flags = np.asarray(np.diff(quantiles, axis=1).min(axis=1, initial=0.0) < -1e-9)
    return falls


def _bands_overlap(frame: pd.DataFrame) -> Flags:
    """Flags rates whose weight band begins inside the band of another row valid on the same day."""
    key = ["service", "site", "region", "zone"]
    begin, end = frame["valid_from"].fillna(_LONG_AGO), frame["valid_to"].fillna(_FAR)
    top = frame["weight_to_kg"].fillna(np.inf)
    flagged = np.zeros(len(frame), dtype=bool)
    for rows in frame.groupby(key, sort=False).indices.values():
        if len(rows) == 1:
            continue
        low = frame["weight_from_kg"].to_numpy()[rows]
        inside = (low[:, None] > low) & (low[:, None] < top.to_numpy()[rows])
        since, until = begin.to_numpy()[rows], end.to_numpy()[rows]
        together = (since[:, None] <= until) & (since <= until[:, None])
        flagged[rows] = (inside & together).any(axis=1)
    return flagged


def _less(high: str, low: str) -> Callable[[pd.DataFrame], Flags]:
    return lambda frame: (frame[high] < frame[low]).to_numpy(bool)


_Rule = tuple[str, str, Callable[[pd.DataFrame], Flags]]

_P95 = (
    "transit_days_p95",
    "expected at least transit_days",
    _less("transit_days_p95", "transit_days"),
)

_RETURNED = (
    "quantity",
    "units that came back belong to returns.parquet, as positive numbers",
    lambda frame: (frame["quantity"] < 0).to_numpy(bool),
)

_SPAN = ("end", "expected a day on or after start", _less("end", "start"))

_ROW_RULES: dict[str, tuple[_Rule, ...]] = {
    "demand": (_RETURNED,),
    "orders": (_RETURNED,),
    "stockouts": (_SPAN,),
    "events": (_SPAN,),
    "overrides": (
        _SPAN,
        (
            "factor",
            "expected either a factor or units",
            lambda frame: (frame["factor"].isna() == frame["units"].isna()).to_numpy(bool),
        ),
    ),
    "rates": (
        _P95,
        (
            "region",
            "expected either a region or a zone",
            lambda frame: ((frame["region"] == "") == (frame["zone"] == "")).to_numpy(bool),
        ),
        (
            "weight_to_kg",
            "expected more than weight_from_kg",
            lambda frame: (frame["weight_to_kg"] <= frame["weight_from_kg"]).to_numpy(bool),
        ),
        (
            "weight_from_kg",
            "weight band begins inside another band of the same key",
            _bands_overlap,
        ),
    ),
    "lanes": (
        _P95,
        (
            "to_site",
            "expected another site than from_site",
            lambda frame: (frame["from_site"] == frame["to_site"]).to_numpy(bool),
        ),
    ),
    "forecast": (("p95", "expected quantiles that do not fall from p05 to p95", _quantiles_fall),),
    "suppliers": (
        (
            "recover_days_likely",
            "expected at least recover_days_low",
            _less("recover_days_likely", "recover_days_low"),
        ),
        (
            "recover_days_high",
            "expected at least recover_days_likely",
            _less("recover_days_high", "recover_days_likely"),
        ),
    ),
}
