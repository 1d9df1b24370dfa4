"""Findings: what a forecast noticed in the past, for somebody to look at."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that somebody should know; `item` and `region` are empty where it concerns all.

    Kinds: clipped, stockout, dead, gap, history, promotion, bias, hit, override.
    """

    kind: str
    item: str
    region: str
    day: date | None
    text: str
