"""How pages are made: the template environment, its filters, and the answer with its headers."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from babel.numbers import format_currency
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from core.money import Money

TEMPLATES = Path(__file__).parent / "templates"

POLICY = "; ".join((
    "default-src 'self'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:",
    "connect-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'",
    "frame-ancestors 'none'",
))  # fmt: skip
"""Content-Security-Policy of every page: nothing inline, nothing from elsewhere."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

DASH = "\N{EN DASH}"
"""What stands for no value."""

WHOLE_FROM = 10_000
"""Amounts from here on are written without minor units."""

_STATES = {
    "good": (
        "active", "available_for_pickup", "confirmed", "delivered", "optimal", "ordered",
        "resolved", "succeeded",
    ),
    "calm": (
        "acknowledged", "in_transit", "low", "out_for_delivery", "planned", "pre_transit",
        "queued", "reserved", "running", "snoozed", "withdrawn",
    ),
    "warn": (
        "bonded", "cancelled", "draft", "expired", "feasible", "medium", "new", "partial",
        "probation", "watch",
    ),
    "bad": (
        "critical", "dropped", "error", "failed", "failure", "high", "late", "return_to_sender",
        "stopped", "unserved",
    ),
}  # fmt: skip

TONES = {state: tone for tone, states in _STATES.items() for state in states}
"""State of anything -> tone of its badge; a state that is not listed stays neutral."""


def render(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Returns a page made from one template, with the headers of every page."""
    html = environment().get_template(name).render(**values)
    return HTMLResponse(html, status_code=status, headers=HEADERS)


@cache
def environment() -> Environment:
    """Returns the template environment; a name that a page forgot is an error, never a blank."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        number=number, money=money, share=share, day=day, moment=moment, tone=tone, words=words,
        data=data_block,
    )  # fmt: skip
    return made


def number(value: float | Decimal | None, digits: int = 0) -> str:
    """Returns a number with thousands marked; a dash for none.

    >>> number(12345.6, 1)
    '12,345.6'
    """
    return DASH if value is None else f"{value:,.{digits}f}"


def money(value: Money | Mapping[str, Any] | Decimal | float | None, currency: str = "") -> str:
    """Returns an amount as people write it; plain numbers are major units of `currency`.

    From ten thousand on, minor units are left out.

    >>> money({"amount": 1299, "currency": "EUR"})
    '€12.99'
    """
    if value is None:
        return DASH
    if isinstance(value, Mapping):
        return money(Money(int(value["amount"]), str(value["currency"])))
    if isinstance(value, Money):
        return _amount(float(value.amount), value.currency)
    return _amount(float(value), currency)


def _amount(value: float, currency: str) -> str:
    whole = abs(value) >= WHOLE_FROM
    return format_currency(
        value, currency, format="¤#,##0" if whole else None, locale="en", currency_digits=not whole
    )


def share(value: float | None, digits: int = 1) -> str:
    """Returns a share of one in percent; a dash for none.

    >>> share(0.1234)
    '12.3 %'
    """
    return DASH if value is None else f"{100 * value:.{digits}f} %"


def day(value: date | datetime | str | None) -> str:
    """Returns a date as `22 Nov 2026`; a dash for none."""
    if not value:
        return DASH
    read = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{read.day} {read:%b %Y}"


def moment(value: datetime | str | None) -> str:
    """Returns a moment in UTC as `22 Nov 14:05`; a dash for none."""
    if not value:
        return DASH
    read = datetime.fromisoformat(value) if isinstance(value, str) else value
    aware = read.astimezone(UTC) if read.tzinfo else read
    return f"{aware.day} {aware:%b %H:%M}"


def tone(state: str) -> str:
    """Returns the tone of a state's badge: good, calm, warn, bad or none."""
    return TONES.get(state, "")


def words(name: str) -> str:
    """Returns a code name as people say it.

    >>> words("out_for_delivery")
    'out for delivery'
    """
    return name.replace("_", " ").replace("-", " ")


def _plain(value: Any) -> Any:
    """Returns a value that JSON knows for one that it does not."""
    return value.isoformat() if isinstance(value, date) else asdict(value)


def data_block(value: object) -> Markup:
    """Returns JSON that may stand inside a `<script type="application/json">` element."""
    text = json.dumps(value, allow_nan=False, default=_plain)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704  # the only signs that end a data block are escaped
