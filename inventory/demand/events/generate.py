"""Writes `feasts.csv`: `python -m inventory.demand.events.generate`; a test compares the two.

The dates come from the calendars inside `holidays`; they are committed, so that a new version of
the package changes no forecast unseen.
"""

import csv
import io
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from holidays.calendars.chinese import _ChineseLunisolar
from holidays.calendars.hindu import _HinduLunisolar
from holidays.calendars.islamic import _IslamicLunar

YEARS = range(2000, 2041)
ANNOUNCED = 2026
"""Last year whose Islamic months have been announced; later ones wait for the moon to be seen."""

PACKAGE = "calendars of the holidays package"
COLUMNS = ("feast", "date", "estimated", "source")
Row = tuple[str, str, str, str]

SIGHTED = {
    ("eid_al_adha", 2015): date(2015, 9, 24),
    ("eid_al_adha", 2016): date(2016, 9, 12),
}
"""Feasts that Saudi Arabia kept on another day than the package computes."""

DIWALI = {
    2000: date(2000, 10, 26),
    2036: date(2036, 10, 18),
    2037: date(2037, 11, 6),
    2038: date(2038, 10, 27),
    2039: date(2039, 10, 17),
    2040: date(2040, 11, 4),
}
"""Years that the package's table for India lacks: the evening of the new moon from mid October to
mid November. (The package's other Diwali table is a month late in 2006, 2009, 2017, 2025.)"""


def table() -> str:
    """Returns the text of `feasts.csv`: every feast of 2000 to 2040, sorted."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(sorted([*_islamic(), *_lunar(), *_diwali(), *_easter()]))
    return out.getvalue()


def easter(year: int) -> date:
    """Returns Western Easter Sunday (Meeus, Astronomical Algorithms, chapter 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def _islamic() -> Iterator[Row]:
    calendar = _IslamicLunar()
    dates = {
        "ramadan": calendar.ramadan_beginning_dates,
        "eid_al_fitr": calendar.eid_al_fitr_dates,
        "eid_al_adha": calendar.eid_al_adha_dates,
    }
    for feast, of_year in dates.items():
        days = {day for year in YEARS for day, _ in of_year(year)}
        for day in sorted({SIGHTED.get((feast, day.year), day) for day in days}):
            if day.year in YEARS or feast == "ramadan":
                yield _row(feast, day, day.year > ANNOUNCED, PACKAGE)


def _lunar() -> Iterator[Row]:
    calendar = _ChineseLunisolar()
    for year in YEARS:
        day, _ = calendar.lunar_new_year_date(year)
        yield _row("lunar_new_year", day, False, PACKAGE)


def _diwali() -> Iterator[Row]:
    calendar = _HinduLunisolar()
    for year in YEARS:
        if year in DIWALI:
            yield _row("diwali", DIWALI[year], year > ANNOUNCED, "evening of the new moon")
        else:
            day, _ = calendar.diwali_india_date(year)
            yield _row("diwali", day, False, PACKAGE)


def _easter() -> Iterator[Row]:
    for year in YEARS:
        yield _row("easter", easter(year), False, "Gregorian computus")


def _row(feast: str, day: date | None, estimated: bool, source: str) -> Row:
    if day is None:
        raise ValueError(f"Expected a date of {feast} for every year, the package has none.")
    return feast, day.isoformat(), "yes" if estimated else "no", source


def main() -> None:
    """Writes the table beside this module."""
    (Path(__file__).parent / "feasts.csv").write_text(table(), encoding="utf-8")


if __name__ == "__main__":
    main()
