"""Anchors: how a rule of `trading.csv` becomes a day of a year.

`on 11-11`, `weekday 5 7 2 +1` (the day after the second Sunday of May; -1 is the last one),
`feast easter -21`, `opening eid_al_fitr -1` (the day before its free days begin), `month ramadan`,
`dated prime_day or weekday 7 2 2`, `french_mothers_day`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from inventory.demand.events.event import DAY
from inventory.demand.events.feasts import feasts, feasts_in, rows
from inventory.demand.events.keeping import Kept, kept


@dataclass(frozen=True, slots=True)
class Anchor:
    """The day of an event in one year; `length` days where the rule, not the table, knows it."""

    day: date
    estimated: bool = False
    length: int = 0


def anchors(rule: str, country: str, year: int) -> Iterator[Anchor]:
    """Yields the days that a rule gives in a year: none where a country does not keep the feast.

    Raises `KeyError` for an unknown verb.
    """
    verb, *arguments = rule.split()
    yield from _VERBS[verb](arguments, country, year)


def nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    """Returns the nth weekday (1 Monday to 7 Sunday) of a month; nth -1 is the last."""
    first = date(year, month, 1)
    day = first + ((weekday - 1 - first.weekday()) % 7) * DAY
    if nth > 0:
        return day + 7 * (nth - 1) * DAY
    while (day + 7 * DAY).month == month:
        day += 7 * DAY
    return day


def _on(arguments: list[str], country: str, year: int) -> Iterator[Anchor]:
    yield Anchor(date.fromisoformat(f"{year}-{arguments[0]}"))


def _weekday(arguments: list[str], country: str, year: int) -> Iterator[Anchor]:
    month, weekday, nth = map(int, arguments[:3])
    yield Anchor(nth_weekday(year, month, weekday, nth) + _offset(arguments[3:]) * DAY)


def _feast(arguments: list[str], country: str, year: int) -> Iterator[Anchor]:
    """Yields the day of a feast of the civil table, whoever keeps it."""
    for found in feasts_in(arguments[0], year):
        yield Anchor(found.date + _offset(arguments[1:]) * DAY, found.estimated)


def _opening(arguments: list[str], country: str, year: int) -> Iterator[Anchor]:
    for found in kept(country, arguments[0], year):
        yield Anchor(found.opening + _offset(arguments[1:]) * DAY, found.estimated)


def _month(arguments: list[str], country: str, year: int) -> Iterator[Anchor]:
    """Yields Ramadan as the days from its first to the eve of a country's own Eid al-Fitr."""
    for found in kept(country, "eid_al_fitr", year):
        start = _ramadan(found)
        yield Anchor(start, found.estimated, (found.opening - start).days)


def _ramadan(eid: Kept) -> date:
    """Returns the first day of the month of 29 or 30 days that ends on the eve of Eid al-Fitr."""
    table = min((one.date for one in feasts("eid_al_fitr")), key=lambda day: abs(day - eid.day))
    start = max(one.date for one in feasts("ramadan") if one.date < table)
    return eid.day - (table - start)


def _dated(arguments: list[str], country: str, year: int) -> Iterator[Anchor]:
    """Yields the published day; where none is known yet, the estimate of the rule behind `or`."""
    known = [
        date.fromisoformat(row["date"]) for row in rows("dated.csv") if row["event"] == arguments[0]
    ]
    of_year = [day for day in known if day.year == year]
    yield from (Anchor(day) for day in of_year)
    if not of_year and year > max(known).year:
        for guess in anchors(" ".join(arguments[2:]), country, year):
            yield Anchor(guess.day, estimated=True)


def _french_mothers_day(arguments: list[str], country: str, year: int) -> Iterator[Anchor]:
    """Yields the last Sunday of May, a week later where that is Pentecost (décret of 2000)."""
    day = nth_weekday(year, 5, 7, -1)
    (easter,) = feasts_in("easter", year) or (None,)
    pentecost = easter is not None and day == easter.date + 49 * DAY
    yield Anchor(day + 7 * DAY if pentecost else day)


def _offset(arguments: list[str]) -> int:
    return int(arguments[0]) if arguments else 0


_VERBS: dict[str, Callable[[list[str], str, int], Iterator[Anchor]]] = {
    "on": _on,
    "weekday": _weekday,
    "feast": _feast,
    "opening": _opening,
    "month": _month,
    "dated": _dated,
    "french_mothers_day": _french_mothers_day,
}
