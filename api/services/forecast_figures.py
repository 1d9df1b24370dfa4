"""Figures of a forecast that every door shows: findings counted, overrides told, value added."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

import pandas as pd

from inventory.demand.accuracy import Accuracy
from inventory.demand.findings import Finding
from inventory.demand.forecast import Forecast
from inventory.demand.overrides import Override

Row = dict[str, Any]


def counts(findings: Sequence[Finding]) -> dict[str, int]:
    """Returns how many findings there are of each kind, most frequent first."""
    return dict(Counter(found.kind for found in findings).most_common())


def finding_row(found: Finding) -> Row:
    """Returns a finding as JSON."""
    return {
        "kind": found.kind,
        "item": found.item,
        "region": found.region,
        "day": found.day.isoformat() if found.day else None,
        "text": found.text,
    }


def place(found: Finding) -> str:
    """Returns where something was found: `MUG in DE`; "everywhere" where it concerns all."""
    return " in ".join(name for name in (found.item, found.region) if name) or "everywhere"


def value_added(made: Forecast) -> Row:
    """Returns how many series are forecast no worse than by the naive method, of those judged.

    `share` is None where nothing could be judged.
    """
    known = made.series_methods["value_added"].dropna()
    no_worse = int((known >= 0).sum())
    share = no_worse / len(known) if len(known) else None
    return {"judged": len(known), "no_worse": no_worse, "share": share}


def override_rows(
    made: Forecast, overrides: Sequence[Override], accuracy: Accuracy | None = None
) -> list[Row]:
    """Returns each override with what it changed, and what it was worth where it could be judged.

    `statistical` and `mean` are units over all cells that it decided; both 0 where it decided none.
    """
    changed = _changed(made.shifts)
    worth = _worth(accuracy)
    return [
        {
            "override": one.id,
            "region": one.region,
            "category": one.category,
            "item": one.item,
            "start": one.start.isoformat(),
            "end": one.end.isoformat(),
            "factor": one.factor,
            "units": one.units,
            "who": one.who,
            "made": one.made.isoformat(),
            "why": one.why,
            **changed.get(one.id, {"cells": 0, "statistical": 0.0, "mean": 0.0}),
            **worth.get(one.id, {"weeks": 0, "value_added": None}),
        }
        for one in overrides
    ]


def records(frame: pd.DataFrame) -> list[Row]:
    """Returns the rows of a frame as JSON: days as text, no number as None."""
    return [
        {str(name): plain(cell) for name, cell in row.items()} for row in frame.to_dict("records")
    ]


def plain(cell: Any) -> Any:
    """Returns a cell as JSON has it."""
    if isinstance(cell, pd.Timestamp):
        return f"{cell:%Y-%m-%d}"
    if hasattr(cell, "isoformat"):
        return cell.isoformat()
    number = cell.item() if hasattr(cell, "item") else cell
    return None if isinstance(number, float) and isnan(number) else number


def _changed(shifts: pd.DataFrame) -> Mapping[str, Row]:
    grouped = shifts.groupby("override", as_index=False)
    sums = grouped[["cells", "statistical", "mean"]].sum()
    return {row.pop("override"): row for row in records(sums)}


def _worth(accuracy: Accuracy | None) -> Mapping[str, Row]:
    if accuracy is None:
        return {}
    judged = accuracy.overrides[["override", "weeks", "value_added"]]
    return {row.pop("override"): row for row in records(judged)}
