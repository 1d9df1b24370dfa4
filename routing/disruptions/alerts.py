"""Alerts: what somebody has to look at, who does, and which changes of state are lawful."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from core.errors import Conflict
from routing.disruptions.impact import SEVERITIES
from routing.disruptions.response import Incident
from routing.disruptions.signal import version_key

STATES = ("new", "acknowledged", "snoozed", "resolved", "withdrawn")
"""`withdrawn` is what becomes of an alert whose source took its word back, or whose hazard no
longer reaches anything."""

OPEN = ("new", "acknowledged", "snoozed")

_STEPS: Mapping[str, tuple[tuple[str, ...], str | None]] = MappingProxyType(
    {
        "acknowledge": (("new", "snoozed", "acknowledged"), "acknowledged"),
        "assign": (OPEN, None),
        "snooze": (OPEN, "snoozed"),
        "resolve": ((*OPEN, "resolved"), "resolved"),
        "apply": (OPEN, None),
    }
)
"""What people may do: from which states, and to which; None leaves the state as it is."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An incident in the hands of people.

    `document` is the alert as every edge shows it; `version` the version of the signal that it
    follows from. `assignee` and `note` are "" for none.
    """

    id: str
    key: str
    source: str
    source_id: str
    scope: str
    version: str
    severity: str
    title: str
    state: str
    document: Mapping[str, Any] = field(hash=False)
    created_at: datetime
    updated_at: datetime
    assignee: str = ""
    snoozed_until: datetime | None = None
    note: str = ""

    def seen_at(self, now: datetime) -> "Alert":
        """Returns the alert as it stands at a moment: a snooze that is over makes it new again."""
        woken = self.snoozed_until is not None and self.snoozed_until <= now
        if self.state == "snoozed" and woken:
            return replace(self, state="new", snoozed_until=None)
        return self

    def after(self, step: str, now: datetime, **changed: Any) -> "Alert":
        """Returns the alert after a step that somebody takes; raises `Conflict` if not lawful.

        Taking a step twice leaves the alert as it was after the first time.
        """
        current = self.seen_at(now)
        sources, target = _STEPS[step]
        if current.state not in sources:
            raise Conflict(f"The alert is {current.state}.", f"alert-{current.state}")
        return replace(current, state=target or current.state, updated_at=now, **changed)

    def updated(self, incident: Incident, now: datetime) -> "Alert":
        """Returns the alert after a later word about its event.

        It becomes new again when it gets worse, or when it had been withdrawn.
        """
        worse = SEVERITIES.index(incident.impact.severity) > SEVERITIES.index(self.severity)
        again = worse or self.state == "withdrawn"
        return replace(
            self,
            version=incident.signal.version,
            severity=incident.impact.severity,
            title=incident.signal.title,
            state="new" if again else self.state,
            snoozed_until=None if again else self.snoozed_until,
            document=incident.alert_json(),
            updated_at=now,
        )

    def withdrawn(self, version: str, reason: str, now: datetime) -> "Alert":
        """Returns the alert after its source took its word back; a resolved one stays resolved."""
        state = "withdrawn" if self.state in OPEN else self.state
        return replace(self, version=version, state=state, note=reason, updated_at=now)

    def older_than(self, version: str) -> bool:
        """Whether a version is a later word than the one that the alert follows from."""
        return version_key(self.version) < version_key(version)


def raised(identity: str, incident: Incident, now: datetime) -> Alert:
    """Returns the new alert of an incident."""
    signal = incident.signal
    return Alert(
        id=identity,
        key=incident.key,
        source=signal.source,
        source_id=signal.source_id,
        scope=incident.scope,
        version=signal.version,
        severity=incident.impact.severity,
        title=signal.title,
        state="new",
        document=incident.alert_json(),
        created_at=now,
        updated_at=now,
    )
