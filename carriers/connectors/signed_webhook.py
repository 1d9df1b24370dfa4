"""The generic connector: signed JSON in the form that any carrier, or a bridge to one, can send.

Signatures follow Standard Webhooks 1.0 (standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`
in base64 behind `v1,`; several signatures may stand in one header while a secret is changed.
"""

import base64
import binascii
import csv
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from carriers.tracking import Status, TrackingEvent
from core.errors import BadInput, EntrepotError, Problem
from core.texts import is_storable

TOLERANCE = timedelta(minutes=5)
"""How far the sender's clock may be off; older reports may be replays."""

MOST_EVENTS = 500
_LONGEST = {"tracking_code": 100, "code": 100, "place": 200, "text": 1000}
_FIRST_YEAR, _LAST_YEAR = 2000, 2200
_FIELDS = frozenset({"tracking_code", "code", "occurred_at", "place", "text"})


class BadSignature(EntrepotError):
    """A report that nobody with the secret signed just now."""

    code = "bad-signature"


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> None:
    """Ensures that a report was signed with the secret within the tolerance; else `BadSignature`.

    `headers` have lower-case names. Every comparison takes the same time whatever it finds.
    """
    identity = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "")
    if not identity or not given or not timestamp.isascii() or not timestamp.isdigit():
        raise BadSignature("Expected the headers webhook-id, webhook-timestamp, webhook-signature.")
    if abs(now.timestamp() - int(timestamp[:12])) > TOLERANCE.total_seconds():
        raise BadSignature("The timestamp is more than five minutes off.")
    wanted = signature(identity, timestamp, body, secret).encode()
    matches = [
        hmac.compare_digest(wanted, one.encode("utf-8", "replace")) for one in given.split(" ")
    ]
    if not any(matches):
        raise BadSignature("The signature does not match the body.")


def signature(identity: str, timestamp: str, body: bytes, secret: str) -> str:
    """Returns the signature of a report: `v1,` and base64."""
    signed = f"{identity}.{timestamp}.".encode() + body
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def status_for(carrier: str, raw_code: str) -> Status:
    """Returns what a carrier's code means; `unknown` for a code that nobody wrote down.

    A code of the carrier itself goes before one that all carriers share; case does not matter.
    """
    code = raw_code.strip().lower()
    found = _codes().get((carrier.lower(), code)) or _codes().get(("*", code))
    return found or Status.UNKNOWN


@dataclass(frozen=True, slots=True)
class SignedWebhook:
    """Reads `{"events": [{"tracking_code", "code", "occurred_at", "place"?, "text"?}, ...]}`."""

    def events(self, carrier: str, body: bytes) -> tuple[TrackingEvent, ...]:
        """Returns the events of a report; raises `BadInput` with every problem of a bad one."""
        problems: list[Problem] = []
        found = [
            event
            for at, entry in enumerate(_entries(body))
            if (event := _event(carrier, entry, f"/events/{at}", problems)) is not None
        ]
        if problems:
            raise BadInput(problems)
        return tuple(found)


def _entries(body: bytes) -> list[Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise BadInput("Expected a JSON document.") from None
    entries = document.get("events") if isinstance(document, dict) else None
    if not isinstance(entries, list) or set(document) != {"events"}:
        raise BadInput('Expected an object with "events", a list, and nothing else.')
    if not 1 <= len(entries) <= MOST_EVENTS:
        raise BadInput(f"Expected 1 to {MOST_EVENTS} events, got {len(entries)}.")
    return entries


def _event(carrier: str, entry: Any, pointer: str, problems: list[Problem]) -> TrackingEvent | None:
    if not isinstance(entry, dict):
        problems.append(_problem(pointer, "expected an object"))
        return None
    wrong = [
        _problem(f"{pointer}/{name}", "unknown field") for name in sorted(set(entry) - _FIELDS)
    ]
    wrong += [
        _problem(f"{pointer}/{name}", f"expected text of at most {most} characters")
        for name, most in _LONGEST.items()
        if not _fits(entry.get(name, ""), most)
    ]
    wrong += [
        _problem(f"{pointer}/{name}", "is required")
        for name in ("tracking_code", "code")
        if not entry.get(name)
    ]
    moment = _moment(entry.get("occurred_at"))
    if moment is None:
        wrong.append(_problem(f"{pointer}/occurred_at", "expected an RFC 3339 time with an offset"))
    problems.extend(wrong)
    if wrong or moment is None:
        return None
    return TrackingEvent(
        carrier=carrier,
        tracking_code=entry["tracking_code"],
        raw_code=entry["code"],
        status=status_for(carrier, entry["code"]),
        occurred_at=moment,
        place=entry.get("place", ""),
        text=entry.get("text", ""),
    )


def _fits(value: Any, most: int) -> bool:
    return isinstance(value, str) and len(value) <= most and is_storable(value)


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    known = moment.tzinfo is not None and _FIRST_YEAR <= moment.year <= _LAST_YEAR
    return moment.astimezone(UTC) if known else None


def _problem(pointer: str, problem: str) -> Problem:
    return Problem("", 0, 0, problem, pointer)


def _key(secret: str) -> bytes:
    """Returns the bytes of a secret: base64 behind `whsec_`, else the text itself."""
    encoded = secret.removeprefix("whsec_")
    if encoded == secret:
        return secret.encode()
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise BadSignature("The secret of this carrier is not base64 behind whsec_.") from None


@cache
def _codes() -> Mapping[tuple[str, str], Status]:
    text = files("carriers.connectors").joinpath("codes.csv").read_text(encoding="utf-8")
    return {
        (row["carrier"].lower(), row["raw_code"].lower()): Status(row["status"])
        for row in csv.DictReader(text.splitlines())
    }
