"""Charges for clearing goods: of customs for each entry, of carriers and posts for paying first."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Literal

from routing.landed_cost.dated import Dated
from routing.landed_cost.rules import CHANNELS

CUSTOMS = "customs"
"""The collector of charges that the law sets; every other collector is a carrier or a post."""

ChargeBase = Literal["", "goods", "advanced"]
"""What a rate falls on: the value of goods, or the duty and tax paid for somebody else."""

_CHARGE_BASES: dict[str, ChargeBase] = {"": "", "goods": "goods", "advanced": "advanced"}

ToQuote = Callable[[Decimal, str], Decimal]
"""Converts an amount of a currency into the currency of the quote."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a charge depends on: one consignment at the border; amounts in one currency.

    `advanced` is the duty, tax and fees that fall due at the border; `relieved` goods come in free
    of duty, with no entry for which customs charge.
    """

    country: str
    sent_from: str
    channel: str
    incoterm: str
    carrier: str
    on: date
    goods: Decimal
    advanced: Decimal
    relieved: bool = False


@dataclass(frozen=True, slots=True)
class Charge(Dated):
    """One dated charge: fixed, or a rate with a minimum and maximum; amounts in `currency`.

    It applies to goods worth more than `above` and at most `up_to`. Empty columns of the file mean
    "any", and no `channels` means every channel. A charge of a carrier applies only where it has
    something to advance.
    """

    collector: str
    name: str
    country: str
    sent_from: str
    channels: tuple[str, ...]
    incoterm: str
    above: Decimal | None
    up_to: Decimal | None
    fixed: Decimal
    rate: Decimal
    rate_on: ChargeBase
    minimum: Decimal
    maximum: Decimal | None
    currency: str
    valid_from: date
    valid_to: date | None
    status: str
    source: str
    checked_on: date
    note: str

    @property
    def id(self) -> str:
        """What names the row: collector, country, name and first day."""
        parts = (self.collector, self.country or self.sent_from, self.name)
        return ":".join((*parts, self.valid_from.isoformat())).replace(" ", "_")

    @property
    def told(self) -> str:
        """The amount in words: fixed, or a rate with its bounds."""
        if not self.rate:
            return f"{self.fixed} {self.currency}"
        most = f", at most {self.maximum}" if self.maximum is not None else ""
        share = f"{100 * self.rate:f}".rstrip("0").rstrip(".")
        of = {"goods": "the goods", "advanced": "what is advanced"}[self.rate_on or "goods"]
        return f"{share} % of {of}, at least {self.minimum}{most} {self.currency}"

    def applies(self, entry: Entry, convert: ToQuote) -> bool:
        """Whether an entry bears the charge."""
        return (
            self.holds(entry.on)
            and self.country in ("", entry.country)
            and self.sent_from in ("", entry.sent_from)
            and (not self.channels or entry.channel in self.channels)
            and self.incoterm in ("", entry.incoterm)
            and self._asked_by(entry)
            and (self.above is None or entry.goods > convert(self.above, self.currency))
            and (self.up_to is None or entry.goods <= convert(self.up_to, self.currency))
        )

    def _asked_by(self, entry: Entry) -> bool:
        if self.collector == CUSTOMS:
            return not entry.relieved
        return self.collector == entry.carrier and entry.advanced > 0

    def amount(self, entry: Entry, convert: ToQuote) -> Decimal:
        """Returns what the entry bears, in the currency of the quote."""
        base = {"": Decimal(0), "goods": entry.goods, "advanced": entry.advanced}[self.rate_on]
        share = max(self.rate * base, convert(self.minimum, self.currency))
        if self.maximum is not None:
            share = min(share, convert(self.maximum, self.currency))
        return convert(self.fixed, self.currency) + share


@cache
def charges() -> tuple[Charge, ...]:
    """Returns every dated charge that the project carries, in the order of its file."""
    file = files("routing.landed_cost.reference").joinpath("charges.csv")
    return tuple(_charge(row) for row in csv.DictReader(file.read_text("utf-8").splitlines()))


def carriers_known() -> tuple[str, ...]:
    """Returns the carriers and posts whose charges the project carries."""
    collectors = (charge.collector for charge in charges())
    return tuple(dict.fromkeys(name for name in collectors if name != CUSTOMS))


def charges_on(entry: Entry, convert: ToQuote) -> tuple[tuple[Charge, Decimal], ...]:
    """Returns the charges that an entry bears, each with its amount."""
    found = (charge for charge in charges() if charge.applies(entry, convert))
    return tuple((charge, charge.amount(entry, convert)) for charge in found)


def _charge(row: dict[str, str]) -> Charge:
    channels = tuple(name for name in row["channel"].split(";") if name)
    if not set(channels) <= set(CHANNELS):
        raise ValueError(f"Expected channels among {', '.join(CHANNELS)}, got {row['channel']!r}.")
    return Charge(
        collector=row["collector"],
        name=row["name"],
        country=row["country"],
        sent_from=row["sent_from"],
        channels=channels,
        incoterm=row["incoterm"],
        above=_amount(row["above"]),
        up_to=_amount(row["up_to"]),
        fixed=_amount(row["fixed"]) or Decimal(0),
        rate=_amount(row["rate"]) or Decimal(0),
        rate_on=_CHARGE_BASES[row["rate_on"]],
        minimum=_amount(row["minimum"]) or Decimal(0),
        maximum=_amount(row["maximum"]),
        currency=row["currency"],
        valid_from=date.fromisoformat(row["valid_from"]),
        valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
        status=row["status"],
        source=row["source"],
        checked_on=date.fromisoformat(row["checked_on"]),
        note=row["note"],
    )


def _amount(cell: str) -> Decimal | None:
    return Decimal(cell) if cell else None
