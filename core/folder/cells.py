"""Cells: how each attribute type reads text, and what it would have accepted."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any
from zoneinfo import available_timezones

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.folder.schema import Attribute
from core.money import currencies
from core.places import countries

Texts = pd.Series  # of str, stripped, "" where the cell is empty
Flags = NDArray[np.bool_]
Parse = Callable[[Texts, Attribute], tuple[pd.Series, Flags]]

_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})
_BLOCS = frozenset({"EU"})

EARLIEST, LATEST = pd.Timestamp("1900-01-01"), pd.Timestamp("2199-12-31")
"""First and last day that a brand may name, so that calendars can count on from any of them."""


@dataclass(frozen=True, slots=True)
class CellType:
    """One attribute type: the dtype of its column, its parser, and what it accepts, in words."""

    dtype: Any  # a pandas dtype by name; the stubs know no plain str here
    parse: Parse
    accepts: str


def _text(texts: Texts, _: Attribute) -> tuple[pd.Series, Flags]:
    printable = ~texts.str.contains(r"[\x00-\x08\x0b-\x1f\x7f]", regex=True)
    return texts, printable.to_numpy(bool)


def _code(texts: Texts, _: Attribute) -> tuple[pd.Series, Flags]:
    return texts, texts.str.fullmatch(r"[^\s;*\x00-\x1f][^;*\x00-\x1f]{0,99}|").to_numpy(bool)


def _number(texts: Texts, _: Attribute) -> tuple[pd.Series, Flags]:
    # ASCII digits only: `\d` would let through digits that later readers do not know.
    plain = texts.str.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?|").to_numpy(
        bool
    )
    numbers = pd.to_numeric(texts.where(plain, ""), errors="coerce").astype("float64")
    return numbers, plain & ~np.isinf(numbers.to_numpy())


def _whole(texts: Texts, attribute: Attribute) -> tuple[pd.Series, Flags]:
    numbers, good = _number(texts, attribute)
    whole = numbers.isna() | ((numbers == numbers.round()) & (numbers.abs() < 2**53))
    return numbers, good & whole.to_numpy(bool)


def _flag(texts: Texts, _: Attribute) -> tuple[pd.Series, Flags]:
    lowered = texts.str.lower()
    return lowered.isin(_TRUE), lowered.isin(_TRUE | _FALSE).to_numpy(bool)


def _date(texts: Texts, _: Attribute) -> tuple[pd.Series, Flags]:
    dates = pd.to_datetime(texts.where(texts != "", None), format="%Y-%m-%d", errors="coerce")
    iso = texts.str.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|").to_numpy(bool)
    good = iso & ((texts == "").to_numpy(bool) | in_calendar(dates))
    return dates.astype("datetime64[s]"), good


def in_calendar(days: pd.Series) -> Flags:
    """Flags days or moments from `EARLIEST` to the end of `LATEST`; never an empty one."""
    zone = days.dt.tz
    begin, end = EARLIEST.tz_localize(zone), (LATEST + pd.Timedelta(days=1)).tz_localize(zone)
    return ((days >= begin) & (days < end)).to_numpy(bool)


def _moment(texts: Texts, _: Attribute) -> tuple[pd.Series, Flags]:
    two = "[0-9]{2}"
    clock = rf"{two}:{two}(:{two}(\.[0-9]{{1,9}})?)?(Z|[+-]{two}:?{two})?"
    shape = rf"[0-9]{{4}}-{two}-{two}[T ]{clock}|"
    iso = texts.str.fullmatch(shape).to_numpy(bool)
    moments = pd.to_datetime(
        texts.where(iso & (texts != ""), None), format="ISO8601", errors="coerce", utc=True
    )
    good = iso & ((texts == "").to_numpy(bool) | in_calendar(moments))
    return moments.astype("datetime64[us, UTC]"), good


def _shaped(pattern: str) -> Parse:
    def parse(texts: Texts, _: Attribute) -> tuple[pd.Series, Flags]:
        return texts, texts.str.fullmatch(f"(?:{pattern})|").to_numpy(bool)

    return parse


def _among(known: Callable[[], frozenset[str]]) -> Parse:
    def parse(texts: Texts, _: Attribute) -> tuple[pd.Series, Flags]:
        return texts, texts.isin(known() | {""}).to_numpy(bool)

    return parse


def _choice(texts: Texts, attribute: Attribute) -> tuple[pd.Series, Flags]:
    return texts, texts.isin({*attribute.choices, ""}).to_numpy(bool)


def _choices(texts: Texts, attribute: Attribute) -> tuple[pd.Series, Flags]:
    known = set(attribute.choices)
    good = [all(part in known for part in text.split(";") if part) for text in texts]
    return texts, np.array(good, dtype=bool)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _countries_and_blocs() -> frozenset[str]:
    return countries() | _BLOCS


_DIGITS = _shaped(r"[0-9]{1,12}")
_FLOAT = CellType("float64", _number, "a number such as 12.5")

TYPES: dict[str, CellType] = {
    "text": CellType("str", _text, "text without control characters"),
    "code": CellType("str", _code, "an id of at most 100 characters without ; or *"),
    "float": _FLOAT,
    "money": CellType("float64", _number, "an amount such as 12.50"),
    "share": CellType("float64", _number, "a share such as 0.08"),
    "int": CellType("int64", _whole, "a whole number"),
    "bool": CellType("bool", _flag, "true or false"),
    "date": CellType("datetime64[s]", _date, "a date such as 2026-07-01, from 1900 to 2199"),
    "datetime": CellType(
        "datetime64[us, UTC]", _moment, "a moment such as 2026-07-01T12:30:00Z, from 1900 to 2199"
    ),
    "time": CellType("str", _shaped(r"([01][0-9]|2[0-3]):[0-5][0-9]"), "a time such as 15:00"),
    "days": CellType(
        "str", _shaped(r"(?!.*([1-7]).*\1)[1-7]{1,7}"), "digits from 1 (Monday) to 7 (Sunday)"
    ),
    "zone": CellType("str", _among(_zones), "an IANA time zone such as Europe/Berlin"),
    "country": CellType("str", _among(countries), "an ISO 3166-1 alpha-2 code such as DE"),
    "country_or_bloc": CellType("str", _among(_countries_and_blocs), "a code such as DE, or EU"),
    "currency": CellType("str", _among(currencies), "an ISO 4217 code such as EUR"),
    "digits": CellType("str", _DIGITS, "up to 12 digits without dots"),
    "choice": CellType("str", _choice, "one of the listed words"),
    "hazards": CellType("str", _choices, "hazards separated by ;"),
    "list": CellType("str", _text, "words separated by ;"),
}


def accepts(attribute: Attribute) -> str:
    """Returns what a cell of this column would have accepted, in words."""
    if attribute.choices:
        return ("any of " if attribute.type == "hazards" else "one of ") + ", ".join(
            attribute.choices
        )
    return TYPES[attribute.type].accepts
